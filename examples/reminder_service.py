"""
A reminder service in a page: ask before reminding, send only what may be sent, and nothing twice.

Against bin/start, without any setting:

    .venv/bin/python examples/reminder_service.py demo
    .venv/bin/python examples/reminder_service.py demo --run-id reminders-2026-11-25 --invoice 029e36d4-…

Elsewhere, AIRFLOW_API_URL, REMINDER_USER and REMINDER_PASSWORD say where and as whom, and REMINDER_RECORD which file
keeps what was sent. It exits with 0 when it has the verdicts, and with 1 and a sentence when it has none.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import time
import uuid
from concurrent.futures import Future
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import requests  # noqa: TID253 - this is no DAG

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

DAG = "/api/v2/dags/refresh_before_reminder/dagRuns"
TIMEOUT = (3, 10)  # seconds to connect, and to wait for a byte
DEADLINE_SECONDS = 15.0  # for everything from the login to the last verdict
READING_SECONDS = 2.0  # of them, kept for reading the verdicts
POLL_SECONDS = 0.2
# Every call may be repeated: a run that a lost answer has triggered is answered 409 and waited for.
PAUSES = (0.2, 0.5, 1.0, 2.0)
LOST = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
BUSY = (502, 503, 504)
NOT_LOGGED_IN = (401, 403)  # a token that has expired, and one that has been revoked
LOCAL = Path(os.environ.get("RECEIVABLES_LOCAL_DIR") or Path(__file__).parents[1] / ".local")


class NoVerdictsError(Exception):
    """Why there are no verdicts, as a sentence."""


class Airflow:
    """Airflow's REST API and the pages in it, for the user of the reminder service."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url.rstrip("/")
        self._credentials = {"username": user, "password": password}
        self._session = requests.Session()
        self._deadline = 0.0

    def check(self, company_id: str, invoice_ids: list[str], run_id: str, seconds: float) -> dict[str, Any]:
        """
        Let a run check the invoices, or wait for the one of this id, and return its verdicts by invoice.

        They are read where only the run itself can write: whoever operates Airflow may also change what it says that
        its runs have returned, and whether they succeeded.
        """
        self._deadline = time.monotonic() + seconds
        self._log_in()
        left = self._deadline - time.monotonic() - READING_SECONDS
        conf: dict[str, Any] = {"company_id": company_id, "deadline_seconds": min(300.0, max(1.0, left))}
        if invoice_ids:
            conf["invoice_ids"] = invoice_ids
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
        triggered = self._call("POST", DAG, json=body, accept=requests.codes.conflict)
        if triggered.status_code == requests.codes.conflict:
            print("This run was asked for before: its verdicts are read, and what was sent stays so.")
        run = f"{DAG}/{quote(run_id, safe='')}"
        while self._call("GET", run).json()["state"] not in ("success", "failed"):
            time.sleep(POLL_SECONDS)
        answer = self._read(f"/quickbooks/companies/{quote(company_id)}/reminders/{quote(run_id, safe='')}")
        if answer["state"] == "running":
            raise NoVerdictsError(
                "The run ended before its check did: nothing is sent; ask again, with a new id."
            )
        return answer

    def _read(self, path: str) -> dict[str, Any]:
        """Read all pages of the verdicts."""
        answer = page = self._call("GET", path).json()
        while page["next"]:
            page = self._call("GET", path, params={"after": page["next"]}).json()
            answer["verdicts"] += page["verdicts"]
        return dict(answer)

    def _log_in(self) -> None:
        self._session.headers.pop("Authorization", None)
        answer = self._request("POST", "/auth/token", json=self._credentials)
        if answer.status_code == requests.codes.unauthorized:
            raise NoVerdictsError("Airflow does not accept this user and password: nothing is sent.")
        self._session.headers["Authorization"] = f"Bearer {_checked(answer).json()['access_token']}"

    def _call(
        self, method: str, path: str, *, accept: int = requests.codes.ok, **arguments: Any
    ) -> requests.Response:
        """Make a call, once more with a new token if the old one is no longer accepted."""
        answer = self._request(method, path, **arguments)
        if answer.status_code in NOT_LOGGED_IN:
            self._log_in()
            answer = self._request(method, path, **arguments)
        return answer if answer.status_code == accept else _checked(answer)

    def _request(self, method: str, path: str, **arguments: Any) -> requests.Response:
        for pause in PAUSES:
            with suppress(*LOST):
                answer = self._request_once(method, path, **arguments)
                if answer.status_code not in BUSY:
                    return answer
            time.sleep(pause)
        return self._request_once(method, path, **arguments)

    def _request_once(self, method: str, path: str, **arguments: Any) -> requests.Response:
        if time.monotonic() > self._deadline:
            raise TimeoutError
        return self._session.request(method, self.url + path, timeout=TIMEOUT, **arguments)


def _checked(answer: requests.Response) -> requests.Response:
    """Return an answer that can be used; what Airflow says in others becomes a sentence."""
    if answer.ok:
        return answer
    try:
        detail = answer.json()["detail"]
        said = detail.splitlines()[0] if isinstance(detail, str) else json.dumps(detail)
    except (ValueError, KeyError, TypeError, IndexError):
        said = f"{answer.request.method} {answer.request.path_url} was answered {answer.status_code}."
    if answer.status_code == requests.codes.forbidden:
        raise NoVerdictsError(f"Airflow forbids it ({said}): the user needs a role that may trigger DAGs.")
    is_wrong = answer.status_code in (requests.codes.bad_request, requests.codes.unprocessable_entity)
    raise NoVerdictsError(f"{'The request is wrong' if is_wrong else 'There are no verdicts'}: {said}")


