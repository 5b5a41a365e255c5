"""Runs on our pages: their links into Airflow, and the one that was just started."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fastapi import HTTPException

from include.receivables.views.company_status import COMMAND_LINE
from include.web.dag_runs import dag_run_url, trigger
from include.web.rendering import airflow_path, redirect

if TYPE_CHECKING:
    from fastapi import Request
    from fastapi.responses import RedirectResponse

    from include.receivables.company.companies import Company
    from include.receivables.views.import_status import ImportStatus
    from include.receivables.views.problem_actions import FollowUp
    from include.web.security import SignedIn

IMPORT = "import_company"
# Where in Airflow the logs of a run are; of a mapped task, a list that names the companies.
LOGS = {
    "quickbooks_to_peakflo": "tasks/sync/mapped",
    "peakflo_to_quickbooks": "tasks/deliver/mapped",
    "refresh_before_reminder": "tasks/refresh_and_judge",
    "refresh_reference_data": "tasks/refresh/mapped",
    "read_webhook_events": "tasks/read/mapped",
    "import_company": "tasks/import_all",
    "reconcile_receivables": "tasks/prove/mapped",
    "send_alerts": "tasks/send",
}
WORDS = {
    "quickbooks_to_peakflo": "Sync",
    "peakflo_to_quickbooks": "Delivery of payments",
    "refresh_before_reminder": "Refresh before a reminder",
    "refresh_reference_data": "Refresh of accounts or taxes",
    "read_webhook_events": "Early read",
    "import_company": "Import",
    "reconcile_receivables": "Proof",
    "send_alerts": "Sending of alerts",
    COMMAND_LINE: "Command line",
}
# What Airflow allows as the id of a run.
RUN_ID = re.compile(r"[A-Za-z0-9_.~:+-]+")


@dataclass(frozen=True, slots=True)
class StartedRun:
    """
    A run that somebody started from our pages.

    :param url: of its page in Airflow.
    :param state_url: where Airflow tells its state, as JSON.
    """

    words: str
    url: str
    state_url: str


async def start(
    request: Request, user: SignedIn, company: Company, follow_up: FollowUp, target: str = ""
) -> RedirectResponse:
    """
    Start a run as the user, and go to a page of the company that shows how it gets on.

    :param target: the page, below the company's own.
    """
    dag_run_id = await trigger(request, user, follow_up.dag_id, follow_up.conf)
    page = f"companies/{company.company_id}{'/' + target if target else ''}"
    return redirect(request, user, page, run=f"{follow_up.dag_id}/{dag_run_id}")


async def start_import(
    request: Request, user: SignedIn, company: Company, status: ImportStatus, *, reason: str = "connect"
) -> None:
    """
    Start an import as the user, unless a click before this one did.

    :param status: how the import stands: the run is named after the one that it repeats, or the connection.
    """
    after = (
        status.run_id
        if reason == "retry" and status.run_id
        else f"{status.connected_at:%Y-%m-%dT%H:%M:%S.%f}"
    )
    try:
        await trigger(
            request,
            user,
            IMPORT,
            {"company_id": company.company_id},
            f"{reason}__{company.company_id}__{after}",
        )
    except HTTPException as refused:
        if refused.status_code != 409:
            raise


def dag_runs_of(request: Request, started: str = "") -> dict[str, Any]:
    """
    Return what a template needs to speak of runs.

    :param started: the DAG and the run that was just started, as :func:`start` puts them into a page's address.
    """
    return {
        "dag_words": WORDS,
        "run_url": lambda dag_id, dag_run_id: _url(request, dag_id, dag_run_id),
        "log_url": lambda dag_id, dag_run_id: _log_url(request, dag_id, dag_run_id),
        "started": _read_started(request, started),
    }


def _url(request: Request, dag_id: str, dag_run_id: str) -> str | None:
    return dag_run_url(request, dag_id, dag_run_id) if dag_id in LOGS else None


def _log_url(request: Request, dag_id: str, dag_run_id: str) -> str | None:
    url = _url(request, dag_id, dag_run_id)
    return f"{url}/{LOGS[dag_id]}" if url else None


def _read_started(request: Request, started: str) -> StartedRun | None:
    """Read a page's address; whoever wrote it, it can only lead into Airflow."""
    dag_id, _, dag_run_id = started.partition("/")
    if dag_id not in LOGS or not RUN_ID.fullmatch(dag_run_id):
        return None
    return StartedRun(
        WORDS[dag_id],
        dag_run_url(request, dag_id, dag_run_id),
        airflow_path(request, f"api/v2/dags/{dag_id}/dagRuns/{quote(dag_run_id, safe='')}"),
    )
