from __future__ import annotations

import importlib.util
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from local.directory import ROOT
from sandbox.control import SandboxControl
from tests.support.airflow_client import AirflowClient
from tests.support.meddling_proxy import MeddlingProxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.fixtures_local import RunningStack
    from tests.support.meddling_proxy import Deed

    Remind = Callable[..., subprocess.CompletedProcess[str]]

EXAMPLE = ROOT / "examples" / "reminder_service.py"
DAG_ID = "refresh_before_reminder"
ASKED_BEFORE = "This run was asked for before"


@pytest.fixture
def remind(running_stack: RunningStack, tmp_path: Path) -> Remind:
    """Run the example against the running stack, as its first lines say, with a record of its own."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        own = {
            "RECEIVABLES_LOCAL_DIR": str(running_stack.directory.path),
            "REMINDER_RECORD": str(tmp_path / "sent"),
        }
        return subprocess.run(
            [sys.executable, EXAMPLE, *arguments],
            env=own | variables,
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


@pytest.fixture
def client(running_stack: RunningStack) -> AirflowClient:
    """The reminder service before it died, or somebody who uses its login."""
    return AirflowClient(running_stack, "reminder")


@pytest.fixture
def db(running_stack: RunningStack) -> Iterator[psycopg.Connection]:
    with psycopg.connect(running_stack.database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def example() -> Any:
    spec = importlib.util.spec_from_file_location("reminder_service", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def a_run_id() -> str:
    return f"reminders:{uuid.uuid4().hex}"


def lines_of(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """Return the first word of each invoice's line."""
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines() if not line.startswith(ASKED_BEFORE)]
    return {line[1]: line[0] for line in lines}


def test_it_sends_what_may_be_sent_and_holds_the_rest(remind: Remind, db: psycopg.Connection):
    done = remind("demo")

    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    sent = {line[1]: line[2] for line in lines if line[0] == "send"}
    due = dict(
        db.execute(
            "select id::text, amount_due::numeric(20, 2)::text from peakflo.invoice"
            " where company_id = 'demo' and status = 'sent'"
        ).fetchall()
    )
    assert sent
    assert sent.items() <= due.items()
    assert {line[1] for line in lines} == due.keys()


def test_a_run_that_was_asked_for_before_sends_nothing_twice(remind: Remind):
    run_id = a_run_id()
    first, second = remind("demo", "--run-id", run_id), remind("demo", "--run-id", run_id)

    assert "send " in first.stdout
    assert second.returncode == 0, second.stderr
    assert second.stdout.startswith(ASKED_BEFORE)
    assert "send " not in second.stdout
    sent = {invoice_id for invoice_id, word in lines_of(first).items() if word == "send"}
    assert {invoice_id for invoice_id, word in lines_of(second).items() if word == "before"} == sent


def test_the_verdicts_of_a_run_whose_answer_was_lost_are_read_and_sent(remind: Remind, client: AirflowClient):
    run_id = a_run_id()
    assert client.trigger(DAG_ID, run_id, company_id="demo").status_code == 200

    done = remind("demo", "--run-id", run_id)

    assert done.stdout.startswith(ASKED_BEFORE)
    assert "send" in lines_of(done).values()


def test_of_two_at_once_only_one_sends_a_reminder(remind: Remind):
    run_id = a_run_id()

    with ThreadPoolExecutor(max_workers=2) as pool:
        both = [pool.submit(remind, "demo", "--run-id", run_id) for _ in range(2)]

    first, second = (
        {invoice_id for invoice_id, word in lines_of(done.result()).items() if word == "send"}
        for done in both
    )
    assert first ^ second == first | second != set()


def test_in_one_round_an_invoice_gets_one_reminder_whichever_runs_are_asked(remind: Remind):
    words = [set(lines_of(remind("demo", "--reminders", "november")).values()) for _ in range(2)]

    assert "send" in words[0]
    assert "before" in words[1]
    assert "send" not in words[1]


def test_verdicts_that_have_expired_are_not_sent(
    remind: Remind, client: AirflowClient, db: psycopg.Connection
):
    run_id = a_run_id()
    assert client.trigger(DAG_ID, run_id, company_id="demo").status_code == 200
    client.wait(DAG_ID, run_id)
    db.execute("update peakflo.reminder_verdict set expires_at = now() where reminder_run_id = %s", [run_id])

    done = remind("demo", "--run-id", run_id)

    assert "expired: ask again, with a new id" in done.stdout
    assert set(lines_of(done).values()) <= {"later", "hold"}


def test_a_check_that_was_killed_is_told(remind: Remind, client: AirflowClient, db: psycopg.Connection):
    run_id = a_run_id()
    assert client.trigger(DAG_ID, run_id, company_id="demo").status_code == 200
    client.wait(DAG_ID, run_id)
    # What is left of a task that was cleared, and killed before it had judged.
    begun = """
        insert into sync.run (company_id, realm_id, dag_id, dag_run_id, try_number, state, is_exclusive)
        select company_id, realm_id, dag_id, dag_run_id, 2, 'running', false from sync.run where dag_run_id = %s
    """
    db.execute(begun, [run_id])

    assert_refused(remind("demo", "--run-id", run_id), "The run ended before its check did: nothing is sent")


def test_a_verdict_that_expires_while_others_are_sent_is_not_sent(
    example: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    answer = {"error": None, "verdicts": [verdict("first", seconds=60), verdict("second", seconds=-0.001)]}

    with closing(example.Record(tmp_path / "sent", "november")) as record:
        example.act(answer, [], record)

    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()] == [
        ["send", "first"],
        ["later", "second"],
    ]


