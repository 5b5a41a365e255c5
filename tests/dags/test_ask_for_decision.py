from __future__ import annotations

import contextlib
import dataclasses
import sqlite3
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.airflow_settings import DAGS, METADATA
from tests.support.asked import BELIEVE, doubt_deletions
from tests.support.quick_start import connect_as_imported

if TYPE_CHECKING:
    from collections.abc import Callable

    from include.receivables.company.companies import Company
    from include.receivables.views.asking import Asked
    from tests.dags.conftest import TestRun
    from tests.support.workbench import Workbench

    RunDag = Callable[..., TestRun]

DAG_ID = "ask_for_decision"
TIMEOUT = {"error": "The response timeout has passed.", "error_type": "timeout"}


@pytest.fixture
def nobody_asked(airflow_database: None) -> None:
    """No question is open: those that other tests have had asked would take the room of this one's."""
    with contextlib.closing(sqlite3.connect(METADATA)) as metadata:
        metadata.execute("update dag_run set state = 'success' where dag_id = ?", [DAG_ID])
        metadata.commit()


@pytest.fixture
def company(access: object, bench: Workbench, nobody_asked: None) -> Company:
    company = connect_as_imported(bench, "acme")
    doubt_deletions(bench.db, company)
    return company


def asked_now(bench: Workbench) -> Asked:
    """Return the one question that is open, as it is asked by this Airflow."""
    from include.dag_defaults import pages_url
    from include.hooks.decision_makers import read_asking
    from include.receivables.views.questions import list_questions

    [question] = list_questions(bench.db, read_asking(pages_url()))
    return question.asked


def read_airflow(statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(METADATA)) as metadata:
        return metadata.execute(statement, values).fetchall()


def runs_asking() -> list[str]:
    return [
        run_id
        for (run_id,) in read_airflow("select run_id from dag_run where dag_id = ? order by id", DAG_ID)
    ]


def resume(asked: Asked, event: dict[str, Any], age: timedelta = timedelta(0)) -> list[dict[str, Any]]:
    """Resume the task as Airflow does after an answer, or after its time is over."""
    from airflow.dag_processing.dagbag import DagBag

    task = DagBag(DAGS / f"{DAG_ID}.py").dags[DAG_ID].get_task("ask")
    dag_run = SimpleNamespace(run_after=datetime.now(UTC) - age)
    context = {"params": dataclasses.asdict(asked), "dag_run": dag_run}
    answer: list[dict[str, Any]] = task.execute_complete(context, event)
    return answer


def answered(label: str, by: str = "admin") -> dict[str, Any]:
    return {
        "chosen_options": [label],
        "params_input": {},
        "responded_at": datetime.now(UTC),
        "responded_by_user": {"id": by, "name": by},
        "timedout": False,
    }


def decisions(bench: Workbench) -> list[Any]:
    return bench.db.execute("select decision, decided_by from sync.problem").fetchall()


def test_a_question_that_is_not_open_ends_well_and_says_so(
    run_dag: RunDag, bench: Workbench, company: Company
):
    asked = asked_now(bench)
    bench.db.execute("update sync.problem set state = 'resolved'")

    run = run_dag(DAG_ID, **dataclasses.asdict(asked))

    assert (run.state, run.tasks) == ("success", {"ask": "success", "follow_up": "skipped"})
    assert decisions(bench) == [(None, None)]


@pytest.mark.parametrize(
    "conf",
    [
        {"key": "0" * 16},
        {"asked_id": 999},
        {"company_id": "globex"},
        {"kind": "payment"},
    ],
)
def test_a_run_that_names_no_open_question_asks_nothing(
    run_dag: RunDag, bench: Workbench, company: Company, conf: dict[str, Any]
):
    run = run_dag(DAG_ID, **dataclasses.asdict(asked_now(bench)) | conf)

    assert run.tasks == {"ask": "success", "follow_up": "skipped"}


