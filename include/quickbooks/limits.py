"""Keeps one process within QuickBooks' limits."""

from __future__ import annotations

import time
from threading import Lock

from limits import RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter


class InProcessLimiter:
    """
    Spaces the requests of one process to one company.

    Intuit: 10 requests a second and 500 a minute per company. Staying below the first leaves room for clocks
    that differ. Processes that share a company need a limiter that they share.
    """

    def __init__(self, *, per_second: int = 8, per_minute: int = 500) -> None:
        self._limits = (RateLimitItemPerSecond(per_second), RateLimitItemPerMinute(per_minute))
        self._windows = MovingWindowRateLimiter(MemoryStorage())
        self._lock = Lock()

    def acquire(self) -> None:
        """Block until one more request may be sent."""
        while (wait := self.try_acquire()) > 0:
            time.sleep(wait)

    def try_acquire(self) -> float:
        """Return 0 if a request may be sent now, and count it; else how many seconds to wait for that."""
        with self._lock:
            full = [limit for limit in self._limits if not self._windows.test(limit)]
            if not full:
                for limit in self._limits:
                    self._windows.hit(limit)
                return 0.0
            free_at = max(self._windows.get_window_stats(limit).reset_time for limit in full)
        # The oldest request may have left its window since the test; then the next try succeeds.
        return max(free_at - time.time(), 0.001)
