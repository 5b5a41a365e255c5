"""What a payment of Peakflo's is applied to, and whether QuickBooks will take that."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row

from include.receivables.outbound.preflight_answers import Held, Refused
from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from psycopg import Connection

    from include.receivables.outbound.preflight_answers import Objection

_CENT = Decimal("0.01")
_NAMES = {"invoice": "Invoice", "credit_note": "Credit memo"}


@dataclass(frozen=True, slots=True)
class Target:
    """
    An invoice or a credit note, and what the payment does to it.

    :param qbo_id: its id in QuickBooks; none if it is not there yet.
    :param open_amount: what is open of it, less what is on its way.
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


def read(db: Connection, keys: dict[str, Any]) -> list[Target]:
    """Read what a payment is applied to."""
    with db.cursor(row_factory=class_row(Target)) as cursor:
        return cursor.execute(load("outbox/read_targets"), keys).fetchall()


def object_to(applied: Sequence[Target], currency: str) -> Objection | None:
    """Say why QuickBooks would not take what a payment is applied to, if so."""
    for target in applied:
        objection = _object_to_record(target, currency)
        if objection is not None:
            return objection
    return _object_to_sums(applied)


def is_finer_than_cents(*amounts: Decimal) -> bool:
    """Tell whether an amount has a fraction of a cent, which QuickBooks would round."""
    return any(amount != amount.quantize(_CENT) for amount in amounts)


def _object_to_record(target: Target, currency: str) -> Objection | None:
    if target.qbo_id is None:
        return Held("target_unknown", f"{target.name} is not in QuickBooks yet.")
    if target.is_gone:
        return Refused(
            "target_cancelled",
            f"{target.name} is no longer open in QuickBooks, it was voided or deleted or is a draft: apply the payment "
            "to another one in Peakflo, and try again.",
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


def _object_to_sums(applied: Sequence[Target]) -> Objection | None:
    """Compare what is open of each with all that the payment does to it."""
    asked: dict[UUID | None, Decimal] = defaultdict(Decimal)
    for target in applied:
        asked[target.target_id] += target.amount + target.written_off
    for target in applied:
        open_amount = target.open_amount or Decimal(0)
        if asked[target.target_id] > open_amount:
            return Refused(
                "target_balance",
                f"{target.name} has {max(open_amount, Decimal(0)):,.2f} open in QuickBooks and the payment takes "
                f"{asked[target.target_id]:,.2f} of it: lower that in Peakflo, or undo in QuickBooks what settled it, "
                "and try again.",
            )
    return None
