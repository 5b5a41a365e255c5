"""A network of hosts on this machine that nobody else can reach, and that is gone with the processes that use it."""

from __future__ import annotations

import ctypes
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CLONE_NEWNET = 0x40000000
# That of examples/proxy, in namespaces of our own: no interface of the machine has one of these addresses.
SUBNET = "172.30.77."
BRIDGE = "switch"


class Network:
    """
    A network namespace with a bridge in it, to which hosts are connected.

    Namespaces have no names here: each lives as long as a process in it, so a test that is killed leaves none behind.
    """

    def __init__(self) -> None:
        # Nothing to run: `cat` waits until its input ends, with this process or with :meth:`close`.
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "echo made; exec cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        self._holder.stdout.readline()
        self._run("link", "set", "lo", "up")
        self._run("link", "add", BRIDGE, "type", "bridge")
        self._run("addr", "add", f"{SUBNET}1/24", "dev", BRIDGE)
        self._run("link", "set", BRIDGE, "up")

    def close(self) -> None:
        """Let the network go."""
        self._holder.communicate()

    def connect(self, process_id: int, number: int) -> str:
        """
        Give the network namespace of a process an interface with an address.

        :return: the other end of its cable.
        """
        port = f"port{number}"
        # An earlier process with this address may be dying still.
        self._run("link", "delete", port, may_fail=True)
        # A host that starts again keeps its hardware's address: the others remember it for a minute.
        peer = ["name", "eth0", "address", f"02:00:00:00:00:{number:02x}", "netns", str(process_id)]
        self._run("link", "add", port, "type", "veth", "peer", *peer)
        self._run("link", "set", port, "master", BRIDGE, "up")
        inside = ["nsenter", f"--target={process_id}", "--net", "ip"]
        for command in (
            ["link", "set", "lo", "up"],
            ["addr", "add", f"{address(number)}/24", "dev", "eth0"],
            ["link", "set", "eth0", "up"],
        ):
            subprocess.run([*inside, *command], check=True, capture_output=True)
        return port

    def cut(self, port: str) -> None:
        """Pull a cable: nothing goes through any more, and nobody is told."""
        self._run("link", "set", port, "down")

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Be on the network with this thread and what it starts; nothing else can be reached meanwhile."""
        with Path("/proc/thread-self/ns/net").open() as before:
            _enter(Path(f"/proc/{self._holder.pid}/ns/net"))
            try:
                yield
            finally:
                _set_namespace(before.fileno())

    def _run(self, *command: str, may_fail: bool = False) -> None:
        inside = ["nsenter", f"--target={self._holder.pid}", "--net", "ip"]
        subprocess.run([*inside, *command], check=not may_fail, capture_output=True)


def address(number: int) -> str:
    """Return the address of a host."""
    return f"{SUBNET}{number}"


def may_make_namespaces() -> bool:
    """Tell whether this user may make namespaces of the network here."""
    probe = subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True, check=False)
    return probe.returncode == 0


def _enter(path: Path) -> None:
    with path.open() as namespace:
        _set_namespace(namespace.fileno())


def _set_namespace(descriptor: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "the network cannot be entered")
