"""Takes one step for a payment: commits to it, asks QuickBooks, and records what came of it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from include.errors import (
    FatalError,
    NotFoundError,
    NoTokenError,
    ReceivablesError,
    RecordError,
    RetryableError,
    ThrottledError,
)
from include.quickbooks.catalogue import proves_refusal
from include.quickbooks.writing import encode
from include.receivables.outbound import payloads, records
from include.receivables.outbound.case import CANNOT_TELL, STALE, UNMARKED
from include.receivables.outbound.looking import SEARCHED, look
from include.receivables.outbound.model import ENTITIES, Adopt, Look, Move, Read, Resend, Send, Undo

if TYPE_CHECKING:
    from collections.abc import Callable

    from include.quickbooks.writing import Written
    from include.receivables.outbound.model import Document, Record, Situation, State, Step
    from include.receivables.outbound.work import Work

logger = logging.getLogger(__name__)

# QuickBooks has a newer version than the one that was to be undone.
_NEWER_VERSION = "5010"
_DELETED = b'{"status": "Deleted"}'


def commit(work: Work, situation: Situation, step: Step) -> Callable[[], None] | None:
    """
    Commit to a step, in the caller's transaction.

    :return: what is left to do once that is committed: to ask QuickBooks, and to record what came of it.
    """
    match step:
        case Move(record, state, why, code, reason):
            token = record.current.sync_token if record.current else None
            facts = {"undone_sync_token": token} if state in ("gone", "undone") else {}
            records.move(work, record.record_id, state, why, code=code, reason=reason, **facts)
            logger.info("%s of payment %s is %s. %s", record, situation.payment_id, state, why)
        case Adopt():
            _adopt(work, situation, step)
        case Send():
            return _commit_sending(work, situation, step)
        case Undo(record, sync_token):
            records.move(
                work,
                record.record_id,
                "undoing",
                "Peakflo cancelled the payment.",
                undone_sync_token=sync_token,
                request_id=records.undo_request_id(situation, record, record.undo_count + 1),
            )
            return lambda: _undo(work, situation, record, sync_token, record.undo_count + 1, sends=1)
        case Resend(record):
            return _commit_resending(work, situation, record)
        case Look():
            return lambda: _look(work, situation, step)
        case Read(record):
            return lambda: _read(work, situation, record)
    return None


def _adopt(work: Work, situation: Situation, step: Adopt) -> None:
    stray = step.stray
    why = "It names the payment."
    facts = {
        "qbo_id": stray.qbo_id,
        "sync_token": stray.version.sync_token,
        "response": stray.version.content,
    }
    if step.record is None:
        generation = situation.next_generation(stray.document)
        records.begin(work, situation, stray.document, generation, "made", why, **facts)
    else:
        records.move(work, step.record.record_id, "made", why, **facts)
    work.run.counts[stray.document].merged += 1
    logger.info(
        "%s %s is found to be payment %s.", ENTITIES[stray.document], stray.qbo_id, situation.payment_id
    )


# Requests that make a record


def _commit_sending(work: Work, situation: Situation, step: Send) -> Callable[[], None]:
    why = "Peakflo took the payment."
    facts = {"payload": step.payload, "sent_snapshot": situation.snapshot}
    if step.record is None:
        record_id = records.begin(work, situation, step.document, step.generation, "sent", why, **facts)
    else:
        record_id = step.record.record_id
        records.move(work, record_id, "sent", why, **facts)
    body = encode(step.payload)
    return lambda: _create(work, situation, record_id, step.document, step.generation, body, sends=1)


def _commit_resending(work: Work, situation: Situation, record: Record) -> Callable[[], None]:
    why = "It was looked for in vain."
    if record.state == "undoing":
        request_id = records.undo_request_id(situation, record, record.undo_count)
        records.move(
            work,
            record.record_id,
            "undoing",
            why,
            request_id=request_id,
            code=record.code,
            reason=record.reason,
        )
        token = record.undone_token or 0
        return lambda: _undo(work, situation, record, token, record.undo_count, sends=record.sends + 1)
    records.move(work, record.record_id, "sent", why, code=record.code, reason=record.reason)
    body = encode(record.payload or {})
    return lambda: _create(
        work, situation, record.record_id, record.document, record.generation, body, sends=record.sends + 1
    )


def _create(
    work: Work,
    situation: Situation,
    record_id: int,
    document: Document,
    generation: int,
    body: bytes,
    *,
    sends: int,
) -> None:
    """Send what was committed to, and record what came of it."""
    work.run.counts[document].changed += 1
    request_id = payloads.request_id(situation.payment_id, document, generation)
    try:
        written = work.quickbooks.create(ENTITIES[document], body, request_id=request_id)
    except RecordError as error:
        if sends == 1 and proves_refusal(error.code, str(error)):
            _record_failure(work, situation, record_id, "refused", error)
        else:
            # That a repeated request is refused says nothing of the first one.
            _record_failure(work, situation, record_id, "unknown", error)
        return
    except (ThrottledError, NoTokenError, FatalError) as error:
        is_unread = isinstance(error, ThrottledError) or proves_refusal(error.code, str(error))
        if sends == 1 and is_unread:
            records.move(work, record_id, "intended", _sentence(error), intuit_tid=error.intuit_tid)
        else:
            _record_failure(work, situation, record_id, "unknown", error)
        raise
    except RetryableError as error:
        _record_failure(work, situation, record_id, "unknown", error)
        return
    _record_made(work, situation, record_id, document, written)


def _record_made(
    work: Work, situation: Situation, record_id: int, document: Document, written: Written
) -> None:
    records.move(
        work,
        record_id,
        "made",
        "QuickBooks made it.",
        intuit_tid=written.intuit_tid,
        qbo_id=written.qbo_id,
        sync_token=written.sync_token,
        response=written.payload,
    )
    work.run.counts[document].merged += 1
    logger.info("Payment %s is QuickBooks' %s %s.", situation.payment_id, ENTITIES[document], written.qbo_id)


def _record_failure(
    work: Work, situation: Situation, record_id: int, state: State, error: ReceivablesError
) -> None:
    """Record that a request failed, and of one that was refused why."""
    refusal = {"code": error.code, "reason": str(error)} if isinstance(error, RecordError) else {}
    records.move(work, record_id, state, _sentence(error), intuit_tid=error.intuit_tid, **refusal)
    logger.warning("Payment %s: %s", situation.payment_id, error)


def _sentence(error: ReceivablesError) -> str:
    return f"{type(error).__name__}: {error}"


# Requests that undo a record


def _undo(
    work: Work, situation: Situation, record: Record, sync_token: int, undo_count: int, *, sends: int
) -> None:
    """Void a payment, or delete a journal entry, and record what came of it."""
    work.run.counts[record.document].changed += 1
    request_id = records.undo_request_id(situation, record, undo_count)
    qbo_id = str(record.qbo_id)
    try:
        if record.document == "payment":
            written = work.quickbooks.void_payment(qbo_id, sync_token, request_id=request_id)
        else:
            written = work.quickbooks.delete(
                ENTITIES[record.document], qbo_id, sync_token, request_id=request_id
            )
    except RecordError as error:
        if error.code == _NEWER_VERSION:
            records.move(
                work, record.record_id, "made", _sentence(error), intuit_tid=error.intuit_tid, code=STALE
            )
        elif sends == 1 and error.code != NotFoundError.code and proves_refusal(error.code, str(error)):
            _record_failure(work, situation, record.record_id, "made", error)
        else:
            # What is gone is undone, but an inactive account is answered likewise.
            _record_failure(work, situation, record.record_id, "undoing", error)
        return
    except (ThrottledError, NoTokenError, FatalError) as error:
        is_unread = isinstance(error, ThrottledError) or proves_refusal(error.code, str(error))
        state: State = "made" if sends == 1 and is_unread else "undoing"
        _record_failure(work, situation, record.record_id, state, error)
        raise
    except RetryableError as error:
        _record_failure(work, situation, record.record_id, "undoing", error)
        return
    records.move(
        work,
        record.record_id,
        "undone",
        "QuickBooks undid it.",
        intuit_tid=written.intuit_tid,
        undone_sync_token=written.sync_token,
    )
    work.run.counts[record.document].merged += 1
    logger.info("%s of payment %s is undone.", record, situation.payment_id)


# Questions


def _look(work: Work, situation: Situation, step: Look) -> None:
    """Search for what a request made, and record what was found."""
    record = step.record
    with work.reading() as quickbooks:
        found = look(quickbooks, situation, step)
    if len(found.own) == 1:
        [own] = found.own
        records.move(
            work,
            record.record_id,
            "made",
            "It was found in QuickBooks.",
            looked=True,
            qbo_id=own.qbo_id,
            sync_token=own.sync_token,
            response=own.payload,
        )
        work.run.counts[record.document].merged += 1
        return
    code, reason, why = record.code, record.reason, "It was not found."
    if found.own:
        names = " and ".join(each.qbo_id for each in found.own)
        code, reason, why = CANNOT_TELL, f"QuickBooks has several of it: {names}.", "Several were found."
    elif found.odd:
        code, reason, why = (
            CANNOT_TELL,
            f"Whether it is in QuickBooks cannot be told: {found.odd[0]}.",
            found.odd[0],
        )
    elif found.unmarked:
        code, reason = UNMARKED, " and ".join(each.qbo_id for each in found.unmarked)
        why = f"{reason} bears its reference, but does not name the payment."
    elif code in (CANNOT_TELL, UNMARKED):
        code = reason = None
    records.move(work, record.record_id, "unknown", why, looked=True, code=code, reason=reason)


def _read(work: Work, situation: Situation, record: Record) -> None:
    """Read a record by its Id, and record how it is."""
    entity, _ = SEARCHED[record.document]
    facts: dict[str, object] = {"code": record.code, "reason": record.reason, "looked": True}
    try:
        with work.reading() as quickbooks:
            found = quickbooks.read(entity, str(record.qbo_id))
    except NotFoundError:
        token = record.current.sync_token if record.current else 0
        records.move(
            work,
            record.record_id,
            record.state,
            "QuickBooks does not have it any more.",
            read_sync_token=token,
            read_payload=_DELETED,
            **facts,
        )
        return
    records.move(
        work,
        record.record_id,
        record.state,
        "It was read.",
        read_sync_token=found.sync_token,
        read_payload=found.payload,
        **facts,
    )
