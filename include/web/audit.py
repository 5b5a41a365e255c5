"""What people do on the pages of which no row of the receivables database tells, and what they may not do."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.types.json import Jsonb

from include.errors import ReceivablesError
from include.sql import load
from include.web.database import lend_to

if TYPE_CHECKING:
    from fastapi import Request

    from include.web.security import SignedIn

log = logging.getLogger(__name__)


def note(user: SignedIn, act: str, company_id: str, *, outcome: str = "done", **facts: Any) -> None:
    """
    Write down who did what to which company.

    :param act: such as ``dag_run.trigger``.
    :param company_id: empty for what concerns no single company.
    :param facts: what else is worth knowing; no secrets.
    """
    keys = {"company_id": company_id, "act": act, "outcome": outcome, "facts": Jsonb(facts)}
    with lend_to(user) as db:
        db.execute(load("sync/note_act"), keys)


def note_denied(request: Request, reason: str) -> None:
    """Write down that somebody signed in was not let; that the database is away lets nobody in either."""
    user = getattr(request.state, "user", None)
    if user is None:
        return
    company_id = request.path_params.get("company_id", "")
    route = request.scope["route"].path
    try:
        note(user, f"{request.method} {route}", company_id, outcome="denied", reason=reason)
    except (ReceivablesError, psycopg.Error) as error:
        log.warning(
            "%s was not let (%s %s), which could not be written down: %s",
            user.name,
            request.method,
            route,
            type(error).__name__,
        )
