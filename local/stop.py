"""``bin/stop``: stop what bin/start started, also after its launcher was killed."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time

from local.directory import LocalDirectory
from local.errors import LocalError
from local.stack import stop_leftovers
from local.state import State

STOP_SECONDS = 90


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    argparse.ArgumentParser(
        prog="bin/stop", description="Stop what bin/start started. The data stays."
    ).parse_args(arguments)
    directory = LocalDirectory()
    try:
        has_stopped = _stop_launcher(directory)
        has_stopped = stop_leftovers(directory) or has_stopped
    except (LocalError, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    print("Stopped." if has_stopped else "Nothing is running.")
    return 0


def _stop_launcher(directory: LocalDirectory) -> bool:
    """Ask a living launcher to stop everything, and wait until it has."""
    launcher = State(directory.state).launcher()
    if launcher is None:
        return False
    print("Stopping …", flush=True)
    os.kill(launcher.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while launcher.is_alive():
        if time.monotonic() > deadline:
            os.kill(launcher.pid, signal.SIGKILL)
            break
        time.sleep(0.05)
    return True


if __name__ == "__main__":
    sys.exit(main())
