"""
Reads a whole set of records page by page while it changes, and misses none: the only place that knows how.

Records are asked for in the order of their creation, which never changes, and each page begins shortly before the last
record of the one before: deletions move no page. Only a page that holds little else than one second is followed by row
number, and has to begin with the very rows that ended the one before. Where the order turns out not to be that of
creation, or not to be the same twice, or is refused, windows of time are asked for instead, each small enough for one
page, which is whole in any order; a second with more records than a page, over and over until a count proves it whole.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

from include.errors import FatalError, RetryableError, UnrenderableError
from include.quickbooks import query
from include.quickbooks.client import ATTEMPTS
from include.quickbooks.halving import Failed, Halves, in_halves, read_ids
from include.quickbooks.query import MAX_PAGE
from include.quickbooks.records import NO_ID, OLDEST, Odd, Page

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from include.quickbooks.client import QuickBooksClient
    from include.quickbooks.entities import Entity

logger = logging.getLogger(__name__)

ORDER = "MetaData.CreateTime"
# Each page begins this much before the last record of the one before: QuickBooks keeps fractions of a second that it
# does not show.
OVERLAP = SECOND = timedelta(seconds=1)
# A full page that rises through fewer seconds than this may do so by chance.
TELLING_SECONDS = 4
# How many rows, at most, a page has in common with the one before that it follows by row number.
OVERLAPPING_ROWS = 50
# No book of QuickBooks Online is older.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
# How often a second with more records than a page is read before it is given up.
MOST_PASSES = 20
# Intuit numbers records in the order of their creation: how many numbers between two records are tried.
MOST_GUESSES = 500

# What QuickBooks says of a statement that it does not take.
REFUSED = ("4000", "4001")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Position:
    """
    Where to read on.

    :param created_since: everything created earlier was read; None at the beginning.
    :param start: of what was created since, the row to begin with, counted from 1.
    :param last_ids: the records from that row on that were read already.
    """

    created_since: datetime | None = None
    start: int = 1
    last_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Portion:
    """
    One page of a whole set.

    :param following: where to read on after it; None after the last one.
    """

    page: Page
    following: Position | None


def read_pages(
    quickbooks: QuickBooksClient,
    entity: Entity,
    *,
    where: str = "",
    position: Position | None = None,
    size: int = MAX_PAGE,
    reads_ahead: bool = True,
) -> Iterator[Portion]:
    """
    Read all records of an entity in the order of their creation.

    Records come more than once where pages overlap; changed ones are read as they are at the time.

    :param where: conditions; a fixed upper bound keeps records that change meanwhile from joining in.
    :param position: where an earlier reading stopped.
    :param reads_ahead: whether the next page is asked for while one is worked on; whoever may stop in the middle would
        pay for a page that nobody looks at.
    :raises RetryableError: if records cannot be told to be all.
    """
    portions = _Reading(quickbooks, entity, where, size).portions(position or Position())
    return _ahead(portions) if reads_ahead else portions


def _ahead(items: Iterator[T]) -> Iterator[T]:
    """Make the next item while one is worked on."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item


