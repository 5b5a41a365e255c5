"""Lets time pass, as far as the database knows of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

if TYPE_CHECKING:
    from datetime import timedelta

    import psycopg

MOMENTS = {
    "sync.connection": ("status_since", "connected_at", "last_error_at"),
    "sync.run": ("asked_at", "started_at", "ended_at"),
    "sync.problem": ("first_seen_at", "last_seen_at"),
    "sync.webhook_event": ("received_at",),
    "sync.webhook_count": ("began_at", "first_at", "last_at"),
    "staging.cursor": ("changed_since",),
    "outbox.delivery": ("queued_at", "since"),
    "outbox.queue": ("queued_at",),
    "sync.read_budget": ("decided_at",),
    "sync.webhook_proof": ("changed_at", "announced_at", "received_at"),
}


def let_pass(db: psycopg.Connection, span: timedelta, *, but: tuple[str, ...] = ()) -> None:
    """
    Put back all moments that were written down.

    :param but: tables whose moments stay, as if somebody went on with them.
    """
    for table, columns in MOMENTS.items():
        if table not in but:
            earlier = [
                sql.SQL("{0} = {0} - {1}").format(sql.Identifier(column), sql.Literal(span))
                for column in columns
            ]
            statement = sql.SQL("update {} set {}").format(
                sql.Identifier(*table.split(".")), sql.SQL(", ").join(earlier)
            )
            db.execute(statement)
