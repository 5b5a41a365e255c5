from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from local.state import Member, State, end

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SLEEP = "import time; time.sleep(600)"
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEP!r}]); {SLEEP}"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); {SLEEP}"


@pytest.fixture
def spawn() -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    children: list[subprocess.Popen[str]] = []

    def start(code: str) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-c", code], start_new_session=True, stdout=subprocess.PIPE, text=True
        )
        children.append(child)
        return child

    yield start
    for child in children:
        for process in psutil.process_iter():
            if process.pid != os.getpid() and _session_of(process) == child.pid:
                process.kill()
        child.kill()
        child.communicate()


def _session_of(process: psutil.Process) -> int:
    try:
        return os.getsid(process.pid)
    except ProcessLookupError:
        return 0


def wait_until(is_true: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_running_process_is_alive_until_it_ends(spawn):
    child = spawn(SLEEP)
    member = Member.of(child.pid)
    assert member.is_alive()
    child.kill()
    wait_until(lambda: not member.is_alive())  # a zombie by now


def test_a_later_process_with_the_same_pid_is_another(spawn):
    child = spawn(SLEEP)
    earlier = dataclasses.replace(Member.of(child.pid), started=0.5)
    assert not earlier.is_alive()
    assert earlier.session() == []
    end([earlier], 0)
    assert child.poll() is None


def test_a_process_of_before_a_reboot_is_another(spawn):
    child = spawn(SLEEP)
    earlier = dataclasses.replace(Member.of(child.pid), boot="another")
    assert not earlier.is_alive()
    end([earlier], 0)
    assert child.poll() is None


def test_ending_a_member_ends_its_children_too(spawn):
    child = spawn(PARENT)
    member = Member.of(child.pid)
    wait_until(lambda: len(member.session()) == 2)
    end([member], 10)
    assert member.session() == []


def test_children_whose_parent_was_killed_are_found_and_ended(spawn):
    child = spawn(PARENT)
    member = Member.of(child.pid)
    wait_until(lambda: len(member.session()) == 2)
    child.kill()
    child.wait()
    wait_until(lambda: len(member.session()) == 1)
    end([member], 10)
    assert member.session() == []


def test_what_does_not_end_is_killed(spawn):
    child = spawn(DEAF)
    assert child.stdout.readline() == "deaf\n"
    end([Member.of(child.pid)], 0.2)
    assert child.wait(10) == -9


def test_the_file_gives_back_what_was_written(tmp_path, spawn):
    launcher, component = Member.of(os.getpid()), Member.of(spawn(SLEEP).pid)
    state = State(tmp_path / "state.json")
    state.write(launcher, {"scheduler": component}, is_ready=True)
    assert state.launcher() == launcher
    assert state.components() == {"scheduler": component}
    assert state.is_ready()
    state.clear()
    assert (state.launcher(), state.components(), state.is_ready()) == (None, {}, False)


def test_a_launcher_that_has_died_is_not_reported(tmp_path):
    state = State(tmp_path / "state.json")
    state.write(dataclasses.replace(Member.of(os.getpid()), started=0.5), {}, is_ready=True)
    assert state.launcher() is None
