"""
Bank deposits: of payments, which cannot be changed while they sit in one, and of money without a payment.

A line without a payment may go to accounts receivable: the customer owes less, and no invoice says so.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from include.sandbox import bank_lines, chart, faults, validation
from include.sandbox.balances import enter
from include.sandbox.json_text import ZERO, amount, decimal_of

if TYPE_CHECKING:
    from include.sandbox.books import Books, Record

_BANKS = ("Bank", "Other Current Asset")
_DETAIL = "DepositLineDetail"


def create(books: Books, body: dict[str, Any]) -> Record:
    """
    Enter a deposit of payments that lie in Undeposited Funds, or of money that goes straight to an account.

    :raises faults.Fault: when it breaks a rule.
    """
    validation.require(body, "DepositToAccountRef", "Line")
    deposited = validation.date_of(body, "TxnDate", books.clock.today())
    validation.check_open_period(books, deposited)
    currency = str(body.get("CurrencyRef", {}).get("value", books.home_currency))
    bank = bank_lines.bank_account(books, body["DepositToAccountRef"], _BANKS, currency)
    lines = [_line(books, line, currency) for line in body["Line"]]
    total = sum((line["Amount"] for line in lines), ZERO)
    if total < ZERO:
        raise faults.business("Transaction amount must be 0 or greater.")
    form = {
        **{name: value for name, value in body.items() if name != "ExchangeRate"},
        "DepositToAccountRef": chart.account_ref(books, bank),
        "TxnDate": deposited.isoformat(),
        "CurrencyRef": chart.currency_ref(currency),
        "TotalAmt": amount(total),
        "Line": lines,
        **chart.home_fields(books, chart.exchange_rate(books, body, currency)),
    }
    record = books.add("Deposit", form)
    enter_again(books, record)
    _show_in_payments(books, record, [{"TxnId": record.id, "TxnType": "Deposit"}])
    return record


def enter_again(books: Books, record: Record) -> None:
    """Enter a deposit into the ledger."""
    form = record.fields()
    rate = Decimal(form.get("ExchangeRate", 1))
    lines = [_bank_line(books, line) for line in form["Line"]]
    entry = bank_lines.postings(books, form["DepositToAccountRef"]["value"], rate, lines)
    enter(books, ("Deposit", record.id), entry)


def _bank_line(books: Books, line: dict[str, Any]) -> bank_lines.BankLine:
    value = Decimal(line["Amount"])
    if "LinkedTxn" in line:
        return bank_lines.BankLine(chart.by_sub_type(books, "UndepositedFunds"), "", value)
    detail = line[_DETAIL]
    return bank_lines.BankLine(
        detail["AccountRef"]["value"], str(detail.get("Entity", {}).get("value", "")), value
    )


def delete(books: Books, record: Record) -> None:
    """
    Delete a deposit; its payments lie in Undeposited Funds again.

    :raises faults.Fault: when the period is closed.
    """
    validation.check_open_period(books, date.fromisoformat(record.fields()["TxnDate"]))
    enter(books, ("Deposit", record.id), ())
    _show_in_payments(books, record, [])
    books.remove(record)


def check_not_deposited(payment: Record) -> None:
    """
    Check that a payment may be changed.

    :raises faults.Fault: 6540 when it sits in a deposit.
    """
    if payment.fields().get("LinkedTxn"):
        raise faults.deposited()


def _line(books: Books, line: dict[str, Any], currency: str) -> dict[str, Any]:
    if "LinkedTxn" not in line:
        return _account_line(books, line, currency)
    if currency != books.home_currency:
        raise chart.wrong_currency()
    link = line["LinkedTxn"][0]
    validation.require(link, "TxnId", "TxnType")
    validation.check_enumerations(link, {"TxnType": ("Payment",)})
    payment = books.get("Payment", link["TxnId"])
    fields = payment.fields()
    funds = chart.by_sub_type(books, "UndepositedFunds")
    if fields.get("LinkedTxn") or fields["DepositToAccountRef"]["value"] != funds:
        raise faults.cannot_link(payment.id)
    if "Amount" in line and decimal_of(line["Amount"]) != fields["TotalAmt"]:
        raise faults.business("The amount of a deposit line must be the amount of its payment.")
    value = chart.to_home(Decimal(fields["TotalAmt"]), Decimal(fields.get("ExchangeRate", 1)))
    completed = {
        "Amount": amount(value),
        "LinkedTxn": [{"TxnId": payment.id, "TxnType": "Payment", "TxnLineId": "0"}],
    }
    return completed | _payment_detail(fields)


def _account_line(books: Books, line: dict[str, Any], currency: str) -> dict[str, Any]:
    detail = dict(line.get(_DETAIL, {}))
    customer = ""
    if str(detail.get("Entity", {}).get("type", "")).upper() == "CUSTOMER":
        detail["Entity"] = bank_lines.customer_ref(books, detail["Entity"], "CUSTOMER")
        customer = detail["Entity"]["value"]
    return bank_lines.complete(books, {**line, _DETAIL: detail}, _DETAIL, customer, currency)


def _payment_detail(payment: dict[str, Any]) -> dict[str, Any]:
    """Return what a deposit line repeats of its payment (recorded: it has no Id and no DetailType)."""
    detail = {
        name: payment[source]
        for name, source in (("PaymentMethodRef", "PaymentMethodRef"), ("CheckNum", "PaymentRefNum"))
        if source in payment
    }
    return {"DepositLineDetail": detail} if detail else {}


def _show_in_payments(books: Books, deposit: Record, links: list[dict[str, str]]) -> None:
    """Show the deposit in its payments; recorded: their SyncToken and LastUpdatedTime stay."""
    for line in deposit.fields()["Line"]:
        if "LinkedTxn" not in line:
            continue
        payment = books.get("Payment", line["LinkedTxn"][0]["TxnId"])
        fields = {name: value for name, value in payment.fields().items() if name != "LinkedTxn"}
        books.redraw(payment, fields | ({"LinkedTxn": links} if links else {}))
