"""What a verdict rests on, in a form that is kept with it and from which it can be judged again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from include.receivables.reminders.cover import Family, Money, Payer


@dataclass(frozen=True, slots=True)
class Facts:
    """
    What is known of an invoice after the merge, see :func:`include.receivables.reminders.fact_reads.read_facts`.

    :param due_date_basis: whether "quickbooks" says when it is due, or its "terms" do; else it is the "issue_date".
    :param total_due: what the customer owes on all invoices in that currency; None if one could not be taken in.
    :param total_overdue: the part of it that was due before today, where the company keeps its books.
    :param payers: who may pay it, see :class:`include.receivables.reminders.cover.Payer`, the invoice's customer first.
    :param family: all who are billed together with the customer.
    :param future_payments: the payments with a date in the future that are applied to the invoice.
    :param unbooked: Peakflo's payments for the invoice that QuickBooks' balance of it does not contain.
    :param questioned: the ids of those that somebody has to look into.
    :param missing: what those invoices of the payers and the family ask for at most that could not be taken in; None if
        nobody knows.
    :param has_foundlings: whether an invoice could not be taken in of which nobody knows whose it is.
    """

    invoice_id: UUID
    qbo_id: str
    customer_id: UUID
    customer_qbo_id: str
    status: str
    is_deleted: bool
    amount_due: Decimal
    currency: str | None
    due_date: date | None
    due_date_basis: str | None
    sync_token: int
    qbo_updated_at: datetime
    customer_status: str
    total_due: Decimal | None
    total_overdue: Decimal | None
    payers: list[Payer]
    family: Family | None
    future_payments: list[Money]
    unbooked: list[Money]
    questioned: list[str]
    is_invoice_waiting: bool
    is_customer_waiting: bool
    missing: Decimal | None
    has_foundlings: bool


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
class Evidence:
    """All that a verdict rests on, from which it can be judged again."""

    facts: Facts
    freshness: Freshness

    def as_json(self) -> dict[str, Any]:
        """Return plain data: the facts, and the freshness in its own place."""
        plain: dict[str, Any] = msgspec.to_builtins(self.facts)
        return plain | {"freshness": msgspec.to_builtins(self.freshness)}

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Evidence:
        """
        Return what was kept.

        :raises msgspec.ValidationError: when it was kept by other rules, which looked at other facts.
        """
        return cls(msgspec.convert(plain, Facts), msgspec.convert(plain["freshness"], Freshness))
