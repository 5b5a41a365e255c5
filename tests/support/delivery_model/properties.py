"""What must hold in every state of the world, and what must hold once nothing happens any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from include.receivables.outbound.model import DOCUMENTS, Standing
from tests.support.delivery_model import events
from tests.support.delivery_model.database import BrokenRuleError
from tests.support.delivery_model.world import canonical

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.receivables.outbound.model import Document
    from tests.support.delivery_model.case import Case
    from tests.support.delivery_model.worker import Worker
    from tests.support.delivery_model.world import Doc, World

# No payment takes so many steps at once, and no world so many rounds until it is at rest.
MOST_STEPS = 20
MOST_ROUNDS = 8

# That it is there more than once.
TWICE = {"twice_in_quickbooks", "several_found", "copied_in_quickbooks", "revived_in_quickbooks"}
# That what is there is not as Peakflo says.
UNLIKE = {"edited_in_quickbooks", "answer_differs", "edited_after_sending", "adjustment_outdated"}
# That the journal entry is missing which the payment links.
MISSING = {"deleted_in_quickbooks", "entry_missing"}


class Rest(NamedTuple):
    """A world that has come to rest, and where the payment stands there."""

    world: World
    standing: Standing


def must_hold(world: World) -> None:
    """
    Say what must hold in every state.

    :raises BrokenRuleError: if it does not.
    """
    for document in DOCUMENTS:
        ours = [doc.qbo_id for doc in world.books if doc.document == document and _is_ours(doc)]
        if len(ours) > 1:
            raise BrokenRuleError(f"We made {' and '.join(ours)}, and all of them live.")


def _is_ours(doc: Doc) -> bool:
    return doc.is_ours and doc.is_alive and doc.is_named


class Resting:
    """Lets worlds come to rest: no fault and nobody's act any more, while sync, worker and clock go on."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self._known: dict[World, Rest] = {}

    def rest(self, world: World) -> Rest:
        """
        Let a world come to rest, and stay there for hours.

        :raises BrokenRuleError: if it does not, or if it moves again by itself.
        """
        world = world._replace(happened=(), backup=None, line=())
        passed = []
        while world not in self._known:
            passed.append(world)
            after = self._round(world)
            if after == world:
                self._known[world] = self._stay(world)
            elif len(passed) > MOST_ROUNDS:
                raise BrokenRuleError("It comes to no rest.")
            world = after
        rest = self._known[world]
        self._known.update(dict.fromkeys(passed, rest))
        return rest

    def _stay(self, world: World) -> Rest:
        """Let hours pass, after which QuickBooks has forgotten every request."""
        later = canonical(events.forget(events.hours_pass(world)))
        for _ in range(MOST_ROUNDS):
            before, later = later, self._round(later)
            if before == later:
                standing = self.worker.standing(later)
                if standing is None:
                    raise BrokenRuleError("It is never quiet.")
                if world.books != later.books:
                    raise BrokenRuleError("Hours after it came to rest, QuickBooks is changed.")
                return Rest(later, standing)
        raise BrokenRuleError("It comes to no rest.")

    def _round(self, world: World) -> World:
        """Sync, deliver, and let minutes pass."""
        if world.ours.door != "not_connected":
            world = events.sync(world)
        for _ in range(MOST_STEPS):
            after = self.worker.advance(canonical(world))
            if after is None:
                return canonical(events.minutes_pass(world))
            must_hold(after)
            world = after
        raise BrokenRuleError(f"A payment takes more than {MOST_STEPS} steps at once.")


def must_hold_at_rest(case: Case, rest: Rest) -> None:
    """
    Say what must hold once nothing happens any more.

    :raises BrokenRuleError: if it does not.
    """
    for fault in _faults(case, rest):
        raise BrokenRuleError(f"{fault} It stands: {describe(rest.standing)}.")


