"""The outbox: each payment's deliveries, their states, and how one moves to the next."""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from psycopg import OperationalError
from psycopg.rows import class_row

from include.errors import BusyError, ConfigurationError
from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from psycopg import Connection

    from include.receivables.company.companies import Company
    from include.receivables.outbound.payloads import Leg, Operation

Json = dict[str, Any]
State = Literal[
    "queued", "sending", "delivered", "held", "rejected", "unknown", "possible_orphan", "ignored", "withdrawn"
]

# Never sent, as far as this generation goes.
WAITING: tuple[State, ...] = ("queued", "held")
# Sent, and nobody knows yet whether QuickBooks carried it out. Who holds the company's deliveries and finds one that is
# still sending knows that its sender died.
UNDECIDED: tuple[State, ...] = ("sending", "unknown")


@dataclass(frozen=True, slots=True)
class Delivery:
    """
    One leg of a payment on its way to QuickBooks.

    :param payload: the JSON that was sent, or will be sent again.
    :param code: a stable name of why it is held, rejected or undecided.
    :param first_sent_at: when this generation's request left first.
    :param sent_at: when it left last.
    :param response: QuickBooks' record as it was answered.
    :param survivor_qbo_id: as which customer that of the payload goes on, if it was merged into another one.
    :param read_at: when this row was read, by the database's clock.
    """

    delivery_id: int
    company_id: str
    realm_id: str
    payment_id: UUID
    leg: Leg
    operation: Operation
    generation: int
    request_id: str
    payload: str | None
    state: State
    code: str | None
    reason: str | None
    attempts: int
    queued_at: datetime
    first_sent_at: datetime | None
    sent_at: datetime | None
    delivered_at: datetime | None
    qbo_id: str | None
    sync_token: int | None
    response: str | None
    survivor_qbo_id: str | None
    read_at: datetime


@contextmanager
def delivery_lock(db: Connection, company: Company) -> Iterator[None]:
    """
    Hold a company's deliveries for one process at a time, beside any sync of it; a kill frees them.

    :raises BusyError: when somebody else holds them.
    """
    keys = {"company_id": company.company_id}
    row = db.execute(load("outbox/lock_company"), keys).fetchone()
    if row is None or not row[0]:
        raise BusyError(
            f"The payments of company {company.company_id!r} are being delivered by another process already."
        )
    try:
        yield
    finally:
        # A lost connection has lost the lock, too.
        with suppress(OperationalError):
            db.execute(load("outbox/unlock_company"), keys)


def list_due_companies(db: Connection) -> list[str]:
    """List the connected companies that have something to deliver and that nobody is delivering for."""
    return [row[0] for row in db.execute(load("outbox/list_due_companies"))]


def is_auto_sync(db: Connection, company: Company) -> bool:
    """Tell whether the company has two-way payment sync switched on."""
    row = db.execute(load("outbox/is_auto_sync"), {"company_id": company.company_id}).fetchone()
    return bool(row and row[0])


def list_in_states(db: Connection, company: Company, states: Sequence[State]) -> list[int]:
    """List a company's deliveries that have to be looked at, the oldest first."""
    keys = {"company_id": company.company_id, "realm_id": company.realm_id, "states": list(states)}
    return [row[0] for row in db.execute(load("outbox/list_deliveries"), keys)]


def wake(db: Connection, company: Company) -> None:
    """Wake whoever delivers for a company."""
    db.execute(load("outbox/wake"), {"company_id": company.company_id})


def lock(db: Connection, delivery_id: int) -> Delivery:
    """
    Read a delivery; within a transaction, it and its payment cannot be changed by others until the end.

    :raises ConfigurationError: when there is none of that id.
    """
    with db.cursor(row_factory=class_row(Delivery)) as cursor:
        delivery = cursor.execute(load("outbox/lock_delivery"), {"delivery_id": delivery_id}).fetchone()
    if delivery is None:
        raise ConfigurationError(
            f"There is no delivery {delivery_id}: pick one of `bin/receivables delivery list`."
        )
    return delivery


def find(db: Connection, of: Delivery, leg: Leg, operation: Operation) -> Delivery | None:
    """Find the delivery of a leg and operation of the same payment."""
    keys = {"company_id": of.company_id, "payment_id": of.payment_id, "leg": leg, "operation": operation}
    row = db.execute(load("outbox/find_leg"), keys).fetchone()
    return None if row is None else lock(db, row[0])


def find_survivor(db: Connection, delivery: Delivery, customer_qbo_id: str) -> str:
    """Find as which customer one goes on that may have been merged into another one."""
    keys = {"realm_id": delivery.realm_id, "qbo_id": customer_qbo_id}
    row = db.execute(load("mapping/find_survivor"), keys).fetchone()
    return str(row[0]) if row else customer_qbo_id


