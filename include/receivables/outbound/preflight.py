"""
Whether a payment may go to QuickBooks, and what it is there, from what was last read of QuickBooks.

Nothing is asked of QuickBooks. What somebody can mend in QuickBooks or in the settings holds a payment until it is
mended; what needs another payment, or a decision, refuses it.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from psycopg.rows import class_row

from include.receivables.outbound import payment_accounts, payment_targets
from include.receivables.outbound.account_mapping import read_mapping
from include.receivables.outbound.payloads import CreditUse, OutgoingPayment, Settlement
from include.receivables.outbound.preflight_answers import Held, Ready, Refused
from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime
    from uuid import UUID

    from psycopg import Connection

    from include.receivables.company.companies import Company
    from include.receivables.outbound.payment_targets import Target
    from include.receivables.outbound.preflight_answers import Answer, Objection

__all__ = ["Held", "Ready", "Refused", "check"]


class HasPayment(Protocol):
    """A delivery, as far as it matters here."""

    @property
    def payment_id(self) -> UUID:
        """Peakflo's id of the payment to deliver."""
        ...


@dataclass(frozen=True, slots=True)
class Facts:
    """
    A payment and its surroundings.

    :param realm_id: of the QuickBooks company for which the payment was taken.
    :param company_realm_id: of the one to which the company is connected now.
    :param currency: empty when the payment names none.
    :param customer_qbo_id: of whom the payment is by now, as are the other facts of the customer.
    :param has_records: whether QuickBooks still has something of the customer's.
    :param method_qbo_id: the payment method of that name in QuickBooks.
    """

    payment_id: UUID
    realm_id: str
    status: str
    settled_at: datetime | None
    payment_date: date
    amount: Decimal
    processing_fee: Decimal
    currency: str
    exchange_rate: Decimal | None
    reference: str | None
    note: str | None
    wallet: str | None
    customer_name: str
    customer_qbo_id: str | None
    customer_realm_id: str
    customer_status: str
    customer_currency: str | None
    has_records: bool
    company_realm_id: str
    home_currency: str | None
    book_close_date: date | None
    connection_status: str
    is_auto_sync: bool
    method_qbo_id: str | None


def check(db: Connection, company: Company, delivery: HasPayment) -> Answer:
    """
    Check a payment, with both of its legs.

    :return: the payment in QuickBooks' terms when it may go; else why not, in a sentence for a bookkeeper.
    """
    keys = {"company_id": company.company_id, "payment_id": delivery.payment_id}
    with db.cursor(row_factory=class_row(Facts)) as cursor:
        facts = cursor.execute(load("outbox/read_payment"), keys).fetchone()
    if facts is None:
        return Refused("payment_unknown", "Peakflo no longer has this payment, or did not take it itself.")
    objection = _object_to_payment(facts, company) or _object_to_customer(facts) or _object_to_amounts(facts)
    if objection is not None:
        return objection
    applied = payment_targets.read(db, keys)
    objection = payment_targets.object_to(applied, facts.currency)
    if objection is not None:
        return objection
    return _with_accounts(db, company, facts, applied)


def _object_to_payment(facts: Facts, company: Company) -> Objection | None:
    """Say why nothing of the payment's company, or not this payment, goes to QuickBooks now."""
    if facts.status != "active":
        return Refused(
            "payment_cancelled", f"The payment is {facts.status} in Peakflo: nothing is to be sent."
        )
    # The books that are asked, and the ones connected by now: they may just have been changed.
    if {company.realm_id, facts.company_realm_id} != {facts.realm_id}:
        return Held(
            "other_books",
            f"The payment was taken for QuickBooks company {facts.realm_id}, but {facts.company_realm_id} is "
            "connected now: it goes once the former is connected again; or enter it by hand, then ignore it here.",
        )
    if not facts.is_auto_sync:
        return Held("auto_sync_off", "Two-way payment sync is off: switch it on to send the payment.")
    if facts.connection_status != "connected":
        return Held(
            "not_connected", f"QuickBooks is {facts.connection_status}: connect the company, or let it go on."
        )
    if facts.settled_at is None:
        return Held("not_settled", "The payment is not settled yet: it goes when the money has arrived.")
    if facts.book_close_date is not None and facts.payment_date <= facts.book_close_date:
        return Held(
            "books_closed",
            f"The books are closed up to {facts.book_close_date} and the payment is of {facts.payment_date}: reopen "
            "the period in QuickBooks, or change the payment's date.",
        )
    return None


