from __future__ import annotations

import subprocess
import sys
import uuid
from typing import TYPE_CHECKING

import psycopg
import pytest

from include.local.directory import ROOT
from include.sandbox.control import SandboxControl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fixtures_local import RunningStack

    Remind = Callable[..., subprocess.CompletedProcess[str]]

EXAMPLE = ROOT / "examples" / "reminder_service.py"


@pytest.fixture
def remind(running_stack: RunningStack) -> Remind:
    """Run the example against the running stack, as its first lines say."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, EXAMPLE, *arguments],
            env={"RECEIVABLES_LOCAL_DIR": str(running_stack.directory.path)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def sandbox(running_stack: RunningStack) -> Iterator[SandboxControl]:
    control = SandboxControl(running_stack.sandbox_url)
    yield control
    control.clear_faults()


def test_it_sends_what_may_be_sent_and_holds_the_rest(remind: Remind, running_stack: RunningStack):
    done = remind("demo")

    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    sent = {line[1]: line[2] for line in lines if line[0] == "send"}
    with psycopg.connect(running_stack.database_url) as db:
        due = dict(
            db.execute(
                "select id::text, amount_due::numeric(20, 2)::text from peakflo.invoice"
                " where company_id = 'demo' and status = 'sent'"
            ).fetchall()
        )
    assert sent
    assert sent.items() <= due.items()
    assert {line[1] for line in lines} == due.keys()


def test_a_run_that_was_asked_for_before_sends_nothing(remind: Remind):
    run_id = f"reminders-{uuid.uuid4().hex}"
    first, second = remind("demo", "--run-id", run_id), remind("demo", "--run-id", run_id)

    assert "send " in first.stdout
    assert second.returncode == 0, second.stderr
    assert second.stdout.startswith("This run was asked for before")
    assert "send " not in second.stdout


def test_nothing_is_sent_while_quickbooks_is_down(remind: Remind, sandbox: SandboxControl):
    sandbox.add_fault("403_3100")

    done = remind("demo")

    assert done.returncode == 0, done.stderr
    assert "Not everything could be checked" in done.stdout
    assert "later" in done.stdout
    assert "send " not in done.stdout


def test_a_wrong_request_is_told_in_a_sentence(remind: Remind):
    done = remind("demo", "--invoice", "130")

    assert done.returncode == 1
    assert done.stderr.startswith("The request is wrong: Invalid input for param invoice_ids")