def find_in_quickbooks(db: Connection, delivery: Delivery) -> str | None:
    """Find QuickBooks' id of the payment, if it was delivered, or the sync recognised it."""
    keys = {"realm_id": delivery.realm_id, "payment_id": delivery.payment_id}
    row = db.execute(load("mapping/find_payment"), keys).fetchone()
    return None if row is None else str(row[0])


def is_met(db: Connection, delivery: Delivery) -> bool:
    """Tell whether QuickBooks was seen to have what a delivery would make."""
    keys = {"realm_id": delivery.realm_id, "payment_id": delivery.payment_id, "leg": delivery.leg}
    row = db.execute(load("outbox/is_met"), keys).fetchone()
    return bool(row and row[0])


def add_leg(db: Connection, of: Delivery, leg: Leg) -> Delivery:
    """Return the leg that a payment turned out to need, new or known."""
    keys = {
        "company_id": of.company_id,
        "realm_id": of.realm_id,
        "payment_id": of.payment_id,
        "leg": leg,
    }
    db.execute(load("outbox/queue_leg"), keys)
    added = find(db, of, leg, "create")
    if added is None:
        raise LookupError("the leg was not recorded")
    return added


def intend(db: Connection, delivery: Delivery, payload: bytes, *, run_id: int) -> int:
    """
    Commit to a request with exactly these bytes before it leaves.

    :return: the attempt.
    """
    keys = {"delivery_id": delivery.delivery_id, "payload": payload.decode(), "run_id": run_id}
    return _id(db.execute(load("outbox/intend"), keys).fetchone())


def start_search(db: Connection, delivery: Delivery, *, run_id: int) -> int:
    """
    Note that it is being found out whether a request was carried out.

    :return: the attempt.
    """
    keys = {
        "delivery_id": delivery.delivery_id,
        "request_id": delivery.request_id,
        "run_id": run_id,
    }
    return _id(db.execute(load("outbox/start_search"), keys).fetchone())


def end_attempt(
    db: Connection,
    attempt_id: int,
    outcome: str,
    *,
    intuit_tid: str | None = None,
    error: str | None = None,
) -> None:
    """Close an attempt with what came of it."""
    keys = {"attempt_id": attempt_id, "outcome": outcome, "intuit_tid": intuit_tid, "error": error}
    db.execute(load("outbox/end_attempt"), keys)


def set_state(
    db: Connection, delivery: Delivery, state: State, code: str | None = None, reason: str | None = None
) -> None:
    """Move a delivery on."""
    keys = {"delivery_id": delivery.delivery_id, "state": state, "code": code, "reason": reason}
    db.execute(load("outbox/set_state"), keys)


def put_back(db: Connection, delivery: Delivery) -> None:
    """Queue a delivery again that QuickBooks turned away at the door, or that was looked for there in vain."""
    db.execute(load("outbox/put_back"), {"delivery_id": delivery.delivery_id})


def mark_delivered(
    db: Connection, delivery: Delivery, *, qbo_id: str, sync_token: int, response: bytes
) -> None:
    """
    Record a delivery, and for a new payment who it is in QuickBooks, in the caller's transaction.

    Another record that was taken for the payment is not the payment any more.
    """
    db.execute(
        load("outbox/lock_payment"),
        {"company_id": delivery.company_id, "payment_id": delivery.payment_id},
    )
    keys = {
        "delivery_id": delivery.delivery_id,
        "qbo_id": qbo_id,
        "sync_token": sync_token,
        "response": response.decode(),
    }
    if (delivery.leg, delivery.operation) == ("payment", "create"):
        db.execute(load("mapping/release_payment"), keys)
    db.execute(load("outbox/mark_delivered"), keys)


def report(db: Connection, delivery: Delivery, *, code: str, message: str, cure: str, actor: str) -> None:
    """Report why a payment cannot reach QuickBooks, or is not the same there."""
    keys = {
        "company_id": delivery.company_id,
        "realm_id": delivery.realm_id,
        "payment_id": delivery.payment_id,
        "code": code,
        "message": message,
        "cure": cure,
        "actor": actor,
    }
    db.execute(load("outbox/report_problem"), keys)


def close_problems(
    db: Connection,
    delivery: Delivery,
    *,
    state: str = "resolved",
    codes: Sequence[str] | None = None,
    but: Sequence[str] = (),
) -> None:
    """Close what kept a delivery from QuickBooks; without codes, all of its payment's problems but some."""
    keys = {
        "delivery_id": delivery.delivery_id,
        "company_id": delivery.company_id,
        "payment_id": delivery.payment_id,
        "state": state,
        "codes": None if codes is None else list(codes),
        "but": list(but),
    }
    db.execute(load("outbox/close_problems"), keys)


def parse(text: str | bytes | None) -> Json:
    """Read JSON with amounts as decimals."""
    parsed: Json = json.loads(text or "{}", parse_float=Decimal)
    return parsed


def _id(row: tuple[Any, ...] | None) -> int:
    if row is None:
        raise LookupError("the attempt was not recorded")
    number: int = row[0]
    return number