def _object_to_customer(facts: Facts) -> Objection | None:
    name = facts.customer_name
    if facts.customer_qbo_id is None or facts.customer_realm_id != facts.realm_id:
        return Held("customer_unknown", f"QuickBooks does not have customer {name} yet.")
    if facts.customer_status == "archived" and facts.has_records:
        return Held(
            "customer_inactive", f"Customer {name} is not active in QuickBooks: make it active there."
        )
    if facts.customer_status != "active":
        return Held(
            "customer_merged",
            f"Customer {name} is gone from QuickBooks: it was merged into another customer or deleted, and into which "
            "one cannot be told. Enter in Peakflo whose the payment is now.",
        )
    if facts.home_currency is None:
        return Held(
            "company_unknown", "The company's own currency is not known yet: refresh its reference data."
        )
    currency = facts.customer_currency or facts.home_currency
    if not facts.currency:
        return Refused(
            "currency_missing", "The payment names no currency: enter it in Peakflo, and try again."
        )
    if facts.currency != currency:
        return Refused(
            "customer_currency",
            f"The payment is in {facts.currency}, but QuickBooks keeps customer {name} in {currency}: enter it by hand "
            "under a customer of that currency, then ignore it here.",
        )
    return None


def _object_to_amounts(facts: Facts) -> Objection | None:
    if payment_targets.is_finer_than_cents(facts.amount, facts.processing_fee):
        return Refused(
            "fraction_of_cent", "The payment has a fraction of a cent: correct its amount or fee in Peakflo."
        )
    return None


def _with_accounts(db: Connection, company: Company, facts: Facts, applied: Sequence[Target]) -> Answer:
    need = payment_accounts.Need(
        currency=facts.currency,
        wallet=facts.wallet or "",
        takes_money=bool(facts.amount),
        has_fee=bool(facts.processing_fee),
        has_rounding=any(target.rounding_amount for target in applied),
        taxes=sorted({target.withholding_tax_type for target in applied if target.withholding_tax_amount}),
        receivables=sorted({target.receivable_qbo_id for target in applied if target.receivable_qbo_id}),
        has_written_off=bool(sum((target.written_off for target in applied), Decimal(0))),
    )
    accounts = payment_accounts.choose(db, company, read_mapping(db, company), need)
    if isinstance(accounts, Held):
        return accounts
    return Ready(
        OutgoingPayment(
            payment_id=facts.payment_id,
            customer_qbo_id=str(facts.customer_qbo_id),
            payment_date=facts.payment_date,
            amount=facts.amount,
            currency=facts.currency,
            accounts=accounts,
            settlements=tuple(_settlement(target) for target in applied if target.target_type == "invoice"),
            credits_used=tuple(
                CreditUse(str(target.qbo_id), target.amount)
                for target in applied
                if target.target_type == "credit_note"
            ),
            processing_fee=facts.processing_fee,
            is_foreign=facts.currency != facts.home_currency,
            exchange_rate=facts.exchange_rate,
            method_qbo_id=facts.method_qbo_id,
            reference=facts.reference,
            note=facts.note,
        )
    )


def _settlement(target: Target) -> Settlement:
    return Settlement(
        str(target.qbo_id),
        target.amount,
        target.withholding_tax_amount,
        target.withholding_tax_type,
        target.rounding_amount,
    )