class Record:
    """
    What was sent, kept by the service itself: the one thing that keeps a reminder from going out twice.

    :param reminders: names the round of reminders, in which each invoice gets one, whichever runs are asked.
    """

    def __init__(self, path: str | Path, reminders: str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute(
            "create table if not exists sent (reminders, invoice_id, primary key (reminders, invoice_id))"
        )
        self._reminders = reminders

    def has(self, invoice_id: str) -> bool:
        """Tell whether the invoice's reminder was sent."""
        found = "select 1 from sent where reminders = ? and invoice_id = ?"
        return self._db.execute(found, [self._reminders, invoice_id]).fetchone() is not None

    def add(self, invoice_id: str) -> bool:
        """Write down that the invoice's reminder goes out now; False if another process was faster."""
        added = "insert or ignore into sent values (?, ?)"
        return self._db.execute(added, [self._reminders, invoice_id]).rowcount == 1

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def act(answer: dict[str, Any], asked: list[str], record: Record) -> None:
    """Send the reminders that may go out now, and say what becomes of the others."""
    if answer["error"]:
        print(f"Not everything could be checked: {answer['error']}")
    verdicts = {verdict["invoice_id"]: verdict for verdict in answer["verdicts"]}
    # Whoever asked under this id before may have asked for others: what was not asked for here is not sent.
    for invoice_id in [each.lower() for each in asked] or verdicts:
        remind(
            invoice_id, verdicts.get(invoice_id, {"verdict": "unknown", "reasons": ["not_checked"]}), record
        )


def totals(verdict: dict[str, Any]) -> str:
    """Say what the customer owes in all, as far as that is known."""
    due, overdue = verdict["customer_total_due"], verdict["customer_total_overdue"]
    return "" if due is None else f", in all {due} due and {overdue} overdue"


def remind(invoice_id: str, verdict: dict[str, Any], record: Record) -> None:
    """Send one reminder, if that is still right at this very moment."""
    is_due = verdict["verdict"] == "send" and datetime.fromisoformat(verdict["expires_at"]) > datetime.now(
        UTC
    )
    # Written down first: of a service that dies in between, one reminder is missing, and none goes out twice.
    if record.has(invoice_id) or (is_due and not record.add(invoice_id)):
        print(f"before   {invoice_id}  its reminder went out")
    elif is_due:
        print(f"send     {invoice_id}  {verdict['amount_due']} {verdict['currency']}{totals(verdict)}")
    elif verdict["verdict"] == "hold":
        print(f"hold     {invoice_id}  {', '.join(verdict['reasons'])}")
    else:
        print(
            f"later    {invoice_id}  {', '.join(verdict['reasons']) or 'expired'}: ask again, with a new id"
        )


def within(seconds: float, work: Callable[[], T]) -> T:
    """Return what work returns, or give it up: the timeout of a socket begins anew with each byte."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future.result(seconds)


def connect() -> Airflow:
    """Return what the environment names, or what bin/start runs on this machine."""
    url, password = os.environ.get("AIRFLOW_API_URL"), os.environ.get("REMINDER_PASSWORD")
    try:
        if not url:
            url = f"http://127.0.0.1:{json.loads((LOCAL / 'ports.json').read_text())['AIRFLOW_PORT']}"
        if not password:
            password = json.loads((LOCAL / "passwords.json").read_text())["reminder"]
    except OSError as error:
        raise NoVerdictsError(
            f"{error.filename} cannot be read: run bin/start, or set AIRFLOW_API_URL and REMINDER_PASSWORD."
        ) from None
    return Airflow(url, os.environ.get("REMINDER_USER", "reminder"), password)


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[1])
    parser.add_argument("company_id", metavar="COMPANY")
    parser.add_argument(
        "--invoice", action="append", default=[], metavar="ID", help="Peakflo's id; all open ones without"
    )
    parser.add_argument(
        "--run-id",
        default=f"reminders-{uuid.uuid4()}",
        help="of a run that was asked for before, what it said",
    )
    parser.add_argument(
        "--reminders",
        metavar="NAME",
        help="in one round, an invoice gets one reminder; by default the run's id",
    )
    parser.add_argument(
        "--seconds", type=float, default=DEADLINE_SECONDS, help="for all until the last verdict"
    )
    return parser.parse_args()


def main() -> None:
    """Check a company's invoices and act on the verdicts."""
    options = read_options()
    path = os.environ.get("REMINDER_RECORD") or LOCAL / "reminders.sqlite"
    try:
        airflow = connect()
        with closing(Record(path, f"{options.company_id} {options.reminders or options.run_id}")) as record:
            asked = (options.company_id, options.invoice, options.run_id, options.seconds)
            act(within(options.seconds, lambda: airflow.check(*asked)), options.invoice, record)
    except NoVerdictsError as error:
        raise SystemExit(str(error)) from None
    except TimeoutError:
        raise SystemExit(f"No verdicts within {options.seconds:g} seconds: nothing is sent.") from None
    except requests.RequestException:
        raise SystemExit(
            f"Airflow does not answer at {airflow.url}: start it, or correct AIRFLOW_API_URL."
        ) from None
    except sqlite3.Error as error:
        raise SystemExit(f"{path} cannot keep what is sent ({error}): set REMINDER_RECORD.") from None


if __name__ == "__main__":
    main()
