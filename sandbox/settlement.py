"""Carries what payments apply over to the transactions that they settle."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox import chart, sales
from sandbox.balances import enter
from sandbox.json_text import ZERO, amount, cents
from sandbox.line_extension import with_extensions
from sandbox.open_items import item_in

if TYPE_CHECKING:
    from sandbox.books import Books, Record
    from sandbox.links import Target


def settle(books: Books, targets: set[Target]) -> None:
    """
    Give every transaction whose payments changed a new version with its new balance.

    Recorded: the invoice gets SyncToken + 1 and the payment's time.
    """
    for target in sorted(targets):
        record = books.find(target.entity, target.id)
        if record is None:
            continue
        if target.line:
            if books.settings.journal_versions:
                books.revise(record, record.fields())
        else:
            books.revise(record, with_balance(books, record.fields(), target))
            enter_form(books, target)
    _redraw_payments(books, targets)


def with_balance(books: Books, form: dict[str, Any], target: Target) -> dict[str, Any]:
    """Return a form with what its payments decide."""
    open_amount = cents(abs(item_in(books, form, target).amount) - books.links.applied(target))
    changed = {**form, "Balance": amount(open_amount)}
    if books.multicurrency:
        changed["HomeBalance"] = amount(chart.to_home(open_amount, sales.rate_of(form)))
    if target.entity == "CreditMemo":
        changed["RemainingCredit"] = amount(open_amount)
    else:
        changed["LinkedTxn"] = [
            {"TxnId": payment, "TxnType": "Payment"} for payment in books.links.of_target(target)
        ]
    return changed


def enter_form(books: Books, target: Target) -> None:
    """Enter an invoice or a credit memo, so that what it owes at home is what its HomeBalance says."""
    form = books.get(target.entity, target.id).fields()
    rate = sales.rate_of(form)
    settled = sum((chart.to_home(part, rate) for part in books.links.of_target(target).values()), ZERO)
    paid_at_once = chart.to_home(sales.deposit_of(form), rate)
    owed = chart.to_home(form["TotalAmt"], rate) - paid_at_once
    expected = owed - chart.to_home(Decimal(form["Balance"]), rate)
    entry = sales.postings(books, form, debit=target.entity == "Invoice", rounding=settled - expected)
    enter(books, (target.entity, target.id), entry)


def _redraw_payments(books: Books, targets: set[Target]) -> None:
    """Recalculate txnOpenBalance of the payments, which makes no new version of them."""
    payments = {payment for target in targets for payment in books.links.of_target(target)}
    for payment in sorted(payments, key=int):
        record = books.find("Payment", payment)
        if record is not None:
            redraw(books, record)


def redraw(books: Books, payment: Record) -> Record:
    """Write the open balances into a payment's lines."""
    return books.redraw(payment, with_extensions(books, payment.id, payment.fields()))
