from __future__ import annotations

from decimal import Decimal

from sandbox.links import Links, Target

FIRST, SECOND = Target("Invoice", "1"), Target("Invoice", "2")
TEN, FIVE = Decimal(10), Decimal(5)


def test_links_are_seen_from_both_sides() -> None:
    links = Links()
    assert links.set_payment("9", {FIRST: TEN, SECOND: FIVE}) == {FIRST, SECOND}
    links.set_payment("10", {FIRST: FIVE})
    assert links.of_payment("9") == {FIRST: TEN, SECOND: FIVE}
    assert list(links.of_target(FIRST)) == ["9", "10"]
    assert links.applied(FIRST) == 15


def test_only_what_changed_is_returned() -> None:
    links = Links()
    links.set_payment("9", {FIRST: TEN, SECOND: FIVE})
    assert links.set_payment("9", {FIRST: TEN}) == {SECOND}
    assert links.applied(SECOND) == 0
    assert links.set_payment("9", {}) == {FIRST}
    assert links.of_target(FIRST) == {}
