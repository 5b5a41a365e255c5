"""Checks and expenses, among them those that pay a customer's credit out of accounts receivable."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox import account_lines, chart, unlinking, validation
from sandbox.balances import enter

if TYPE_CHECKING:
    from sandbox.books import Books, Record

_DETAIL = account_lines.DETAILS["Purchase"]
_PAYERS = {"Check": ("Bank",), "Cash": ("Bank", "Other Current Asset"), "CreditCard": ("Credit Card",)}


def create(books: Books, body: dict[str, Any]) -> Record:
    """
    Enter a check or an expense.

    :raises faults.Fault: when it breaks a rule.
    """
    record = books.add("Purchase", _build(books, body, None))
    enter_again(books, record)
    return record


def update(books: Books, record: Record, body: dict[str, Any]) -> Record:
    """
    Replace a check or an expense; payments of lines that shrank or went are unlinked.

    :raises faults.Fault: when it breaks a rule.
    """
    return unlinking.replace(books, record, _build(books, body, record), enter_again)


def delete(books: Books, record: Record) -> None:
    """
    Delete a check or an expense; payments of its lines become unapplied.

    :raises faults.Fault: when the period is closed.
    """
    validation.check_open_period(books, date.fromisoformat(record.fields()["TxnDate"]))
    unlinking.remove(books, record)


def enter_again(books: Books, record: Record) -> None:
    """Enter a check or an expense into the ledger; on receivables it is its payee who owes more."""
    form = record.fields()
    lines = list(account_lines.lines_of("Purchase", form))
    rate = Decimal(form.get("ExchangeRate", 1))
    entry = account_lines.bank_postings(books, form["AccountRef"]["value"], rate, lines)
    enter(books, ("Purchase", record.id), entry)


def _build(books: Books, body: dict[str, Any], old: Record | None) -> dict[str, Any]:
    validation.require(body, "AccountRef", "PaymentType", "Line")
    validation.check_enumerations(body, {"PaymentType": _PAYERS})
    spent = validation.entry_date(books, body, old)
    currency = str(body.get("CurrencyRef", {}).get("value", books.home_currency))
    bank = account_lines.bank_account(books, body["AccountRef"], _PAYERS[body["PaymentType"]], currency)
    payee = _payee(books, body)
    customer = str(payee.get("value", ""))
    lines = [account_lines.complete(books, line, _DETAIL, customer, currency) for line in body["Line"]]
    account_lines.number(lines)
    return {
        **{name: value for name, value in body.items() if name != "ExchangeRate"},
        "AccountRef": chart.account_ref(books, bank),
        "TxnDate": spent.isoformat(),
        "CurrencyRef": chart.currency_ref(currency),
        "TotalAmt": account_lines.total_of(lines),
        "Line": lines,
        **({"EntityRef": payee} if payee else {}),
        **chart.home_fields(books, chart.exchange_rate(books, body, currency)),
    }


def _payee(books: Books, body: dict[str, Any]) -> dict[str, Any]:
    ref = body.get("EntityRef", {})
    return account_lines.customer_ref(books, ref, "Customer") if ref.get("type") == "Customer" else {}
