"""Writes business events into books in a few words, through the same code as the API."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox import writes
from sandbox.chart import by_sub_type, receivable_account
from sandbox.clock import PACIFIC
from sandbox.entities import ENTITIES

if TYPE_CHECKING:
    from datetime import date

    from sandbox.books import Books

Fields = dict[str, Any]


class Scribe:
    """
    Keeps one company's books.

    :param at: the time of the next write; None is now.
    """

    def __init__(self, books: Books, at: float | None = None) -> None:
        self.books = books
        self.at = at

    def wait(self, seconds: float) -> None:
        """Let time pass between two writes."""
        if self.at is not None:
            self.at += seconds

    def today(self) -> date:
        """Return the date on which the next write happens."""
        if self.at is None:
            return self.books.clock.today()
        return datetime.fromtimestamp(self.at, PACIFIC).date()

    def write(self, entity: str, body: Fields, operation: str | None = None) -> str:
        """Write a record, and return its Id."""
        return writes.write(self.books, ENTITIES[entity], body, operation, at=self.at).id

    def read(self, entity: str, record_id: str) -> Fields:
        """Return a record's properties."""
        return self.books.get(entity, record_id).fields()

    def change(self, entity: str, record_id: str, **changes: Any) -> None:
        """Change some properties of a record."""
        token = self.read(entity, record_id)["SyncToken"]
        self.write(entity, {"Id": record_id, "SyncToken": token, "sparse": True, **changes})

    def drop(self, entity: str, record_id: str, operation: str = "delete") -> None:
        """Delete or void a record."""
        token = self.read(entity, record_id)["SyncToken"]
        self.write(entity, {"Id": record_id, "SyncToken": token}, operation)

    def customer(self, name: str, **more: Any) -> str:
        """Enter a customer."""
        return self.write("Customer", {"DisplayName": name, **more})

    def invoice(self, customer: str, *lines: tuple[str, str, str], **more: Any) -> str:
        """Enter an invoice; a line is an item's Id, a quantity and a price."""
        body = {"CustomerRef": {"value": customer}, "Line": [sales_line(*line) for line in lines]}
        return self.write("Invoice", {"TxnDate": self.today().isoformat(), **body, **more})

    def credit(self, customer: str, *lines: tuple[str, str, str], **more: Any) -> str:
        """Enter a credit memo."""
        body = {"CustomerRef": {"value": customer}, "Line": [sales_line(*line) for line in lines]}
        return self.write("CreditMemo", {"TxnDate": self.today().isoformat(), **body, **more})

    def pay(
        self, customer: str, total: Decimal | str, *applied: tuple[str, str, Decimal], **more: Any
    ) -> str:
        """Enter a payment; what it is applied to is an entity, an Id and an amount each."""
        body = {
            "CustomerRef": {"value": customer},
            "TotalAmt": Decimal(total),
            "TxnDate": self.today().isoformat(),
            "Line": [payment_line(*each) for each in applied],
        }
        return self.write("Payment", {**body, **more})

    def balance(self, invoice: str) -> Decimal:
        """Return what is open of an invoice."""
        return Decimal(self.read("Invoice", invoice)["Balance"])

    def days_ahead(self, days: int) -> str:
        """Return a later date."""
        return (self.today() + timedelta(days=days)).isoformat()


def sales_line(item: str, quantity: str, price: str, *, tax: str = "NON") -> Fields:
    """Return a line of an invoice or a credit memo."""
    return {
        "Amount": Decimal(quantity) * Decimal(price),
        "DetailType": "SalesItemLineDetail",
        "SalesItemLineDetail": {
            "ItemRef": {"value": item},
            "Qty": Decimal(quantity),
            "UnitPrice": Decimal(price),
            "TaxCodeRef": {"value": tax},
        },
    }


def payment_line(entity: str, txn_id: str, amount: Decimal) -> Fields:
    """Return a line of a payment."""
    return {"Amount": amount, "LinkedTxn": [{"TxnId": txn_id, "TxnType": entity}]}


def journal_line(posting_type: str, account: str, amount: Decimal, customer: str = "") -> Fields:
    """Return a line of a journal entry."""
    detail: Fields = {"PostingType": posting_type, "AccountRef": {"value": account}}
    if customer:
        detail["Entity"] = {"Type": "Customer", "EntityRef": {"value": customer}}
    return {"Amount": amount, "DetailType": "JournalEntryLineDetail", "JournalEntryLineDetail": detail}


def journal_of(scribe: Scribe, customer: str, amount: Decimal, **more: Any) -> str:
    """Let a customer owe more, or less, without an invoice or a payment: by a journal entry."""
    receivable, currency = _receivable(scribe, customer)
    sides = ("Debit", "Credit") if amount > 0 else ("Credit", "Debit")
    lines = [
        journal_line(sides[0], receivable, abs(amount), customer),
        journal_line(sides[1], by_sub_type(scribe.books, "ServiceFeeIncome"), abs(amount)),
    ]
    body = {"Line": lines, "CurrencyRef": {"value": currency}, "TxnDate": scribe.today().isoformat()}
    return scribe.write("JournalEntry", {**body, **more})


def deposit_from(scribe: Scribe, customer: str, amount: Decimal, **more: Any) -> str:
    """Let a customer owe less without a payment: by a bank deposit to accounts receivable."""
    receivable, currency = _receivable(scribe, customer)
    detail = {"AccountRef": {"value": receivable}, "Entity": {"value": customer, "type": "CUSTOMER"}}
    body = {
        "DepositToAccountRef": {"value": by_sub_type(scribe.books, "Checking")},
        "CurrencyRef": {"value": currency},
        "TxnDate": scribe.today().isoformat(),
        "Line": [{"Amount": amount, "DetailType": "DepositLineDetail", "DepositLineDetail": detail}],
    }
    return scribe.write("Deposit", {**body, **more})


def check_to(scribe: Scribe, customer: str, amount: Decimal, **more: Any) -> str:
    """Pay a customer's credit out: by a check from accounts receivable."""
    receivable, currency = _receivable(scribe, customer)
    detail_type = "AccountBasedExpenseLineDetail"
    line = {"Amount": amount, "DetailType": detail_type, detail_type: {"AccountRef": {"value": receivable}}}
    body = {
        "PaymentType": "Check",
        "AccountRef": {"value": by_sub_type(scribe.books, "Checking")},
        "EntityRef": {"value": customer, "type": "Customer"},
        "CurrencyRef": {"value": currency},
        "TxnDate": scribe.today().isoformat(),
        "Line": [line],
    }
    return scribe.write("Purchase", {**body, **more})


def _receivable(scribe: Scribe, customer: str) -> tuple[str, str]:
    """Return the account on which a customer owes, and its currency."""
    books = scribe.books
    currency = books.index.customer_currency.get(customer, books.home_currency)
    return receivable_account(books, currency), currency
