from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.support.airflow_client import AirflowClient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.fixtures_local import RunningStack


@pytest.fixture
def engineer(running_stack: RunningStack) -> AirflowClient:
    return AirflowClient(running_stack, "engineer")


@pytest.fixture
def reminder(running_stack: RunningStack) -> AirflowClient:
    return AirflowClient(running_stack, "reminder")


@pytest.fixture
def db(running_stack: RunningStack) -> Iterator[psycopg.Connection]:
    with psycopg.connect(running_stack.database_url, autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize(
    ("dag_id", "conf"),
    [
        ("quickbooks_to_peakflo", {}),
        ("quickbooks_to_peakflo", {"accept_deletions": ["demo"]}),
        ("import_company", {"company_id": "demo"}),
        ("refresh_reference_data", {"company_id": "demo", "groups": ["taxes"]}),
    ],
)
def test_an_engineer_triggers_a_run_and_it_turns_green(
    engineer: AirflowClient, db: psycopg.Connection, dag_id: str, conf: dict
):
    answer = engineer.trigger(dag_id, **conf)

    assert answer.status_code == 200
    assert answer.json()["state"] == "queued"
    assert engineer.wait(dag_id, answer.json()["dag_run_id"]) == "success"
    assert db.execute(
        "select state from sync.run where dag_run_id = %s and company_id = 'demo'",
        [answer.json()["dag_run_id"]],
    ).fetchall() == [("success",)]


def test_the_reminder_service_may_trigger_a_run(reminder: AirflowClient):
    answer = reminder.trigger("refresh_reference_data", company_id="demo", groups=["accounts"])

    assert answer.status_code == 200
    assert reminder.wait("refresh_reference_data", answer.json()["dag_run_id"]) == "success"


def test_a_run_id_that_was_used_before_is_answered_409_and_starts_nothing(engineer: AirflowClient):
    given = {"company_id": "demo", "groups": ["accounts"]}
    first = engineer.trigger("refresh_reference_data", "again:1", **given)

    second = engineer.trigger("refresh_reference_data", "again:1", **given)

    assert (first.status_code, second.status_code) == (200, 409)
    assert engineer.wait("refresh_reference_data", "again:1") == "success"


@pytest.mark.parametrize(
    ("dag_id", "conf", "field"),
    [
        ("import_company", {}, "company_id"),
        ("import_company", {"company_id": "../demo"}, "company_id"),
        ("import_company", {"company_id": "demo", "accept_deletions": 1}, "accept_deletions"),
        ("quickbooks_to_peakflo", {"accept_deletions": "demo"}, "accept_deletions"),
        ("refresh_reference_data", {"groups": ["invoices"]}, "groups"),
        ("refresh_reference_data", {"groups": []}, "groups"),
        ("refresh_reference_data", {"company_id": ["demo"]}, "company_id"),
    ],
)
def test_a_conf_that_breaks_the_schema_is_answered_400_with_the_fields_name(
    engineer: AirflowClient, dag_id: str, conf: dict, field: str
):
    answer = engineer.trigger(dag_id, **conf)

    assert answer.status_code == 400
    assert field in answer.json()["detail"]


def test_a_conf_with_an_unknown_key_fails_its_run_with_a_sentence_in_the_log(engineer: AirflowClient):
    run_id = engineer.run("refresh_reference_data", company_id="demo", group="taxes")

    [failed] = [
        task for task in engineer.tasks("refresh_reference_data", run_id) if task["state"] == "failed"
    ]
    assert failed["task_id"] == "plan"
    assert failed["try_number"] == 1, "an error that a person has to mend is not retried"
    assert "The conf has unknown keys (group): use company_id, groups." in engineer.log(failed)


def test_a_run_for_an_unknown_company_fails_at_once_with_a_sentence_in_the_log(engineer: AirflowClient):
    run_id = engineer.run("import_company", company_id="nobody")

    [task] = engineer.tasks("import_company", run_id)
    assert (task["state"], task["try_number"]) == ("failed", 1)
    assert "There is no company 'nobody': connect it first" in engineer.log(task)


def test_an_import_waits_in_a_pool_of_its_own(engineer: AirflowClient):
    pool = engineer.call("GET", "pools/quickbooks_import").json()

    assert (pool["slots"], pool["include_deferred"]) == (4, False)


def test_an_unknown_dag_is_answered_404(engineer: AirflowClient):
    assert engineer.trigger("no_such_dag").status_code == 404


def test_without_a_token_nothing_is_answered(running_stack: RunningStack):
    anonymous = AirflowClient(running_stack)

    assert anonymous.trigger("quickbooks_to_peakflo").status_code == 401
    assert anonymous.call("GET", "connections").status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "connections", None),
        ("POST", "connections", {"connection_id": "quickbooks", "conn_type": "http"}),
        ("DELETE", "connections/quickbooks", None),
        ("POST", "pools", {"name": "own", "slots": 1}),
        ("PATCH", "pools/quickbooks_import", {"name": "quickbooks_import", "slots": 0}),
    ],
)
def test_the_reminder_service_may_not_see_or_change_connections_and_pools(
    reminder: AirflowClient, method: str, path: str, body: dict | None
):
    assert reminder.call(method, path, json=body).status_code == 403


def test_no_log_of_a_task_holds_a_token(engineer: AirflowClient):
    run_id = engineer.run("quickbooks_to_peakflo")

    logs = "".join(engineer.log(task) for task in engineer.tasks("quickbooks_to_peakflo", run_id))

    assert "company demo" in logs
    assert "RT1-" not in logs
    assert "eyJ" not in logs
