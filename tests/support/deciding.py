"""Required Actions of a running Airflow, as its users see and answer them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    import requests

    from tests.support.airflow_client import AirflowClient

DAG_ID = "ask_for_decision"
# A person reads before answering. Airflow takes a task for lost that goes on before its scheduler has noticed that the
# process that asked is gone, and asks once more.
READING = timedelta(seconds=5)


def ask_now(client: AirflowClient) -> None:
    """Have all asked that nobody was asked yet."""
    run_id = client.run("send_alerts")
    assert {task["state"] for task in client.tasks("send_alerts", run_id)} <= {"success", "skipped"}


def open_questions(client: AirflowClient, company_id: str) -> list[dict[str, Any]]:
    """List what waits for an answer about a company."""
    answer = client.call(
        "GET",
        f"dags/{DAG_ID}/dagRuns/~/hitlDetails",
        params={"response_received": "false", "state": "awaiting_input", "limit": 100},
    )
    answer.raise_for_status()
    details: list[dict[str, Any]] = answer.json()["hitl_details"]
    return [each for each in details if run_of(each).startswith(f"{company_id}__")]


def wait_for_question(client: AirflowClient, company_id: str) -> dict[str, Any]:
    """Wait until one question about a company waits for an answer, and somebody can have read it."""
    found: list[dict[str, Any]] = []

    def is_read() -> bool:
        found[:] = open_questions(client, company_id)
        return [asked_for(question) > READING for question in found] == [True]

    client.wait_until(is_read)
    return found[0]


def asked_for(question: dict[str, Any]) -> timedelta:
    """Return for how long a question has been asked by its present try."""
    started = datetime.fromisoformat(question["task_instance"]["start_date"])
    return datetime.now(UTC) - started


def run_of(question: dict[str, Any]) -> str:
    run_id: str = question["task_instance"]["dag_run_id"]
    return run_id


def respond(client: AirflowClient, question: dict[str, Any], label: str) -> requests.Response:
    """Answer a question."""
    place = f"dags/{DAG_ID}/dagRuns/{quote(run_of(question), safe='')}/taskInstances/ask/-1/hitlDetails"
    return client.call("PATCH", place, json={"chosen_options": [label]})


def states(client: AirflowClient, question: dict[str, Any]) -> dict[str, str]:
    """Return the states of the tasks of the run that asks a question."""
    return {task["task_id"]: task["state"] for task in client.tasks(DAG_ID, run_of(question))}
