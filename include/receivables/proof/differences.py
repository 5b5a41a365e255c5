"""How Peakflo may differ from QuickBooks: each class with its words, who acts, and whether that explains it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from include.receivables.outbound.codes import Owner

ClassName = Literal[
    "missed_change",
    "in_flight",
    "exchange_rounding",
    "other_money",
    "unlinked",
    "held_payment",
    "not_read",
    "unknown",
]

CENT = Decimal("0.01")
NOTHING = Decimal(0)


class Class(NamedTuple):
    """
    Why both sides differ.

    :param title: what people call it.
    :param remedy: what to do about it.
    :param is_explained: whether it accounts for the money.
    """

    title: str
    remedy: str
    owner: Owner
    is_explained: bool = True


CLASSES: dict[str, Class] = {
    "missed_change": Class(
        "Missed change",
        "Read it from QuickBooks by hand: `bin/receivables import COMPANY`; if it stays, report it as a fault of this "
        "program.",
        "data engineer",
        is_explained=False,
    ),
    "in_flight": Class("In flight", "Nothing: the next sync or delivery brings it.", "nobody"),
    "exchange_rounding": Class(
        "Exchange rounding", "Nothing: a cent at most for each document in a foreign currency.", "nobody"
    ),
    "other_money": Class(
        "Other money on accounts receivable",
        "Nothing, if it is right: a reminder counts it as QuickBooks does. To settle invoices with it, apply it to "
        "them in QuickBooks.",
        "bookkeeper",
    ),
    "unlinked": Class(
        "Unlinked", "Apply it in QuickBooks to what it is for, or see the payment's page.", "bookkeeper"
    ),
    "held_payment": Class("Held or refused payment", "See the payment's page.", "data engineer"),
    "not_read": Class(
        "Not read", "Correct the record in QuickBooks; the next sync takes it in.", "bookkeeper"
    ),
    "unknown": Class(
        "Unknown",
        "Compare it in QuickBooks with what Peakflo has; if QuickBooks is right, report it as a fault of this program.",
        "data engineer",
        is_explained=False,
    ),
}


@dataclass(frozen=True, slots=True)
class Difference:
    """
    One respect in which Peakflo is not as QuickBooks is.

    :param entity: a staging table; of other money, QuickBooks' word for it.
    :param field: in which respect: ``open``, ``total``, ``missing`` …
    :param quickbooks: what QuickBooks says, as text; None if it has no such record.
    :param amount: what it comes to in the home currency, with the sign of what Peakflo lacks.
    """

    class_name: ClassName
    entity: str
    qbo_id: str
    field: str
    sentence: str
    quickbooks: str | None = None
    peakflo: str | None = None
    amount: Decimal = NOTHING
    name: str | None = None
    customer_id: str = ""
    customer_name: str | None = None
    is_repaired: bool = False
    remedy: str = ""
    owner: Owner | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is about: the same each night that it is found."""
        return self.entity, self.qbo_id, self.customer_id

    @property
    def is_explained(self) -> bool:
        """Whether its cause is known, or gone."""
        return self.is_repaired or CLASSES[self.class_name].is_explained

    def repaired(self) -> Difference:
        """Return it as one that is no more."""
        return replace(self, is_repaired=True, remedy="Nothing: it was read again.", owner="nobody")

    def complete(self) -> Difference:
        """Return it with the words of its class where it has none of its own."""
        of_class = CLASSES[self.class_name]
        return replace(self, remedy=self.remedy or of_class.remedy, owner=self.owner or of_class.owner)
