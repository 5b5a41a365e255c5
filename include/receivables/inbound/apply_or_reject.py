"""One bad record must not stop the others: a set that fails is halved until the bad ones stand alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import psycopg

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from psycopg import Connection

T = TypeVar("T")


def apply_or_reject(
    db: Connection,
    items: Sequence[T],
    work: Callable[[Sequence[T]], None],
    refuse: Callable[[T, psycopg.Error], None],
) -> None:
    """
    Do a set-based piece of work for all items that it can be done for.

    :param work: writes the items given; called inside a savepoint.
    :param refuse: told of each item whose data the database refuses, and why.
    """
    if not items:
        return
    try:
        with db.transaction():
            work(items)
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        if len(items) == 1:
            refuse(items[0], error)
            return
        middle = len(items) // 2
        apply_or_reject(db, items[:middle], work, refuse)
        apply_or_reject(db, items[middle:], work, refuse)
