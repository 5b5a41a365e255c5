"""One request to QuickBooks on behalf of a delivery, and the record of what came of it."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from include.errors import (
    FatalError,
    NotFoundError,
    NoTokenError,
    QuotaError,
    ReceivablesError,
    RecordError,
    RetryableError,
    ThrottledError,
)
from include.quickbooks.catalogue import find as find_fault
from include.quickbooks.catalogue import proves_refusal
from include.receivables.company import quota
from include.receivables.outbound import outbox
from include.receivables.outbound.response_diff import differences
from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

    from include.quickbooks.client import QuickBooksClient
    from include.quickbooks.writing import Written
    from include.receivables.company.companies import Company
    from include.receivables.company.runs import Run
    from include.receivables.outbound.outbox import Delivery
    from include.receivables.outbound.payloads import Leg, Operation

logger = logging.getLogger(__name__)

# Intuit keeps silent about how long a request id is remembered; 24 hours were relied upon, half of that is sure.
REPLAY_WINDOW = timedelta(hours=12)
# A request whose answer was lost may still be at work: it is not repeated before the client would have given up.
SETTLED_AFTER = timedelta(minutes=2)

ENTITIES = {"payment": "Payment", "adjustment": "JournalEntry"}
# Why nobody knows what became of a request: it was not answered, or a person wants it to be sent anew and it is looked
# for before. Any other code is that of a refusal which proves nothing.
NO_ANSWER = "no_answer"
RETRIED = "retried"
STALE = "5010"
NOT_FOUND = NotFoundError.code
ANSWERS_DIFFER = {"payment": "answer_differs", "adjustment": "entry_answer_differs"}
# Problems that the arrival of one leg in QuickBooks does not settle: both sides differ all the same.
_REVIVED = "revived_in_quickbooks"
_OF_ENTRY = (
    "entry_answer_differs",
    "entry_edited_in_quickbooks",
    "entry_voided_in_quickbooks",
    "entry_deleted_in_quickbooks",
)
_TWICE = "twice_in_quickbooks"
_LASTING = ("edited_after_sending", _REVIVED, _TWICE, *_OF_ENTRY)
_OF_PAYMENT = (
    "answer_differs",
    "edited_in_quickbooks",
    "voided_in_quickbooks",
    "deleted_in_quickbooks",
)
UNSETTLED: dict[tuple[Leg, Operation], tuple[str, ...]] = {
    ("payment", "create"): _LASTING,
    ("adjustment", "create"): (*_LASTING, *_OF_PAYMENT),
    # The journal entry is undone after its payment, unless that is sent anew.
    ("payment", "void"): (_REVIVED, _TWICE, *_OF_ENTRY),
    ("adjustment", "void"): (_REVIVED, _TWICE),
}
# What tells that a record was touched in QuickBooks, before its delivery or undoing was recorded, or is there twice.
_REPORTS: dict[tuple[Leg, Operation], tuple[str, ...]] = {
    ("payment", "create"): ("outbox/report_changes", "outbox/report_twice"),
    ("adjustment", "create"): ("outbox/report_entry_changes", "outbox/report_twice"),
    ("payment", "void"): ("outbox/report_revived", "outbox/report_twice"),
    ("adjustment", "void"): ("outbox/report_twice",),
}


@dataclass(frozen=True, slots=True)
class Work:
    """
    What it takes to deliver a company's payments.

    :param db: in autocommit mode; no transaction is open while QuickBooks is asked.
    :param replay_window: for how long QuickBooks recognises a repeated request id.
    :param settled_after: how long after a request its effect can be seen, if it has one.
    :param stop_at: when to begin no further delivery, by the monotonic clock.
    """

    db: Connection
    quickbooks: QuickBooksClient
    run: Run
    replay_window: timedelta = REPLAY_WINDOW
    settled_after: timedelta = SETTLED_AFTER
    stop_at: float | None = None

    @property
    def is_time_up(self) -> bool:
        """Whether no further delivery should be begun."""
        return self.stop_at is not None and time.monotonic() >= self.stop_at

    @property
    def company(self) -> Company:
        """The company."""
        return self.run.company

    @contextmanager
    def reading(self) -> Iterator[QuickBooksClient]:
        """
        Have the client to read something with.

        :raises QuotaError: when QuickBooks does not let itself be read; what needs no reading goes on.
        """
        quota.check(self.db)
        try:
            yield self.quickbooks
        except ThrottledError as error:
            raise QuotaError("QuickBooks does not let itself be read for now.") from error


@dataclass(frozen=True, slots=True)
class Intent:
    """
    A request that has been committed to.

    :param delivery: in the state that it had before.
    :param payload: the bytes to send.
    """

    delivery: Delivery
    payload: bytes
    attempt_id: int


def intend(work: Work, delivery: Delivery, payload: bytes) -> Intent:
    """Commit to a request, in the caller's transaction."""
    attempt_id = outbox.intend(work.db, delivery, payload, run_id=work.run.run_id)
    return Intent(replace(delivery, payload=payload.decode()), payload, attempt_id)


def send(work: Work, intent: Intent) -> bool:
    """
    Send a request that has been committed to, and record what came of it.

    :return: whether it was delivered; if not, it was refused, or nobody knows.
    :raises ThrottledError: when QuickBooks turned it away, and would turn away the next one.
    :raises NoTokenError: likewise, or when there was no token to send it with.
    :raises FatalError: likewise, when a person has to act first.
    """
    work.run.counts[intent.delivery.leg].changed += 1
    try:
        written = _request(work.quickbooks, intent)
    except RecordError as error:
        _record_refusal(work, intent, error)
        return False
    except (ThrottledError, NoTokenError, FatalError) as error:
        _record_not_admitted(work, intent, error)
        raise
    except RetryableError as error:
        _record_unknown(work, intent, error, NO_ANSWER)
        return False
    with work.db.transaction():
        record_delivered(work, intent.delivery, written.qbo_id, written.sync_token, written.payload)
        outbox.end_attempt(work.db, intent.attempt_id, "delivered", intuit_tid=written.intuit_tid)
    return True


