"""Undoes in QuickBooks what Peakflo cancelled: only what is unchanged there, the payment first."""

from __future__ import annotations

from include.receivables.outbound.case import STALE, Case
from include.receivables.outbound.comparing import changed_by_hand
from include.receivables.outbound.model import DOCUMENTS, LIVE, Move, Read, Record, Step, Undo


def unmake(case: Case) -> Step | None:
    """Undo what is there: the payment first, what it links after it."""
    for document in DOCUMENTS:
        record = case.situation.last(document)
        if record is None or record.state not in LIVE:
            continue
        if record.state == "intended":
            return Move(record, "absent", "It never left.")
        return _undo(case, record) if record.state == "made" else None
    return None


def _undo(case: Case, record: Record) -> Step | None:
    situation, current = case.situation, record.current
    if current is None:
        return Read(record) if situation.can_read else None
    how = changed_by_hand(case, record)
    if how:
        case.differ_in(record, "changed_in_quickbooks", current.sync_token, how=how)
        return None
    if record.code == STALE and current.sync_token <= (record.undone_token or 0):
        return _read_stale(case, record)
    if record.code not in (None, STALE) and not case.is_retried(case.refuse(record)):
        return None
    if situation.closed_door is not None:
        case.wait(situation.closed_door.code, situation.closed_door.sentence)
        return None
    return Undo(record, current.sync_token)


def _read_stale(case: Case, record: Record) -> Step | None:
    """Read a record anew of which QuickBooks says that it has a newer version."""
    is_read = (
        record.looked_at is not None and record.sent_at is not None and record.looked_at >= record.sent_at
    )
    if not is_read and case.situation.can_read:
        return Read(record)
    case.wait(STALE, f"QuickBooks has a newer version of {record}: the next sync tells what was changed.")
    return None
