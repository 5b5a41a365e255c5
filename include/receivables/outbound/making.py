"""Sees to it that a payment that counts is in QuickBooks as Peakflo says, or says what stands against it."""

from __future__ import annotations

from dataclasses import replace

from include.receivables.outbound import payloads
from include.receivables.outbound.case import ORPHAN, UNMARKED, Case, fingerprint
from include.receivables.outbound.compare import compare
from include.receivables.outbound.comparing import compare_record, linked_entries, note_gone
from include.receivables.outbound.finding_out import never_was, sent_at_of
from include.receivables.outbound.model import UNDECIDED, Document, Json, Record, Send, Step
from include.receivables.outbound.preflight_answers import Held, Ready, Refused


def make(case: Case) -> Step | None:
    """See to it that the payment is in QuickBooks as Peakflo says, and say how it differs."""
    situation, last = case.situation, case.situation.last("payment")
    if last is not None and last.state == "made":
        return _keep(case, last)
    if case.waits is not None or _is_blocked(case):
        return None
    may_leave = situation.is_settled or (last is not None and last.state == "intended")
    if may_leave and not _may_make(case, last):
        entry = situation.last("journal_entry")
        if entry is not None and entry.state == "gone":
            # One retry is about both.
            _may_make(case, entry)
        return None
    if not _stays_wanted(case):
        _recall_refusal(case)
        return None
    if not may_leave:
        case.wait_before_sending(
            "not_settled", "The payment is not settled yet: it goes when the money has arrived."
        )
        return None
    match situation.check:
        case Held(code, sentence):
            case.wait_before_sending(code, sentence)
        case Refused() as refused:
            case.object_to(refused)
        case Ready(outgoing):
            return _send(case, outgoing, last)
    return None


def _is_blocked(case: Case) -> bool:
    return any(difference.code in ("several_found", UNMARKED) for difference in case.differences)


def _stays_wanted(case: Case) -> bool:
    """Tell whether nobody let go of the payment; one that was edited since is told."""
    letting_go = case.letting_go()
    if letting_go is None:
        return True
    case.is_let_go = True
    if letting_go.snapshot != case.situation.snapshot:
        case.differ("edited_after_ignoring", fingerprint(case.situation.snapshot))
    return False


def _recall_refusal(case: Case) -> None:
    """Note why somebody let go of the payment, if it may not go because of that; anything else is no news of it."""
    if isinstance(case.situation.check, Refused):
        difference = case.object_to(case.situation.check)
        if not difference.is_ignored:
            case.differences.remove(difference)


def _may_make(case: Case, last: Record | None) -> bool:
    """Tell whether a record may be made in place of the last one; why not is told."""
    if last is None or last.state in ("intended", "undone"):
        return True
    if last.state == "gone":
        return case.is_retried(note_gone(case, last))
    if last.state == "refused":
        return _is_corrected(case, last) or case.is_retried(case.refuse(last))
    if never_was(last):
        return True
    return case.is_retried(case.differ_in(last, ORPHAN, sent_at=sent_at_of(last)))


def _is_corrected(case: Case, refused: Record) -> bool:
    """Tell whether another request would leave than the one that QuickBooks refused."""
    check = case.situation.check
    if not isinstance(check, Ready):
        return False
    payload = _payload(case, check.outgoing, refused.document)
    return payload is not None and payloads.plain(payload) != refused.payload


def _send(case: Case, outgoing: payloads.OutgoingPayment, last: Record | None) -> Step | None:
    """Send the journal entry that the payment links, and once that is there the payment."""
    if payloads.needs_adjustment(outgoing):
        entry = case.situation.last("journal_entry")
        if entry is None or entry.state != "made":
            if entry is not None and not _may_make(case, entry):
                return None
            return _send_document(case, "journal_entry", payloads.adjustment(outgoing), entry)
        if _is_outdated(case, entry, payloads.adjustment(outgoing)):
            case.differ_in(entry, "adjustment_outdated", fingerprint(case.situation.snapshot))
            return None
        # Changed since, it would settle the invoices otherwise than the payment that links it says.
        if outgoing.written_off and _is_changed(case, entry):
            return None
    payload = _payload(case, outgoing, "payment")
    return None if payload is None else _send_document(case, "payment", payload, last)


def _send_document(case: Case, document: Document, payload: Json, last: Record | None) -> Step:
    waiting = last if last is not None and last.state == "intended" else None
    generation = waiting.generation if waiting else case.situation.next_generation(document)
    return Send(document, generation, payload, waiting)


def _payload(case: Case, outgoing: payloads.OutgoingPayment, document: Document) -> Json | None:
    """Build what would be sent; nothing while the journal entry that it links is not there."""
    if document == "journal_entry":
        return payloads.adjustment(outgoing) if payloads.needs_adjustment(outgoing) else None
    entry = case.situation.last("journal_entry")
    linked = None
    if outgoing.written_off:
        if entry is None or entry.state != "made" or entry.qbo_id is None:
            return None
        linked = payloads.LinkedEntry(entry.qbo_id)
    return payloads.payment(outgoing, linked)


def _is_changed(case: Case, entry: Record) -> bool:
    """Tell whether a journal entry is not as Peakflo wants it, which keeps its payment back; how is told."""
    before = len(case.differences)
    compare_record(case, entry)
    case.differences[before:] = [replace(each, lets_go=True) for each in case.differences[before:]]
    return len(case.differences) > before


def _is_outdated(case: Case, record: Record, wanted: Json) -> bool:
    """Tell whether another record would be sent by now; one that was found may be as it was sent, or as it is."""
    sent = record.payload
    if sent is None:
        sent = record.current.content if record.current else {}
    return bool(compare(record.document, wanted, sent, case.situation.survivors))


def _keep(case: Case, payment: Record) -> Step | None:
    """Compare a payment that is in QuickBooks, with its journal entry, with what Peakflo says."""
    entry = case.situation.last("journal_entry")
    expected_entry = case.situation.expected.get("journal_entry")
    if entry is not None and entry.state == "made":
        compare_record(case, entry)
    elif expected_entry is not None and (entry is None or entry.state not in UNDECIDED):
        return _remake_entry(case, payment, entry)
    compare_record(case, payment)
    return None


def _remake_entry(case: Case, payment: Record, entry: Record | None) -> Step | None:
    """Tell that a journal entry is missing beside its payment; one that the payment does not link can be made again."""
    compare_record(case, payment)
    if entry is None:
        if not any(each.code == "edited_after_sending" for each in case.differences):
            case.differ("entry_missing", fingerprint(case.situation.snapshot))
        return None
    if linked_entries(payment):
        difference = note_gone(case, entry)
        case.differences[-1] = replace(difference, may_retry=False, lets_go=False)
        return None
    if not _may_make(case, entry):
        case.differences[-1] = replace(case.differences[-1], lets_go=False)
        return None
    if case.situation.closed_door is not None:
        case.wait(case.situation.closed_door.code, case.situation.closed_door.sentence)
        return None
    expected = case.situation.expected["journal_entry"]
    return None if expected is None else _send_document(case, "journal_entry", expected, entry)
