from __future__ import annotations

import pytest

from sandbox.throttle import Throttle


class Time:
    """Real time that the test moves."""

    value = 1000.0

    def __call__(self) -> float:
        return self.value


@pytest.fixture
def now() -> Time:
    return Time()


def admitted(limits: Throttle, count: int, kind: str = "request", a_minute: int = 500) -> int:
    return sum(limits.admits(kind, a_minute) for _ in range(count))


def test_ten_a_second(now: Time) -> None:
    limits = Throttle(now)
    assert admitted(limits, 15) == 10
    now.value += 1.01
    assert admitted(limits, 15) == 10


def test_five_hundred_a_minute(now: Time) -> None:
    limits = Throttle(now)
    passed = 0
    for _ in range(58):
        passed += admitted(limits, 10)
        now.value += 1.01
    assert passed == 500
    now.value += 60
    assert admitted(limits, 10) == 10


@pytest.mark.parametrize(("kind", "a_minute"), [("batch", 40), ("reports", 200)])
def test_batches_and_reports_have_a_limit_of_their_own(now: Time, kind: str, a_minute: int) -> None:
    limits = Throttle(now)
    passed = 0
    for _ in range(25):
        passed += admitted(limits, 10, kind, a_minute)
        now.value += 1.01
    assert passed == a_minute
    assert admitted(limits, 5) == 5


def test_more_batches_a_minute_where_intuit_says_so(now: Time) -> None:
    limits = Throttle(now)
    passed = 0
    for _ in range(14):
        passed += admitted(limits, 10, "batch", 120)
        now.value += 1.01
    assert passed == 120
