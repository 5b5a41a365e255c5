"""Airflow's audit log, for what people do here that is no run of a DAG."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow.models.log import Log  # noqa: TID251 - the API server may write it, and nothing else can
from airflow.utils.session import create_session

if TYPE_CHECKING:
    from include.web.security import SignedIn


def record(user: SignedIn, event: str, company_id: str, **facts: Any) -> None:
    """
    Write down who did what to which company.

    :param event: such as ``quickbooks.disconnect``.
    :param facts: what else is worth knowing; no secrets.
    """
    with create_session() as session:
        session.add(
            Log(
                event=event,
                owner=user.name,
                owner_display_name=user.name,
                extra=json.dumps({"company_id": company_id, **facts}),
            )
        )
