"""How the command line prints: tables for people, JSON for programs."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from include.plain_text import one_line, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from include.receivables.alerts.causes import Cause
    from include.receivables.company.batches import Outcome

Row = dict[str, Any]


def say(text: str = "") -> None:
    """Print for people, nothing that a terminal would obey."""
    print(visible(text))


def print_companies(rows: Sequence[Row], *, as_json: bool) -> None:
    """Print one line per company."""
    if as_json:
        print(to_json(rows))
        return
    columns = (
        "company_id",
        "name",
        "status",
        "realm_id",
        "last_sync_at",
        "freshness_seconds",
        "open_problems",
    )
    print_table(columns, rows)


def print_company(company: Row, records: Sequence[Row], causes: Sequence[Cause], *, as_json: bool) -> None:
    """Print one company, what is wrong with it, and the counts and sums of its records."""
    if as_json:
        counts = {row["entity"]: {key: row[key] for key in row if key != "entity"} for row in records}
        print(to_json(company | {"causes": [asdict(cause) for cause in causes], "records": counts}))
        return
    for key, value in company.items():
        print(f"{key + ':':32}{_text(value)}")
    print()
    for cause in causes:
        who = "it passes by itself" if cause.owner == "nobody" else f"who acts: {cause.owner}"
        say(one_line(f"{cause.level.upper()}: {cause.sentence} {cause.remedy} ({who})"))
    if not causes:
        print("All is well.")
    print()
    print_table(("entity", "live", "deleted", "total", "open"), records)


def print_outcome(outcome: Outcome, *, as_json: bool) -> None:
    """Print what a job did per entity."""
    if as_json:
        print(to_json(asdict(outcome)))
        return
    columns = ("entity", "read", "changed", "merged", "deleted", "calls", "seconds")
    print_table(columns, [{"entity": entity, **counts} for entity, counts in outcome.entities.items()])
    print(f"{outcome.company_id}: metered calls {outcome.calls}, seconds {outcome.seconds}")


def print_table(columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Print rows under their columns' names, numbers to the right."""
    cells = [[_text(row.get(column)) for column in columns] for row in rows]
    lines = [[column.replace("_", " ") for column in columns], *cells]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    for line in lines:
        print("  ".join(_align(cell, width) for cell, width in zip(line, widths, strict=True)).rstrip())


def to_json(value: Any) -> str:
    """Write JSON; an amount as text, so that no reader turns it into a float, and what cannot be seen by its number."""
    text = json.dumps(value, default=_plain, ensure_ascii=False, indent=2)
    return "".join(sign if sign.isprintable() or sign == "\n" else json.dumps(sign)[1:-1] for sign in text)


def _plain(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime | time):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in JSON")


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:,.2f}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return one_line(str(value))


def _align(cell: str, width: int) -> str:
    is_number = cell.replace(",", "").replace(".", "").replace("-", "").isdigit()
    return cell.rjust(width) if is_number else cell.ljust(width)
