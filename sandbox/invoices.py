"""Invoices."""

from __future__ import annotations

import calendar
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from sandbox import auto_apply, faults, sales, settlement, unlinking, validation
from sandbox.links import Target

if TYPE_CHECKING:
    from sandbox.books import Books, Record

_ONLINE = (
    "AllowIPNPayment",
    "AllowOnlinePayment",
    "AllowOnlineCreditCardPayment",
    "AllowOnlineACHPayment",
)


def create(books: Books, body: dict[str, Any]) -> Record:
    """
    Enter an invoice.

    :raises faults.Fault: when it breaks a rule.
    """
    form = _build(books, body, None)
    record = books.add("Invoice", settlement.with_balance(books, form, Target("Invoice", "")))
    settlement.enter_form(books, Target("Invoice", record.id))
    auto_apply.credits_to_invoice(books, record.id)
    return books.get("Invoice", record.id)


def update(books: Books, record: Record, body: dict[str, Any]) -> Record:
    """
    Replace an invoice; its payments stay.

    :raises faults.Fault: when it breaks a rule, or no longer covers its payments.
    """
    form = _build(books, body, record)
    target = Target("Invoice", record.id)
    unlinking.check_covered(books, record, form, target)
    books.revise(record, settlement.with_balance(books, form, target))
    settlement.enter_form(books, target)
    unlinking.refresh_payments(books, target)
    return books.get("Invoice", record.id)


def delete(books: Books, record: Record) -> None:
    """
    Delete an invoice; what paid it becomes unapplied.

    :raises faults.Fault: when the period is closed.
    """
    validation.check_open_period(books, date.fromisoformat(record.fields()["TxnDate"]))
    unlinking.remove(books, record)


def void(books: Books, record: Record) -> Record:
    """
    Void an invoice.

    :raises faults.Fault: 6000 when a payment is applied, 6210 when the period is closed.
    """
    form = record.fields()
    validation.check_open_period(books, date.fromisoformat(form["TxnDate"]))
    target = Target("Invoice", record.id)
    if books.links.of_target(target):
        raise faults.business(
            "You cannot void this transaction because a payment has been applied to it. Remove the payment first."
        )
    books.revise(record, sales.voided(form))
    settlement.enter_form(books, target)
    return books.get("Invoice", record.id)


def _build(books: Books, body: dict[str, Any], old: Record | None) -> dict[str, Any]:
    form = sales.build(books, "Invoice", body, old)
    for name in _ONLINE:
        form.setdefault(name, False)
    _set_term(books, form)
    return form


def _set_term(books: Books, form: dict[str, Any]) -> None:
    issued = date.fromisoformat(form["TxnDate"])
    term: dict[str, Any] = {}
    ref = form.get("SalesTermRef") or _customer_term(books, form)
    if ref:
        term = validation.referenced(books, ref, "Term").fields()
        form["SalesTermRef"] = {"value": term["Id"], "name": term["Name"]}
    form["DueDate"] = validation.date_of(form, "DueDate", due_date(issued, term)).isoformat()


def _customer_term(books: Books, form: dict[str, Any]) -> dict[str, Any] | None:
    customer = books.get("Customer", form["CustomerRef"]["value"]).fields()
    ref: dict[str, Any] | None = customer.get("SalesTermRef")
    return ref


def due_date(issued: date, term: dict[str, Any]) -> date:
    """Return when an invoice is due: after so many days, or on a day of a month."""
    if term.get("Type") != "DATE_DRIVEN":
        return issued + timedelta(days=int(term.get("DueDays", 0)))
    due = _day_of_month(issued, int(term["DayOfMonthDue"]))
    if due < issued or (due - issued).days <= int(term.get("DueNextMonthDays", 0)):
        next_month = issued.replace(day=1) + timedelta(days=32)
        due = _day_of_month(next_month, int(term["DayOfMonthDue"]))
    return due


def _day_of_month(month: date, day: int) -> date:
    return month.replace(day=min(day, calendar.monthrange(month.year, month.month)[1]))