def _request(quickbooks: QuickBooksClient, intent: Intent) -> Written:
    delivery = intent.delivery
    entity, request_id = ENTITIES[delivery.leg], delivery.request_id
    if delivery.operation == "create":
        return quickbooks.create(entity, intent.payload, request_id=request_id)
    key = outbox.parse(intent.payload)
    qbo_id, sync_token = str(key["Id"]), int(key["SyncToken"])
    if delivery.leg == "payment":
        return quickbooks.void_payment(qbo_id, sync_token, request_id=request_id)
    return quickbooks.delete(entity, qbo_id, sync_token, request_id=request_id)


def is_settled(work: Work, delivery: Delivery) -> bool:
    """Tell whether a request that was sent is over, whatever became of it."""
    return delivery.sent_at is None or delivery.read_at - delivery.sent_at >= work.settled_after


def record_delivered(work: Work, delivery: Delivery, qbo_id: str, sync_token: int, answer: bytes) -> None:
    """Record what QuickBooks made of a delivery, in the caller's transaction, and whether it is what was asked for."""
    outbox.mark_delivered(work.db, delivery, qbo_id=qbo_id, sync_token=sync_token, response=answer)
    outbox.close_problems(work.db, delivery, but=UNSETTLED[delivery.leg, delivery.operation])
    work.run.counts[delivery.leg].merged += 1
    logger.info(
        "%s %s of payment %s is delivered: QuickBooks' %s %s.",
        delivery.leg.capitalize(), delivery.operation, delivery.payment_id, ENTITIES[delivery.leg], qbo_id,
    )  # fmt: skip
    wrong = differences(delivery, outbox.parse(answer))
    if wrong:
        outbox.report(
            work.db,
            delivery,
            code=ANSWERS_DIFFER[delivery.leg],
            message=f"QuickBooks took {ENTITIES[delivery.leg]} {qbo_id}, but not as it was sent: {wrong}.",
            cure="Compare it with the payment in Peakflo, and correct it in QuickBooks.",
            actor="bookkeeper",
        )
    keys = {
        "company_id": delivery.company_id,
        "realm_id": delivery.realm_id,
        "resolved": [qbo_id],
        "qbo_ids": [qbo_id],
    }
    for report in _REPORTS[delivery.leg, delivery.operation]:
        work.db.execute(load(report), keys)


def reject(work: Work, delivery: Delivery, code: str, message: str, *, cure: str, actor: str) -> None:
    """Set a delivery aside until a person has acted, in the caller's transaction."""
    # The problem first: it is closed with the delivery if the payment was cancelled meanwhile.
    outbox.report(work.db, delivery, code=code, message=message, cure=cure, actor=actor)
    outbox.set_state(work.db, delivery, "rejected", code, message)


def _record_refusal(work: Work, intent: Intent, error: RecordError) -> None:
    delivery = intent.delivery
    if not proves_refusal(error.code, str(error)):
        _record_unknown(work, intent, error, error.code)
        return
    with work.db.transaction():
        _end(work, intent, "rejected", error)
        if delivery.operation == "void" and error.code == STALE:
            reason = "QuickBooks has a newer version of it: the next sync tells what was changed."
            outbox.set_state(work.db, delivery, "held", "stale", reason)
        elif delivery.operation == "void" and error.code == NOT_FOUND:
            # What is gone is undone, but an inactive account is answered likewise: whoever resolves it looks.
            outbox.set_state(work.db, delivery, "unknown", NOT_FOUND, str(error))
        else:
            refuse(work, delivery, error.code, str(error))


def refuse(work: Work, delivery: Delivery, code: str, message: str) -> None:
    """Set a delivery aside that QuickBooks refuses, in the caller's transaction, with the cure of the catalogue."""
    known = find_fault(code, message)
    reject(
        work,
        delivery,
        code,
        message,
        cure=_sentence(known.cure if known else "correct what QuickBooks names"),
        actor=known.who if known else "bookkeeper",
    )


def _record_not_admitted(work: Work, intent: Intent, error: ReceivablesError) -> None:
    """QuickBooks did not look at the request: a first one was never made, a repeated one stays undecided."""
    is_proof = isinstance(error, ThrottledError) or proves_refusal(error.code, str(error))
    if intent.delivery.state in outbox.UNDECIDED or not is_proof:
        _record_unknown(work, intent, error, NO_ANSWER)
        return
    with work.db.transaction():
        _end(work, intent, "not_admitted", error)
        outbox.put_back(work.db, intent.delivery)


def _record_unknown(work: Work, intent: Intent, error: ReceivablesError, code: str) -> None:
    with work.db.transaction():
        _end(work, intent, "unknown", error)
        outbox.set_state(work.db, intent.delivery, "unknown", code, str(error))
    logger.warning("Payment %s: %s", intent.delivery.payment_id, error)


def _end(work: Work, intent: Intent, outcome: str, error: ReceivablesError) -> None:
    outbox.end_attempt(
        work.db,
        intent.attempt_id,
        outcome,
        intuit_tid=error.intuit_tid,
        error=f"{type(error).__name__}: {error}",
    )


def _sentence(cure: str) -> str:
    return f"{cure[0].upper()}{cure[1:]}; then retry the delivery."
