from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from include.quickbooks.limits import InProcessLimiter


def test_requests_within_the_limits_do_not_wait():
    limiter = InProcessLimiter(per_second=50)
    started = time.monotonic()

    for _ in range(50):
        limiter.acquire()

    assert time.monotonic() - started < 0.9


def test_no_second_holds_more_requests_than_allowed_whoever_sends_them():
    limiter = InProcessLimiter(per_second=5)

    def sent_at(_: int) -> float:
        limiter.acquire()
        return time.monotonic()

    with ThreadPoolExecutor(4) as threads:
        times = sorted(threads.map(sent_at, range(11)))

    gaps = [later - earlier for earlier, later in zip(times, times[5:], strict=False)]
    assert min(gaps) > 0.9


def test_the_limit_per_minute_holds_where_the_one_per_second_does_not():
    limiter = InProcessLimiter(per_second=100, per_minute=3)
    for _ in range(3):
        assert limiter.try_acquire() == 0

    assert 50 < limiter.try_acquire() <= 60
