"""What changed in a company: one call of change data capture, and more only where that does not tell all."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from include.errors import UnrenderableError
from include.quickbooks.client import ATTEMPTS
from include.quickbooks.entities import PAYMENT
from include.quickbooks.halving import check_answers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from include.quickbooks.client import QuickBooksClient
    from include.quickbooks.entities import Entity
    from include.quickbooks.records import Changes

logger = logging.getLogger(__name__)


def read_parts(
    quickbooks: QuickBooksClient, entities: Sequence[Entity], since: datetime
) -> Iterator[tuple[Sequence[Entity], Changes | None]]:
    """
    Ask for what changed since a moment, until it was answered whole for each entity.

    A full answer may have left changes out. Intuit documents neither paging nor which objects it keeps, nor whether the
    cap counts per answer or per entity. So the entity that fills it most is asked for by itself, and the others without
    it, until an answer is not full, which is whole by any reading. Where QuickBooks fails at an answer, half of its
    entities are asked for by themselves.

    :return: what was asked for and the answer, also a full one; None where QuickBooks fails at it. An entity whose
        answer is full or None even by itself has to be read by query.
    :raises UnrenderableError: where QuickBooks fails at the changes of each entity.
    """
    try:
        changes = quickbooks.changes(entities, since)
    except UnrenderableError as error:
        logger.warning(
            "QuickBooks fails at the changes since %s, so they are asked for in parts: %s", since, error
        )
        check_answers(quickbooks, error)
        parts = list(_read_apart(quickbooks, entities, since, None))
        if not any(answer for _, answer in parts):
            # It is not for one record's sake that nothing at all is answered.
            raise
        yield from parts
        return
    yield from _read_apart(quickbooks, entities, since, changes)


def _read_apart(
    quickbooks: QuickBooksClient, entities: Sequence[Entity], since: datetime, changes: Changes | None
) -> Iterator[tuple[Sequence[Entity], Changes | None]]:
    yield entities, changes
    if len(entities) == 1 or (changes and not changes.is_full):
        return
    if changes:
        logger.warning(
            "Change data capture's answer is full: asking for the changes since %s in parts.", since
        )
        chosen = {max(entities, key=lambda entity: len(changes.records[entity.name]))}
    else:
        chosen = set(entities[: len(entities) // 2])
    parts = (
        [entity for entity in entities if entity in chosen],
        [entity for entity in entities if entity not in chosen],
    )
    # Payments last: what they settle is read again if it was read before them.
    for part in sorted(parts, key=lambda part: PAYMENT in part):
        try:
            answer = quickbooks.changes(part, since, attempts=1 if len(part) > 1 else ATTEMPTS)
        except UnrenderableError:
            answer = None
        yield from _read_apart(quickbooks, part, since, answer)
