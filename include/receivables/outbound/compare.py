"""
Compares two versions of a payment or journal entry: what was sent, what QuickBooks answered, holds, or should hold.

The only comparison there is: what it looks at is what a bookkeeper may have changed, and what is undone only unchanged.
"""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from include.receivables.outbound.model import Document, Json

# What comes of reading what is not as Intuit says.
_ODD = (ArithmeticError, AttributeError, TypeError)


def compare(document: Document, asked: Json, given: Json, survivors: Mapping[str, str]) -> str:
    """
    Say in which respects one version is not another; nothing if they say the same.

    What either leaves out does not tell them apart, nor does it that a customer was merged into another one. A version
    that cannot be read is not the other one.

    :param asked: the version to compare with.
    :param survivors: QuickBooks' ids of merged customers, each with the one it was merged into.
    """
    facts = _payment_facts if document == "payment" else _entry_facts
    try:
        wanted, found = facts(asked, survivors), facts(given, survivors)
    except _ODD:
        return "it cannot be read"
    return ", ".join(
        f"{name} {_show(found[name])} instead of {_show(wanted[name])}"
        for name in wanted
        if None not in (wanted[name], found[name]) and wanted[name] != found[name]
    )


def is_void(record: Json) -> bool:
    """Tell whether a payment or journal entry is void: all its amounts are 0. ``staging.is_voided`` says why."""
    with suppress(*_ODD):
        given = [record.get("TotalAmt"), *(line.get("Amount") for line in lines(record))]
        amounts = [number for number in map(_number, given) if number is not None]
        return bool(amounts) and not any(amounts) and not _number(record.get("UnappliedAmt"))
    return False


def lines(record: Json) -> list[Json]:
    """Return a record's lines; QuickBooks may answer with none, or with null in a line's place."""
    return [line for line in record.get("Line") or [] if line]


def _payment_facts(payment: Json, survivors: Mapping[str, str]) -> Json:
    applied = sorted(
        f"{linked.get('TxnType')} {linked.get('TxnId')}: {_plain(line.get('Amount'))}"
        for line in lines(payment)
        for linked in line.get("LinkedTxn") or []
    )
    return {
        "amount": _plain(payment.get("TotalAmt")),
        "customer": _survivor(_value(payment, "CustomerRef"), survivors),
        "date": payment.get("TxnDate"),
        "account": _value(payment, "DepositToAccountRef"),
        "rate": _plain(payment.get("ExchangeRate"), places=None),
        "lines": applied,
        "note": _words(payment.get("PrivateNote") or ""),
    }


def _entry_facts(entry: Json, survivors: Mapping[str, str]) -> Json:
    posted = []
    for line in lines(entry):
        detail = line.get("JournalEntryLineDetail") or {}
        # What is 0 posts nothing.
        if Decimal(str(line.get("Amount") or 0)):
            customer = _survivor(_value(detail.get("Entity") or {}, "EntityRef"), survivors)
            side = f"{detail.get('PostingType')} {_value(detail, 'AccountRef')}"
            posted.append(f"{side}{f' of {customer}' if customer else ''}: {_plain(line['Amount'])}")
    return {
        "date": entry.get("TxnDate"),
        "rate": _plain(entry.get("ExchangeRate"), places=None),
        "lines": sorted(posted),
        "note": _words(entry.get("PrivateNote") or ""),
    }


def _value(record: Json, name: str) -> str | None:
    value = (record.get(name) or {}).get("value")
    return None if value is None else str(value)


def _survivor(qbo_id: str | None, survivors: Mapping[str, str]) -> str | None:
    return None if qbo_id is None else survivors.get(qbo_id, qbo_id)


def _number(amount: Any) -> Decimal | None:
    """Read an amount; nothing if it is none."""
    try:
        return Decimal(str(amount))
    except ArithmeticError:
        return None


def _plain(amount: Any, *, places: str | None = "0.01") -> Decimal | None:
    if amount in (None, ""):
        return None
    number = Decimal(str(amount))
    return number.normalize() if places is None else number.quantize(Decimal(places))


def _words(note: str) -> str:
    """Return a note without what QuickBooks may make of its spaces, and puts before it when the record is voided."""
    return " ".join(note.split()).removeprefix("Voided - ")


def _show(fact: Any) -> str:
    if isinstance(fact, list):
        return "; ".join(fact) or "none"
    return f"{fact:f}" if isinstance(fact, Decimal) else repr(fact) if " " in str(fact) else str(fact)
