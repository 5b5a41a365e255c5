"""Writes rows into the database, as services other than this project do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import sql

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
