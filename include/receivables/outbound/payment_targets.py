"""What a payment of Peakflo's is applied to, and whether QuickBooks will take that."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

from include.receivables.outbound.preflight_answers import Held, Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from include.receivables.outbound.preflight_answers import Objection

_CENT = Decimal("0.01")
_NOTHING = Decimal(0)
# An invoice or a credit note that a payment is applied to is no longer open.
TARGET_GONE = "target_cancelled"

_NAMES = {"invoice": "Invoice", "credit_note": "Credit memo"}


@dataclass(frozen=True, slots=True)
class Target:
    """
    An invoice or a credit note, and what the payment does to it.

    :param qbo_id: its id in QuickBooks; none if it is not there yet.
    :param open_amount: what is open of it, less what is on its way.
    :param total_amount: what it was of at first.
    :param candidate: the only open invoice of the same customer, number and amount, if this one is gone.
    :param is_gone: whether it was cancelled, voided or deleted, or is a draft.
    :param owner_name: whose it is.
    :param is_of_payer: whether it belongs to whom the payment is of by now, or to a sub-customer.
    :param receivable_qbo_id: the receivable account that it is booked on, if QuickBooks says so.
    """

    target_type: str
    target_id: UUID | None
    amount: Decimal
    withholding_tax_amount: Decimal
    withholding_tax_type: str
    rounding_amount: Decimal
    qbo_id: str | None
    number: str | None
    currency: str | None
    receivable_qbo_id: str | None
    open_amount: Decimal | None
    total_amount: Decimal | None
    candidate: UUID | None
    is_gone: bool
    owner_name: str | None
    is_of_payer: bool

    @property
    def written_off(self) -> Decimal:
        """What settles it without being money or credit."""
        return self.withholding_tax_amount + self.rounding_amount

    @property
    def name(self) -> str:
        """What a bookkeeper knows it by."""
        return f"{_NAMES[self.target_type]} {self.number or self.qbo_id or self.target_id}"


@dataclass(frozen=True, slots=True)
class Rules:
    """
    What a company allows.

    :param rounding_limit: how much may be written off of an invoice to close it.
    :param rounding_share: the same as a share of what goes to it; what is more counts.
    :param leaves_excess: whether what an invoice no longer owes is left unapplied.
    """

    rounding_limit: Decimal
    rounding_share: Decimal
    leaves_excess: bool


def object_to(applied: Sequence[Target], currency: str, rules: Rules) -> Objection | None:
    """Say why QuickBooks would not take what a payment is applied to, or the company would not have it, if so."""
    for target in applied:
        objection = _object_to_record(target, currency) or _object_to_written_off(target, rules)
        if objection is not None:
            return objection
    return _object_to_sums(applied, rules)


def fit(applied: Sequence[Target]) -> list[Target]:
    """Lower what goes to each invoice to what that still owes; the rest of the money is applied to nothing."""
    left = {target.target_id: target.open_amount or _NOTHING for target in applied}
    for target in applied:
        left[target.target_id] -= target.written_off
    fitting = []
    for target in applied:
        amount = min(target.amount, max(left[target.target_id], _NOTHING))
        left[target.target_id] -= amount
        fitting.append(replace(target, amount=amount))
    return fitting


def is_finer_than_cents(*amounts: Decimal) -> bool:
    """Tell whether an amount has a fraction of a cent, which QuickBooks would round."""
    return any(amount != amount.quantize(_CENT) for amount in amounts)


def _object_to_record(target: Target, currency: str) -> Objection | None:
    if target.qbo_id is None:
        return Held("target_unknown", f"{target.name} is not in QuickBooks yet.")
    if target.is_gone:
        return Refused(
            TARGET_GONE,
            f"{target.name} is no longer open in QuickBooks, it was voided or deleted or is a draft: "
            + (
                "an open one of the same customer, number and amount took its place. Apply the payment to that."
                if target.candidate
                else "apply the payment to another one in Peakflo."
            ),
            target.candidate,
        )
    if not target.is_of_payer:
        return Refused(
            "target_of_other_customer",
            f"{target.name} belongs to {target.owner_name} in QuickBooks, not to the customer who paid: give it back "
            "there, or correct in Peakflo whose the payment is or what it is applied to, and try again.",
        )
    if target.currency is not None and target.currency != currency:
        return Refused(
            "target_currency",
            f"{target.name} is in {target.currency} and the payment in {currency}: apply it to one in {currency}, and "
            "try again.",
        )
    if is_finer_than_cents(target.amount, target.withholding_tax_amount, target.rounding_amount):
        return Refused(
            "fraction_of_cent",
            f"A fraction of a cent is applied to {target.name}: correct the amount in Peakflo, and try again.",
        )
    return None


def _object_to_written_off(target: Target, rules: Rules) -> Objection | None:
    """Keep what settles an invoice without being money within bounds: a slip of the pen would forgive a debt."""
    most = max(rules.rounding_limit, rules.rounding_share * target.amount)
    if abs(target.rounding_amount) > most:
        return Refused(
            "rounding_too_large",
            f"{abs(target.rounding_amount):,.2f} of {target.name} would be written off as rounding, more than the "
            f"{most:,.2f} that the company allows: correct it in Peakflo.",
        )
    if target.total_amount is not None and target.withholding_tax_amount > target.total_amount:
        return Refused(
            "withholding_too_large",
            f"{target.withholding_tax_amount:,.2f} of tax were withheld from {target.name}, which is of "
            f"{target.total_amount:,.2f}: correct it in Peakflo.",
        )
    return None


def _object_to_sums(applied: Sequence[Target], rules: Rules) -> Objection | None:
    """Compare what is open of each with all that the payment does to it."""
    asked: dict[UUID | None, Decimal] = defaultdict(Decimal)
    for target in applied:
        asked[target.target_id] += target.amount + target.written_off
    for target in applied:
        open_amount = target.open_amount or _NOTHING
        if asked[target.target_id] > open_amount and not _may_leave(applied, target, rules):
            return Refused(
                "target_balance",
                f"{target.name} has {max(open_amount, _NOTHING):,.2f} open in QuickBooks and the payment takes "
                f"{asked[target.target_id]:,.2f} of it: lower that in Peakflo, or undo in QuickBooks what settled it, "
                "and try again.",
            )
    return None


def _may_leave(applied: Sequence[Target], target: Target, rules: Rules) -> bool:
    """Tell whether what an invoice no longer owes may stay with the customer: credits are never left half used."""
    written_off = sum((each.written_off for each in applied if each.target_id == target.target_id), _NOTHING)
    return (
        rules.leaves_excess
        and all(each.target_type == "invoice" for each in applied)
        and (target.open_amount or _NOTHING) >= written_off
    )
