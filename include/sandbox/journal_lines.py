"""Reads the lines of journal entries."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from include.sandbox import chart
from include.sandbox.json_text import ZERO

if TYPE_CHECKING:
    from include.sandbox.books import Books

Line = dict[str, Any]


def signed_amount(line: Line) -> Decimal:
    """Return a line's amount, a debit positive."""
    sign = 1 if line["JournalEntryLineDetail"]["PostingType"] == "Debit" else -1
    return sign * Decimal(line["Amount"])


def customer_of(line: Line) -> str:
    """Return the Id of a line's customer, empty when it has none."""
    entity = line["JournalEntryLineDetail"].get("Entity", {})
    return str(entity.get("EntityRef", {}).get("value", "")) if entity.get("Type") == "Customer" else ""


def receivable_lines(books: Books, entry: dict[str, Any]) -> list[Line]:
    """Return the lines on receivables accounts, which payments can settle."""
    return [
        line
        for line in entry["Line"]
        if line["DetailType"] == "JournalEntryLineDetail"
        and books.index.accounts[line["JournalEntryLineDetail"]["AccountRef"]["value"]].type
        == chart.RECEIVABLE
    ]


def receivable_amount(entry: dict[str, Any], line_id: str) -> Decimal:
    """Return the amount of one line, a debit positive; zero when the line is gone."""
    for line in entry.get("Line", []):
        if line["Id"] == line_id and line["DetailType"] == "JournalEntryLineDetail":
            return signed_amount(line)
    return ZERO
