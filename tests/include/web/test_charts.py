from __future__ import annotations

from include.web.charts import HEIGHT, WIDTH, Stack, draw_area, draw_bars


def test_bars_share_the_width_and_the_highest_reaches_the_top():
    bars = draw_bars([Stack("a", (10,)), Stack("b", (5,))], top=10)
    assert [(bar.x, bar.y, bar.width, bar.height) for bar in bars] == [
        (24, 0, 192, HEIGHT),
        (264, HEIGHT / 2, 192, HEIGHT / 2),
    ]


def test_parts_of_a_bar_stand_on_one_another():
    lower, upper = draw_bars([Stack("a", (3, 1))], top=4)
    assert (lower.series, upper.series) == (0, 1)
    assert upper.y == 0
    assert lower.y == upper.y + upper.height
    assert lower.y + lower.height == HEIGHT


def test_little_is_still_seen_and_nothing_is_not_drawn():
    [bar] = draw_bars([Stack("none", (0, 0)), Stack("one", (1, 0))], top=100_000)
    assert bar.title == "one"
    assert bar.height == 2


def test_an_area_has_gaps_where_nothing_is_known():
    area = draw_area([None, 5, 10, None, 10], top=10)
    assert area.line == "M96.0,48.0 L192.0,48.0 L192.0,0.0 L288.0,0.0 M384.0,0.0 L480.0,0.0"
    assert area.path.count("Z") == 2


def test_what_is_above_the_top_stays_within_the_chart():
    assert draw_area([100], top=10).line == f"M0.0,0.0 L{WIDTH}.0,0.0"


def test_nothing_to_draw_is_drawn_as_nothing():
    assert draw_bars([], top=0) == []
    assert draw_area([], top=0).line == ""
