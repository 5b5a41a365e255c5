"""
The request limits of one company.

Intuit: 500 requests a minute and 10 a second, and 40 batches a minute (120 for all apps together); until
2017 and perhaps later 200 reports a minute.
"""

from __future__ import annotations

import time
from collections import defaultdict, deque
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
        self._times: dict[str, deque[float]] = defaultdict(deque)

    def admits(self, kind: str = "request", a_minute: int = 500) -> bool:
        """
        Tell whether a request may pass now, and count it if so.

        :param kind: what it is if it has a limit of its own.
        :param a_minute: how many of that kind may pass in a minute.
        """
        now = self._monotonic()
        limits = (*_LIMITS, (kind, a_minute, 60.0))
        kinds = {each for each, _, _ in limits}
        for each in kinds:
            self._forget(self._times[each], now)
        if any(self._count(each, now - seconds) >= limit for each, limit, seconds in limits):
            return False
        for each in kinds:
            self._times[each].append(now)
        return True

    @staticmethod
    def _forget(times: deque[float], now: float) -> None:
        while times and times[0] <= now - 60:
            times.popleft()

    def _count(self, kind: str, since: float) -> int:
        return sum(1 for moment in reversed(self._times[kind]) if moment > since)
