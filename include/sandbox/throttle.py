"""
The request limits of one company.

Intuit: 500 requests a minute and 10 a second, and 40 batches a minute (120 for all apps together).
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LIMITS = (("request", 10, 1.0), ("request", 500, 60.0))


class Throttle:
    """
    Counts requests in sliding windows.

    :param monotonic: seconds of real time; the sandbox's clock may jump.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._times: dict[str, deque[float]] = {"request": deque(), "batch": deque()}

    def admits(self, *, is_batch: bool, batches: int = 40) -> bool:
        """
        Tell whether a request may pass now, and count it if so.

        :param batches: how many of them may in a minute.
        """
        now = self._monotonic()
        kinds = ("request", "batch") if is_batch else ("request",)
        for kind in kinds:
            self._forget(self._times[kind], now)
        if any(
            self._count(kind, now - seconds) >= limit
            for kind, limit, seconds in (*_LIMITS, ("batch", batches, 60.0))
            if kind in kinds
        ):
            return False
        for kind in kinds:
            self._times[kind].append(now)
        return True

    @staticmethod
    def _forget(times: deque[float], now: float) -> None:
        while times and times[0] <= now - 60:
            times.popleft()

    def _count(self, kind: str, since: float) -> int:
        return sum(1 for moment in reversed(self._times[kind]) if moment > since)
