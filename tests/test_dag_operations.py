"""What an engineer does with the DAGs in a running Airflow: clear, fill up, look, maintain."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg
import pytest

from sandbox.control import SandboxControl
from tests.support.airflow_client import AirflowClient
from tests.support.airflow_settings import ROOT
from tests.support.bookkeeper import Bookkeeper

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.fixtures_local import RunningStack

SYNC = "quickbooks_to_peakflo"
SCHEDULED = [SYNC, "peakflo_to_quickbooks", "refresh_reference_data", "maintain_database"]


@pytest.fixture
def engineer(running_stack: RunningStack) -> AirflowClient:
    return AirflowClient(running_stack, "engineer")


@pytest.fixture
def db(running_stack: RunningStack) -> Iterator[psycopg.Connection]:
    with psycopg.connect(running_stack.database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def realm_id(db: psycopg.Connection) -> str:
    [realm_id] = db.execute("select realm_id from sync.connection where company_id = 'demo'").fetchone()
    return realm_id


def clear(client: AirflowClient, dag_id: str, run_id: str, **chosen: Any) -> None:
    """Clear a run, or tasks of it, and wait for its end."""
    asked = {"dry_run": False, "dag_run_id": run_id, "only_failed": False, **chosen}
    answer = client.call("POST", f"dags/{dag_id}/clearTaskInstances", json=asked)
    assert answer.status_code == 200, answer.text
    assert answer.json()["total_entries"] > 0
    client.wait(dag_id, run_id)


def runs_of(db: psycopg.Connection, run_id: str) -> list[tuple[str, int, int, int]]:
    return db.execute(
        "select state, try_number, clear_number, calls from sync.run"
        " where dag_run_id = %s and company_id = 'demo' order by run_id",
        [run_id],
    ).fetchall()


@pytest.mark.parametrize("dag_id", SCHEDULED)
def test_a_backfill_is_refused_with_a_reason(engineer: AirflowClient, dag_id: str):
    past = {"dag_id": dag_id, "from_date": "2026-11-01T00:00:00Z", "to_date": "2026-11-02T00:00:00Z"}

    answer = engineer.call("POST", "backfills", json=past)

    assert answer.status_code in (400, 409, 422), answer.text
    assert "backfill" in answer.json()["detail"]


def test_clearing_a_run_or_a_task_of_it_does_the_work_again(engineer: AirflowClient, db: psycopg.Connection):
    engineer.wait_for_quiet(SYNC)
    run_id = engineer.run(SYNC, companies=["demo"])

    clear(engineer, SYNC, run_id)
    clear(engineer, SYNC, run_id, task_ids=["sync"])

    assert runs_of(db, run_id) == [("success", 1, 0, 1), ("success", 2, 1, 1), ("success", 3, 2, 1)]


def test_a_cleared_reminder_run_judges_again_beside_what_it_said(
    engineer: AirflowClient, db: psycopg.Connection
):
    run_id = engineer.run("refresh_before_reminder", company_id="demo", deadline_seconds=120)
    count = "select count(distinct run_id) from peakflo.reminder_verdict where reminder_run_id = %s"
    assert db.execute(count, [run_id]).fetchone() == (1,)

    clear(engineer, "refresh_before_reminder", run_id)

    assert db.execute(count, [run_id]).fetchone() == (2,)
    [task] = engineer.tasks("refresh_before_reminder", run_id)
    log = engineer.log(task)
    assert "This reminder run was cleared: it judges again" in log
    [invoice_id] = db.execute(
        "select invoice_id::text from peakflo.reminder_verdict where reminder_run_id = %s limit 1", [run_id]
    ).fetchone()
    assert invoice_id not in log


def test_a_task_leads_to_its_company_and_a_run_to_all_of_them(
    engineer: AirflowClient, running_stack: RunningStack
):
    run_id = engineer.run(SYNC, companies=["demo"])
    place = f"dags/{SYNC}/dagRuns/{quote(run_id)}/taskInstances/sync/links"

    links = engineer.call("GET", place, params={"map_index": 0}).json()["extra_links"]
    page = engineer.page(f"runs/{SYNC}/{quote(run_id)}")

    assert links == {"QuickBooks company": f"{running_stack.api_url}/quickbooks/companies/demo"}
    assert page.status_code == 200
    assert 'href="/quickbooks/companies/demo"' in page.text
    assert "No company was worked for" in engineer.page(f"runs/{SYNC}/never").text


def test_a_company_to_connect_again_is_skipped_by_name_and_not_asked_for(
    engineer: AirflowClient, running_stack: RunningStack, db: psycopg.Connection, realm_id: str
):
    sandbox = SandboxControl(running_stack.sandbox_url)
    engineer.wait_for_quiet(SYNC)
    sandbox.reset_calls(realm_id)
    db.execute(
        "update sync.connection set status = 'reauthorize', last_error = 'QuickBooks refused it.'"
        " where company_id = 'demo'"
    )
    try:
        run_id = engineer.run(SYNC)
    finally:
        db.execute(
            "update sync.connection set status = 'connected', last_error = null where company_id = 'demo'"
        )

    [task] = [each for each in engineer.tasks(SYNC, run_id) if each["task_id"] == "needs_reconnect"]
    assert (task["state"], task["rendered_map_index"], task["try_number"]) == ("skipped", "demo", 1)
    assert (
        "Company demo: not done. QuickBooks refused it. Cure: Connect the company again, signed in to QuickBooks as an "
        f"admin. See {running_stack.api_url}/quickbooks/companies/demo"
    ) in engineer.log(task)
    assert sandbox.calls(realm_id)["by_path"] == {}


@pytest.fixture
def example(running_stack: RunningStack) -> Iterator[str]:
    """The example of a DAG that waits for changes, in the folder of DAGs that the installation has beside ours."""
    source = ROOT / "examples" / "receivables_changes.py"
    target = running_stack.more_dags / source.name
    shutil.copy(source, target)
    running_stack.airflow("dags", "reserialize", "--bundle-name", "more")
    yield source.stem
    target.unlink()


def test_what_waits_for_changes_runs_once_per_change_and_never_for_an_idle_cycle(
    engineer: AirflowClient, running_stack: RunningStack, realm_id: str, example: str
):
    engineer.wait_for_quiet(SYNC)
    with Bookkeeper(SandboxControl(running_stack.sandbox_url), realm_id) as books:
        books.invoice(books.customer("A customer of the example"), "10")

    changed = engineer.run(SYNC, companies=["demo"])
    idle = engineer.run(SYNC, companies=["demo"])

    assert events_of(engineer, idle) == []
    [event] = events_of(engineer, changed)
    assert (event["extra"]["company_id"], event["extra"]["realm_id"]) == ("demo", realm_id)
    assert event["extra"]["entities"]["invoice"] == {"merged": 1, "deleted": 0}
    [run_id] = [run["run_id"] for run in wait_for_downstream(engineer, event)]
    assert engineer.wait(example, run_id) == "success", engineer.log(engineer.tasks(example, run_id)[0])
    place = f"dags/{example}/dagRuns/{quote(run_id)}/taskInstances/count_changes/xcomEntries/return_value"
    counted = engineer.call("GET", place).json()["value"]
    told = event["extra"]["entities"].items()
    assert counted == {entity: counts["merged"] + counts["deleted"] for entity, counts in told}
    assert counted["invoice"] == counted["customer"] == 1


def events_of(client: AirflowClient, run_id: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = client.call(
        "GET", "assets/events", params={"source_run_id": run_id, "source_dag_id": SYNC}
    ).json()["asset_events"]
    return events


def wait_for_downstream(client: AirflowClient, event: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def has_run() -> bool:
        [again] = events_of(client, event["source_run_id"])
        found[:] = again["created_dagruns"]
        return bool(found)

    client.wait_until(has_run)
    return found


def test_a_night_of_maintenance_cleans_airflows_own_tables(
    engineer: AirflowClient, running_stack: RunningStack, db: psycopg.Connection
):
    old = engineer.run("refresh_reference_data", company_id="demo", groups=["taxes"])
    young = engineer.run("refresh_reference_data", company_id="demo", groups=["taxes"])
    metadata = running_stack.env["AIRFLOW_CONN_AIRFLOW_DB"]
    with psycopg.connect(metadata, autocommit=True) as airflow:
        airflow.execute(
            "update dag_run set start_date = start_date - interval '61 days' where run_id = %s", [old]
        )

        run_id = engineer.run("maintain_database")

        left = airflow.execute("select run_id from dag_run where run_id = any(%s)", [[old, young]]).fetchall()
    assert {task["task_id"]: task["state"] for task in engineer.tasks("maintain_database", run_id)} == {
        "prune_receivables": "success", "clean_airflow": "success", "delete_logs": "success",
    }  # fmt: skip
    assert left == [(young,)]
