"""Checks and expenses, among them those that pay a customer's credit out of accounts receivable."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from include.sandbox import bank_lines, chart, faults, validation
from include.sandbox.balances import enter
from include.sandbox.json_text import ZERO, amount

if TYPE_CHECKING:
    from include.sandbox.books import Books, Record

_DETAIL = "AccountBasedExpenseLineDetail"
_PAYERS = {"Check": ("Bank",), "Cash": ("Bank", "Other Current Asset"), "CreditCard": ("Credit Card",)}


def create(books: Books, body: dict[str, Any]) -> Record:
    """
    Enter a check or an expense.

    :raises faults.Fault: when it breaks a rule.
    """
    validation.require(body, "AccountRef", "PaymentType", "Line")
    validation.check_enumerations(body, {"PaymentType": _PAYERS})
    spent = validation.date_of(body, "TxnDate", books.clock.today())
    validation.check_open_period(books, spent)
    currency = str(body.get("CurrencyRef", {}).get("value", books.home_currency))
    bank = bank_lines.bank_account(books, body["AccountRef"], _PAYERS[body["PaymentType"]], currency)
    payee = _payee(books, body)
    customer = str(payee.get("value", ""))
    lines = [bank_lines.complete(books, line, _DETAIL, customer, currency) for line in body["Line"]]
    total = sum((line["Amount"] for line in lines), ZERO)
    if total < ZERO:
        raise faults.business("Transaction amount must be 0 or greater.")
    form = {
        **{name: value for name, value in body.items() if name != "ExchangeRate"},
        "AccountRef": chart.account_ref(books, bank),
        "TxnDate": spent.isoformat(),
        "CurrencyRef": chart.currency_ref(currency),
        "TotalAmt": amount(total),
        "Line": bank_lines.numbered(lines),
        **({"EntityRef": payee} if payee else {}),
        **chart.home_fields(books, chart.exchange_rate(books, body, currency)),
    }
    record = books.add("Purchase", form)
    enter_again(books, record)
    return record


def delete(books: Books, record: Record) -> None:
    """
    Delete a check or an expense.

    :raises faults.Fault: when the period is closed.
    """
    validation.check_open_period(books, date.fromisoformat(record.fields()["TxnDate"]))
    enter(books, ("Purchase", record.id), ())
    books.remove(record)


def enter_again(books: Books, record: Record) -> None:
    """Enter a check or an expense into the ledger; on receivables it is its payee who owes more."""
    form = record.fields()
    customer = str(form.get("EntityRef", {}).get("value", ""))
    lines = [
        bank_lines.BankLine(line[_DETAIL]["AccountRef"]["value"], customer, -Decimal(line["Amount"]))
        for line in form["Line"]
    ]
    rate = Decimal(form.get("ExchangeRate", 1))
    entry = bank_lines.postings(books, form["AccountRef"]["value"], rate, lines)
    enter(books, ("Purchase", record.id), entry)


def _payee(books: Books, body: dict[str, Any]) -> dict[str, Any]:
    ref = body.get("EntityRef", {})
    return bank_lines.customer_ref(books, ref, "Customer") if ref.get("type") == "Customer" else {}