def _faults(case: Case, rest: Rest) -> Iterator[str]:
    world, standing = rest
    told = {difference.code for difference in standing.differences}
    if standing.kind == "waits" and not _may_wait(world, standing):
        yield "It waits for what does not come."
    if world.ours.door == "not_connected":
        # Nobody can know what QuickBooks has.
        return
    yield from _untold(case, world, standing, told)
    if standing.kind == "agrees" and not is_as_wanted(case, world):
        yield "Both sides are said to agree, and do not."
    if standing.kind == "ignored":
        yield from _unheard_of(case, world, standing)
    # What was found without the payment's name is looked for again when a person has it retried; what a person entered
    # for a payment that was let go of is not known.
    is_in_doubt = bool(told & {"unmarked_found", "edited_after_ignoring"}) or any(
        doc.is_alive and not doc.is_named for doc in world.books
    )
    if standing.kind == "differs" and is_as_wanted(case, world) and not is_in_doubt:
        yield "It is told of without a cause."


def _untold(case: Case, world: World, standing: Standing, told: set[str]) -> Iterator[str]:
    """Say what of the differences is not told, nor was told and ignored."""
    living = {document: world.living(document) for document in DOCUMENTS}
    if any(len(docs) > 1 for docs in living.values()) and not told & TWICE:
        yield "It is there twice, and that is not told."
    if not world.ours.is_active:
        if any(living.values()) and not told and standing.kind != "waits":
            yield "It is cancelled and there, and that is not told."
        return
    if not living["payment"]:
        return
    suffices = UNLIKE | TWICE | (set() if living["journal_entry"] else MISSING)
    for document, docs in living.items():
        wanted = _wanted(case, world, document)
        if len(docs) == 1 and docs[0].content != wanted and not told & suffices:
            yield f"Its {document} is not as Peakflo says, and that is not told."


def _unheard_of(case: Case, world: World, standing: Standing) -> Iterator[str]:
    """Say what is kept quiet though nobody has seen it."""
    ignored = [each for each in world.ours.decisions if each.kind == "ignore"]
    known = {qbo_id for each in ignored for qbo_id in each.seen}
    # What is the very same says nothing new.
    seen = {doc.content for doc in world.books if doc.qbo_id in known}
    if not ignored:
        yield "Nobody ignored it."
    # What a bookkeeper does with the journal entry of a payment that is not to be sent is left to him.
    is_left = standing.is_let_go and not world.living("payment")
    for document in ("payment",) if is_left else DOCUMENTS:
        for doc in world.living(document):
            if doc.qbo_id not in known and doc.content not in {*seen, _wanted(case, world, document)}:
                yield f"What nobody has seen is kept quiet: {doc.qbo_id}."


def is_as_wanted(case: Case, world: World) -> bool:
    """Tell whether QuickBooks has exactly what Peakflo says."""
    counts = world.ours.is_active and world.ours.is_settled
    for document in DOCUMENTS:
        wanted = _wanted(case, world, document) if counts else None
        if [doc.content for doc in world.living(document)] != ([] if wanted is None else [wanted]):
            return False
    return True


def _wanted(case: Case, world: World, document: Document) -> str | None:
    entries = [doc.qbo_id for doc in world.living("journal_entry")]
    return case.content(world.ours.edition, document, entries[-1] if entries else None)


def _may_wait(world: World, standing: Standing) -> bool:
    may_wait = {
        "not_settled": not world.ours.is_settled,
        "auto_sync_off": world.ours.door == "auto_sync_off",
        "books_closed": world.ours.check == "held",
    }
    is_cut_off = world.ours.door == "not_connected"
    may_wait |= dict.fromkeys(("not_connected", "stale", "not_fresh"), is_cut_off)
    # What was looked for in vain is sent again once the switch is on.
    may_wait["undecided"] = world.ours.door in ("not_connected", "auto_sync_off")
    return standing.waits is not None and may_wait.get(standing.waits.code, False)


def describe(standing: Standing) -> str:
    """Say where a payment stands, in words for a trace."""
    codes = [f"{each.code}{' (ignored)' if each.is_ignored else ''}" for each in standing.differences]
    waits = [f"waits for {standing.waits.code}"] if standing.waits else []
    let_go = ["let go"] if standing.is_let_go else []
    return f"{standing.kind}, {'; '.join([*codes, *waits, *let_go]) or 'nothing to say'}"
