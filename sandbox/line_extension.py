"""LineEx of payment lines: the linked transaction, its number and what was open without this payment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.json_text import cents
from sandbox.links import target_of
from sandbox.open_items import open_amount

if TYPE_CHECKING:
    from sandbox.books import Books
    from sandbox.links import Target

_NAME_VALUE = {
    "name": "{http://schema.intuit.com/finance/v3}NameValue",
    "declaredType": "com.intuit.schema.finance.v3.NameValue",
    "scope": "javax.xml.bind.JAXBElement$GlobalScope",
}


def with_extensions(books: Books, payment_id: str, payment: dict[str, Any]) -> dict[str, Any]:
    """Return a payment whose lines tell about the transactions that they pay."""
    targets = books.links.of_payment(payment_id)
    lines = []
    for line in payment["Line"]:
        target = target_of(line["LinkedTxn"][0], targets)
        lines.append({**line, "LineEx": {"any": _extension(books, payment_id, target)}})
    return {**payment, "Line": lines}


def _extension(books: Books, payment_id: str, target: Target) -> list[dict[str, Any]]:
    without = cents(open_amount(books, target, payment_id))
    values = {"txnId": target.id, "txnOpenBalance": str(without)}
    number = books.get(target.entity, target.id).fields().get("DocNumber")
    if number:
        values["txnReferenceNumber"] = number
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
