"""A second connection beside the sync's own, for what must not be part of its transactions."""

from __future__ import annotations

from contextlib import contextmanager
from threading import RLock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from psycopg import Connection


class SideConnection:
    """
    A connection that tokens and limits use while the sync's own may be inside a transaction.

    Safe to use from several threads: one at a time has it.

    :param connect: opens a connection in autocommit mode; called at the first use.
    """

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._lock = RLock()
        self._connection: Connection | None = None

    @contextmanager
    def use(self) -> Iterator[Connection]:
        """Have the connection to oneself for a moment."""
        with self._lock:
            if self._connection is None or self._connection.closed:
                self._connection = self._connect()
            yield self._connection

    def close(self) -> None:
        """Close the connection if it was ever opened."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
