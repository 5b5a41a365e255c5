"""
Bank deposits: of payments, which cannot be changed while they sit in one, and of money without a payment.

A line without a payment may go to accounts receivable: the customer owes less, and no invoice says so.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox import account_lines, chart, faults, unlinking, validation
from sandbox.account_lines import AccountLine
from sandbox.balances import enter
from sandbox.json_text import amount, decimal_of

if TYPE_CHECKING:
    from sandbox.books import Books, Record

_BANKS = ("Bank", "Other Current Asset")
_DETAIL = account_lines.DETAILS["Deposit"]


def create(books: Books, body: dict[str, Any]) -> Record:
    """
    Enter a deposit of payments that lie in Undeposited Funds, or of money that goes straight to an account.

    :raises faults.Fault: when it breaks a rule.
    """
    record = books.add("Deposit", _build(books, body, None))
    enter_again(books, record)
    _show_in_payments(books, record, is_there=True)
    return record


def update(books: Books, record: Record, body: dict[str, Any]) -> Record:
    """
    Replace a deposit; payments that are applied to lines that shrank or went are unlinked.

    :raises faults.Fault: when it breaks a rule.
    """
    # So that those that stay in it may be put into it again.
    _show_in_payments(books, record, is_there=False)
    replaced = unlinking.replace(books, record, _build(books, body, record), enter_again)
    _show_in_payments(books, replaced, is_there=True)
    return replaced


def delete(books: Books, record: Record) -> None:
    """
    Delete a deposit; its payments lie in Undeposited Funds again, and those of its lines become unapplied.

    :raises faults.Fault: when the period is closed.
    """
    validation.check_open_period(books, date.fromisoformat(record.fields()["TxnDate"]))
    _show_in_payments(books, record, is_there=False)
    unlinking.remove(books, record)


def enter_again(books: Books, record: Record) -> None:
    """Enter a deposit into the ledger."""
    form = record.fields()
    lines = [_of_payment(books, line) for line in form["Line"] if "LinkedTxn" in line]
    lines += account_lines.lines_of("Deposit", form)
    rate = Decimal(form.get("ExchangeRate", 1))
    entry = account_lines.bank_postings(books, form["DepositToAccountRef"]["value"], rate, lines)
    enter(books, ("Deposit", record.id), entry)


def _of_payment(books: Books, line: dict[str, Any]) -> AccountLine:
    return AccountLine("", chart.by_sub_type(books, "UndepositedFunds"), "", -Decimal(line["Amount"]))


def _build(books: Books, body: dict[str, Any], old: Record | None) -> dict[str, Any]:
    validation.require(body, "DepositToAccountRef", "Line")
    deposited = validation.entry_date(books, body, old)
    currency = str(body.get("CurrencyRef", {}).get("value", books.home_currency))
    bank = account_lines.bank_account(books, body["DepositToAccountRef"], _BANKS, currency)
    lines = [_line(books, line, currency) for line in body["Line"]]
    account_lines.number(lines)
    return {
        **{name: value for name, value in body.items() if name != "ExchangeRate"},
        "DepositToAccountRef": chart.account_ref(books, bank),
        "TxnDate": deposited.isoformat(),
        "CurrencyRef": chart.currency_ref(currency),
        "TotalAmt": account_lines.total_of(lines),
        "Line": lines,
        **chart.home_fields(books, chart.exchange_rate(books, body, currency)),
    }


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
        detail["Entity"] = account_lines.customer_ref(books, detail["Entity"], "CUSTOMER")
        customer = detail["Entity"]["value"]
    return account_lines.complete(books, {**line, _DETAIL: detail}, _DETAIL, customer, currency)


def _payment_detail(payment: dict[str, Any]) -> dict[str, Any]:
    """Return what a deposit line repeats of its payment (recorded: it has no Id and no DetailType)."""
    detail = {
        name: payment[source]
        for name, source in (("PaymentMethodRef", "PaymentMethodRef"), ("CheckNum", "PaymentRefNum"))
        if source in payment
    }
    return {"DepositLineDetail": detail} if detail else {}


def _show_in_payments(books: Books, deposit: Record, *, is_there: bool) -> None:
    """Show the deposit in its payments, or no longer; recorded: their SyncToken and LastUpdatedTime stay."""
    links = {"LinkedTxn": [{"TxnId": deposit.id, "TxnType": "Deposit"}]} if is_there else {}
    for line in deposit.fields()["Line"]:
        if "LinkedTxn" not in line:
            continue
        payment = books.get("Payment", line["LinkedTxn"][0]["TxnId"])
        fields = {name: value for name, value in payment.fields().items() if name != "LinkedTxn"}
        books.redraw(payment, fields | links)
