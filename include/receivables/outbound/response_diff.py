"""Compares what QuickBooks answered with what it was sent: a 200 does not say that it did what it was asked."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from include.receivables.outbound.outbox import parse

if TYPE_CHECKING:
    from include.receivables.outbound.outbox import Delivery

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
    if delivery.leg == "payment" and given["customer"] == delivery.survivor_qbo_id:
        asked["customer"] = given["customer"]
    return ", ".join(
        f"{name} {given[name]} instead of {asked[name]}" for name in asked if asked[name] != given[name]
    )


def is_voided(record: Json) -> bool:
    """Tell whether a payment or journal entry is void: all its amounts are 0. ``staging.is_voided`` says why."""
    given = [record.get("TotalAmt"), *(line.get("Amount") for line in _lines(record))]
    amounts = [amount for amount in given if amount not in (None, "")]
    return bool(amounts) and not any(amounts) and not record.get("UnappliedAmt")


def _is_undone(answer: Json) -> bool:
    return answer.get("status") == "Deleted" or is_voided(answer)


def _payment_facts(payment: Json) -> Json:
    settled = Counter(
        f"{linked.get('TxnType')} {linked.get('TxnId')}: {_plain(line.get('Amount'))}"
        for line in _lines(payment)
        for linked in line.get("LinkedTxn") or []
    )
    return {
        "amount": _plain(payment.get("TotalAmt")),
        "customer": payment.get("CustomerRef", {}).get("value"),
        "lines": "; ".join(sorted(settled.elements())) or "none",
    }


def _entry_facts(entry: Json) -> Json:
    details = ((line["JournalEntryLineDetail"], line["Amount"]) for line in _lines(entry))
    lines = sorted(
        f"{detail['PostingType']} {detail['AccountRef']['value']}: {_plain(amount)}"
        for detail, amount in details
    )
    return {"lines": "; ".join(lines)}


def _lines(record: Json) -> list[Json]:
    """Return a record's lines; QuickBooks may answer with none, or with null in a line's place."""
    return [line for line in record.get("Line") or [] if line]


def _plain(amount: Any) -> str:
    return "none" if amount is None else f"{Decimal(amount):.2f}"
