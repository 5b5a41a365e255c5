"""Whether to send a reminder for an invoice: the rules, on what is known of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

# A verdict says what QuickBooks had at one moment: later than this after it, it has to be asked for anew.
GOOD_FOR = timedelta(minutes=10)

# Why a reminder is not sent; the codes are part of the contract with the reminder service.
MESSAGES = {
    # hold
    "paid": "Nothing is open in QuickBooks any more.",
    "future_dated_payment": "A payment with a date in the future pays it.",
    "voided": "The invoice is voided in QuickBooks.",
    "deleted": "The invoice is deleted in QuickBooks.",
    "draft": "The invoice is a draft in QuickBooks.",
    "customer_archived": "The customer is inactive or deleted in QuickBooks.",
    "covered_by_payment": "Payments that QuickBooks has not applied to any invoice, or does not have yet, cover it.",
    "covered_by_credit": "Open credit memos cover it.",
    "covered": "Payments that are not applied and open credit memos cover it together.",
    # unknown
    "quickbooks_unreachable": "QuickBooks gave no answer that can be used.",
    "throttled": "QuickBooks asked to slow down, or the month's quota of reads is used up.",
    "deadline": "The answer did not come within the run's deadline.",
    "reauthorize": "QuickBooks no longer accepts the company's connection: connect it again.",
    "disconnected": "The company is disconnected from QuickBooks: connect it again.",
    "paused": "The company is paused: let it go on first.",
    "import_needed": "The company has to be imported first; that starts by itself.",
    "deletion_brake": "QuickBooks reports more deletions than is believed without a person.",
    "configuration": "A setting is wrong: the task's log names it.",
    "database_unreachable": "The receivables database did not answer.",
    "not_merged": "QuickBooks has a version that could not be taken in; sync.problem says why.",
    "unexpected": "Something went wrong that should not: read the task's log.",
    "invoice_not_found": "The company has no invoice of that id.",
    "other_company": "The invoice belongs to another company, or to another QuickBooks company.",
    "no_company": "There is no company of that id.",
}

Money = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reason:
    """
    Why a verdict is what it is.

    :param code: one of :data:`MESSAGES`.
    :param ids: Peakflo's ids of the payments and credit notes that count.
    """

    code: str
    ids: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the code, the sentence and the ids."""
        return {"code": self.code, "message": MESSAGES[self.code], "ids": list(self.ids)}


@dataclass(frozen=True, slots=True)
class Facts:
    """
    What is known of an invoice after the merge: a row of ``reminders/read_facts``.

    :param payments: the unapplied payments of the customer and of all it is a sub-customer of.
    :param credits: their open credit notes.
    :param future_payments: the payments with a date in the future that are applied to the invoice.
    """

    invoice_id: UUID
    qbo_id: str
    customer_id: UUID
    customer_qbo_id: str
    status: str
    is_deleted: bool
    amount_due: Decimal
    currency: str | None
    sync_token: int
    qbo_updated_at: datetime
    customer_status: str
    total_due: Decimal
    total_overdue: Decimal
    payments: list[Money]
    credits: list[Money]
    future_payments: list[Money]
    is_invoice_waiting: bool
    is_customer_waiting: bool


