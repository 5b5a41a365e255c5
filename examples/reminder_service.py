"""
A reminder service in a page: ask before each reminder, and send only what may be sent.

Against bin/start, without any setting:

    .venv/bin/python examples/reminder_service.py demo
    .venv/bin/python examples/reminder_service.py demo --run-id reminders-2026-11-25 --invoice 029e36d4-…

Elsewhere, AIRFLOW_API_URL, REMINDER_USER and REMINDER_PASSWORD say where and as whom.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests  # noqa: TID253 - this is no DAG

DAG = "refresh_before_reminder"
TASK = "refresh_and_judge"
TIMEOUT = (3, 60)  # seconds to connect, and between two lines of an answer
POLL_SECONDS = 0.2
LOCAL = Path(os.environ.get("RECEIVABLES_LOCAL_DIR") or Path(__file__).parents[1] / ".local")


class Airflow:
    """Airflow's REST API, for the user of the reminder service."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self._url = url
        self._session = requests.Session()
        token = self._call("POST", "/auth/token", json={"username": user, "password": password})
        self._session.headers["Authorization"] = f"Bearer {token.json()['access_token']}"

    def check(self, run_id: str, conf: dict[str, Any]) -> dict[str, Any] | None:
        """Trigger the run of this id and return its answer; None if it was triggered before."""
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
        triggered = self._call("POST", f"/api/v2/dags/{DAG}/dagRuns", json=body, accept=(400, 409))
        if triggered.status_code == requests.codes.bad_request:
            raise SystemExit(f"The request is wrong: {triggered.json()['detail'].splitlines()[0]}")
        return None if triggered.status_code == requests.codes.conflict else self._answer(run_id)

    def _answer(self, run_id: str) -> dict[str, Any]:
        """Wait until the run has ended, be it red, and return its value."""
        run = f"/api/v2/dags/{DAG}/dagRuns/{run_id}"
        with self._call(
            "GET",
            f"{run}/wait",
            params={"interval": POLL_SECONDS, "result": TASK},
            stream=True,
            accept=(404,),
        ) as waiting:
            if waiting.ok:
                *_, last = waiting.iter_lines()
                return dict(json.loads(last).get("results", {}).get(TASK, {}))
        # An Airflow without the wait endpoint, which is marked as experimental.
        while self._call("GET", run).json()["state"] not in ("success", "failed"):
            time.sleep(POLL_SECONDS)
        value = self._call("GET", f"{run}/taskInstances/{TASK}/xcomEntries/return_value", accept=(404,))
        return dict(value.json()["value"]) if value.ok else {}

    def _call(
        self, method: str, path: str, *, accept: tuple[int, ...] = (), **arguments: Any
    ) -> requests.Response:
        answer = self._session.request(method, self._url + path, timeout=TIMEOUT, **arguments)
        if answer.status_code not in accept:
            answer.raise_for_status()
        return answer


def act(answer: dict[str, Any] | None) -> None:
    """Send the reminders that may go out now, and say what becomes of the others."""
    if answer is None:
        print("This run was asked for before, and whoever asked sends its reminders: nothing is sent twice.")
        return
    if not answer:
        print("The run gave no answer: nothing is sent, the next run asks again.")
        return
    if answer["error"]:
        print(f"Not everything could be checked: {answer['error']['message']}")
    for verdict in answer["verdicts"]:
        if verdict["verdict"] == "send" and datetime.fromisoformat(verdict["expires_at"]) > datetime.now(UTC):
            print(
                f"send     {verdict['invoice_id']}  {verdict['amount_due']} {verdict['currency']}, in all "
                f"{verdict['customer_total_due']} due and {verdict['customer_total_overdue']} overdue"
            )
        elif verdict["verdict"] == "hold":
            print(f"hold     {verdict['invoice_id']}  {', '.join(verdict['reasons'])}")
        else:
            reasons = verdict["reasons"] or ["expired"]
            print(f"later    {verdict['invoice_id']}  {', '.join(reasons)}: the next run asks again")


def connect() -> Airflow:
    """Log in to what the environment names, or to what bin/start runs on this machine."""
    url, password = os.environ.get("AIRFLOW_API_URL"), os.environ.get("REMINDER_PASSWORD")
    if not url:
        url = f"http://127.0.0.1:{json.loads((LOCAL / 'ports.json').read_text())['AIRFLOW_PORT']}"
    if not password:
        password = json.loads((LOCAL / "passwords.json").read_text())["reminder"]
    return Airflow(url, os.environ.get("REMINDER_USER", "reminder"), password)


def main() -> None:
    """Check a company's invoices and act on the verdicts."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[1])
    parser.add_argument("company_id", metavar="COMPANY")
    parser.add_argument(
        "--invoice", action="append", metavar="ID", help="Peakflo's id; all open ones without"
    )
    parser.add_argument(
        "--run-id", default=f"reminders-{uuid.uuid4()}", help="an id that is asked for again sends nothing"
    )
    options = parser.parse_args()
    conf = {"company_id": options.company_id, "deadline_seconds": 10}
    if options.invoice:
        conf["invoice_ids"] = options.invoice
    act(connect().check(options.run_id, conf))


if __name__ == "__main__":
    main()
