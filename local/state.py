"""Which processes belong to an installation, so that they can be ended after their launcher was killed."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from local.files import read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Iterable
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Member:
    """
    A process of an installation; when it started tells it from a later one with the same pid.

    :param pid: its process id, also the id of its session.
    :param started: when it started, in seconds since the machine did, which a set clock does not change.
    :param boot: which start of the machine that was.
    """

    pid: int
    started: float
    boot: str

    @classmethod
    def of(cls, pid: int) -> Member:
        """Return the member that is the running process with this pid."""
        return cls(pid, _start_time(pid), _boot())

    def is_alive(self) -> bool:
        """Tell whether this very process still runs."""
        try:
            return self._is_current() and psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def session(self) -> list[psutil.Process]:
        """
        Return the living processes of the session that this one leads, also when it has died.

        A pid is not given away while a session bears its number; so a later process with this pid shows that the
        session is gone.
        """
        if self.boot != _boot() or (psutil.pid_exists(self.pid) and not self._is_current()):
            return []
        return [process for process in psutil.process_iter() if self._leads(process)]

    def _is_current(self) -> bool:
        try:
            return Member.of(self.pid) == self
        except (OSError, psutil.NoSuchProcess):
            return False

    def _leads(self, process: psutil.Process) -> bool:
        try:
            return (
                os.getsid(process.pid) == self.pid
                and process.status() != psutil.STATUS_ZOMBIE
                and _start_time(process.pid) >= self.started
            )
        except (OSError, psutil.NoSuchProcess):
            return False


def _start_time(pid: int) -> float:
    if sys.platform != "linux":
        return psutil.Process(pid).create_time()
    # psutil adds the time of the boot, which moves when the clock is set; field 22 of stat is what the kernel keeps.
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(after_name[19]) / os.sysconf("SC_CLK_TCK")


def _boot() -> str:
    return BOOT_ID.read_text().strip() if BOOT_ID.exists() else ""


def end(members: Iterable[Member], seconds: float) -> None:
    """Ask the sessions of some members to end, and kill what is left after some seconds."""
    members = list(members)
    deadline = time.monotonic() + seconds
    _send(_living(members), signal.SIGTERM)
    while living := _living(members):
        if time.monotonic() > deadline:
            _send(living, signal.SIGKILL)
        time.sleep(0.05)


def _living(members: Iterable[Member]) -> list[psutil.Process]:
    return [process for member in members for process in member.session()]


def _send(processes: Iterable[psutil.Process], signal_number: int) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal_number)


class State:
    """
    The state file of an installation.

    :param file: where it is.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def launcher(self) -> Member | None:
        """Return the launcher, if it still runs."""
        saved = read_json(self.file).get("launcher")
        launcher = Member(**saved) if saved else None
        return launcher if launcher and launcher.is_alive() else None

    def components(self) -> dict[str, Member]:
        """Return the processes that were started, by the name of their component."""
        return {name: Member(**saved) for name, saved in read_json(self.file).get("components", {}).items()}

    def is_ready(self) -> bool:
        """Tell whether the start came to its end."""
        return bool(read_json(self.file).get("is_ready"))

    def write(self, launcher: Member, components: dict[str, Member], *, is_ready: bool) -> None:
        """Replace the file's contents."""
        value: dict[str, Any] = {
            "launcher": asdict(launcher),
            "components": {name: asdict(member) for name, member in components.items()},
            "is_ready": is_ready,
        }
        write_json(self.file, value)

    def clear(self) -> None:
        """Remember that nothing runs."""
        self.file.unlink(missing_ok=True)
