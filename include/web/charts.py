"""Charts as plain shapes: what is drawn where; the templates write them as SVG."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Shapes are drawn in these units and stretched to the page's width; texts stand beside them in HTML.
WIDTH = 480
HEIGHT = 96
# The part of a bar's place that stays free.
GAP = 0.2
LEAST_HEIGHT = 2


@dataclass(frozen=True, slots=True)
class Stack:
    """
    The parts of one bar, from the bottom up.

    :param title: what the bar stands for, with its numbers.
    :param values: one per series.
    """

    title: str
    values: Sequence[int]


@dataclass(frozen=True, slots=True)
class Bar:
    """
    A rectangle.

    :param series: the number of what it counts, which decides its colour.
    :param title: what it stands for; the same for the parts of one bar.
    """

    x: float
    y: float
    width: float
    height: float
    series: int
    title: str


@dataclass(frozen=True, slots=True)
class Area:
    """
    A line with all below it filled; with gaps where nothing is known.

    :param path: of an SVG path.
    """

    path: str
    line: str


def draw_bars(stacks: Sequence[Stack], *, top: int) -> list[Bar]:
    """
    Draw bars side by side.

    :param top: the value that reaches the upper edge.
    """
    place = WIDTH / max(len(stacks), 1)
    bars: list[Bar] = []
    for index, stack in enumerate(stacks):
        y = float(HEIGHT)
        for series, value in enumerate(stack.values):
            if not value:
                continue
            height = max(HEIGHT * value / max(top, 1), LEAST_HEIGHT)
            y -= height
            bars.append(
                Bar(
                    round(index * place + place * GAP / 2, 2),
                    round(max(y, 0), 2),
                    round(place * (1 - GAP), 2),
                    round(height, 2),
                    series,
                    stack.title,
                )
            )
    return bars


def draw_area(values: Sequence[int | None], *, top: int) -> Area:
    """
    Draw how a value went.

    :param values: at equal distances; None where there is none.
    :param top: the value that reaches the upper edge.
    """
    step = WIDTH / max(len(values), 1)
    lines: list[str] = []
    areas: list[str] = []
    for first, run in _runs(values):
        points = [
            f"{round(x * step, 2)},{round(HEIGHT - HEIGHT * min(value, top) / max(top, 1), 2)}"
            for index, value in enumerate(run, first)
            for x in (index, index + 1)
        ]
        lines.append("M" + " L".join(points))
        left, right = round(first * step, 2), round((first + len(run)) * step, 2)
        areas.append(f"M{left},{HEIGHT} L" + " L".join(points) + f" L{right},{HEIGHT} Z")
    return Area(" ".join(areas), " ".join(lines))


def _runs(values: Sequence[int | None]) -> list[tuple[int, list[int]]]:
    """Return the stretches in which there are values, each with the index that it begins at."""
    runs: list[tuple[int, list[int]]] = []
    is_open = False
    for index, value in enumerate(values):
        if value is None:
            is_open = False
        elif is_open:
            runs[-1][1].append(value)
        else:
            runs.append((index, [value]))
            is_open = True
    return runs
