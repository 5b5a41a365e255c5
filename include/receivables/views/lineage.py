"""From a payment of Peakflo's to all that came of it: deliveries, attempts, what QuickBooks has, and the runs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from include.sql import load

if TYPE_CHECKING:
    from psycopg import Connection

    from include.receivables.company.companies import Company

Json = dict[str, Any]

DELIVERY = (
    "delivery_id", "leg", "operation", "state", "qbo_id", "delivered_sync_token", "queued_at", "delivered_at",
)  # fmt: skip
ATTEMPT = (
    "attempt_id", "action", "outcome", "request_id", "attempted_at", "ended_at", "intuit_tid", "error", "run_id",
    "dag_id", "dag_run_id", "try_number",
)  # fmt: skip
MOMENTS = ("qbo_updated_at", "deleted_at", "read_at")


def follow(db: Connection, company: Company, delivery_id: int) -> list[Json]:
    """
    Follow a delivery's payment to everything that came of it.

    :return: all deliveries of the payment, each with its "attempts" (request id, intuit_tid, DAG run) and the
        "versions" that were staged of its record in QuickBooks; empty when the company has no such delivery.
    """
    keys = {"company_id": company.company_id, "delivery_id": delivery_id}
    deliveries: dict[int, Json] = {}
    with db.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(load("outbox/read_lineage"), keys):
            delivery = deliveries.setdefault(row["delivery_id"], _delivery(row))
            if row["attempt_id"] is not None:
                delivery["attempts"].append({name: row[name] for name in ATTEMPT})
    return list(deliveries.values())


def _delivery(row: Json) -> Json:
    versions = [_version(version) for version in row["staged_versions"] or []]
    return {name: row[name] for name in DELIVERY} | {"attempts": [], "versions": versions}


def _version(version: Json) -> Json:
    """Read the moments of a version, which JSON has as text."""
    moments = {name: datetime.fromisoformat(version[name]) for name in MOMENTS if version[name] is not None}
    return version | moments