def test_only_what_was_asked_for_is_sent(example: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    answer = {"error": None, "verdicts": [verdict("asked"), verdict("not-asked")]}

    with closing(example.Record(tmp_path / "sent", "november")) as record:
        example.act(answer, ["ASKED", "missing"], record)

    assert [line.split()[:3:2] for line in capsys.readouterr().out.splitlines()] == [
        ["send", "100.00"],
        ["later", "not_checked:"],
    ]


def verdict(invoice_id: str, *, seconds: float = 60) -> dict[str, Any]:
    return {
        "invoice_id": invoice_id,
        "verdict": "send",
        "reasons": [],
        "amount_due": "100.00",
        "currency": "USD",
        "due_date": "2026-11-30",
        "due_date_basis": "quickbooks",
        "customer_total_due": "100.00",
        "customer_total_overdue": "100.00",
        "expires_at": (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(),
    }


def test_nothing_is_sent_while_quickbooks_is_down(remind: Remind, sandbox: SandboxControl):
    sandbox.add_fault("403_3100")

    done = remind("demo")

    assert done.returncode == 0, done.stderr
    assert "Not everything could be checked" in done.stdout
    assert "later" in done.stdout
    assert "send " not in done.stdout


def lose_each_answer_once(method: str, path: str, before: int) -> Deed:
    return "pass" if before else "lose"


def reset_each_call_once(method: str, path: str, before: int) -> Deed:
    return "pass" if before else "reset"


def end_the_token_before_the_verdicts(method: str, path: str, before: int) -> Deed:
    return "revoke" if "/quickbooks/" in path and not before else "pass"


def let_the_token_expire_before_the_verdicts(method: str, path: str, before: int) -> Deed:
    return "expire" if "/quickbooks/" in path and not before else "pass"


def let_the_token_expire_before_the_trigger(method: str, path: str, before: int) -> Deed:
    return "expire" if method == "POST" and path.endswith("/dagRuns") and not before else "pass"


def let_every_token_expire(method: str, path: str, before: int) -> Deed:
    return "pass" if path == "/auth/token" else "expire"


def end_every_token(method: str, path: str, before: int) -> Deed:
    return "pass" if path == "/auth/token" else "revoke"


def never_end_an_answer(method: str, path: str, before: int) -> Deed:
    return "drip" if method == "GET" else "pass"


@pytest.mark.parametrize(
    "meddle",
    [
        lose_each_answer_once,
        reset_each_call_once,
        end_the_token_before_the_verdicts,
        let_the_token_expire_before_the_verdicts,
        let_the_token_expire_before_the_trigger,
    ],
)
def test_lost_connections_and_an_expired_token_are_survived(
    remind: Remind, running_stack: RunningStack, meddle: Any
):
    with MeddlingProxy(running_stack, meddle) as proxy:
        done = remind("demo", AIRFLOW_API_URL=proxy.url)

        assert "send" in lines_of(done).values()
        assert proxy.seen("POST", "/auth/token") == 2


@pytest.mark.parametrize(
    ("meddle", "sentence"),
    [
        (end_every_token, "Airflow forbids it (Invalid JWT token)"),
        (let_every_token_expire, "There are no verdicts: Token Expired"),
    ],
)
def test_it_logs_in_again_once_and_no_more(
    remind: Remind, running_stack: RunningStack, meddle: Any, sentence: str
):
    with MeddlingProxy(running_stack, meddle) as proxy:
        done = remind("demo", AIRFLOW_API_URL=proxy.url)

        assert_refused(done, sentence)
        assert proxy.seen("POST", "/auth/token") == 2


def test_its_deadline_holds_whatever_is_waited_for(remind: Remind, running_stack: RunningStack):
    with MeddlingProxy(running_stack, never_end_an_answer) as proxy:
        done = remind("demo", "--seconds", "3", AIRFLOW_API_URL=proxy.url)

    assert_refused(done, "No verdicts within 3 seconds: nothing is sent.")


@pytest.mark.parametrize(
    ("arguments", "variables", "sentence"),
    [
        (["demo", "--invoice", "130"], {}, "The request is wrong: Invalid input for param invoice_ids"),
        (["no spaces"], {}, "The request is wrong: Invalid input for param company_id"),
        (["demo", "--run-id", "a b"], {}, "The request is wrong: The run_id provided 'a b' does not match"),
        (["nobody"], {}, "There are no verdicts: There is no such company."),
        (["demo"], {"REMINDER_PASSWORD": "wrong"}, "Airflow does not accept this user and password"),
        (
            ["demo"],
            {"AIRFLOW_API_URL": "http://127.0.0.1:9"},
            "Airflow does not answer at http://127.0.0.1:9",
        ),
        (
            ["demo"],
            {"AIRFLOW_API_URL": "airflow"},
            "Airflow does not answer at airflow: start it, or correct",
        ),
        (
            ["demo"],
            {"RECEIVABLES_LOCAL_DIR": "/nowhere"},
            "/nowhere/ports.json cannot be read: run bin/start, or",
        ),
        (["demo"], {"REMINDER_RECORD": "/nowhere/sent"}, "/nowhere/sent cannot keep what is sent"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(
    remind: Remind, arguments: list[str], variables: dict[str, str], sentence: str
):
    assert_refused(remind(*arguments, **variables), sentence)


def assert_refused(done: subprocess.CompletedProcess[str], sentence: str) -> None:
    assert done.returncode == 1
    assert done.stderr.startswith(sentence)
    assert done.stderr.count("\n") == 1
    assert "send " not in done.stdout
