"""Who may ask for what, of Airflow and of our pages, with the users and roles that compose makes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from local.directory import ROOT
from tests.support.access_matrix import PAGES, Route, ask, draw, is_let_in, list_routes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

    from tests.support.fixtures_web import Web

MATRIX = ROOT / "docs/access.txt"
USERS = {
    "": "nobody",
    "reminder": "Reminder",
    "viewer": "Viewer",
    "user": "User",
    "engineer": "Op",
    "admin": "Admin",
}


@pytest.mark.timeout(900)
def test_the_matrix_of_identities_and_routes_is_as_documented(fab: Web, app: FastAPI):
    """``WRITE_ACCESS=1`` writes what is so, to be read before it is believed."""
    rows = [(route, [is_let_in(ask(fab, route, user)) for user in USERS]) for route in list_routes(fab, app)]
    matrix = draw(rows, USERS.values())
    print(matrix)
    if os.environ.get("WRITE_ACCESS"):
        MATRIX.write_text(matrix)
    assert matrix == MATRIX.read_text()


DAG = "refresh_before_reminder"
OTHERS = sorted({path.stem for path in (ROOT / "dags").glob("*.py")} - {DAG})
RUN = "reminders-1"
NAMES = {
    "dag_run_id": RUN,
    "run_id": RUN,
    "task_id": "refresh_and_judge",
    "map_index": 0,
    "try_number": 1,
    "xcom_key": "return_value",
}
ASKED = {"dag_run_id": RUN, "logical_date": None, "conf": {"company_id": "acme"}}
RUNS = "/api/v2/dags/{dag_id}/dagRuns"
TASK = f"{RUNS}/{{dag_run_id}}/taskInstances/{{task_id}}"
# What somebody gets to read, or to do, who may read one DAG and its runs, and have new ones made.
OWN = {
    ("post", RUNS),
    ("get", RUNS),
    ("get", f"{RUNS}/{{dag_run_id}}"),
    ("get", f"{RUNS}/{{dag_run_id}}/wait"),
    ("get", "/api/v2/dags/{dag_id}"),
    ("get", "/api/v2/dags/{dag_id}/details"),
    ("post", "/api/v2/dags/{dag_id}/favorite"),
    ("post", "/api/v2/dags/{dag_id}/unfavorite"),
    ("get", "/ui/dags/{dag_id}/dagRuns/{dag_run_id}/deadlines"),
    ("get", "/ui/dags/{dag_id}/dagRuns/{dag_run_id}/stats"),
    ("get", "/ui/dags/{dag_id}/deadlineAlerts"),
    ("get", "/ui/dags/{dag_id}/latest_run"),
}
# They look into the body first: see VERBS.
READ_FIRST = {
    ("post", "/api/v2/dags/{dag_id}/clearDagRuns"),
    ("patch", RUNS),
    ("post", f"{RUNS}/list"),
}
VERBS: dict[str, tuple[str, str, Any]] = {
    "trigger": ("post", RUNS, {**ASKED, "dag_run_id": "reminders-2"}),
    "pause": ("patch", "/api/v2/dags/{dag_id}", {"is_paused": True}),
    "pause all": ("patch", "/api/v2/dags?dag_id_pattern=%25", {"is_paused": True}),
    "delete the DAG": ("delete", "/api/v2/dags/{dag_id}", None),
    "mark success": ("patch", f"{RUNS}/{RUN}", {"state": "success"}),
    "mark failed": ("patch", f"{RUNS}/{RUN}", {"state": "failed"}),
    "note": ("patch", f"{RUNS}/{RUN}", {"note": "fine"}),
    "clear": ("post", f"{RUNS}/{RUN}/clear", {"dry_run": False}),
    "clear runs": (
        "post",
        "/api/v2/dags/{dag_id}/clearDagRuns",
        {"dry_run": False, "dag_runs": [{"dag_id": DAG, "dag_run_id": RUN}]},
    ),
    "delete the run": ("delete", f"{RUNS}/{RUN}", None),
    "delete runs": ("patch", RUNS, {"actions": [{"action": "delete", "entities": [RUN]}]}),
    "clear tasks": (
        "post",
        "/api/v2/dags/{dag_id}/clearTaskInstances",
        {"dry_run": False, "dag_run_id": RUN},
    ),
    "mark a task": ("patch", TASK, {"new_state": "success"}),
    "mark tasks": (
        "patch",
        f"{RUNS}/{RUN}/taskInstances",
        {
            "actions": [
                {"action": "update", "entities": [{"task_id": "refresh_and_judge", "new_state": "success"}]}
            ]
        },
    ),
    "set an XCom": ("post", f"{TASK}/xcomEntries", {"key": "return_value", "value": {"send": 1}}),
    "change an XCom": ("patch", f"{TASK}/xcomEntries/return_value", {"value": {"send": 1}}),
    "read an XCom": ("get", f"{TASK}/xcomEntries/return_value", None),
    "read a log": ("get", f"{TASK}/logs/1", None),
    "read tasks": ("get", f"{RUNS}/{RUN}/taskInstances", None),
    "read the code": ("get", "/api/v2/dagSources/{dag_id}", None),
    "answer a question": (
        "patch",
        f"{TASK}/0/hitlDetails",
        {"chosen_options": ["Approve"], "params_input": {}},
    ),
    "backfill": (
        "post",
        "/api/v2/backfills",
        {"dag_id": "{dag_id}", "from_date": "2026-01-01T00:00:00Z", "to_date": "2026-01-02T00:00:00Z"},
    ),
    "make an asset event": ("post", "/api/v2/assets/events", {"asset_id": 1, "extra": {}}),
    "materialize an asset": ("post", "/api/v2/assets/1/materialize", {}),
    "read a variable": ("get", "/api/v2/variables/retention_days", None),
    "set a variable": ("post", "/api/v2/variables", {"key": "retention_days", "value": "{}"}),
    "set variables": (
        "patch",
        "/api/v2/variables",
        {"actions": [{"action": "create", "entities": [{"key": "k", "value": "v"}]}]},
    ),
    "read connections": ("get", "/api/v2/connections", None),
    "add a connection": ("post", "/api/v2/connections", {"connection_id": "c", "conn_type": "http"}),
    "add connections": (
        "patch",
        "/api/v2/connections",
        {"actions": [{"action": "create", "entities": [{"connection_id": "c", "conn_type": "http"}]}]},
    ),
    "test a connection": (
        "post",
        "/api/v2/connections/test",
        {"connection_id": "quickbooks", "conn_type": "quickbooks"},
    ),
    "have a connection tested": (
        "post",
        "/api/v2/connections/enqueue-test",
        {"connection_id": "quickbooks", "conn_type": "quickbooks"},
    ),
    "make pools": ("patch", "/api/v2/pools", {"actions": [{"action": "delete", "entities": ["reminders"]}]}),
    "read the audit log": ("get", "/api/v2/eventLogs", None),
    "read import errors": ("get", "/api/v2/importErrors", None),
}


@pytest.fixture(scope="module")
def routes(fab_server: Web, app: FastAPI) -> list[Route]:
    """All routes that are not ours: those are in the matrix alone."""
    return [route for route in list_routes(fab_server, app) if not route.path.startswith(PAGES)]


@pytest.fixture
def reminder_run(fab: Web) -> Iterator[str]:
    """A run that the reminder service has had made."""
    made = ask(fab, Route(RUNS, "post"), "reminder", {"dag_id": DAG}, ASKED)
    assert made.status_code == 200, made.text
    yield RUN
    ask(fab, Route(f"{RUNS}/{RUN}", "delete"), "admin", {"dag_id": DAG}).raise_for_status()


def let_in(web: Web, routes: list[Route], dag_id: str) -> set[tuple[str, str]]:
    asked = [route for route in routes if "{dag_id}" in route.path]
    return {
        (route.method, route.path)
        for route in asked
        if is_let_in(ask(web, route, "reminder", {**NAMES, "dag_id": dag_id}))
    }


def test_the_reminder_service_has_a_run_made_once_and_reads_it(fab: Web, reminder_run: str):
    run = ask(fab, Route(f"{RUNS}/{reminder_run}", "get"), "reminder", {"dag_id": DAG})
    again = ask(fab, Route(RUNS, "post"), "reminder", {"dag_id": DAG}, ASKED)
    verdicts = ask(fab, Route(f"{PAGES}/companies/acme/reminders/{reminder_run}", "get"), "reminder")

    assert (run.status_code, run.json()["state"]) == (200, "queued")
    assert again.status_code == 409
    # Nothing has checked anything yet.
    assert verdicts.status_code == 404


def test_the_reminder_service_sees_its_dag_and_no_other(fab: Web, reminder_run: str):
    dags = ask(fab, Route("/api/v2/dags", "get"), "reminder").json()["dags"]
    assert [dag["dag_id"] for dag in dags] == [DAG]


def test_of_its_own_dag_the_reminder_service_gets_what_it_needs(
    fab: Web, routes: list[Route], reminder_run: str
):
    assert let_in(fab, routes, DAG) == OWN | READ_FIRST


def test_of_another_dag_the_reminder_service_gets_nothing(fab: Web, routes: list[Route]):
    assert let_in(fab, routes, "quickbooks_to_peakflo") == READ_FIRST - {("post", f"{RUNS}/list")}


@pytest.mark.parametrize("dag_id", OTHERS)
def test_the_reminder_service_neither_sees_nor_starts_another_dag(fab: Web, dag_id: str):
    asked = [Route("/api/v2/dags/{dag_id}", "get"), Route(RUNS, "get"), Route(RUNS, "post")]
    body = {"logical_date": None, "conf": {}}
    assert {ask(fab, route, "reminder", {"dag_id": dag_id}, body).status_code for route in asked} == {403}


def test_of_what_can_be_done_to_a_dag_the_reminder_service_may_trigger_its_own(fab: Web, reminder_run: str):
    table = {
        verb: tuple(
            ask(fab, Route(path, method), "reminder", {**NAMES, "dag_id": dag_id}, body).status_code
            for dag_id in (DAG, "quickbooks_to_peakflo")
        )
        for verb, (method, path, body) in VERBS.items()
    }
    print("\n".join(f"{verb:26} own {own} other {other}" for verb, (own, other) in table.items()))

    assert table.pop("trigger") == (200, 403)
    assert table == dict.fromkeys(table, (403, 403))
