"""The webhook's events in the database: stored once each, and read when the run that covers them commits."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg.rows import class_row

from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from psycopg import Connection

    from include.receivables.company.companies import Company
    from include.receivables.company.runs import Run
    from include.receivables.inbound.webhooks import Delivery


@dataclass(frozen=True, slots=True)
class UnreadEvent:
    """
    An event whose record has not been read since.

    :param entity: the staging table.
    """

    event_id: str
    entity: str
    qbo_id: str
    operation: str


def store(db: Connection, delivery: Delivery) -> Counter[str]:
    """
    Keep a delivery's new events in one statement, which also wakes whoever reads them.

    :return: how many events were stored, repeated, of an unknown_company, of an other_entity or odd.
    """
    events = delivery.events
    columns = {
        "event_ids": [event.event_id for event in events],
        "realm_ids": [event.realm_id for event in events],
        "entities": [event.entity for event in events],
        "qbo_ids": [event.qbo_id for event in events],
        "operations": [event.operation for event in events],
        "happened_ats": [event.happened_at for event in events],
    }
    counts = {"others": delivery.others, "odd": delivery.odd}
    counted = db.execute(load("sync/store_webhook_events"), columns | counts)
    return Counter(dict(counted.fetchall()))


def count_refusals(db: Connection, refused: Mapping[str, int]) -> None:
    """Count deliveries that were refused, by the reason."""
    totals = {"reasons": list(refused), "totals": list(refused.values())}
    db.execute(load("sync/count_refused_deliveries"), totals)


def list_companies(db: Connection, *, dag_id: str) -> list[str]:
    """
    List the connected companies with unread events.

    :param dag_id: whose runs read them: what one of these has tried without success is left to its retry.
    """
    return [row[0] for row in db.execute(load("sync/list_companies_with_events"), {"dag_id": dag_id})]


def list_unread(db: Connection, company: Company) -> list[UnreadEvent]:
    """List a company's unread events."""
    with db.cursor(row_factory=class_row(UnreadEvent)) as cursor:
        return cursor.execute(load("sync/list_unread_events"), {"realm_id": company.realm_id}).fetchall()


def mark_read(db: Connection, run: Run) -> None:
    """Mark all events read that had come before a run began which read all changes, in the caller's transaction."""
    db.execute(load("sync/mark_events_read"), {"run_id": run.run_id})


def mark_these_read(db: Connection, company: Company, events: Sequence[UnreadEvent]) -> None:
    """Mark events of a company read whose records were read by Id, in the caller's transaction."""
    keys = {
        "realm_id": company.realm_id,
        "event_ids": [event.event_id for event in events],
        "entities": [event.entity for event in events],
        "qbo_ids": [event.qbo_id for event in events],
    }
    db.execute(load("sync/mark_these_events_read"), keys)


def note_change(db: Connection, company: Company) -> None:
    """Note when a company's books changed last, by what is staged and not merged yet: an event should tell of it."""
    db.execute(load("sync/note_change"), {"realm_id": company.realm_id})
