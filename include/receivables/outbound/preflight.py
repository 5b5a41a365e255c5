"""
Whether a payment may go to QuickBooks, and what it is there, from what was last read of QuickBooks.

Nothing is asked of QuickBooks or of the database. What passes, or what somebody can mend in QuickBooks or in the
settings, makes a payment wait; what has to be corrected in the payment, or decided, is an objection.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

from include.receivables.outbound import payment_accounts, payment_targets
from include.receivables.outbound.payloads import Accounts, CreditUse, OutgoingPayment, Settlement
from include.receivables.outbound.payment_targets import Rules
from include.receivables.outbound.preflight_answers import Held, Ready, Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from include.receivables.company.companies import Company
    from include.receivables.outbound.account_mapping import Mapping
    from include.receivables.outbound.model import Decision, Json
    from include.receivables.outbound.payment_targets import Target
    from include.receivables.outbound.preflight_answers import Answer, Objection

AUTO_SYNC_OFF = "auto_sync_off"
APPROVAL_NEEDED = "approval_needed"


@dataclass(frozen=True, slots=True)
class Facts:
    """
    A payment and its surroundings.

    :param realm_id: of the QuickBooks company for which the payment was taken.
    :param company_realm_id: of the one to which the company is connected now.
    :param currency: empty when the payment names none.
    :param customer_qbo_id: of whom the payment is by now, as are the other facts of the customer.
    :param has_records: whether QuickBooks still has something of an archived customer's.
    :param method_qbo_id: the payment method of that name in QuickBooks.
    :param approval_above: payments of more than this need somebody's approval.
    :param is_record_whole: whether this database has gone on since QuickBooks' payments were read last.
    :param read_at: when this was read, by the database's clock.
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
    is_record_whole: bool
    rounding_limit: Decimal
    rounding_share: Decimal
    approval_above: Decimal | None
    leaves_excess: bool
    read_at: datetime

    @property
    def rules(self) -> Rules:
        """What the company allows."""
        return Rules(self.rounding_limit, self.rounding_share, self.leaves_excess)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """
    What else a check looks at.

    :param targets: what the payment is applied to.
    :param receivables: the active receivable accounts in the payment's currency.
    """

    targets: Sequence[Target]
    mapping: Mapping
    receivables: Sequence[str]


def closed_door(facts: Facts, company: Company) -> Held | None:
    """Say why nothing at all goes to a payment's books now, if so."""
    # The books that are asked, and the ones connected by now: they may just have been changed.
    if {company.realm_id, facts.company_realm_id} != {facts.realm_id}:
        return Held(
            "other_books",
            f"The payment was taken for QuickBooks company {facts.realm_id}, but {facts.company_realm_id} is "
            "connected now: it goes once the former is connected again; or enter it by hand, then ignore it here.",
        )
    if facts.connection_status != "connected":
        return Held(
            "not_connected", f"QuickBooks is {facts.connection_status}: connect the company, or let it go on."
        )
    if not facts.is_auto_sync:
        return Held(AUTO_SYNC_OFF, "Two-way payment sync is off: switch it on to send the payment.")
    return None


def check(facts: Facts, around: Surroundings, decisions: Sequence[Decision], snapshot: Json) -> Answer:
    """
    Check a payment that counts, with both of its documents.

    :return: the payment in QuickBooks' terms when it may go; else why not, in a sentence for a bookkeeper.
    """
    objection = (
        _object_to_payment(facts)
        or _object_to_customer(facts)
        or _object_to_amounts(facts)
        or payment_targets.object_to(around.targets, facts.currency, facts.rules)
    )
    if objection is not None:
        return objection
    accounts = _choose_accounts(facts, around)
    if isinstance(accounts, Held):
        return accounts
    is_approved = any(each.kind == "approve" and each.snapshot == snapshot for each in decisions)
    if facts.approval_above is not None and facts.amount > facts.approval_above and not is_approved:
        return Held(
            APPROVAL_NEEDED,
            f"The payment is of more than {facts.approval_above:,.2f}: it goes once somebody has approved it.",
        )
    return Ready(outgoing(facts, payment_targets.fit(around.targets), accounts))


def outgoing(facts: Facts, targets: Sequence[Target], accounts: Accounts) -> OutgoingPayment:
    """Put a payment in QuickBooks' terms, on the given accounts."""
    return OutgoingPayment(
        payment_id=facts.payment_id,
        customer_qbo_id=str(facts.customer_qbo_id),
        payment_date=facts.payment_date,
        amount=facts.amount,
        currency=facts.currency,
        accounts=accounts,
        settlements=tuple(_settlement(target) for target in targets if target.target_type == "invoice"),
        credits_used=tuple(
            CreditUse(str(target.qbo_id), target.amount)
            for target in targets
            if target.target_type == "credit_note"
        ),
        processing_fee=facts.processing_fee,
        is_foreign=facts.currency != facts.home_currency,
        exchange_rate=facts.exchange_rate,
        method_qbo_id=facts.method_qbo_id,
        reference=facts.reference,
        note=facts.note,
    )


def _object_to_payment(facts: Facts) -> Objection | None:
    """Say why nothing of the payment's company, or not this payment, goes to QuickBooks now."""
    # QuickBooks may have it, delivered before this database was put back to an earlier day.
    if not facts.is_record_whole:
        return Held(
            "not_fresh",
            "Nothing is known of the last hours, in which the payment may have been delivered: it goes once a sync has "
            "read QuickBooks' payments.",
        )
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


def _choose_accounts(facts: Facts, around: Surroundings) -> Accounts | Held:
    applied = around.targets
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
    return payment_accounts.choose(around.mapping, around.receivables, need)


def _settlement(target: Target) -> Settlement:
    return Settlement(
        str(target.qbo_id),
        target.amount,
        target.withholding_tax_amount,
        target.withholding_tax_type,
        target.rounding_amount,
    )
