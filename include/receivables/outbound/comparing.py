"""Says how a record differs from what Peakflo says, and by whom it was changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.receivables.outbound.case import Case, fingerprint
from include.receivables.outbound.compare import compare, is_void

if TYPE_CHECKING:
    from include.receivables.outbound.model import Difference, Json, Record, Situation


def changed_by_hand(case: Case, record: Record) -> str:
    """Say in which respects a record is neither as it was sent nor as QuickBooks answered; nothing if it is."""
    current = record.current
    if current is None:
        return ""
    versions = [record.payload, _as_made(record)]
    if record.payload is None:
        # It was found, so the version found may have been changed before.
        versions = [case.situation.expected.get(record.document)]
    known = [version for version in versions if version is not None]
    found = [
        compare(record.document, version, current.content, case.situation.survivors) for version in known
    ]
    return "" if "" in found else (found[0] if found else "nobody knows how it was")


def _as_made(record: Record) -> Json | None:
    """Return what QuickBooks answered when it made a record; one found later may have been changed before."""
    return record.answer.content if record.answer and record.answer.sync_token == 0 else None


def note_gone(case: Case, record: Record) -> Difference:
    """Note that a record was voided or deleted in QuickBooks by hand."""
    current = record.current
    is_voided = (
        current is not None and is_void(current.content) and current.content.get("status") != "Deleted"
    )
    code = "voided_in_quickbooks" if is_voided else "deleted_in_quickbooks"
    return case.differ_in(record, code, record.undone_token)


def compare_record(case: Case, record: Record) -> None:
    """Note how a record differs from what Peakflo says, by whom it was changed."""
    situation, current = case.situation, record.current
    expected = situation.expected.get(record.document)
    if current is None:
        return
    unlike = (
        "nothing is wanted"
        if expected is None
        else compare(record.document, expected, current.content, situation.survivors)
    )
    if not unlike and not _is_edited_otherwise(situation, record):
        return
    by_hand, by_answer = changed_by_hand(case, record), ""
    if not by_hand and record.payload is not None:
        by_answer = compare(record.document, record.payload, current.content, situation.survivors)
    is_edited = record.sent_snapshot is not None and record.sent_snapshot != situation.snapshot
    if not (by_hand or by_answer or is_edited) and _links_another_entry(situation, record):
        # It is as it was sent, but another journal entry took the place of the one that it links.
        by_hand = unlike
    if by_hand:
        case.differ_in(record, "edited_in_quickbooks", by_hand, how=by_hand)
    if by_answer:
        case.differ_in(record, "answer_differs", by_answer, how=by_answer)
    if is_edited and not any(each.code == "edited_after_sending" for each in case.differences):
        case.differ("edited_after_sending", fingerprint(situation.snapshot))


def _links_another_entry(situation: Situation, payment: Record) -> bool:
    linked = linked_entries(payment)
    entry = situation.last("journal_entry")
    return bool(linked) and entry is not None and entry.qbo_id is not None and entry.qbo_id not in linked


def linked_entries(payment: Record) -> set[str]:
    """Return QuickBooks' ids of the journal entries that a payment was sent with."""
    return {
        str(linked.get("TxnId"))
        for line in (payment.payload or {}).get("Line", [])
        for linked in line.get("LinkedTxn", [])
        if linked.get("TxnType") == "JournalEntry"
    }


# What tells by itself, or is told by what both documents hold.
_COMPARED = ("amount", "customer_id", "payment_date", "processing_fee", "allocations", "note", "reference")


def _is_edited_otherwise(situation: Situation, record: Record) -> bool:
    """Tell whether Peakflo changed what no comparison of the records shows, such as the wallet or the currency."""
    if record.sent_snapshot is None:
        return False

    def rest(snapshot: Json) -> Json:
        return {name: value for name, value in snapshot.items() if name not in _COMPARED}

    return rest(record.sent_snapshot) != rest(situation.snapshot)
