"""Airflow's Required Actions, as far as what they ask is decided on our pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from include.receivables.views.asking import ASKING_DAG, run_prefix
from include.receivables.views.offers import LABELS
from include.web import airflow_api

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import Request

    from include.receivables.company.companies import Company
    from include.receivables.views.asking import Kind
    from include.receivables.views.offers import Action
    from include.web.security import SignedIn

OPEN = {"response_received": "false", "state": "awaiting_input", "limit": 100}


@dataclass(frozen=True, slots=True)
class RequiredAction:
    """
    A question that waits in Airflow.

    :param place: its path in Airflow's API.
    """

    place: str
    options: Sequence[str]


async def list_open(
    request: Request, user: SignedIn, company: Company, kind: Kind, asked_id: int
) -> list[RequiredAction]:
    """List what Airflow asks about one thing; nothing where the user may not see that."""
    answer = await airflow_api.call(
        request, user, "GET", f"dags/{ASKING_DAG}/dagRuns/~/hitlDetails", params=OPEN
    )
    details = [] if answer.is_error else answer.json()["hitl_details"]
    prefix = run_prefix(company.company_id, kind, asked_id)
    return [
        RequiredAction(_place(detail["task_instance"]), detail["options"])
        for detail in details
        if detail["task_instance"]["dag_run_id"].startswith(prefix)
    ]


async def end(request: Request, user: SignedIn, asked: Sequence[RequiredAction], action: Action) -> None:
    """
    Answer in Airflow what was decided on a page, so that nobody sees it as open any more.

    Where the user may not answer there, it is left: what is decided is soon asked no longer.

    :param asked: before the decision, so that the answer comes too late to decide anything once more.
    """
    for each in asked:
        chosen = [option for option in each.options if option in LABELS[action]]
        if chosen:
            await airflow_api.call(request, user, "PATCH", each.place, json={"chosen_options": chosen[:1]})


def _place(task: dict[str, Any]) -> str:
    run_id = quote(task["dag_run_id"], safe="")
    return (
        f"dags/{ASKING_DAG}/dagRuns/{run_id}/taskInstances/{task['task_id']}/{task['map_index']}/hitlDetails"
    )
