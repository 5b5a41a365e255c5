"""
Fills books with very many records, fast.

The records are printed from templates, not written through the API's code; what they add up to is the same.
"""

from __future__ import annotations

import random
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from sandbox.balances import account_balances, customer_balances
from sandbox.books import Record
from sandbox.chart import by_sub_type, currency_ref
from sandbox.clock import PACIFIC, record_time
from sandbox.garbage import collector_paused
from sandbox.json_text import amount, encode
from sandbox.ledger import Posting
from sandbox.line_extension import with_extensions
from sandbox.links import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.books import Books

_DAY = 86_400
# Everything lies outside the 30 days of change data capture.
OLDEST_DAYS = 700
_NEWEST_DAYS = 40
_WORDS = (
    "Acorn",
    "Beacon",
    "Copper",
    "Dover",
    "Elm",
    "Falcon",
    "Grove",
    "Hazel",
    "Iris",
    "Jasper",
    "Kestrel",
)


class Size(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How many records of each kind; a payment pays one invoice, every fifth only a half."""

    customers: int = 0
    invoices: int = 0
    payments: int = 0


class _Invoice(NamedTuple):
    """What is drawn of an invoice before it is printed."""

    id: str
    customer: str
    name: str
    number: str
    total: Decimal
    paid: Decimal
    payment: str
    created: int
    updated: int
    paid_at: int


def fill(books: Books, size: Size, seed: int) -> None:
    """
    Enter the records.

    :param size: with invoices there must be a customer, and no more payments than invoices.
    :raises msgspec.ValidationError: when the size makes no sense.
    """
    if size.payments > size.invoices or (size.invoices and not size.customers):
        raise msgspec.ValidationError(
            "Ask for at least one customer, and for no more payments than invoices."
        )
    with collector_paused():
        names = _customers(books, size.customers)
        for invoice in _drawn(books, size, names, random.Random(seed)):  # noqa: S311  (repeatable, not secret)
            _enter(books, invoice)
        _carry_over(books, names)
    for table in books.tables.values():
        table.version += 1
        books.dirty.update((table.name, record_id) for record_id in table.records)


def _customers(books: Books, count: int) -> dict[str, str]:
    created = int(books.clock.now()) - OLDEST_DAYS * _DAY
    names = {}
    for number in range(count):
        customer = books.next_id("name")
        name = f"{_WORDS[number % len(_WORDS)]} & Partners {number + 1}"
        _take(books, "Customer", customer, created, created, 0, _customer_fields(books, name, number))
        names[customer] = name
    return names


def _customer_fields(books: Books, name: str, number: int) -> dict[str, Any]:
    return {
        "Taxable": False,
        "Job": False,
        "BillWithParent": False,
        "Balance": 0,
        "BalanceWithJobs": 0,
        "CurrencyRef": currency_ref(books.home_currency),
        "PreferredDeliveryMethod": "Email",
        "FullyQualifiedName": name,
        "DisplayName": name,
        "PrintOnCheckName": name,
        "Active": True,
        "PrimaryEmailAddr": {"Address": f"accounts{number + 1}@example.com"},
        "BillAddr": {"Line1": f"{number + 1} Main Street", "City": "Bayshore", "PostalCode": "94326"},
    }


def _take(
    books: Books, entity: str, record_id: str, created: int, updated: int, token: int, fields: dict[str, Any]
) -> None:
    head = {
        "domain": "QBO",
        "sparse": False,
        "Id": record_id,
        "SyncToken": str(token),
        "MetaData": {"CreateTime": record_time(created), "LastUpdatedTime": record_time(updated)},
    }
    books.take(
        Record(entity, record_id, int(record_id), token, created, updated, True, encode(fields | head))
    )


def _drawn(books: Books, size: Size, names: dict[str, str], draw: random.Random) -> Iterator[_Invoice]:
    customers = list(names)
    oldest = int(books.clock.now()) - OLDEST_DAYS * _DAY
    step = (OLDEST_DAYS - _NEWEST_DAYS) * _DAY / max(size.invoices, 1)
    first_id = books.sequences["transaction"] + 1
    for number in range(size.invoices):
        customer = customers[draw.randrange(len(customers))]
        total = Decimal(draw.randint(500, 250_000)) / 100
        is_paid = number < size.payments
        created = oldest + int(number * step)
        paid_at = min(created + draw.randint(3600, 30 * _DAY), oldest + (OLDEST_DAYS - 31) * _DAY)
        yield _Invoice(
            id=str(first_id + number),
            customer=customer,
            name=names[customer],
            number=books.next_id("document"),
            total=total,
            paid=Decimal(0) if not is_paid else amount(total / 2) if number % 5 == 4 else total,
            payment=str(first_id + size.invoices + number) if is_paid else "",
            created=created,
            updated=paid_at if is_paid else created,
            paid_at=paid_at,
        )


def _enter(books: Books, invoice: _Invoice) -> None:
    receivable = by_sub_type(books, "AccountsReceivable")
    income = by_sub_type(books, "ServiceFeeIncome")
    total = invoice.total
    _take(
        books,
        "Invoice",
        invoice.id,
        invoice.created,
        invoice.updated,
        int(bool(invoice.payment)),
        _invoice_fields(books, invoice),
    )
    books.ledger.post(
        ("Invoice", invoice.id),
        (Posting(receivable, invoice.customer, total, total), Posting(income, "", -total, -total)),
    )
    if invoice.payment:
        _enter_payment(books, invoice, receivable)


def _enter_payment(books: Books, invoice: _Invoice, receivable: str) -> None:
    funds = by_sub_type(books, "UndepositedFunds")
    paid = invoice.paid
    books.links.set_payment(invoice.payment, {Target("Invoice", invoice.id): paid})
    books.ledger.post(
        ("Payment", invoice.payment),
        (Posting(funds, "", paid, paid), Posting(receivable, invoice.customer, -paid, -paid)),
    )
    fields = with_extensions(books, invoice.payment, _payment_fields(books, invoice, funds))
    _take(books, "Payment", invoice.payment, invoice.paid_at, invoice.paid_at, 0, fields)


def _invoice_fields(books: Books, invoice: _Invoice) -> dict[str, Any]:
    total = amount(invoice.total)
    issued = datetime.fromtimestamp(invoice.created, PACIFIC).date().isoformat()
    fields = {
        "AllowIPNPayment": False,
        "AllowOnlinePayment": False,
        "AllowOnlineCreditCardPayment": False,
        "AllowOnlineACHPayment": False,
        "DocNumber": invoice.number,
        "TxnDate": issued,
        "CurrencyRef": currency_ref(books.home_currency),
        "LinkedTxn": [{"TxnId": invoice.payment, "TxnType": "Payment"}] if invoice.payment else [],
        "Line": [
            {
                "Id": "1",
                "LineNum": 1,
                "Description": "Monthly service",
                "Amount": total,
                "DetailType": "SalesItemLineDetail",
                "SalesItemLineDetail": {
                    "ItemRef": {"value": "1", "name": "Services"},
                    "UnitPrice": total,
                    "Qty": 1,
                    "TaxCodeRef": {"value": "NON"},
                },
            },
            {"Amount": total, "DetailType": "SubTotalLineDetail", "SubTotalLineDetail": {}},
        ],
        "TxnTaxDetail": {"TotalTax": 0},
        "CustomerRef": {"value": invoice.customer, "name": invoice.name},
        "DueDate": issued,
        "TotalAmt": total,
        "ApplyTaxAfterDiscount": False,
        "PrintStatus": "NeedToPrint",
        "EmailStatus": "NotSet",
        "Balance": amount(invoice.total - invoice.paid),
    }
    if books.multicurrency:
        fields |= {"ExchangeRate": 1, "HomeTotalAmt": total, "HomeBalance": fields["Balance"]}
    return fields


def _payment_fields(books: Books, invoice: _Invoice, funds: str) -> dict[str, Any]:
    fields = {
        "CustomerRef": {"value": invoice.customer, "name": invoice.name},
        "DepositToAccountRef": {"value": funds},
        "PaymentRefNum": invoice.number,
        "TotalAmt": amount(invoice.paid),
        "UnappliedAmt": 0,
        "ProcessPayment": False,
        "TxnDate": datetime.fromtimestamp(invoice.paid_at, PACIFIC).date().isoformat(),
        "CurrencyRef": currency_ref(books.home_currency),
        "Line": [
            {"Amount": amount(invoice.paid), "LinkedTxn": [{"TxnId": invoice.id, "TxnType": "Invoice"}]},
        ],
    }
    return fields | ({"ExchangeRate": 1} if books.multicurrency else {})


def _carry_over(books: Books, names: dict[str, str]) -> None:
    for account in list(books.tables["Account"].records.values()):
        books.redraw(account, {**account.fields(), **account_balances(books, account.id)})
    for customer in names:
        record = books.get("Customer", customer)
        books.redraw(record, {**record.fields(), **customer_balances(books, customer)})
