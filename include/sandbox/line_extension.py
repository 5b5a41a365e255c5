"""LineEx of payment lines: the linked transaction, its number and what was open without this payment."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from include.sandbox.journal_lines import receivable_amount
from include.sandbox.json_text import ZERO, cents
from include.sandbox.links import Target

if TYPE_CHECKING:
    from include.sandbox.books import Books

_NAME_VALUE = {
    "name": "{http://schema.intuit.com/finance/v3}NameValue",
    "declaredType": "com.intuit.schema.finance.v3.NameValue",
    "scope": "javax.xml.bind.JAXBElement$GlobalScope",
}


def with_extensions(books: Books, payment_id: str, payment: dict[str, Any]) -> dict[str, Any]:
    """Return a payment whose lines tell about the transactions that they pay."""
    targets = {(target.entity, target.id): target for target in books.links.of_payment(payment_id)}
    lines = []
    for line in payment["Line"]:
        linked = line["LinkedTxn"][0]
        target = targets.get((linked["TxnType"], linked["TxnId"]), Target(linked["TxnType"], linked["TxnId"]))
        lines.append({**line, "LineEx": {"any": _extension(books, payment_id, target)}})
    return {**payment, "Line": lines}


def _extension(books: Books, payment_id: str, target: Target) -> list[dict[str, Any]]:
    record = books.find(target.entity, target.id)
    form = {} if record is None else record.fields()
    own = books.links.of_target(target).get(payment_id, ZERO)
    without = cents(total_of(form, target) - books.links.applied(target) + own)
    values = {"txnId": target.id, "txnOpenBalance": str(without)}
    if form.get("DocNumber"):
        values["txnReferenceNumber"] = form["DocNumber"]
    return [
        {
            **_NAME_VALUE,
            "value": {"Name": name, "Value": value},
            "nil": False,
            "globalScope": True,
            "typeSubstituted": False,
        }
        for name, value in values.items()
    ]


def total_of(form: dict[str, Any], target: Target) -> Decimal:
    """Return the whole amount of a transaction that a payment may settle."""
    if target.entity == "JournalEntry":
        return abs(receivable_amount(form, target.line))
    return Decimal(form.get("TotalAmt", 0)) - Decimal(form.get("Deposit", 0))
