"""What was open of each transaction on receivables at the end of a day, in the home currency."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from sandbox import payment_lines, payments

if TYPE_CHECKING:
    from sandbox.books import Books
    from sandbox.ledger import TxnKey

_KINDS = {"CreditMemo": "Credit Memo", "JournalEntry": "Journal Entry"}


class _Facts(msgspec.Struct):
    """What a report tells of a transaction."""

    TxnDate: str
    DueDate: str = ""
    DocNumber: str = ""
    PaymentRefNum: str = ""
    PaymentType: str = ""


_facts = msgspec.json.Decoder(_Facts)


class OpenItem(NamedTuple):
    """
    What is open of a transaction for one customer.

    :param kind: the transaction's type in a report's words.
    :param total: what it moved on receivables; what is owed is positive.
    :param left: what is open of that.
    """

    entity: str
    id: str
    customer: str
    kind: str
    number: str
    issued: date
    due: date
    total: Decimal
    left: Decimal


def open_items(books: Books, until: date) -> list[OpenItem]:
    """
    Return what was open at the end of a day; for each customer it adds up to the ledger of that day.

    A payment of what was only written later is money that is not applied yet.
    """
    facts = _entered(books, until)
    totals: dict[tuple[TxnKey, str], Decimal] = defaultdict(Decimal)
    for key in facts:
        for posting in books.ledger.entries[key]:
            if posting.customer:
                totals[key, posting.customer] += posting.home
    left = totals.copy()
    for key in facts:
        if key[0] == "Payment":
            _apply(books, key, facts, left)
    return [
        _item(key, customer, facts[key], totals[key, customer], value)
        for (key, customer), value in left.items()
        if value
    ]


def _entered(books: Books, until: date) -> dict[TxnKey, _Facts]:
    read = ((key, _facts.decode(books.get(*key).json)) for key in books.ledger.entries)
    return {key: facts for key, facts in read if facts.TxnDate <= until.isoformat()}


def _apply(
    books: Books, payment: TxnKey, facts: dict[TxnKey, _Facts], left: dict[tuple[TxnKey, str], Decimal]
) -> None:
    """Count what a payment pays with what it pays, no longer with the payment."""
    for target, value in books.links.of_payment(payment[1]).items():
        if (target.entity, target.id) in facts:
            relief = payments.relief(books, target, value)
            left[payment, relief.customer] -= relief.home
            left[(target.entity, target.id), relief.customer] += relief.home


def _item(key: TxnKey, customer: str, facts: _Facts, total: Decimal, left: Decimal) -> OpenItem:
    return OpenItem(
        entity=key[0],
        id=key[1],
        customer=customer,
        kind=_kind(key[0], facts),
        number=facts.DocNumber or facts.PaymentRefNum,
        issued=date.fromisoformat(facts.TxnDate),
        due=date.fromisoformat(facts.DueDate or facts.TxnDate),
        total=total,
        left=left,
    )


def _kind(entity: str, facts: _Facts) -> str:
    name = payment_lines.txn_type(entity, {"PaymentType": facts.PaymentType})
    return _KINDS.get(name, name)
