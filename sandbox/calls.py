"""Counts the API calls of one company, as Intuit meters them."""

from __future__ import annotations

from collections import Counter
from typing import Any


class Calls:
    """
    The calls since the last reset.

    Intuit: successful reads are metered, each query of a batch as one; writes are free ("core").
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start counting anew."""
        self.metered = 0
        self.core = 0
        self.by_path: Counter[str] = Counter()
        self.by_status: Counter[str] = Counter()

    def answered(self, path: str, status: int) -> None:
        """Count an HTTP answer."""
        self.by_path[path] += 1
        self.by_status[str(status)] += 1

    def succeeded(self, *, is_read: bool) -> None:
        """Count a successful call for the meter."""
        if is_read:
            self.metered += 1
        else:
            self.core += 1

    def summary(self) -> dict[str, Any]:
        """Return all counts."""
        return {
            "metered": self.metered,
            "core": self.core,
            "by_path": dict(self.by_path),
            "by_status": dict(self.by_status),
        }
