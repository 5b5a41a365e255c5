"""The records that were made, or may have been made, in QuickBooks, as rows: how they begin and how they move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from include.quickbooks.writing import encode
from include.receivables.outbound import payloads
from include.sql import load

if TYPE_CHECKING:
    from include.receivables.outbound.model import Document, Record, Situation, State
    from include.receivables.outbound.work import Work


def begin(
    work: Work,
    situation: Situation,
    document: Document,
    generation: int,
    state: State,
    why: str,
    **facts: Any,
) -> int:
    """
    Begin a record, which at once becomes what it is to be.

    :param facts: what else is known of it, by the names of ``outbox.record``'s columns.
    :return: its row.
    """
    keys = {
        "company_id": work.company.company_id,
        "realm_id": work.company.realm_id,
        "payment_id": situation.payment_id,
        "document": document,
        "generation": generation,
        "request_id": payloads.request_id(situation.payment_id, document, generation),
        "state": state,
        "run_id": work.run.run_id,
        "why": why,
        "facts": _json(facts),
    }
    row = work.db.execute(load("outbox/begin"), keys).fetchone()
    if row is None:
        raise LookupError("the record was not begun")
    return int(row[0])


def move(work: Work, record_id: int, state: State, why: str, **facts: Any) -> None:
    """
    Move a record on: what no one may do is refused by the database.

    :param facts: what the move brings, by the names of ``outbox.record``'s columns; ``looked`` if QuickBooks was asked,
        and ``intuit_tid`` if it answered.
    :raises psycopg.errors.CheckViolation: if there is no such move.
    """
    keys = {
        "record_id": record_id,
        "state": state,
        "run_id": work.run.run_id,
        "why": why,
        "intuit_tid": facts.pop("intuit_tid", None),
        "facts": _json(facts),
    }
    work.db.execute(load("outbox/move"), keys)


def undo_request_id(situation: Situation, record: Record, undo_count: int) -> str:
    """Return the id of the request that undoes a record."""
    return payloads.request_id(situation.payment_id, record.document, record.generation, undo_count)


def _json(facts: dict[str, Any]) -> str:
    """Write facts as JSON; what QuickBooks answered goes in as it came."""
    raw = {name: msgspec.Raw(value) if isinstance(value, bytes) else value for name, value in facts.items()}
    return encode({name: value for name, value in raw.items() if value is not None}).decode()
