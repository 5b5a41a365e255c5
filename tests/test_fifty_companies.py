from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.airflow_client import AirflowClient
from tests.support.quick_start import connect_as_imported, disconnect_in_quickbooks

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from include.receivables.company import companies
    from tests.support.fixtures_local import RunningStack
    from tests.support.workbench import Workbench

DAG_ID = "quickbooks_to_peakflo"
COUNT = 50


@dataclass(frozen=True)
class Cycle:
    """A cycle over fifty companies, three of which cannot be synced."""

    run_id: str
    started_at: datetime
    tasks: dict[str, dict[str, Any]]
    engineer: AirflowClient
    db: psycopg.Connection

    def logged(self, company_id: str) -> list[tuple[str, str | None, str | None]]:
        """State, error code and error of a company's tries in this cycle."""
        return self.db.execute(
            "select state, error_code, error from sync.run where dag_run_id = %s and company_id = %s order by run_id",
            [self.run_id, company_id],
        ).fetchall()


@pytest.fixture(scope="module")
def cycle(running_stack: RunningStack, running_stack_bench: Workbench) -> Iterator[Cycle]:
    engineer = AirflowClient(running_stack, "engineer")
    bench, sandbox = running_stack_bench, running_stack_bench.sandbox
    # Nothing of the schedule may run between the faults and the run that has to meet them.
    engineer.wait_for_quiet(DAG_ID)
    connected = connect_up_to(bench, COUNT)
    sandbox.add_fault("500", realm=connected["broken"].realm_id)
    sandbox.add_fault("429", realm=connected["throttled"].realm_id)
    disconnect_in_quickbooks(bench, connected["revoked"])
    sandbox.expire(connected["revoked"].realm_id)
    started_at = datetime.now(UTC)
    run_id = engineer.run(DAG_ID)
    tasks = {
        task["rendered_map_index"]: task
        for task in engineer.tasks(DAG_ID, run_id)
        if task["task_id"] == "sync"
    }
    yield Cycle(run_id, started_at, tasks, engineer, bench.db)
    sandbox.clear_faults()
    bench.db.execute(
        "update sync.connection set status = 'paused' where company_id = any(%s)", [list(connected)]
    )


def connect_up_to(bench: Workbench, count: int) -> dict[str, companies.Company]:
    """
    Connect companies until so many take part, three of them under names of their own.

    Those that other tests left are paused: how many of them a cycle would take depends on what became of them.
    """
    bench.db.execute(
        "update sync.connection set status = 'paused' where company_id <> 'demo' and status = 'connected'"
    )
    names = ["broken", "throttled", "revoked", *(f"company-{number:02}" for number in range(count - 4))]
    return {name: connect_as_imported(bench, name) for name in names}


def test_each_of_fifty_companies_has_its_own_task_in_one_cycle(cycle: Cycle):
    assert len(cycle.tasks) == COUNT
    assert {"demo", "broken", "throttled", "revoked", "company-00", "company-45"} <= set(cycle.tasks)


def test_forty_seven_companies_are_fresh(cycle: Cycle):
    fresh = cycle.db.execute(
        "select company_id from sync.connection inner join staging.cursor using (realm_id)"
        " group by company_id having min(changed_since) >= %s",
        [cycle.started_at],
    ).fetchall()

    assert {company_id for (company_id,) in fresh} == set(cycle.tasks) - {"broken", "throttled", "revoked"}
    assert len(fresh) == COUNT - 3


def test_their_tasks_are_green_and_those_of_the_three_are_red(cycle: Cycle):
    red = {company_id for company_id, task in cycle.tasks.items() if task["state"] == "failed"}
    green = {company_id for company_id, task in cycle.tasks.items() if task["state"] == "success"}

    assert red == {"broken", "throttled", "revoked"}
    assert len(green) == COUNT - 3


@pytest.mark.parametrize(
    ("company_id", "code", "reason"),
    [
        ("broken", "10000", "QuickBooks has an internal error"),
        ("throttled", "throttled", "QuickBooks asks to slow down"),
        ("revoked", "invalid_grant", "QuickBooks no longer accepts"),
    ],
)
def test_each_of_the_three_says_why_in_the_sync_log_and_in_its_tasks_log(
    cycle: Cycle, company_id: str, code: str, reason: str
):
    tries = cycle.logged(company_id)

    assert {(state, error_code) for state, error_code, _ in tries} == {("failed", code)}
    assert reason in tries[-1][2]
    assert reason in cycle.engineer.log(cycle.tasks[company_id])


@pytest.mark.parametrize(("company_id", "tries"), [("broken", 2), ("throttled", 2), ("revoked", 1)])
def test_what_may_pass_by_itself_is_tried_again_and_what_needs_a_person_is_not(
    cycle: Cycle, company_id: str, tries: int
):
    assert cycle.tasks[company_id]["try_number"] == tries
    assert len(cycle.logged(company_id)) == tries


def test_each_of_the_three_is_a_problem_with_a_cure(cycle: Cycle):
    problems = cycle.db.execute(
        "select company_id, actor from sync.problem"
        " where direction = 'connection' and state = 'open' and company_id = any(%s)",
        [list(cycle.tasks)],
    ).fetchall()

    assert sorted(problems) == [("broken", "nobody"), ("revoked", "admin"), ("throttled", "nobody")]
