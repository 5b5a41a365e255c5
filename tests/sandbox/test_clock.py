from __future__ import annotations

import pytest

from sandbox.clock import Clock, answer_time, parse_time, record_time


@pytest.mark.parametrize(
    ("epoch", "text"),
    [(1_795_616_946, "2026-11-25T06:29:06-08:00"), (1_782_000_000, "2026-06-20T17:00:00-07:00")],
)
def test_records_have_whole_seconds_in_pacific_time(epoch: int, text: str) -> None:
    assert record_time(epoch) == text
    assert parse_time(text) == epoch


def test_answers_have_milliseconds() -> None:
    assert answer_time(1_795_616_946.5) == "2026-11-25T06:29:06.500-08:00"


def test_a_time_without_an_offset_is_pacific() -> None:
    assert parse_time("2026-11-25T06:29:06") == parse_time("2026-11-25T14:29:06Z")


def test_the_clock_can_be_moved() -> None:
    clock = Clock()
    before = clock.now()
    clock.offset_seconds = 86_400
    assert clock.now() == pytest.approx(before + 86_400, abs=5)
