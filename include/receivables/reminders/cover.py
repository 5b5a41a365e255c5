"""
What may cover an invoice: the money of those who may pay it that is applied to nothing yet.

QuickBooks' balance of a customer contains all that was ever posted to accounts receivable under its name. Its open
invoices less that balance is what covers them: payments and credits that are applied to nothing, and whatever else
there is (journal entries, deposits, checks, refunds), with its sign.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import accumulate
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NOTHING = Decimal(0)


class Money(msgspec.Struct, frozen=True):
    """
    A payment or a credit note, as far as it counts.

    :param id: Peakflo's.
    :param source_id: QuickBooks' Id; None for what QuickBooks does not have.
    :param is_future: whether its date has not come yet where the company keeps its books.
    """

    id: str
    source_id: str | None
    amount: Decimal
    date: date | None
    is_future: bool = False


class Payer(msgspec.Struct, frozen=True):
    """
    Somebody who may pay: an invoice's customer, or one that it is a sub-customer of; in the invoice's currency.

    :param open: what its open invoices still ask for.
    :param balance: what it owes in all, as QuickBooks says; None if it does not, or says so in another currency.
    :param is_later: whether that and the documents may be of different moments, where they do not say the same.
    :param payments: QuickBooks' payments that are not applied.
    :param credits: QuickBooks' open credit memos.
    :param unbooked: Peakflo's payments for nothing that is open, which QuickBooks does not have.
    """

    customer_id: str
    source_id: str | None
    open: Decimal
    balance: Decimal | None
    is_later: bool
    payments: list[Money]
    credits: list[Money]
    unbooked: list[Money]

    @property
    def other(self) -> Decimal:
        """What covers its invoices besides payments and credits; negative for what uses those up."""
        if self.balance is None:
            return NOTHING
        return self.open - total(self.payments) - total(self.credits) - self.balance


class Family(msgspec.Struct, frozen=True):
    """
    A customer and all sub-customers whose bills it gets (BillWithParent).

    :param open: what their open invoices still ask for.
    :param owed: what they owe in all; None if QuickBooks does not say it, or the head's BalanceWithJobs says otherwise.
    :param is_later: as of a payer.
    """

    head_id: str
    source_id: str | None
    open: Decimal
    owed: Decimal | None
    is_later: bool

    @property
    def spare(self) -> Decimal:
        """What covers their invoices."""
        return NOTHING if self.owed is None else self.open - self.owed


@dataclass(frozen=True, slots=True)
class Cover:
    """
    One way to read what covers an invoice.

    :param other: what is neither payments nor credits; negative for what uses those up.
    """

    payments: tuple[Money, ...] = ()
    credits: tuple[Money, ...] = ()
    other: Decimal = NOTHING

    def __add__(self, more: Cover) -> Cover:
        """Return both together."""
        return Cover(self.payments + more.payments, self.credits + more.credits, self.other + more.other)

    @property
    def amount(self) -> Decimal:
        """All of it."""
        return self.documented + self.other

    @property
    def documented(self) -> Decimal:
        """What the payments and credits add up to, whatever uses it up."""
        return total(self.payments) + total(self.credits)


def total(money: Iterable[Money]) -> Decimal:
    """Add up what counts."""
    return sum((each.amount for each in money), NOTHING)


def read(payers: Sequence[Payer], family: Family | None, unbooked: Iterable[Money]) -> Cover:
    """
    Return the reading by which an invoice is covered best.

    Money that is nearer is used first: the customer's own, then its parent's too, and so on. Whoever gets the bill of a
    family is not reminded of what the family does not owe on balance. Where one reading covers an invoice and another
    does not, nobody knows which is meant, and a reminder may be wrong.

    :param unbooked: Peakflo's payments for this very invoice that QuickBooks' balance of it does not contain.
    """
    own = Cover(tuple(unbooked))
    readings = list(accumulate(map(_of, payers), initial=own))[1:]
    if family is not None and family.owed is not None:
        readings.insert(0, own + Cover(other=family.spare))
    # The last of those that cover as much: it names all that counts.
    return max(reversed(readings), key=lambda reading: reading.amount)


def _of(payer: Payer) -> Cover:
    return Cover(tuple(payer.payments + payer.unbooked), tuple(payer.credits), payer.other)
