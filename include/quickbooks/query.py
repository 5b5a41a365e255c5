"""Builds statements of QuickBooks' query language and the conditions in them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from include.quickbooks.entities import Entity

# Intuit: MAXRESULTS takes at most 1,000.
MAX_PAGE = 1000

_ACTIVE_OR_NOT = "Active IN (true, false)"


def select(
    entity: Entity, *, where: str = "", order_by: str = "", start: int = 1, size: int = MAX_PAGE
) -> str:
    """
    Build a statement that reads a page of records.

    A list is asked for its inactive records too.

    :param where: conditions joined by AND.
    :param start: the row to start from, counted from 1; not a page number.
    :raises ValueError: if start or size is out of QuickBooks' range.
    """
    if start < 1:
        raise ValueError(f"start {start} is no row number; QuickBooks counts rows from 1")
    if not 1 <= size <= MAX_PAGE:
        raise ValueError(f"size {size} is not between 1 and {MAX_PAGE}")
    statement = f"SELECT * FROM {entity.name}{_condition(entity, where)}"  # noqa: S608 - QuickBooks' own language
    if entity.is_single:
        return statement
    order = f" ORDERBY {order_by}" if order_by else ""
    return f"{statement}{order} STARTPOSITION {start} MAXRESULTS {size}"


def select_count(entity: Entity, *, where: str = "") -> str:
    """Build a statement that counts records, inactive ones of a list included."""
    return f"SELECT count(*) FROM {entity.name}{_condition(entity, where)}"  # noqa: S608 - QuickBooks' own language


def quote(text: str) -> str:
    """Write a text as a literal. Intuit: a quote inside it is escaped with a backslash."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def timestamp(moment: datetime) -> str:
    """
    Write a moment as QuickBooks takes it: whole seconds, in UTC.

    Z spares the plus sign of an offset, which an unencoded URL turns into a space.

    :raises ValueError: if the moment has no time zone; QuickBooks would read it as Pacific time.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def window(since: datetime | None = None, until: datetime | None = None) -> str:
    """
    Build the condition "updated from since to until", both ends included.

    QuickBooks stamps whole seconds and several records share one, so an open end could lose records.
    """
    bounds = ((">=", since), ("<=", until))
    return " AND ".join(
        f"MetaData.LastUpdatedTime {operator} {quote(timestamp(moment))}"
        for operator, moment in bounds
        if moment is not None
    )


def created(since: datetime | None = None, before: datetime | None = None) -> str:
    """Build the condition "created since a moment and before another"."""
    bounds = ((">=", since), ("<", before))
    return " AND ".join(
        f"MetaData.CreateTime {operator} {quote(timestamp(moment))}"
        for operator, moment in bounds
        if moment is not None
    )


def with_ids(ids: Iterable[str]) -> str:
    """
    Build the condition "one of these ids".

    :raises ValueError: if there is no id, which the language cannot express.
    """
    literals = ", ".join(quote(qbo_id) for qbo_id in ids)
    if not literals:
        raise ValueError("there is no id to ask for")
    return f"Id IN ({literals})"


def _condition(entity: Entity, where: str) -> str:
    parts = [part for part in (where, _ACTIVE_OR_NOT if entity.is_list else "") if part]
    return f" WHERE {' AND '.join(parts)}" if parts else ""
