"""The worker: what it may do next in a state of the world, done by the product's own code."""

from __future__ import annotations

from collections import defaultdict
from contextlib import contextmanager, suppress
from functools import lru_cache
from types import SimpleNamespace
from typing import TYPE_CHECKING

from include.errors import ThrottledError
from include.receivables.company.runs import EntityCounts
from include.receivables.outbound import acting, decide
from include.receivables.outbound.model import Adopt, Look, Move, Read, Resend, Standing, Undo
from tests.support.delivery_model.case import REALM
from tests.support.delivery_model.database import BrokenRuleError, Database
from tests.support.delivery_model.quickbooks import ANSWERED, FAULTS, OTHERWISE, CrashError, QuickBooks
from tests.support.delivery_model.world import FREE, HOURS, SETTLED, Event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from include.receivables.outbound.model import Situation, Step
    from tests.support.delivery_model.case import Case
    from tests.support.delivery_model.database import Move as Moved
    from tests.support.delivery_model.quickbooks import Outcome
    from tests.support.delivery_model.world import Ours, World


class Work:
    """What :mod:`include.receivables.outbound.acting` needs of its Work."""

    def __init__(self, quickbooks: QuickBooks) -> None:
        self.db = quickbooks.database
        self.quickbooks = quickbooks
        self.company = SimpleNamespace(company_id="model", realm_id=REALM)
        self.run = SimpleNamespace(run_id=1, counts=defaultdict(EntityCounts))

    @contextmanager
    def reading(self) -> Iterator[QuickBooks]:
        yield self.quickbooks


class Worker:
    """
    Takes one step after another.

    :param moved: all moves that were made of any record.
    """

    def __init__(self, case: Case) -> None:
        self.case = case
        self.moved: set[Moved] = set()
        self._decided = lru_cache(maxsize=300_000)(self._decide)

    def _decide(self, ours: Ours, now: int) -> tuple[Situation, Step | Standing]:
        situation = self.case.situation(ours, now)
        return situation, decide.decide(situation)

    def decide(self, world: World) -> Step | Standing:
        return self._decided(world.ours, world.now)[1]

    def standing(self, world: World) -> Standing | None:
        decided = self.decide(world)
        return decided if isinstance(decided, Standing) else None

    def steps(self, world: World, meanwhile: dict[str, Callable[[World], World]] | None) -> Iterator[Event]:
        """
        Take what is next, whatever may become of it.

        :param meanwhile: what may happen before the worker has recorded an answer, by what it is called; None if
            nothing at all goes wrong.
        """
        step = self.decide(world)
        if isinstance(step, Standing):
            return
        name = f"worker: {type(step).__name__.lower()}"
        yield Event(name, FREE, self.take(world, step, ANSWERED))
        if meanwhile is None or isinstance(step, Adopt | Move):
            return
        for outcome in _outcomes(step):
            yield Event(f"{name}, {outcome}", "fault", self.take(world, step, outcome))
        for label, event in meanwhile.items():
            yield Event(f"{name}, meanwhile {label}", "fault", self.take(world, step, ANSWERED, event))

    def advance(self, world: World) -> World | None:
        """Take the next step while nothing goes wrong; None if there is none."""
        step = self.decide(world)
        return None if isinstance(step, Standing) else self.take(world, step, ANSWERED)

    def take(
        self,
        world: World,
        step: Step,
        outcome: Outcome,
        meanwhile: Callable[[World], World] | None = None,
    ) -> World:
        """Take one step: commit to it, ask QuickBooks, and record what came of it."""
        database = Database(world._replace(now=world.now + 1))
        quickbooks = QuickBooks(database, outcome, meanwhile)
        act = acting.commit(Work(quickbooks), self._decided(world.ours, world.now)[0], step)  # type: ignore[arg-type]
        if act is not None:
            with suppress(CrashError, ThrottledError):
                act()
        self.moved.update(database.moved)
        if quickbooks.created:
            _may_create(world)
        if isinstance(step, Resend):
            _may_repeat(world, step)
        return database.world


def _may_repeat(world: World, step: Resend) -> None:
    """Say what forbids that a request leaves once more."""
    row = world.ours.rows[step.record.record_id - 1]
    over_at = (row.sent_at or 0) + SETTLED
    if row.looked_at is None or row.looked_at < over_at:
        raise BrokenRuleError("A request is repeated that was not looked for once it was over.")
    is_making = row.state != "undoing"
    if is_making and (row.first_sent_at is None or world.now - row.first_sent_at >= HOURS):
        raise BrokenRuleError("A request is repeated that QuickBooks may have forgotten.")


def _outcomes(step: Step) -> tuple[Outcome, ...]:
    """What may go wrong with a request; a question that is not answered changes nothing."""
    if isinstance(step, Look | Read):
        return ()
    undoes = isinstance(step, Undo) or (isinstance(step, Resend) and step.record.state == "undoing")
    return FAULTS if undoes else (*FAULTS, OTHERWISE)


def _may_create(world: World) -> None:
    """Say what forbids that a request leaves which makes a record."""
    ours = world.ours
    decisions = [each for each in ours.decisions if each.lets_go or each.kind == "retry"]
    forbidden = {
        "cancelled": not ours.is_active,
        "not settled": not ours.is_settled,
        "held back by the settings": ours.door != "open",
    }
    for why, holds in forbidden.items():
        if holds:
            raise BrokenRuleError(f"A request to make a record left though the payment is {why}.")
    if decisions and decisions[-1].lets_go:
        raise BrokenRuleError("A request to make a record left though a person had let go of the payment.")
