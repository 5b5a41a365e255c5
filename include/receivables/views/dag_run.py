"""What a run of a DAG did, company by company."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from include.sql import load

if TYPE_CHECKING:
    from psycopg import Connection

MOST_COMPANIES = 1000


def list_dag_run(db: Connection, dag_id: str, dag_run_id: str) -> list[dict[str, Any]]:
    """List the companies that a DAG run worked for, each with what became of its last try."""
    keys = {"dag_id": dag_id, "dag_run_id": dag_run_id, "most": MOST_COMPANIES}
    with db.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(load("sync/list_dag_run"), keys).fetchall()
