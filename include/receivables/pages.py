"""Reads a whole set of records page by page while it changes, and misses none."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.quickbooks.query import MAX_PAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.quickbooks.client import QuickBooksClient
    from include.quickbooks.entities import Entity
    from include.quickbooks.records import Page
    from include.receivables.runs import Run

# A page begins this many rows before the end of the last one. Deletions move rows towards the beginning, so a page
# without any record of the last one may have skipped some and is read again from further back.
OVERLAP = 10
STEP_BACK = 500
# How many records of a page are remembered to tell whether the next one joins it.
REMEMBERED = 200


@dataclass(frozen=True, slots=True)
class Position:
    """
    Where to read on.

    :param start: QuickBooks' row number, counted from 1.
    :param last_ids: the last records of the page before; empty at the beginning.
    """

    start: int = 1
    last_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Portion:
    """
    One page of a whole set.

    :param following: where the next page begins; None after the last one.
    """

    page: Page
    following: Position | None


def read_pages(
    quickbooks: QuickBooksClient,
    run: Run,
    entity: Entity,
    *,
    where: str = "",
    position: Position | None = None,
    size: int = MAX_PAGE,
) -> Iterator[Portion]:
    """
    Read all records of an entity in the order of their Ids; the next page is asked for while one is worked on.

    Records come more than once where pages overlap. New ones have higher Ids and move nothing; changed ones are
    read as they are at the time.

    :param where: conditions; a fixed upper bound keeps records that change meanwhile from joining in.
    :param position: where an earlier reading stopped.
    """
    with ThreadPoolExecutor(max_workers=1) as ahead:
        following: Position | None = position or Position()
        asked = ahead.submit(_read_joined, quickbooks, run, entity, where, position or Position(), size)
        while following:
            page, start = asked.result()
            following = _following(page, start, size)
            if following:
                asked = ahead.submit(_read_joined, quickbooks, run, entity, where, following, size)
            yield Portion(page, following)


def _read_joined(
    quickbooks: QuickBooksClient, run: Run, entity: Entity, where: str, position: Position, size: int
) -> tuple[Page, int]:
    """Read the page at a position, from as far back as it takes to join the one before."""
    start = position.start
    while True:
        page = quickbooks.query(entity, where=where, start=start, size=size)
        run.counts[entity.table].calls += 1
        if start == 1 or _joins(page, position):
            return page, start
        start = max(1, start - STEP_BACK)


def _joins(page: Page, position: Position) -> bool:
    last_ids = set(position.last_ids)
    return any(record.qbo_id in last_ids for record in page.records)


def _following(page: Page, start: int, size: int) -> Position | None:
    if len(page.records) < size:
        return None
    last_ids = tuple(record.qbo_id for record in page.records[-REMEMBERED:])
    return Position(start + len(page.records) - OVERLAP, last_ids)