@dataclass(frozen=True, slots=True)
class Freshness:
    """
    What of an invoice's facts was read just now.

    :param read_at: QuickBooks' time of the answer that brought the invoice.
    :param invoice: why the invoice was not read, empty if it was.
    :param customer: why its customer was not read.
    :param changes: why the company's other changes, payments and credits among them, were not read.
    """

    read_at: datetime | None
    invoice: str = ""
    customer: str = ""
    changes: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    What to do about one invoice.

    :param amount_due: QuickBooks' open balance; None where it is not known.
    :param total_due: what the customer owes on all invoices in that currency.
    :param total_overdue: the part of it that was due before today, where the company keeps its books.
    """

    invoice_id: UUID
    verdict: Literal["send", "hold", "unknown"]
    reasons: tuple[Reason, ...] = ()
    customer_id: UUID | None = None
    amount_due: Decimal | None = None
    currency: str | None = None
    total_due: Decimal | None = None
    total_overdue: Decimal | None = None
    sync_token: int | None = None
    read_at: datetime | None = None
    evidence: dict[str, Any] = field(default_factory=dict)

    @property
    def expires_at(self) -> datetime | None:
        """From when on it has to be asked for anew; None for what never was good."""
        return None if self.read_at is None or self.verdict == "unknown" else self.read_at + GOOD_FOR


def unknown(invoice_id: UUID, *codes: str, customer_id: UUID | None = None) -> Verdict:
    """Return the verdict on an invoice that could not be checked."""
    reasons = tuple(Reason(code) for code in dict.fromkeys(codes))
    return Verdict(invoice_id, "unknown", reasons, customer_id)


def judge(facts: Facts, freshness: Freshness) -> Verdict:
    """
    Decide on one invoice.

    What the invoice itself or its customer rules out is held although other reads failed; whether something covers it,
    and so whether to send, takes all of them.
    """
    if freshness.invoice or facts.is_invoice_waiting:
        return unknown(facts.invoice_id, freshness.invoice or "not_merged", customer_id=facts.customer_id)
    closed = _closed(facts)
    reasons = closed + _archived(facts, freshness)
    doubts = _doubts(facts, freshness)
    if not reasons and doubts:
        return unknown(facts.invoice_id, *doubts, customer_id=facts.customer_id)
    if not doubts:
        reasons += _in_future(facts.future_payments) if closed else _covered(facts)
    return _verdict(facts, freshness, reasons, has_totals=not doubts)


def _closed(facts: Facts) -> list[Reason]:
    if facts.is_deleted:
        return [Reason("deleted")]
    if facts.status == "cancelled":
        return [Reason("voided")]
    if facts.status == "draft":
        return [Reason("draft")]
    return [Reason("paid")] if facts.status == "paid" or facts.amount_due <= 0 else []


def _archived(facts: Facts, freshness: Freshness) -> list[Reason]:
    return (
        [Reason("customer_archived")] if not freshness.customer and facts.customer_status != "active" else []
    )


def _doubts(facts: Facts, freshness: Freshness) -> list[str]:
    doubts = [freshness.customer, freshness.changes, "not_merged" if facts.is_customer_waiting else ""]
    return [doubt for doubt in doubts if doubt]


def _covered(facts: Facts) -> list[Reason]:
    """
    Compare each invoice with all that is not applied yet, as if there were no other.

    Nobody knows for which of several invoices the money is meant; a reminder for any of them may be wrong.
    """
    paid, credited = _sum(facts.payments), _sum(facts.credits)
    by_payment = [Reason("covered_by_payment", _ids(facts.payments))] if paid >= facts.amount_due else []
    by_credit = [Reason("covered_by_credit", _ids(facts.credits))] if credited >= facts.amount_due else []
    if not (by_payment or by_credit) and paid + credited >= facts.amount_due:
        by_payment = [Reason("covered", _ids(facts.payments + facts.credits))]
    later = _in_future(payment for payment in facts.payments if payment["is_future"])
    return by_payment + by_credit + (later if by_payment else [])


def _in_future(payments: Iterable[Money]) -> list[Reason]:
    """Tell that payments which count have not happened yet."""
    ids = _ids(payments)
    return [Reason("future_dated_payment", ids)] if ids else []


def _sum(money: Iterable[Money]) -> Decimal:
    return sum((Decimal(each["amount"]) for each in money), Decimal(0))


def _ids(money: Iterable[Money]) -> tuple[str, ...]:
    return tuple(each["id"] for each in money)


def _verdict(facts: Facts, freshness: Freshness, reasons: Sequence[Reason], *, has_totals: bool) -> Verdict:
    return Verdict(
        facts.invoice_id,
        "hold" if reasons else "send",
        tuple(reasons),
        customer_id=facts.customer_id,
        amount_due=None if facts.is_deleted else facts.amount_due,
        currency=facts.currency,
        total_due=facts.total_due if has_totals else None,
        total_overdue=facts.total_overdue if has_totals else None,
        sync_token=facts.sync_token,
        read_at=freshness.read_at,
        evidence=_evidence(facts),
    )


def _evidence(facts: Facts) -> dict[str, Any]:
    """Return what QuickBooks said, by its own Ids; with Id and version, ``staging.version`` has the record."""
    return {
        "qbo_id": facts.qbo_id,
        "customer_qbo_id": facts.customer_qbo_id,
        "balance": f"{facts.amount_due:f}",
        "sync_token": facts.sync_token,
        "qbo_updated_at": facts.qbo_updated_at.isoformat(),
        "unapplied_payments": facts.payments,
        "open_credits": facts.credits,
        "future_dated_payments": facts.future_payments,
    }
