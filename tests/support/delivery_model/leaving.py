"""Whether every standing can be left by something that people can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.delivery_model import events
from tests.support.delivery_model.database import BrokenRuleError
from tests.support.delivery_model.properties import describe
from tests.support.delivery_model.world import canonical

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.delivery_model.properties import Rest, Resting
    from tests.support.delivery_model.worker import Worker
    from tests.support.delivery_model.world import World

# By so many acts at most, once the settings are right, or by one for each difference.
MOST_ACTS = 3
_CANCELLING = ("Peakflo: cancel", "Peakflo: take up again")


class Leaving:
    """Looks for a way out of each standing, once for each kind of situation."""

    def __init__(self, worker: Worker, resting: Resting) -> None:
        self.worker, self.resting = worker, resting
        self.known: set[object] = set()

    def must_be_possible(self, rest: Rest) -> None:
        """
        Make sure that people can bring both sides together again, and that what they decide is heard.

        :raises BrokenRuleError: if they cannot.
        """
        if rest.standing.kind == "agrees" or (kind := _kind(rest)) in self.known:
            return
        self.known.add(kind)
        self._must_be_heard(rest)
        if self._has_way_out(rest, but=_CANCELLING):
            return
        if not (_is_final(rest.world) and self._has_way_out(rest, but=())):
            raise BrokenRuleError(f"Nothing leads out of {describe(rest.standing)}.")

    def _must_be_heard(self, rest: Rest) -> None:
        if rest.world.ours.door == "not_connected":
            # It is heard as soon as QuickBooks can be asked.
            return
        for event in events.decided(self.worker, rest.world):
            after = self.worker.standing(canonical(event.world))
            if after == rest.standing:
                raise BrokenRuleError(f"{event.label} is not heard in {describe(rest.standing)}.")

    def _has_way_out(self, rest: Rest, but: tuple[str, ...]) -> bool:
        settings = rest.world.ours._replace(door="open", check="ready")
        ways: list[tuple[World, list[str]]] = [(rest.world._replace(ours=settings), [])]
        met = {rest.world}
        for _ in range(max(MOST_ACTS, len(rest.standing.differences))):
            further = []
            for world, acts in ways:
                for label, act in self._acts(world, but):
                    after = self._rest(act, [*acts, label])
                    if after.standing.kind == "agrees":
                        return True
                    if after.world not in met:
                        met.add(after.world)
                        further.append((after.world, [*acts, label]))
            ways = further
        return False

    def _rest(self, world: World, acts: list[str]) -> Rest:
        try:
            return self.resting.rest(world)
        except BrokenRuleError as broken:
            raise BrokenRuleError(f"{broken} (at rest, then after: {', '.join(acts)})") from broken

    def _acts(self, world: World, but: tuple[str, ...]) -> Iterator[tuple[str, World]]:
        """What people may do; first of all nothing, now that the settings are right."""
        yield "put the settings right", canonical(world)
        for event in (
            *events.decided(self.worker, world),
            *events.in_peakflo(self.worker.case, world),
            *events.by_hand(self.worker.case, world),
        ):
            if event.label not in but:
                yield event.label, canonical(event.world)


def _is_final(world: World) -> bool:
    """
    Tell whether only to cancel a payment, or to take it up again, leads to agreement, by nature.

    A journal entry that a payment links cannot be put back once it is deleted.
    """
    rows = world.ours.rows
    is_linked = any('"TxnType":"JournalEntry"' in (row.payload or "") for row in rows)
    return is_linked and any(row.document == "journal_entry" and row.state == "gone" for row in rows)


def _kind(rest: Rest) -> object:
    """Describe a situation as far as it matters for how it can be left."""
    world = rest.world
    return (
        describe(rest.standing),
        world.ours.is_active,
        world.ours.edition,
        tuple((row.document, row.state, row.code) for row in world.ours.rows),
        tuple(
            (doc.document, doc.is_alive, doc.is_deleted, doc.is_changed, doc.is_named) for doc in world.books
        ),
    )
