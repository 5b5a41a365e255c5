"""The rows of reports: cells of text, rows below rows, and in which shape and how far they are answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.json_text import cents

if TYPE_CHECKING:
    from decimal import Decimal

    from sandbox.settings import Settings

Cell = dict[str, str]
Row = dict[str, Any]
CUT = "Unable to display more data. Please reduce the date range."


def cell(value: str, record_id: str = "") -> Cell:
    """Return a cell, with the Id of the record that it names."""
    return {"value": value, "id": record_id} if record_id else {"value": value}


def money(settings: Settings, value: Decimal, zero: str) -> Cell:
    """
    Return a cell with an amount.

    :param zero: how zero is usually spelt there: 0.00, .00 or not at all.
    """
    spelling = {"usual": zero, "blank": ""}.get(settings.report_zeros, settings.report_zeros)
    if not value:
        return cell(spelling)
    text = str(cents(value))
    return cell(text.replace("0.", ".", 1) if spelling == ".00" and abs(value) < 1 else text)


def section(header: list[Cell], rows: list[Row], summary: list[Cell]) -> Row:
    """Return a row that has others below it."""
    return {
        "Header": {"ColData": header},
        "Rows": {"Row": rows},
        "Summary": {"ColData": summary},
        "type": "Section",
    }


def shaped(row: Row, settings: Settings, *, is_below: bool = False) -> Row:
    """Return a row, and those below it, with their types and the order of their cells as set."""
    new = dict(row)
    if settings.report_row_types == "all" or (settings.report_row_types == "nested" and is_below):
        new.setdefault("type", "Data")
    for name, part in row.items():
        if name in ("Header", "Summary"):
            new[name] = {"ColData": in_order(part["ColData"], settings)}
        elif name == "ColData":
            new[name] = in_order(part, settings)
        elif name == "Rows":
            new[name] = {"Row": [shaped(each, settings, is_below=True) for each in part["Row"]]}
    return new


def in_order(columns: list[Any], settings: Settings) -> list[Any]:
    """Return columns, or a row's cells, in the order that is set."""
    return columns[::-1] if settings.report_columns == "reversed" else columns


def answered(rows: list[Row], columns: int, settings: Settings) -> list[Row]:
    """Return the rows that are answered: with too many cells, the last one says that there are more."""
    most = settings.report_cells // columns
    kept = rows
    if _lines(rows) > most:
        kept = [*_first(rows, most)[0], {"ColData": [cell(CUT), *[cell("")] * (columns - 1)], "type": "Data"}]
    return kept if settings.report_rows is None else _first(kept, settings.report_rows)[0]


def _lines(rows: list[Row]) -> int:
    """Count lines: a section has its header and its summary besides those between them."""
    return sum(_lines(row["Rows"]["Row"]) + 2 if "Rows" in row else 1 for row in rows)


def _first(rows: list[Row], left: int) -> tuple[list[Row], int]:
    """Return the first lines, and how many more there might be; a section that is cut has no summary."""
    kept = []
    for row in rows:
        if left < 1:
            break
        left -= 1
        whole = dict(row)
        if "Rows" in row:
            inner, left = _first(row["Rows"]["Row"], left)
            whole["Rows"] = {"Row": inner}
            if left < 1:
                whole.pop("Summary")
            left -= 1
        kept.append(whole)
    return kept, left
