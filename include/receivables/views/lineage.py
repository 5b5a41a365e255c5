"""From a payment of Peakflo's to all that came of it: records, moves, what QuickBooks has, and the runs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from include.sql import load

if TYPE_CHECKING:
    from psycopg import Connection

    from include.receivables.company.companies import Company

Json = dict[str, Any]

RECORD = ("record_id", "document", "generation", "state", "code", "reason", "qbo_id", "created_at", "made_at")
MOVE = (
    "move_id", "from_state", "to_state", "why", "request_id", "intuit_tid", "moved_at", "run_id", "dag_id",
    "dag_run_id", "try_number",
)  # fmt: skip
MOMENTS = ("qbo_updated_at", "deleted_at", "read_at")


def follow(db: Connection, company: Company, delivery_id: int) -> list[Json]:
    """
    Follow a payment to everything that came of it.

    :return: its records, each with its "moves" (why, request id, intuit_tid, DAG run) and the "versions" that were
        staged of it; empty when nothing was sent, or the company has no such payment.
    """
    keys = {"company_id": company.company_id, "delivery_id": delivery_id}
    records: dict[int, Json] = {}
    with db.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(load("outbox/read_lineage"), keys):
            record = records.setdefault(row["record_id"], _record(row))
            record["moves"].append({name: row[name] for name in MOVE})
    return list(records.values())


def _record(row: Json) -> Json:
    versions = [_version(version) for version in row["versions"] or []]
    return {name: row[name] for name in RECORD} | {"moves": [], "versions": versions}


def _version(version: Json) -> Json:
    """Read the moments of a version, which JSON has as text."""
    moments = {name: datetime.fromisoformat(version[name]) for name in MOMENTS if version[name] is not None}
    return version | moments
