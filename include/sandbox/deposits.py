"""Bank deposits of payments; a payment that sits in one cannot be changed until the deposit is deleted."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from include.sandbox import chart, faults, validation
from include.sandbox.balances import enter
from include.sandbox.json_text import ZERO, amount, decimal_of
from include.sandbox.ledger import Posting

if TYPE_CHECKING:
    from include.sandbox.books import Books, Record

_BANKS = ("Bank", "Other Current Asset")


def create(books: Books, body: dict[str, Any]) -> Record:
    """
    Enter a deposit of payments that lie in Undeposited Funds.

    :raises faults.Fault: when it breaks a rule.
    """
    validation.require(body, "DepositToAccountRef", "Line")
    deposited = validation.date_of(body, "TxnDate", books.clock.today())
    validation.check_open_period(books, deposited)
    account = chart.referenced_account(books, body["DepositToAccountRef"])
    if books.index.accounts[account].type not in _BANKS:
        raise faults.business("You need to select a different type of account for this transaction.")
    lines = [_line(books, line) for line in body["Line"]]
    total = sum((line["Amount"] for line in lines), ZERO)
    form = {
        **body,
        "DepositToAccountRef": chart.account_ref(books, account),
        "TxnDate": deposited.isoformat(),
        "CurrencyRef": chart.currency_ref(books.home_currency),
        "TotalAmt": amount(total),
        "Line": lines,
    }
    record = books.add("Deposit", form | chart.home_fields(books, Decimal(1)))
    funds = chart.by_sub_type(books, "UndepositedFunds")
    enter(
        books,
        ("Deposit", record.id),
        (Posting(account, "", total, total), Posting(funds, "", -total, -total)),
    )
    _show_in_payments(books, record, [{"TxnId": record.id, "TxnType": "Deposit"}])
    return record


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


def _line(books: Books, line: dict[str, Any]) -> dict[str, Any]:
    validation.require(line, "LinkedTxn")
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
        payment = books.get("Payment", line["LinkedTxn"][0]["TxnId"])
        fields = {name: value for name, value in payment.fields().items() if name != "LinkedTxn"}
        books.redraw(payment, fields | ({"LinkedTxn": links} if links else {}))
