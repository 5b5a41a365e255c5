"""Finds out what became of requests that left, and that nobody knows the outcome of; none is repeated blindly."""

from __future__ import annotations

from datetime import timedelta

from include.receivables.outbound.case import CANNOT_TELL, ORPHAN, STALE, UNMARKED, Case, fingerprint
from include.receivables.outbound.model import UNDECIDED, Look, Move, Read, Record, Resend, Situation, Step

# What QuickBooks cannot tell now is asked once more after this.
LOOK_AGAIN = timedelta(minutes=5)
# How often a request leaves at most, of which QuickBooks says each time that it failed at it, and of which nothing is
# found.
MOST_SENDS = 2


def find_out(case: Case) -> Step | None:
    """Find out what became of what left, one record after another."""
    for record in case.situation.records:
        if record.state in UNDECIDED:
            step = (
                _find_out_undoing(case, record) if record.state == "undoing" else _find_out_made(case, record)
            )
            if step is not None:
                return step
            door = case.situation.closed_door
            if door is not None and not case.situation.can_read:
                case.wait(door.code, door.sentence)
            case.wait("undecided", _no_answer(record))
        if record.state == "absent" and record is case.situation.last(record.document):
            step = _look_once_more(case, record)
            if step is not None:
                return step
    return None


def _find_out_made(case: Case, record: Record) -> Step | None:
    """Find out whether a request made its record; what is found is adopted."""
    situation = case.situation
    is_over = _is_over(situation, record)
    if not _was_looked_for(situation, record):
        return _look(case, record, thoroughly=is_over)
    if not is_over:
        return None
    if record.code == UNMARKED:
        return _find_out_unmarked(case, record)
    if record.code == CANNOT_TELL:
        return _look_again(case, record)
    if not case.is_wanted:
        return Move(record, "absent", "It was looked for in vain, and is not wanted any more.")
    if is_refusal(record) and record.sends >= MOST_SENDS:
        return Move(record, "refused", "It was looked for in vain.", record.code, record.reason)
    if _is_past_replay(situation, record):
        return Move(record, "absent", "It was looked for in vain, and its request is forgotten.")
    if situation.closed_door is not None:
        case.wait("undecided", f"{_no_answer(record)} {situation.closed_door.sentence}")
        return None
    return Resend(record)


def _look_again(case: Case, record: Record) -> Step | None:
    """Ask once more what QuickBooks could not tell, unless the sync knows by now of which there are several."""
    situation = case.situation
    if situation.living_strays(record.document):
        return None
    is_due = record.looked_at is None or situation.now - record.looked_at >= LOOK_AGAIN
    return _look(case, record, thoroughly=True) if is_due else None


def _find_out_unmarked(case: Case, record: Record) -> Step | None:
    difference = case.differ_in(
        record, UNMARKED, record.reason, qbo_ids=record.reason, sent_at=sent_at_of(record)
    )
    retried_at = case.retried_at(difference.fingerprint)
    if retried_at is not None and (record.looked_at is None or record.looked_at < retried_at):
        return _look(case, record, thoroughly=True)
    return None


def _look_once_more(case: Case, record: Record) -> Step | None:
    """Look again for what was looked for in vain, before it is made again: it is wanted again, or a person says so."""
    situation = case.situation
    if not case.is_wanted or never_was(record):
        return None
    retried_at = case.retried_at(fingerprint(ORPHAN, record.record_id))
    is_retried = retried_at is not None and (record.looked_at is None or record.looked_at < retried_at)
    is_due = is_retried or not _is_past_replay(situation, record)
    return _look(case, record, thoroughly=True) if is_due else None


def _find_out_undoing(case: Case, record: Record) -> Step | None:
    """Find out whether a record was undone; one that was read as void or gone is moved on by that."""
    situation = case.situation
    is_over = _is_over(situation, record)
    if not _was_looked_for(situation, record):
        if situation.can_read:
            return Read(record)
        return None
    if not is_over:
        return None
    current = record.current
    if current is not None and current.sync_token > (record.undone_token or 0):
        return Move(record, "made", "It has a newer version.", STALE)
    if is_refusal(record) and record.sends >= MOST_SENDS:
        return Move(record, "made", "It is as it was.", record.code, record.reason)
    if situation.closed_door is not None:
        case.wait("undecided", f"{_no_answer(record)} {situation.closed_door.sentence}")
        return None
    return Resend(record)


def _look(case: Case, record: Record, *, thoroughly: bool) -> Step | None:
    if case.situation.can_read:
        return Look(record, thoroughly)
    return None


def _is_over(situation: Situation, record: Record) -> bool:
    """Tell whether a request that was sent is over, whatever became of it."""
    return record.sent_at is None or situation.now - record.sent_at >= situation.settled_after


def _was_looked_for(situation: Situation, record: Record) -> bool:
    """Tell whether it was looked for since it left, and once more since that is over."""
    if record.looked_at is None or record.sent_at is None:
        return record.looked_at is not None
    over_at = record.sent_at + situation.settled_after
    return record.looked_at >= (over_at if situation.now >= over_at else record.sent_at)


def is_refusal(record: Record) -> bool:
    """Tell whether QuickBooks refused the request, which may have been carried out all the same."""
    return record.code is not None and record.code not in (UNMARKED, CANNOT_TELL)


def _is_past_replay(situation: Situation, record: Record) -> bool:
    return record.first_sent_at is None or situation.now - record.first_sent_at >= situation.replay_window


def _no_answer(record: Record) -> str:
    sent_at = sent_at_of(record)
    return f"QuickBooks' answer to the {record.entity} sent at {sent_at} was lost: it is found out what became of it."


def sent_at_of(record: Record) -> str:
    """Say when a request left last."""
    sent_at = record.sent_at or record.first_sent_at
    return "?" if sent_at is None else f"{sent_at:%Y-%m-%d %H:%M} UTC"


def never_was(absent: Record) -> bool:
    """Tell whether an absent record certainly never was in QuickBooks: it never left, or was refused."""
    return absent.first_sent_at is None or is_refusal(absent)