@dataclass(slots=True)
class _Reading:
    quickbooks: QuickBooksClient
    entity: Entity
    where: str
    size: int
    order: str = ORDER

    def portions(self, position: Position) -> Iterator[Portion]:
        """Read page by page in order, and by windows where the order cannot be relied on."""
        while True:
            page = self._ordered_page(position)
            seconds = _seconds(page) if page else []
            if page is None or not _joins(page, position):
                before = max(seconds) + SECOND if seconds else None
                yield from self._window(position.created_since, before)
                following = Position(before) if before else None
            elif len(page.ids) < self.size:
                following = None
                yield Portion(page, following)
            elif _rise(seconds, position):
                following = self._following(position, page, seconds)
                yield Portion(page, following)
            else:
                logger.warning("QuickBooks does not order %s by their creation.", self.entity.name)
                following = None
                yield from self._window(position.created_since, None)
            if following is None:
                return
            position = following

    def _ordered_page(self, position: Position) -> Page | None:
        """Read the next page in order; None if QuickBooks refuses the order."""
        try:
            return self._page(query.created(position.created_since), position.start)
        except FatalError as error:
            if error.code not in REFUSED or not self.order:
                raise
            # The statement may be refused for another reason: then it is refused without an order, too.
            self.order = ""
            return None

    def _following(self, position: Position, page: Page, seconds: Sequence[datetime]) -> Position:
        rows = min(OVERLAPPING_ROWS, self.size // 2)
        since = seconds[-1] - OVERLAP
        if len(set(seconds)) >= TELLING_SECONDS and sum(second >= since for second in seconds) <= rows:
            return Position(since)
        last_ids = tuple(record.qbo_id for record in page.records[-rows:])
        return Position(position.created_since, position.start + len(page.ids) - rows, last_ids)

    def _window(self, since: datetime | None, before: datetime | None) -> Iterator[Portion]:
        """Read what was created within bounds, in whatever order it comes."""
        page = self._page(query.created(since, before))
        if len(page.ids) < self.size:
            yield Portion(page, Position(before) if before else None)
            return
        seconds = _seconds(page)
        latest = before or max(page.server_time.replace(microsecond=0), since or EARLIEST, *seconds) + SECOND
        middle = _middle(since or EARLIEST, latest, seconds)
        if middle is None and before:
            yield from self._second(since or EARLIEST, before)
        else:
            yield from self._window(since, middle or latest)
            yield from self._window(middle or latest, before)

    def _second(self, since: datetime, before: datetime) -> Iterator[Portion]:
        """Read a second that has more records than a page, over and over until a count proves that it is whole."""
        within = query.created(since, before)
        seen: set[str] = set()
        total = self._count(within)
        for _ in range(MOST_PASSES):
            failed = 0
            for start in range(1, total + 1, self.size):
                page = self._page(within, start)
                seen.update(record.qbo_id for record in page.records)
                seen.update(odd.qbo_id for odd in page.odd if odd.has_id)
                failed += sum(not odd.has_id for odd in page.odd)
                yield Portion(page, Position(since))
            now = self._count(within)
            if now == total and len(seen) + failed >= total:
                yield Portion(Page(self.entity, [], page.server_time), Position(before))
                return
            if now != total:
                # Some of what was seen may be gone, and no proof that the rest is all.
                seen, total = set(), now
        raise RetryableError(
            f"QuickBooks has {total} {self.entity.name} records created at {since:%Y-%m-%d %H:%M:%S} UTC and shows "
            f"{len(seen)} of them: try again later."
        )

    def _page(self, within: str, start: int = 1) -> Page:
        """Read rows of a window; a row that QuickBooks fails at is odd."""
        where = " AND ".join(filter(None, (self.where, within)))

        def read(rows: Sequence[int], attempts: int) -> Page:
            return self.quickbooks.query(
                self.entity,
                where=where,
                order_by=self.order,
                start=rows[0],
                size=len(rows),
                attempts=attempts,
            )

        rows = range(start, start + self.size)
        try:
            return read(rows, ATTEMPTS)
        except UnrenderableError as error:
            alone = rows[:1] if self.entity.is_single else rows
            halves = in_halves(self.quickbooks, self.entity, error, alone, read)
            return halves.join(self.entity, self._name(halves))

    def _name(self, halves: Halves[int]) -> list[Odd]:
        """Find out the Ids of rows that QuickBooks fails at, by trying those between the rows before and after."""
        odd = []
        for index, result in enumerate(halves.results):
            if isinstance(result, Failed):
                before = _numbers(halves.results[:index])
                after = _numbers(halves.results[index + 1 :])
                odd += self._guess(before[-1] if before else 0, after[0] if after else None) or [
                    Odd(
                        self.entity,
                        f"{NO_ID}after {before[-1] if before else 'none'}",
                        result.reason,
                    )
                ]
        return odd

    def _guess(self, before: int, after: int | None) -> list[Odd]:
        after = before + MOST_GUESSES + 1 if after is None else after
        guesses = [str(number) for number in range(max(before + 1, after - MOST_GUESSES), after)]
        return read_ids(self.quickbooks, self.entity, guesses).odd if guesses else []

    def _count(self, within: str) -> int:
        return self.quickbooks.count(self.entity, where=" AND ".join(filter(None, (self.where, within))))


def _seconds(page: Page) -> list[datetime]:
    """List when records were created, as far as they say so."""
    times = (record.created_at for record in page.records)
    return [time.replace(microsecond=0) for time in times if time > OLDEST]


def _rise(seconds: Sequence[datetime], position: Position) -> bool:
    """Tell whether records come in the order of their creation."""
    since = position.created_since or OLDEST
    return bool(seconds) and all(one <= following for one, following in pairwise([since, *seconds]))


def _joins(page: Page, position: Position) -> bool:
    """Tell whether a page begins with the rows that ended the one before; deletions may have moved them up."""
    ids = [record.qbo_id for record in page.records]
    last_ids = list(position.last_ids)
    if not last_ids:
        return True
    if not ids or ids[0] not in last_ids:
        return False
    common = last_ids[last_ids.index(ids[0]) :]
    return ids[: len(common)] == common


def _middle(since: datetime, before: datetime, seconds: Sequence[datetime]) -> datetime | None:
    """Return a second that divides a window so that about as many records lie on either side; None if none does."""
    if before - since <= SECOND:
        return None
    if within := sorted(second for second in seconds if since < second < before):
        return within[len(within) // 2]
    return since + (before - since) // SECOND // 2 * SECOND


def _numbers(results: Sequence[Page | Failed[int]]) -> list[int]:
    """List the Ids of records as numbers, as far as they are some."""
    return [
        int(record.qbo_id)
        for result in results
        if isinstance(result, Page)
        for record in result.records
        if record.qbo_id.isdigit()
    ]
