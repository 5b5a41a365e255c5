from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import pytest

from local.directory import LocalDirectory
from local.errors import LocalError
from local.stack import stop_leftovers
from local.state import State
from local.supervisor import Component, Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Installation:
    """A folder with small programs in place of Airflow's, and what was said about them."""

    def __init__(self, path: Path) -> None:
        self.directory = LocalDirectory(path)
        self.directory.make()
        self.said: list[str] = []
        self.supervisor = Supervisor(self.directory, self.said.append)
        self.modules = path / "modules"
        self.modules.mkdir()
        self.supervisor.environment = {"PYTHONPATH": str(self.modules)}

    def component(self, name: str, code: str) -> Component:
        (self.modules / f"{name}.py").write_text(code)
        return Component(name, name)


@pytest.fixture
def installation(tmp_path) -> Iterator[Installation]:
    installation = Installation(tmp_path / "local")
    yield installation
    installation.supervisor.stop()


def wait_until(is_true: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_program_that_is_run_to_its_end_has_the_environment(installation):
    installation.supervisor.environment = {**installation.supervisor.environment, "WORD": "hello"}
    installation.supervisor.run(installation.component("greet", "import os; print(os.environ['WORD'])"))
    assert installation.directory.log("greet").read_text() == "hello\n"
    assert State(installation.directory.state).components() == {}


def test_a_program_that_fails_is_told_with_its_last_words_and_its_log(installation):
    failing = installation.component("failing", "raise SystemExit('the disk is full')")
    with pytest.raises(LocalError, match=r"failing failed: the disk is full \(see .*failing\.log\)"):
        installation.supervisor.run(failing)


def test_a_program_that_ends_during_the_start_is_told(installation):
    installation.supervisor.start(installation.component("short", "print('bye')"))
    with pytest.raises(LocalError, match="short ended during the start: bye"):
        wait_until(lambda: installation.supervisor.check() is not None)


def test_a_program_that_dies_is_restarted_and_said_so(installation):
    marks = installation.directory.path / "marks"
    code = f"import time; open({str(marks)!r}, 'a').write('x'); time.sleep(600)"
    installation.supervisor.start(installation.component("worker", code))
    state = State(installation.directory.state)
    first = state.components()["worker"]
    wait_until(marks.exists)
    for process in first.session():
        process.kill()

    def is_restarted() -> bool:
        installation.supervisor.restart_dead()
        return marks.read_text() == "xx"

    wait_until(is_restarted)
    assert state.components()["worker"] != first
    assert len(installation.said) == 1
    assert "worker died" in installation.said[0]


def test_a_program_that_dies_again_and_again_ends_the_launcher_with_a_reason(installation, monkeypatch):
    monkeypatch.setattr("local.supervisor.RESTARTS", 2)
    installation.supervisor.start(installation.component("broken", "raise SystemExit('no such table')"))
    with pytest.raises(LocalError, match="broken died 3 times in a row: no such table"):
        wait_until(lambda: installation.supervisor.restart_dead() is not None)
    assert len(installation.said) == 2


def test_stopping_ends_every_program(installation):
    for name in ("one", "two"):
        installation.supervisor.start(installation.component(name, "import time; time.sleep(600)"))
    members = State(installation.directory.state).components()
    assert all(member.is_alive() for member in members.values())
    installation.supervisor.stop()
    assert not any(member.is_alive() for member in members.values())


def test_what_a_killed_launcher_has_left_is_ended_by_the_next_command(installation):
    installation.supervisor.start(installation.component("left", "import time; time.sleep(600)"))
    member = State(installation.directory.state).components()["left"]
    assert stop_leftovers(installation.directory)
    assert not member.is_alive()
    assert not stop_leftovers(installation.directory)


def test_a_program_is_in_a_session_of_its_own(installation):
    code = "import os; print(os.getsid(0) == os.getpid())"
    installation.supervisor.run(installation.component("session", code))
    assert installation.directory.log("session").read_text() == "True\n"
    assert sys.executable in installation.component("any", "").command
