"""Compares what QuickBooks answered with what it was sent: a 200 does not say that it did what it was asked."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from include.receivables.outbox import parse

if TYPE_CHECKING:
    from include.receivables.outbox import Delivery

Json = dict[str, Any]


def differences(delivery: Delivery, answer: Json) -> str:
    """Say in which respects an answer is not what was sent; nothing if it is."""
    if delivery.operation == "void":
        return "" if _is_undone(answer) else f"it still holds {answer.get('TotalAmt')}"
    if delivery.payload is None:
        return ""  # found in QuickBooks before anything was built to be sent
    sent = parse(delivery.payload)
    facts = _payment_facts if delivery.leg == "payment" else _entry_facts
    asked, given = facts(sent), facts(answer)
    return ", ".join(
        f"{name} {given[name]} instead of {asked[name]}" for name in asked if asked[name] != given[name]
    )


def is_voided(payment: Json) -> bool:
    """Tell whether a payment is void. Intuit: no amounts, no lines, and a note that starts with "Voided"."""
    return (
        Decimal(payment.get("TotalAmt", 0)) == 0
        and not payment.get("Line")
        and str(payment.get("PrivateNote", "")).startswith("Voided")
    )


def _is_undone(answer: Json) -> bool:
    return answer.get("status") == "Deleted" or is_voided(answer)


def _payment_facts(payment: Json) -> Json:
    lines = Counter(
        f"{linked['TxnType']} {linked['TxnId']}: {_plain(line['Amount'])}"
        for line in payment.get("Line", [])
        for linked in line.get("LinkedTxn", [])
    )
    return {
        "amount": _plain(payment.get("TotalAmt", 0)),
        "customer": payment.get("CustomerRef", {}).get("value"),
        "lines": "; ".join(sorted(lines.elements())) or "none",
    }


def _entry_facts(entry: Json) -> Json:
    details = ((line["JournalEntryLineDetail"], line["Amount"]) for line in entry.get("Line", []))
    lines = sorted(
        f"{detail['PostingType']} {detail['AccountRef']['value']}: {_plain(amount)}"
        for detail, amount in details
    )
    return {"lines": "; ".join(lines)}


def _plain(amount: Any) -> str:
    return f"{Decimal(amount):.2f}"
