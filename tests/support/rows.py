"""Writes rows into the database, as services other than this project do, and reads what was audited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import sql
from psycopg.rows import dict_row

if TYPE_CHECKING:
    import psycopg


def insert(db: psycopg.Connection, table: str, row: dict[str, Any]) -> None:
    """Insert a row into one of Peakflo's tables."""
    statement = sql.SQL("insert into {} ({}) values ({})").format(
        sql.Identifier("peakflo", table),
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join(map(sql.Placeholder, row)),
    )
    db.execute(statement, row)


def audited(db: psycopg.Connection, act: str) -> list[dict[str, Any]]:
    """Return the acts of a name that are in the audit, the first one first."""
    with db.cursor(row_factory=dict_row) as cursor:
        columns = "company_id, actor, via, login, outcome, facts"
        return cursor.execute(
            f"select {columns} from sync.audit where act = %s order by audit_id", [act]
        ).fetchall()
