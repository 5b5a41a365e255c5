"""Reads reports, for the tests that compare them with the books."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

Row = dict[str, Any]


def cells(row: Row) -> list[str]:
    return [cell["value"] for cell in row["ColData"]]


def rows_of(part: dict[str, Any]) -> list[Row]:
    rows: list[Row] = part.get("Rows", {}).get("Row", [])
    return rows


def labels(report: dict[str, Any]) -> list[str]:
    """The first cell of each row that is below no other."""
    return [cells(row.get("Header") or row.get("Summary") or row)[0] for row in rows_of(report)]


def leaves(part: dict[str, Any]) -> list[Row]:
    found = []
    for row in rows_of(part):
        found += leaves(row) if "Rows" in row else [row] if "ColData" in row else []
    return found


def amount(text: str) -> Decimal:
    return Decimal(text or 0)


def total(report: dict[str, Any]) -> Decimal:
    rows = rows_of(report)
    return amount(cells(rows[-1]["Summary"])[-1]) if rows else Decimal(0)


def owed(report: dict[str, Any]) -> dict[str, Decimal]:
    """What each customer owes itself, by Id."""
    found: dict[str, Decimal] = defaultdict(Decimal)
    keys = [column.get("MetaData", [{}])[0].get("Value") for column in report["Columns"]["Column"]]
    _add(report, keys, "", found)
    return {customer: value for customer, value in found.items() if value}


def _add(part: dict[str, Any], keys: list[str | None], above: str, found: dict[str, Decimal]) -> None:
    for row in rows_of(part):
        header = row.get("Header", {"ColData": [{"value": ""}]})["ColData"]
        customer = header[0].get("id", above)
        if "Rows" in row:
            found[customer] += amount(header[-1]["value"])
            _add(row, keys, customer, found)
        elif "ColData" in row:
            own = row["ColData"][keys.index("cust_name") if "cust_name" in keys else 0].get("id", above)
            found[own] += amount(row["ColData"][-1]["value"])


def zeros(report: dict[str, Any]) -> set[str]:
    """How zero is spelt in a summary."""
    shown = [*rows_of(report), *leaves(report)]
    parts = [part for row in shown for part in (row, row.get("Header"), row.get("Summary")) if part]
    texts = {text for part in parts if "ColData" in part for text in cells(part)[1:]}
    return {text for text in texts if not amount(text)}
