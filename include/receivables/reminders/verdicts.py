"""Whether to send a reminder for an invoice: the rules, on what is known of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from include.receivables.reminders import cover
from include.receivables.reminders.facts import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date, datetime
    from decimal import Decimal
    from uuid import UUID

    from include.receivables.reminders.cover import Cover, Money
    from include.receivables.reminders.facts import Facts, Freshness

# Kept with each verdict. To be raised with each change of the rules: a replay then shows which verdicts would differ.
RULES_VERSION = 2

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
    "covered_by_other": "Other money on accounts receivable covers it: QuickBooks' balance of the customer, or of all "
    "who are billed together with it, is that much less than the open invoices.",
    "covered": "Payments that are not applied, open credit memos and other money on accounts receivable cover it only "
    "together.",
    # unknown
    "payment_in_question": "A payment that Peakflo took for it differs from QuickBooks, or was refused there, until "
    "somebody has looked into that.",
    "unexplained_balance": "QuickBooks' balance of the customer cannot be explained by what was read.",
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
class Verdict:
    """
    What to do about one invoice.

    :param amount_due: QuickBooks' open balance; None where it is not known.
    :param due_date_basis: what the due date rests on, see :class:`include.receivables.reminders.facts.Facts`.
    :param total_due: what the customer owes on all invoices in that currency; None where it is not known.
    :param total_overdue: the part of it that was due before today, where the company keeps its books.
    """

    invoice_id: UUID
    verdict: Literal["send", "hold", "unknown"]
    reasons: tuple[Reason, ...] = ()
    customer_id: UUID | None = None
    amount_due: Decimal | None = None
    currency: str | None = None
    due_date: date | None = None
    due_date_basis: str | None = None
    total_due: Decimal | None = None
    total_overdue: Decimal | None = None
    sync_token: int | None = None
    read_at: datetime | None = None
    evidence: dict[str, Any] = field(default_factory=dict)

    @property
    def expires_at(self) -> datetime | None:
        """From when on it has to be asked for anew; None for what never was good."""
        return None if self.read_at is None or self.verdict == "unknown" else self.read_at + GOOD_FOR


def unknown(
    invoice_id: UUID,
    *codes: str,
    customer_id: UUID | None = None,
    evidence: dict[str, Any] | None = None,
) -> Verdict:
    """Return the verdict on an invoice that could not be checked."""
    reasons = tuple(Reason(code) for code in dict.fromkeys(codes))
    return Verdict(invoice_id, "unknown", reasons, customer_id, evidence=evidence or {})


def judge(facts: Facts, freshness: Freshness) -> Verdict:
    """
    Decide on one invoice.

    What the invoice itself or its customer rules out is held although other reads failed; whether something covers it,
    and so whether to send, takes all of them.
    """
    if freshness.invoice or facts.is_invoice_waiting:
        return _unknown(facts, freshness, [freshness.invoice or "not_merged"])
    closed = _closed(facts)
    reasons = closed + _archived(facts, freshness)
    doubts = _doubts(facts, freshness)
    if not doubts:
        if closed:
            reasons += _in_future(facts.future_payments)
        else:
            covering = cover.read(facts.payers, facts.family, facts.unbooked)
            reasons += _covered(covering, facts.amount_due)
            doubts = [] if reasons else _questions(facts, covering)
    if not reasons and doubts:
        return _unknown(facts, freshness, doubts)
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


def _covered(covering: Cover, amount_due: Decimal) -> list[Reason]:
    """
    Compare an invoice with all that covers it, as if there were no other invoice.

    Nobody knows for which of several invoices the money is meant; a reminder for any of them may be wrong.
    """
    if covering.amount < amount_due:
        return []
    used_up = min(covering.other, cover.NOTHING)
    reasons = []
    if cover.total(covering.payments) + used_up >= amount_due:
        reasons.append(Reason("covered_by_payment", _ids(covering.payments)))
        reasons += _in_future(payment for payment in covering.payments if payment.is_future)
    if cover.total(covering.credits) + used_up >= amount_due:
        reasons.append(Reason("covered_by_credit", _ids(covering.credits)))
    if covering.other >= amount_due:
        reasons.append(Reason("covered_by_other"))
    if reasons:
        return reasons
    later = _in_future(payment for payment in covering.payments if payment.is_future)
    return [Reason("covered", _ids(covering.payments + covering.credits)), *later]


def _questions(facts: Facts, covering: Cover) -> list[str]:
    """Say why an invoice that nothing seems to cover is not to be reminded of all the same."""
    questions = ["payment_in_question"] if facts.questioned else []
    if _is_unexplained(facts, covering):
        questions.append("unexplained_balance")
    return questions


def _is_unexplained(facts: Facts, covering: Cover) -> bool:
    """
    Tell whether a payer's balance and what was read of its documents do not go together.

    A difference is other money only if no document came after the changes were read. It is all of it only if no invoice
    is missing: there is more of it by what that one asks for. Where there seems to be none, there is not expected to be
    exactly as much as an invoice asks for of which nobody knows whose it is.
    """
    if any(payer.balance is None for payer in facts.payers):
        return True
    if facts.family is not None and (facts.family.owed is None or facts.family.is_later):
        return True
    if any(payer.is_later and payer.other for payer in facts.payers):
        return True
    if facts.missing is None or (facts.missing and covering.amount + facts.missing >= facts.amount_due):
        return True
    has_other = any(payer.other for payer in facts.payers) or bool(facts.family and facts.family.spare)
    return facts.has_foundlings and has_other


def _in_future(money: Iterable[Money]) -> list[Reason]:
    """Tell that payments which count have not happened yet."""
    ids = _ids(money)
    return [Reason("future_dated_payment", ids)] if ids else []


def _ids(money: Iterable[Money]) -> tuple[str, ...]:
    return tuple(each.id for each in money)


def _unknown(facts: Facts, freshness: Freshness, codes: Sequence[str]) -> Verdict:
    return unknown(
        facts.invoice_id,
        *codes,
        customer_id=facts.customer_id,
        evidence=Evidence(facts, freshness).as_json(),
    )


def _verdict(facts: Facts, freshness: Freshness, reasons: Sequence[Reason], *, has_totals: bool) -> Verdict:
    return Verdict(
        facts.invoice_id,
        "hold" if reasons else "send",
        tuple(reasons),
        customer_id=facts.customer_id,
        amount_due=None if facts.is_deleted else facts.amount_due,
        currency=facts.currency,
        due_date=facts.due_date,
        due_date_basis=facts.due_date_basis,
        total_due=facts.total_due if has_totals else None,
        total_overdue=facts.total_overdue if has_totals else None,
        sync_token=facts.sync_token,
        read_at=freshness.read_at,
        evidence=Evidence(facts, freshness).as_json(),
    )
