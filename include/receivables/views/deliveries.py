"""What people see of Peakflo's payments on their way to QuickBooks: list, show, try dry, switch on and off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from include.errors import ConfigurationError
from include.quickbooks.writing import encode
from include.receivables.outbound import payloads, records, standings
from include.receivables.outbound.decide import decide
from include.receivables.outbound.decisions import Choices, choices_of, standing_of
from include.receivables.outbound.model import ENTITIES, Resend, Send, Standing, Undo
from include.receivables.outbound.preflight_answers import Ready
from include.receivables.outbound.situation import read_situation
from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from psycopg import Connection

    from include.receivables.company.companies import Company
    from include.receivables.outbound.model import Record, Situation, Step

Json = dict[str, Any]

MOST_LISTED = 500
# What a dry run shows for the Id of a journal entry that has not been created yet.
ENTRY_TO_COME = "(Id of the JournalEntry above)"


def list_deliveries(
    db: Connection,
    company: Company,
    *,
    kinds: Sequence[str] | None = None,
    before: int | None = None,
    most: int = MOST_LISTED,
) -> list[Json]:
    """
    List a company's payments for QuickBooks, the newest first.

    :param kinds: where they stand: ``agrees``, ``waits``, ``differs`` or ``ignored``.
    :param before: go on after this one, the last of the page before.
    """
    keys = {
        "company_id": company.company_id,
        "kinds": None if kinds is None else list(kinds),
        "before": before,
        "most": most,
    }
    with db.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(load("outbox/list_for_people"), keys).fetchall()


def payment_of(db: Connection, company: Company, delivery_id: int) -> UUID:
    """
    Return the payment that people know by a number.

    :raises ConfigurationError: when the company has none of that number.
    """
    keys = {"company_id": company.company_id, "delivery_id": delivery_id}
    row = db.execute(load("outbox/find_payment"), keys).fetchone()
    if row is None:
        raise ConfigurationError(
            f"Company {company.company_id!r} has no delivery {delivery_id}: pick one of "
            "`bin/receivables delivery list`."
        )
    payment_id: UUID = row[0]
    return payment_id


def read_choices(db: Connection, company: Company, payment_id: UUID) -> Choices:
    """Tell what may be decided about a payment; nothing while it is being worked on."""
    return choices_of(standing_of(read_situation(db, company, payment_id)))


def set_auto_sync(db: Connection, company: Company, *, is_on: bool) -> None:
    """Switch a company's two-way payment sync; switched on, what waits goes at once."""
    db.execute(load("outbox/set_auto_sync"), {"company_id": company.company_id, "auto_sync": is_on})


def dry_run(situation: Situation | None) -> Json:
    """
    Tell what would be done about a payment, to the byte, or where it stands; nothing is sent or changed.

    :return: "answer" (the step, or where the payment stands), "code", "reason" and "requests": those of the step, or
        those that made what is there.
    """
    if situation is None:
        return {"answer": "agrees", "code": "payment_unknown", "reason": None, "requests": []}
    decided = decide(situation)
    if isinstance(decided, Standing):
        kind, code, sentence = standings.headline(decided, standings.rest(situation))
        return {"answer": kind, "code": code, "reason": sentence, "requests": _sent(situation)}
    name = type(decided).__name__.lower()
    return {"answer": name, "code": None, "reason": None, "requests": _requests(situation, decided)}


def _sent(situation: Situation) -> list[Json]:
    """Return the requests that made what is there."""
    return [
        {
            "operation": "create",
            "entity": record.entity,
            "request_id": record.request_id,
            "payload": encode(record.payload).decode(),
        }
        for record in situation.records
        if record.payload is not None
    ]


def _requests(situation: Situation, step: Step) -> list[Json]:
    """Build the requests of a step; with a journal entry goes the payment that links it."""
    match step:
        case Send(document, generation, payload):
            first = _request(situation, document, generation, payload)
            return [first, *_payment_to_come(situation)] if document == "journal_entry" else [first]
        case Resend(record) if record.state == "undoing":
            return [_undoing(situation, record, record.undone_token or 0, record.undo_count)]
        case Resend(record):
            return [_request(situation, record.document, record.generation, record.payload or {})]
        case Undo(record, sync_token):
            return [_undoing(situation, record, sync_token, record.undo_count + 1)]
    return []


def _undoing(situation: Situation, record: Record, sync_token: int, undo_count: int) -> Json:
    is_voided = record.document == "payment"
    payload: Json = {"Id": record.qbo_id, "SyncToken": str(sync_token)}
    return {
        "operation": "void" if is_voided else "delete",
        "entity": record.entity,
        "request_id": records.undo_request_id(situation, record, undo_count),
        "payload": encode(payload | {"sparse": True} if is_voided else payload).decode(),
    }


def _payment_to_come(situation: Situation) -> list[Json]:
    payment = situation.last("payment")
    if not isinstance(situation.check, Ready) or (payment is not None and payment.state == "made"):
        return []
    payload = payloads.payment(situation.check.outgoing, payloads.LinkedEntry(ENTRY_TO_COME))
    return [_request(situation, "payment", situation.next_generation("payment"), payload)]


def _request(situation: Situation, document: Any, generation: int, payload: Json) -> Json:
    return {
        "operation": "create",
        "entity": ENTITIES[document],
        "request_id": payloads.request_id(situation.payment_id, document, generation),
        "payload": encode(payload).decode(),
    }
