"""Runs of DAGs, triggered through Airflow's own API as the user who asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fastapi import HTTPException
from fastapi.concurrency import run_in_threadpool

from include.web import airflow_api, audit
from include.web.rendering import airflow_path

if TYPE_CHECKING:
    from fastapi import Request
    from httpx import Response

    from include.web.security import SignedIn


async def trigger(
    request: Request, user: SignedIn, dag_id: str, conf: dict[str, Any], run_id: str | None = None
) -> str:
    """
    Trigger a run of a DAG and return its id.

    :raises HTTPException: with one sentence, when Airflow refuses.
    """
    body = {"logical_date": None, "conf": conf} | ({"dag_run_id": run_id} if run_id else {})
    answer = await airflow_api.call(request, user, "POST", f"dags/{quote(dag_id)}/dagRuns", json=body)
    if answer.is_error:
        status = 503 if answer.is_server_error else answer.status_code
        raise HTTPException(status, _refusal(answer, dag_id))
    dag_run_id = str(answer.json()["dag_run_id"])
    company_id = str(conf.get("company_id") or next(iter(conf.get("companies", [])), ""))
    await run_in_threadpool(
        audit.note, user, "dag_run.trigger", company_id, dag_id=dag_id, dag_run_id=dag_run_id, conf=conf
    )
    return dag_run_id


def dag_run_url(request: Request, dag_id: str, dag_run_id: str) -> str:
    """Return the path of a run's page in Airflow."""
    return airflow_path(request, f"dags/{quote(dag_id)}/runs/{quote(dag_run_id, safe='')}")


def _refusal(answer: Response, dag_id: str) -> str:
    known = {
        401: "Your sign-in has expired: sign in to Airflow again.",
        403: f"You may not trigger {dag_id}: ask for a role that may trigger DAGs.",
        404: f"Airflow does not know the DAG {dag_id}: look at Airflow's import errors.",
        409: f"This run of {dag_id} was started already.",
    }
    return known.get(answer.status_code, f"Airflow refused to run {dag_id}: {_detail(answer)}")


def _detail(answer: Response) -> str:
    try:
        detail = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return f"it answered {answer.status_code}."
    return str(detail)[:300]
