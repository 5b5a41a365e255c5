"""What people see of the outbox, and decide: list, show, retry, ignore, try dry, switch on and off."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from include.errors import ConfigurationError
from include.receivables.outbound import outbox, payloads, preflight
from include.receivables.outbound.payloads import LinkedEntry
from include.receivables.outbound.sending import ENTITIES
from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection

    from include.receivables.company.companies import Company
    from include.receivables.outbound.outbox import Delivery
    from include.receivables.outbound.payloads import OutgoingPayment

Json = dict[str, Any]

MOST_LISTED = 500
# What happens to a journal entry in QuickBooks beside the payment that it belongs to.
ENTRY_CHANGES = (
    "entry_answer_differs",
    "entry_edited_in_quickbooks",
    "entry_voided_in_quickbooks",
    "entry_deleted_in_quickbooks",
)
# What a dry run shows for the Id of a journal entry that has not been created yet.
ENTRY_TO_COME = "(Id of the JournalEntry above)"


def list_deliveries(
    db: Connection,
    company: Company,
    *,
    states: Sequence[str] | None = None,
    before: int | None = None,
    most: int = MOST_LISTED,
) -> list[Json]:
    """
    List a company's deliveries, the newest first.

    :param before: go on after this delivery, the last of the page before.
    """
    keys = {
        "company_id": company.company_id,
        "states": None if states is None else list(states),
        "before": before,
        "most": most,
    }
    with db.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(load("outbox/list_for_people"), keys).fetchall()


def show(db: Connection, company: Company, delivery_id: int) -> Json:
    """Show a delivery with every attempt."""
    delivery = _of_company(db, company, delivery_id)
    with db.cursor(row_factory=dict_row) as cursor:
        attempts = cursor.execute(load("outbox/list_attempts"), {"delivery_id": delivery_id}).fetchall()
    return asdict(delivery) | {"attempts": attempts}


def retry(db: Connection, company: Company, delivery_id: int) -> None:
    """
    Let a delivery go on, under a new request id.

    What ever left is looked for in QuickBooks first. One that QuickBooks had and has no more is sent
    anew, as Peakflo's payment is now; one that was ignored and cannot be sent anew counts as delivered again.

    :raises ConfigurationError: when it is in no state in which a person decides.
    """
    keys = {"delivery_id": delivery_id, "company_id": company.company_id}
    with db.transaction():
        db.execute(load("outbox/lock_payment_of"), keys)
        [is_sent_anew] = db.execute(load("outbox/retry_gone"), keys).fetchone() or (False,)
        if is_sent_anew:
            db.execute(load("outbox/withdraw_entry"), keys)
        elif db.execute(load("outbox/retry_ignored"), keys).fetchone() is None:
            _decide(db, company, delivery_id, "outbox/retry", "retried")


def ignore(db: Connection, company: Company, delivery_id: int) -> None:
    """
    Let go of a delivery that was settled otherwise, or that QuickBooks has no more, and of its problems.

    :raises ConfigurationError: when it is in no state in which a person decides.
    """
    with db.transaction():
        before = outbox.lock(db, delivery_id)
        _decide(db, company, delivery_id, "outbox/ignore", "ignored")
        is_beside_payment = before.leg == "adjustment" and before.state == "delivered"
        codes = ENTRY_CHANGES if is_beside_payment else None
        outbox.close_problems(db, before, state="ignored", codes=codes)


def set_auto_sync(db: Connection, company: Company, *, is_on: bool) -> None:
    """Switch a company's two-way payment sync; switched on, what was held goes at once."""
    with db.transaction():
        db.execute(load("outbox/set_auto_sync"), {"company_id": company.company_id, "auto_sync": is_on})
        if is_on:
            db.execute(load("outbox/wake"), {"company_id": company.company_id})


def dry_run(db: Connection, company: Company, delivery_id: int) -> Json:
    """
    Tell what would be sent, to the byte, or why nothing would; nothing is sent or changed.

    :return: "answer" (ready, held, refused, or the delivery's state if it was sent already), "code", "reason" and
        "requests".
    """
    delivery = _of_company(db, company, delivery_id)
    if delivery.state not in outbox.WAITING and delivery.state != "rejected":
        return _dry_answer(delivery.state, delivery.code, delivery.reason, _sent(delivery))
    if delivery.operation == "void":
        return _dry_answer("ready", None, "The record that was delivered would be undone.", [])
    if delivery.leg == "adjustment" and delivery.payload:
        return _dry_answer("ready", None, "It would be sent as it was before.", _sent(delivery))
    match preflight.check(db, company, delivery):
        case preflight.Ready(outgoing):
            return _dry_answer("ready", None, None, _requests(db, delivery, outgoing))
        case preflight.Held(code, sentence):
            return _dry_answer("held", code, sentence, [])
        case preflight.Refused(code, sentence):
            return _dry_answer("refused", code, sentence, [])


def _of_company(db: Connection, company: Company, delivery_id: int) -> Delivery:
    delivery = outbox.lock(db, delivery_id)
    if delivery.company_id != company.company_id:
        raise ConfigurationError(f"Delivery {delivery_id} is not one of company {company.company_id!r}.")
    return delivery


def _decide(db: Connection, company: Company, delivery_id: int, statement: str, done: str) -> None:
    keys = {"delivery_id": delivery_id, "company_id": company.company_id}
    if db.execute(load(statement), keys).fetchone() is None:
        delivery = _of_company(db, company, delivery_id)
        raise ConfigurationError(f"Delivery {delivery_id} is {delivery.state}: that cannot be {done}.")


def _dry_answer(answer: str, code: str | None, reason: str | None, requests: list[Json]) -> Json:
    return {"answer": answer, "code": code, "reason": reason, "requests": requests}


def _sent(delivery: Delivery) -> list[Json]:
    return [_request(delivery, delivery.payload)] if delivery.payload else []


def _requests(db: Connection, delivery: Delivery, outgoing: OutgoingPayment) -> list[Json]:
    """Build the requests of both legs; a journal entry that is delivered already is not sent again."""
    if not payloads.needs_adjustment(outgoing):
        return [_request(delivery, payloads.encode(payloads.payment(outgoing)).decode())]
    adjustment = outbox.find(db, delivery, "adjustment", "create")
    if adjustment is not None and adjustment.response is not None:
        entry = payloads.linked_entry(outgoing, adjustment.response.encode())
        return [_request(delivery, payloads.encode(payloads.payment(outgoing, entry)).decode())]
    return [
        {
            "entity": ENTITIES["adjustment"],
            "request_id": payloads.request_id(delivery.payment_id, "adjustment"),
            "payload": payloads.encode(payloads.adjustment(outgoing)).decode(),
        },
        _request(
            delivery,
            payloads.encode(payloads.payment(outgoing, LinkedEntry(ENTRY_TO_COME))).decode(),
        ),
    ]


def _request(delivery: Delivery, payload: str | None) -> Json:
    return {"entity": ENTITIES[delivery.leg], "request_id": delivery.request_id, "payload": payload}
