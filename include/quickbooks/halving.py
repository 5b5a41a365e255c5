"""
Reads around the records that QuickBooks fails at.

An answer that holds such a record fails as a whole, however often it is asked for. It is asked for in halves instead,
until the record stands alone: it becomes a problem, and the others come.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar

from include.errors import ReceivablesError, UnrenderableError
from include.quickbooks.client import ATTEMPTS
from include.quickbooks.entities import ACCOUNT
from include.quickbooks.records import Odd, Page, is_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from include.quickbooks.client import QuickBooksClient
    from include.quickbooks.entities import Entity

logger = logging.getLogger(__name__)

# One record among 1,000 costs 20 calls, two for each halving. Whoever needs more than this has another problem.
MOST_CALLS = 200

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Failed(Generic[T]):
    """
    What QuickBooks fails at when it is asked for alone.

    :param reason: QuickBooks' words.
    """

    part: T
    reason: str


@dataclass(frozen=True, slots=True)
class Halves(Generic[T]):
    """
    What came of a read in halves.

    :param results: pages and what failed, in the order of the parts that were asked for.
    :param server_time: QuickBooks' time before the first half was asked for.
    """

    results: list[Page | Failed[T]]
    server_time: datetime

    def join(self, entity: Entity, odd: Iterable[Odd]) -> Page:
        """Make one page of all, with what failed as odd records."""
        pages = [result for result in self.results if isinstance(result, Page)]
        return Page(
            entity,
            [record for page in pages for record in page.records],
            self.server_time,
            [*(each for page in pages for each in page.odd), *odd],
        )


def check_answers(
    quickbooks: QuickBooksClient, error: UnrenderableError, entity: Entity = ACCOUNT
) -> datetime:
    """
    Make sure that QuickBooks failed at an answer and not at all that is asked of it.

    :param entity: what it is asked to count.
    :return: QuickBooks' time.
    :raises UnrenderableError: the error given, if it does not answer that either.
    """
    try:
        return quickbooks.time(entity)
    except ReceivablesError:
        raise error from None


def in_halves(
    quickbooks: QuickBooksClient,
    entity: Entity,
    error: UnrenderableError,
    parts: Sequence[T],
    read: Callable[[Sequence[T], int], Page],
) -> Halves[T]:
    """
    Read in halves what QuickBooks fails to answer as a whole.

    :param error: how it failed.
    :param read: reads some of the parts, in a number of attempts.
    :raises UnrenderableError: if QuickBooks does not count the entity's records either, or fails at too much.
    """
    logger.warning("QuickBooks fails at an answer, so it is asked for in halves: %s", error)
    # Some cannot be counted, being one.
    server_time = check_answers(quickbooks, error, ACCOUNT if entity.is_single else entity)
    results: list[Page | Failed[T]] = []
    waiting = [parts[len(parts) // 2 :], parts[: len(parts) // 2]]
    for _ in range(MOST_CALLS):
        if not waiting:
            return Halves(results, server_time)
        if not (part := waiting.pop()):
            continue
        try:
            # What stands alone is given every chance before it is called bad.
            results.append(read(part, 1 if len(part) > 1 else ATTEMPTS))
        except UnrenderableError as failure:
            if len(part) == 1:
                results.append(Failed(part[0], failure.args[0].rstrip(".")))
            else:
                middle = len(part) // 2
                waiting += [part[middle:], part[:middle]]
    raise error


def read_ids(quickbooks: QuickBooksClient, entity: Entity, qbo_ids: Sequence[str]) -> Page:
    """
    Read records by their Ids; those that cannot be read are in the page as such.

    :param qbo_ids: some; what can be no Id is not asked for.
    """

    def read(ids: Sequence[str], attempts: int) -> Page:
        return _recognised(quickbooks.by_ids(entity, ids, attempts=attempts), ids)

    asked = [qbo_id for qbo_id in qbo_ids if is_id(qbo_id)]
    try:
        return read(asked, ATTEMPTS)
    except UnrenderableError as error:
        halves = in_halves(quickbooks, entity, error, asked, read)
        failed = [result for result in halves.results if isinstance(result, Failed)]
        return halves.join(entity, [Odd(entity, each.part, each.reason) for each in failed])


def _recognised(page: Page, asked: Sequence[str]) -> Page:
    """
    Return a page of records that were asked for by Id.

    :raises UnrenderableError: if it holds something that was not asked for, perhaps in the place of what was.
    """
    found = set(asked).intersection(page.ids)
    if len(found) == len(page.ids):
        return page
    if len(found) < len(asked):
        reasons = [odd.reason for odd in page.odd if not odd.has_id]
        raise UnrenderableError((reasons or ["it answers with another record."])[0])
    return replace(
        page,
        records=[record for record in page.records if record.qbo_id in found],
        odd=[odd for odd in page.odd if odd.qbo_id in found],
    )