def test_an_answer_is_decided_under_the_name_of_who_gave_it(bench: Workbench, company: Company):
    [started] = resume(asked_now(bench), answered(BELIEVE, by="ada"))

    assert started == {
        "trigger_dag_id": "import_company",
        "conf": {"company_id": "acme", "accept_deletions": True},
    }
    assert decisions(bench) == [("retried", "ada")]


def test_an_answer_that_comes_too_late_ends_well_and_does_nothing(bench: Workbench, company: Company):
    asked = asked_now(bench)
    resume(asked, answered(BELIEVE, by="ada"))

    assert resume(asked, answered(BELIEVE, by="bo")) == []
    assert resume(asked, answered("Not now", by="bo")) == []
    assert resume(asked, TIMEOUT) == []
    assert decisions(bench) == [("retried", "ada")]


def test_a_try_after_one_that_died_in_its_last_moment_asks_and_decides_nothing_more(
    run_dag: RunDag, bench: Workbench, company: Company
):
    asked = asked_now(bench)
    resume(asked, answered(BELIEVE, by="ada"))

    run = run_dag(DAG_ID, **dataclasses.asdict(asked))

    assert (run.state, run.tasks) == ("success", {"ask": "success", "follow_up": "skipped"})
    assert decisions(bench) == [("retried", "ada")]


@pytest.mark.parametrize(
    ("age", "wait"),
    [
        (timedelta(minutes=5), timedelta(minutes=5)),
        (timedelta(minutes=20), timedelta(minutes=20)),
        (timedelta(days=9), timedelta(hours=1)),
    ],
)
def test_an_open_question_waits_on_and_is_looked_at_ever_more_seldom(
    bench: Workbench, company: Company, age: timedelta, wait: timedelta
):
    from airflow.sdk.exceptions import TaskAwaitingInput

    with pytest.raises(TaskAwaitingInput) as parked:
        resume(asked_now(bench), TIMEOUT, age)

    assert parked.value.method_name == "execute_complete"
    assert wait <= parked.value.timeout < wait + timedelta(minutes=1)
    assert decisions(bench) == [(None, None)]


def test_a_question_is_asked_once_and_another_one_again(run_dag: RunDag, bench: Workbench, company: Company):
    before = len(runs_asking())
    first = run_dag("send_alerts")
    again = run_dag("send_alerts")
    doubt_deletions(bench.db, company, count=160)
    changed = run_dag("send_alerts")

    assert first.tasks == {"send": "success", "find_questions": "success", "ask acme": "success"}
    assert again.tasks == {"send": "success", "find_questions": "success", "ask": "skipped"}
    assert changed.tasks == first.tasks
    asked = runs_asking()[before:]
    assert len(asked) == len(set(asked)) == 2
    assert asked[1] == asked_now(bench).run_id


def test_no_more_is_asked_than_somebody_can_look_at(run_dag: RunDag, bench: Workbench, company: Company):
    from include.decision_tasks import MOST_OPEN

    for number in range(MOST_OPEN + 5):
        company_id = f"company{number}"
        bench.db.execute(
            "insert into peakflo.company (company_id, realm_id, name) values (%(id)s, %(id)s, %(id)s)",
            {"id": company_id},
        )
        bench.db.execute(
            "insert into sync.connection (company_id, realm_id, status, connected_by)"
            " values (%(id)s, %(id)s, 'connected', 'ada')",
            {"id": company_id},
        )
        bench.db.execute(
            "insert into sync.problem (company_id, realm_id, direction, code, message, cure, actor)"
            " values (%(id)s, %(id)s, 'connection', 'deletion_brake', 'Many.', 'Look.', 'bookkeeper')",
            {"id": company_id},
        )
    open_runs = "select count(*) from dag_run where dag_id = ? and state in ('queued', 'running')"

    run_dag("send_alerts")
    run_dag("send_alerts")

    [(count,)] = read_airflow(open_runs, DAG_ID)
    assert count == MOST_OPEN
