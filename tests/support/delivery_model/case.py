"""What the modelled payment is, and the situation that a decision rests on: what outbox/read_situation.sql reads."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from include.quickbooks.writing import encode
from include.receivables.outbound import payloads
from include.receivables.outbound.model import Decision, Record, Situation, Stray, Version
from include.receivables.outbound.preflight_answers import Held, Ready, Refused
from tests.support.delivery_model.world import HOURS, SETTLED, is_void, parse

if TYPE_CHECKING:
    from include.receivables.outbound.model import Document, Json
    from tests.support.delivery_model.world import Ours, Row

PAYMENT_ID = UUID("11111111-2222-4333-8444-555555555555")
REALM = "9130"
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
DELETED = '{"status":"Deleted"}'

_ACCOUNTS = payloads.Accounts(deposit="35", receivable="84", processing_fees="60", withholding_tax={"": "61"})
_DOORS = {
    "auto_sync_off": Held("auto_sync_off", "It is switched off."),
    "not_connected": Held("not_connected", "It is disconnected."),
}
_NOT_FRESH = Held("not_fresh", "QuickBooks has not been read for long.")
_HELD = Held("books_closed", "The books are closed.")
_REFUSED = Refused("target_balance", "The invoice is settled.")


class Edition(NamedTuple):
    """What Peakflo may say of the payment: a journal entry books its fee, and its tax, for which it is linked."""

    amount: int = 100
    fee: int = 0
    tax: int = 0


class Case(NamedTuple):
    """A payment with all that Peakflo may say of it."""

    editions: tuple[Edition, ...] = (Edition(), Edition(101))

    def snapshot(self, edition: int) -> str:
        return _snapshot(self.editions[edition])

    def situation(self, ours: Ours, now: int) -> Situation:
        """Put together what a decision rests on."""
        records = tuple(_record(number, row, ours) for number, row in enumerate(ours.rows, 1))
        door = _DOORS.get(ours.door)
        return Situation(
            payment_id=PAYMENT_ID,
            realm_id=REALM,
            now=_time(now),
            snapshot=parse(self.snapshot(ours.edition)),
            is_active=ours.is_active,
            is_settled=ours.is_settled,
            check=door or self._check(ours),
            expected=self.expected(ours.edition, _entry_id(records)),
            records=records,
            strays=_strays(ours),
            decisions=_decisions(ours),
            closed_door=door,
            can_read=ours.door != "not_connected",
            settled_after=timedelta(seconds=SETTLED),
            replay_window=timedelta(seconds=HOURS),
        )

    def _check(self, ours: Ours) -> Ready | Held | Refused:
        if not ours.is_fresh:
            return _NOT_FRESH
        if ours.check == "ready":
            return Ready(_outgoing(self.editions[ours.edition]))
        return _HELD if ours.check == "held" else _REFUSED

    def expected(self, edition: int, entry_id: str | None) -> dict[Document, Json | None]:
        """Return what QuickBooks should hold, as situation.py has it."""
        return _expected(self.editions[edition], entry_id)

    def content(self, edition: int, document: Document, entry_id: str | None) -> str | None:
        """Return the JSON that QuickBooks should hold of a document, if it should hold one."""
        return _content(self.editions[edition], document, entry_id)


@cache
def _snapshot(edition: Edition) -> str:
    allocation = {"amount": edition.amount, "withholding_tax_amount": edition.tax}
    snapshot = {"amount": edition.amount, "processing_fee": edition.fee, "allocations": [allocation]}
    return encode(snapshot).decode()


@cache
def _outgoing(edition: Edition) -> payloads.OutgoingPayment:
    amount, tax = Decimal(edition.amount), Decimal(edition.tax)
    return payloads.OutgoingPayment(
        payment_id=PAYMENT_ID,
        customer_qbo_id="7",
        payment_date=date(2026, 1, 1),
        amount=amount,
        currency="USD",
        accounts=_ACCOUNTS,
        settlements=(payloads.Settlement("130", amount, withholding_tax=tax),),
        processing_fee=Decimal(edition.fee),
    )


@cache
def _expected(edition: Edition, entry_id: str | None) -> dict[Document, Json | None]:
    outgoing = _outgoing(edition)
    entry = payloads.plain(payloads.adjustment(outgoing)) if payloads.needs_adjustment(outgoing) else None
    expected: dict[Document, Json | None] = {"journal_entry": entry}
    if not outgoing.written_off:
        expected["payment"] = payloads.plain(payloads.payment(outgoing))
    elif entry_id is not None:
        linked = payloads.LinkedEntry(entry_id)
        expected["payment"] = payloads.plain(payloads.payment(outgoing, linked))
    return expected


@cache
def _content(edition: Edition, document: Document, entry_id: str | None) -> str | None:
    expected = _expected(edition, entry_id).get(document)
    return None if expected is None else encode(expected).decode()


def _entry_id(records: tuple[Record, ...]) -> str | None:
    """Return the journal entry of the last row that has one."""
    entries = [each.qbo_id for each in records if each.document == "journal_entry" and each.qbo_id]
    return entries[-1] if entries else None


def _record(number: int, row: Row, ours: Ours) -> Record:
    answer = None
    if row.response is not None:
        answer = Version(row.sync_token or 0, parse(row.response), not is_void(row.response))
    return Record(
        record_id=number,
        document=row.document,
        generation=row.generation,
        state=row.state,
        request_id=row.request_id,
        code=row.code,
        reason=row.reason,
        payload=row.payload and parse(row.payload),
        sent_snapshot=row.sent_snapshot and parse(row.sent_snapshot),
        qbo_id=row.qbo_id,
        answer=answer,
        read=_newest(row, ours),
        sends=row.sends,
        undo_count=row.undo_count,
        undone_token=row.undone_sync_token,
        first_sent_at=_time(row.first_sent_at),
        sent_at=_time(row.sent_at),
        looked_at=_time(row.looked_at),
    )


def _newest(row: Row, ours: Ours) -> Version | None:
    """Return the newest version that was read, by the sync or by whoever delivers: the view outbox.had."""
    seen = [
        (staged.is_deleted, staged.token, staged.content)
        for staged in ours.staged
        if (staged.document, staged.qbo_id) == (row.document, row.qbo_id)
    ]
    if row.read_payload is not None:
        seen.append((row.read_payload == DELETED, row.read_sync_token or 0, row.read_payload))
    if not seen:
        return None
    is_deleted, token, content = max(seen)
    return Version(token, parse(content), not is_deleted and not is_void(content))


def _strays(ours: Ours) -> tuple[Stray, ...]:
    known = {(row.document, row.qbo_id) for row in ours.rows}
    found = [
        staged
        for staged in ours.staged
        if "Peakflo payment" in staged.content and (staged.document, staged.qbo_id) not in known
    ]
    found.sort(key=lambda staged: (len(staged.qbo_id), staged.qbo_id))
    return tuple(
        Stray(staged.document, staged.qbo_id, Version(staged.token, parse(staged.content), staged.is_alive))
        for staged in found
    )


def _decisions(ours: Ours) -> tuple[Decision, ...]:
    return tuple(
        Decision(
            each.kind,
            each.fingerprint,
            each.lets_go,
            parse(each.snapshot),
            EPOCH + timedelta(seconds=each.at),
        )
        for each in ours.decisions
    )


def _time(at: int | None) -> datetime | None:
    return None if at is None else EPOCH + timedelta(seconds=at)
