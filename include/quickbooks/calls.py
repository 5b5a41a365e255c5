"""Counts the calls to QuickBooks: reads are metered, so each is money."""

from __future__ import annotations

from collections import Counter
from threading import Lock


class CallCounts:
    """
    What a client has sent so far; safe to use from several threads.

    Intuit meters a read that is answered with a 2xx, and blocks reads past a monthly quota.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._by_kind: Counter[str] = Counter()
        self._metered_by_kind: Counter[str] = Counter()
        self._by_entity: Counter[str] = Counter()
        self._seconds = 0.0

    def add(self, kind: str, *, is_metered: bool, seconds: float) -> None:
        """Count one request, answered or not, and the time spent on it."""
        with self._lock:
            self._by_kind[kind] += 1
            self._metered_by_kind[kind] += is_metered
            self._seconds += seconds

    def ask(self, table: str) -> None:
        """Count one question about an entity alone, by the name of its staging table."""
        with self._lock:
            self._by_entity[table] += 1

    @property
    def by_kind(self) -> dict[str, int]:
        """How many requests of each kind, such as "cdc" and "query"."""
        with self._lock:
            return dict(self._by_kind)

    @property
    def by_entity(self) -> dict[str, int]:
        """How many questions about each entity alone, by the names of their staging tables."""
        with self._lock:
            return dict(self._by_entity)

    @property
    def total(self) -> int:
        """How many requests."""
        with self._lock:
            return self._by_kind.total()

    @property
    def metered(self) -> int:
        """How many reads QuickBooks answered."""
        with self._lock:
            return self._metered_by_kind.total()

    @property
    def metered_by_kind(self) -> dict[str, int]:
        """How many reads QuickBooks answered, of each kind."""
        with self._lock:
            return dict(self._metered_by_kind)

    @property
    def seconds(self) -> float:
        """How long all requests together waited for answers."""
        with self._lock:
            return self._seconds
