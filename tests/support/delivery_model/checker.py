"""Goes through all that may happen to a payment, breadth first, and says by which way a rule is broken first."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.support.delivery_model import events
from tests.support.delivery_model.database import BrokenRuleError
from tests.support.delivery_model.leaving import Leaving
from tests.support.delivery_model.properties import Resting, describe, must_hold, must_hold_at_rest
from tests.support.delivery_model.worker import Worker
from tests.support.delivery_model.world import FREE, World, canonical

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from tests.support.delivery_model.case import Case
    from tests.support.delivery_model.world import Event

KINDS = ("fault", "hand", "peakflo", "person", "settings", "hours", "restore")


@dataclass(frozen=True)
class Limits:
    """
    How far the checker goes.

    :param depth: how many things happen at most, the worker's steps among them.
    :param events: how many of them are faults or people's acts.
    :param of_kind: how many of each kind.
    :param seconds: after which no further depth is begun.
    """

    depth: int
    events: int = 3
    of_kind: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 3))
    seconds: float = 3600

    def further(self, happened: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        """Return what may happen next, by its kind, with what will have happened then."""
        further = {FREE: happened}
        if sum(happened) < self.events:
            for index, kind in enumerate(KINDS):
                if happened[index] < self.of_kind.get(kind, 0):
                    further[kind] = (*happened[:index], happened[index] + 1, *happened[index + 1 :])
        return further


@dataclass
class Report:
    """
    What a check went through.

    :param broken: which rule was broken, and the shortest way there; empty if none was.
    """

    states: int = 0
    transitions: int = 0
    depth: int = 0
    seconds: float = 0
    rests: Counter[str] = field(default_factory=Counter)
    moves: set[tuple[str, str]] = field(default_factory=set)
    broken: str = ""

    def __str__(self) -> str:
        return (
            f"{self.states} states, {self.transitions} transitions, depth {self.depth}, {self.seconds:.0f} s, "
            f"{len(self.rests)} standings at rest{self.broken and f': {self.broken}'}"
        )


class Checker:
    """Checks a case within limits."""

    def __init__(self, case: Case, limits: Limits, begin: World | None = None) -> None:
        self.case, self.limits = case, limits
        self.worker = Worker(case)
        self.resting = Resting(self.worker)
        self.leaving = Leaving(self.worker, self.resting)
        self.report = Report(moves=self.worker.moved)
        self.begin = (begin or World())._replace(happened=(0,) * len(KINDS))
        # How each state was come to first: from which one, by what.
        self.came: dict[World, tuple[World | None, str]] = {self.begin: (None, "the payment is taken")}
        # With what had happened before, each state without it.
        self.known = {self.begin._replace(happened=()): [self.begin.happened]}

    def run(self) -> Report:
        started = time.monotonic()
        layer = [self.begin]
        try:
            self._look_at(self.begin)
            while layer and self.report.depth < self.limits.depth:
                if time.monotonic() - started > self.limits.seconds:
                    break
                self.report.depth += 1
                layer = [after for world in layer for after in self._expand(world)]
        except _FoundError as found:
            self.report.broken = str(found)
        self.report.states = len(self.came)
        self.report.seconds = time.monotonic() - started
        return self.report

    def _expand(self, world: World) -> Iterator[World]:
        for label, after in self._transitions(world):
            self.report.transitions += 1
            if self._is_news(after):
                self.came[after] = (world, label)
                self._look_at(after)
                yield after

    def _transitions(self, world: World) -> Iterator[tuple[str, World]]:
        """All that may happen next, within the limits."""
        further = self.limits.further(world.happened)
        try:
            for event in self._events(world, further):
                happened = further[event.kind]
                yield event.label, canonical(event.world._replace(happened=happened))
        except BrokenRuleError as broken:
            raise _FoundError(self._trace(world, str(broken))) from broken

    def _events(self, world: World, kinds: Container[str]) -> Iterator[Event]:
        yield from self.worker.steps(world, MEANWHILE if "fault" in kinds else None)
        yield from events.events(self.worker, world, kinds)

    def _is_news(self, world: World) -> bool:
        """Tell whether a state was not come to before by as little as now."""
        before = self.known.setdefault(world._replace(happened=()), [])
        if any(all(a <= b for a, b in zip(each, world.happened, strict=True)) for each in before):
            return False
        before.append(world.happened)
        return True

    def _look_at(self, world: World) -> None:
        try:
            must_hold(world)
            rest = self.resting.rest(world)
            must_hold_at_rest(self.case, rest)
            self.leaving.must_be_possible(rest)
        except BrokenRuleError as broken:
            raise _FoundError(self._trace(world, str(broken))) from broken
        self.report.rests[describe(rest.standing)] += 1

    def _trace(self, world: World, end: str) -> str:
        labels = []
        at: World | None = world
        while at is not None:
            at, label = self.came[at]
            labels.append(label)
        lines = [f"{number}. {label}" for number, label in enumerate(reversed(labels))]
        return "\n  ".join([end, *lines])


MEANWHILE = {
    "minutes pass": events.minutes_pass,
    "a backup is taken": lambda world: world._replace(backup=world.ours),
}


class _FoundError(Exception):
    """A rule is broken."""
