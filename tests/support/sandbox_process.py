"""A QuickBooks sandbox in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.control import SandboxControl

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
START_SECONDS = 20


@contextmanager
def running_sandbox(folder: Path) -> Iterator[SandboxControl]:
    """Run a sandbox without any company, on a free port that it writes into a folder."""
    port_file = folder / "port"
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--port-file", str(port_file)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        try:
            yield SandboxControl(f"http://127.0.0.1:{_wait_for_port(port_file, process)}")
        finally:
            process.terminate()


def _wait_for_port(port_file: Path, process: subprocess.Popen[bytes]) -> int:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if port_file.exists():
            return int(port_file.read_text())
        time.sleep(0.02)
    raise RuntimeError("the sandbox did not start")
