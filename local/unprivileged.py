"""
Run a program that refuses to run as root, such as PostgreSQL: ``python unprivileged.py COMMAND…``.

The command runs in a user namespace that maps root to ``nobody``: files stay root's own, no user is added,
nothing is chowned, and no directory has to be opened to another user.
"""

from __future__ import annotations

import ctypes
import functools
import os
import pwd
import subprocess
import sys
from pathlib import Path

CLONE_NEWUSER = 0x10000000


def in_namespace(command: list[str]) -> list[str]:
    """Return the command that runs a command in such a namespace."""
    return [sys.executable, "-I", __file__, *command]


@functools.cache
def has_namespaces() -> bool:
    """Tell whether root may make a user namespace here; many containers forbid it."""
    if sys.platform != "linux":
        return False
    probe = subprocess.run(in_namespace([sys.executable, "-c", ""]), capture_output=True, check=False)
    return probe.returncode == 0


def _enter_namespace() -> None:
    nobody = pwd.getpwnam("nobody")
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "no user namespace may be made here")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{nobody.pw_uid} 0 1")
    Path("/proc/self/gid_map").write_text(f"{nobody.pw_gid} 0 1")


if __name__ == "__main__":
    _enter_namespace()
    os.execv(sys.argv[1], sys.argv[1:])
