"""Starts an installation's programs, restarts one that dies, and ends them all."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from local.errors import LocalError
from local.state import Member, State, end

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from local.directory import LocalDirectory

RESTARTS = 5
CALM_SECONDS = 300  # one that ran for so long has earned all its restarts again
STOP_SECONDS = 15
ORPHAN_SECONDS = 3  # what has lost its parent does not end of itself


@dataclass(frozen=True)
class Component:
    """
    A program of the installation.

    :param name: what users call it, and the name of its log.
    :param module: the Python module that runs it.
    :param arguments: the module's arguments.
    """

    name: str
    module: str
    arguments: tuple[str, ...] = ()

    @property
    def command(self) -> list[str]:
        """The command that runs it."""
        return [sys.executable, "-P", "-m", self.module, *self.arguments]


@dataclass
class Running:
    """A component that was started, and how often it had to be restarted."""

    component: Component
    child: subprocess.Popen[bytes]
    restarts: int = 0
    started: float = field(default_factory=time.monotonic)
    restart_at: float | None = None


class Supervisor:
    """
    Starts programs, each in a session of its own, so that a Ctrl-C reaches the launcher alone.

    :param directory: the installation's folder; the state file in it names each program that runs.
    :param say: told what happens.
    """

    def __init__(self, directory: LocalDirectory, say: Callable[[str], None]) -> None:
        self.directory = directory
        self.environment: Mapping[str, str] = {}
        self.say = say
        self.is_ready = False
        self._running: dict[str, Running] = {}
        self._members: dict[str, Member] = {}
        self._launcher = Member.of(os.getpid())
        self._state = State(directory.state)
        self._state_lock = threading.Lock()

    def start(self, component: Component) -> None:
        """Start a program that runs until it is stopped."""
        self._running[component.name] = Running(component, self._spawn(component))

    def run(self, component: Component, **variables: str) -> None:
        """Run a program to its end, with variables that no other has."""
        child = self._spawn(component, variables)
        if child.wait() != 0:
            raise LocalError(f"{component.name} failed: {self.last_words(component.name)}")
        with self._state_lock:
            del self._members[component.name]
            self._write_state()

    def check(self) -> None:
        """Raise an error where a program has ended."""
        for name, running in self._running.items():
            if running.child.poll() is not None:
                raise LocalError(f"{name} ended during the start: {self.last_words(name)}")

    def mark_ready(self) -> None:
        """Remember that the start has come to its end."""
        self.is_ready = True
        with self._state_lock:
            self._write_state()

    def restart_dead(self) -> None:
        """Restart each program that has died, at longer and longer intervals."""
        for name, running in self._running.items():
            if running.restart_at is None and running.child.poll() is not None:
                self._plan_restart(name, running)
            elif running.restart_at is not None and time.monotonic() >= running.restart_at:
                self._restart(running)

    def end_hanging(self, name: str) -> None:
        """End a program that runs but does nothing, so that it is restarted."""
        self.say(f"{name} does not report any more, ending it")
        end([self._members[name]], ORPHAN_SECONDS)

    def stop(self) -> None:
        """End all programs."""
        with self._state_lock:
            members = list(self._members.values())
        end(members, STOP_SECONDS)
        for running in self._running.values():
            running.child.wait()

    def last_words(self, name: str) -> str:
        """Return the last line of a program's log, and where the log is."""
        log = self.directory.log(name)
        lines = [line for line in _tail(log).splitlines() if line.strip()]
        words = lines[-1].strip()[:300] if lines else "it said nothing"
        return f"{words} (see {log})"

    def _spawn(
        self, component: Component, variables: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        with self.directory.log(component.name).open("ab") as log:
            child = subprocess.Popen(
                component.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory.airflow,
                env={**os.environ, **self.environment, **(variables or {})},
                start_new_session=True,
            )
        with self._state_lock:
            self._members[component.name] = Member.of(child.pid)
            self._write_state()
        return child

    def _write_state(self) -> None:
        self._state.write(self._launcher, self._members, is_ready=self.is_ready)

    def _plan_restart(self, name: str, running: Running) -> None:
        if time.monotonic() - running.started > CALM_SECONDS:
            running.restarts = 0
        if running.restarts == RESTARTS:
            raise LocalError(f"{name} died {RESTARTS + 1} times in a row: {self.last_words(name)}")
        self.say(f"{name} died (exit code {running.child.returncode}), restarting: {self.last_words(name)}")
        end([self._members[name]], ORPHAN_SECONDS)  # what the dead one has left behind
        running.restart_at = time.monotonic() + 2**running.restarts - 1

    def _restart(self, running: Running) -> None:
        running.child = self._spawn(running.component)
        running.restarts += 1
        running.started = time.monotonic()
        running.restart_at = None


def _tail(log: Path) -> str:
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 4096))
        return file.read().decode(errors="replace")
