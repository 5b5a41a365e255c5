"""What happens beside the worker: the sync, the clock, people on both sides, and a backup that is put back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.receivables.outbound import decisions
from include.receivables.outbound.model import DOCUMENTS
from tests.support.delivery_model.case import DELETED
from tests.support.delivery_model.quickbooks import (
    can_be_voided,
    carry_out,
    dated,
    undone,
    unnamed,
)
from tests.support.delivery_model.world import FREE, HOURS, MINUTES, Decided, Doc, Event, Staged

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from tests.support.delivery_model.case import Case
    from tests.support.delivery_model.worker import Worker
    from tests.support.delivery_model.world import Ours, World


def events(worker: Worker, world: World, kinds: Container[str]) -> Iterator[Event]:
    """All that may happen in a state of the world beside what the worker does, of some kinds."""
    yield from _machinery(world)
    if "hours" in kinds:
        yield Event("clock: hours pass", "hours", hours_pass(world))
    if "hand" in kinds:
        yield from by_hand(worker.case, world)
    if "peakflo" in kinds:
        yield from in_peakflo(worker.case, world)
    if "person" in kinds:
        yield from decided(worker, world)
    if "settings" in kinds:
        yield from settings(world)
    if "restore" in kinds:
        yield from _backups(world)


def _machinery(world: World) -> Iterator[Event]:
    """What happens by itself."""
    if world.ours.door != "not_connected":
        yield Event("sync", FREE, sync(world))
    yield Event("clock: minutes pass", FREE, minutes_pass(world))
    for waiting in world.line:
        rest = world._replace(line=tuple(each for each in world.line if each != waiting))
        yield Event(f"QuickBooks: late, {waiting.request_id}", FREE, carry_out(rest, waiting)[0])
    if any(request.is_old for request in world.requests):
        yield Event("QuickBooks: forgets requests", FREE, forget(world))


def _backups(world: World) -> Iterator[Event]:
    if world.backup is None:
        yield Event("backup: taken", "restore", world._replace(backup=world.ours))
    elif world.backup != world.ours:
        # It is older than what is noticed: an hour.
        ours = world.backup._replace(is_fresh=False)
        yield Event("backup: put back", "restore", world._replace(ours=ours))


def sync(world: World) -> World:
    """Read all of QuickBooks into staging."""
    before = {staged.qbo_id: staged for staged in world.ours.staged}
    staged = []
    for doc in world.books:
        known = before.get(doc.qbo_id)
        content = (known.content if known else DELETED) if doc.is_deleted else doc.content
        staged.append(Staged(doc.qbo_id, doc.document, doc.token, content, doc.is_deleted))
    return world._replace(ours=world.ours._replace(staged=tuple(staged), is_fresh=True))


def minutes_pass(world: World) -> World:
    """Let every request be over that is still on its way."""
    return world._replace(now=world.now + MINUTES, line=())


def hours_pass(world: World) -> World:
    """Let so much time pass that QuickBooks may forget every request."""
    requests = tuple(request._replace(is_old=True) for request in world.requests)
    ours = world.ours._replace(is_fresh=False)
    return world._replace(now=world.now + HOURS, line=(), requests=requests, ours=ours)


def forget(world: World) -> World:
    return world._replace(requests=tuple(request for request in world.requests if not request.is_old))


# People in QuickBooks


def by_hand(case: Case, world: World) -> Iterator[Event]:
    """All that a bookkeeper may do to each record."""
    for doc in world.books:
        if not doc.is_deleted:
            for what, changed in _changes(case, world, doc).items():
                newer = changed._replace(token=doc.token + 1)
                yield Event(f"by hand: {what} {doc.qbo_id}", "hand", world.with_doc(newer))
            yield Event(
                f"by hand: delete {doc.qbo_id}", "hand", world.with_doc(doc._replace(is_deleted=True))
            )
        if doc.is_alive and world.doc(f"copy-{doc.qbo_id}") is None and not doc.qbo_id.startswith("copy"):
            copied = Doc(f"copy-{doc.qbo_id}", doc.document, 0, *(doc.content,) * 3, is_ours=False)
            yield Event(f"by hand: copy {doc.qbo_id}", "hand", world.with_doc(copied))


def _changes(case: Case, world: World, doc: Doc) -> dict[str, Doc]:
    """What a bookkeeper may make of a record."""
    if not doc.is_alive:
        return {"revive": doc._replace(content=doc.made, is_ours=False)}
    changes = {}
    if doc.content == doc.made:
        changes["edit"] = doc._replace(content=dated(doc.content))
        changes["take the payment's name out of"] = doc._replace(content=unnamed(doc.content))
    else:
        changes["put right"] = doc._replace(content=doc.made)
    wanted = wanted_content(case, world, doc)
    if wanted not in (None, doc.content, doc.made):
        asked = doc.asked if doc.is_ours else str(wanted)
        changes["enter Peakflo's values in"] = doc._replace(content=str(wanted), asked=asked)
    if can_be_voided(doc):
        changes["void"] = undone(doc)
    return changes


def wanted_content(case: Case, world: World, doc: Doc) -> str | None:
    """Return what a record should say by what Peakflo says now."""
    entries = [each.qbo_id for each in world.living("journal_entry")]
    return case.content(world.ours.edition, doc.document, entries[-1] if entries else None)


# People in Peakflo, and those who decide


def in_peakflo(case: Case, world: World) -> Iterator[Event]:
    """Cancel the payment, take it up again, change it, or receive its money."""
    ours = world.ours
    changes = {"cancel": ours._replace(is_active=False)}
    if not ours.is_active:
        changes = {"take up again": ours._replace(is_active=True)}
    if not ours.is_settled:
        changes["the money arrives"] = ours._replace(is_settled=True)
    for edition in range(len(case.editions)):
        if edition != ours.edition:
            changes[f"edit, to edition {edition}"] = ours._replace(edition=edition)
    for what, changed in changes.items():
        yield Event(f"Peakflo: {what}", "peakflo", world._replace(ours=changed))


def decided(worker: Worker, world: World) -> Iterator[Event]:
    """Retry or ignore what stands, by what the product offers."""
    standing = worker.standing(world)
    if standing is None:
        return
    chosen = {"retry": decisions.to_retry(standing), "ignore": decisions.to_ignore(standing)}
    for kind, choices in chosen.items():
        if choices:
            made = tuple(
                Decided(
                    kind,  # type: ignore[arg-type]
                    each.fingerprint,
                    each.lets_go,
                    worker.case.snapshot(world.ours.edition),
                    world.now + 1,
                    seen(world),
                )
                for each in choices
            )
            codes = ", ".join(each.code for each in choices)
            ours = world.ours._replace(decisions=(*_unlike(world.ours, made), *made))
            yield Event(f"person: {kind} {codes}", "person", world._replace(ours=ours, now=world.now + 1))


def _unlike(ours: Ours, made: tuple[Decided, ...]) -> tuple[Decided, ...]:
    """Leave out former decisions that a later one about the same replaces altogether."""
    fingerprints = {(each.fingerprint, each.lets_go) for each in made}
    return tuple(each for each in ours.decisions if (each.fingerprint, each.lets_go) not in fingerprints)


def seen(world: World) -> tuple[str, ...]:
    """Return the records that are known of, or would be after a look."""
    living = {doc.qbo_id for document in DOCUMENTS for doc in world.living(document)}
    read = {staged.qbo_id for staged in world.ours.staged if staged.is_alive}
    return tuple(sorted(living | read | {row.qbo_id for row in world.ours.rows if row.qbo_id}))


def settings(world: World) -> Iterator[Event]:
    ours = world.ours
    doors = ("auto_sync_off", "not_connected") if ours.door == "open" else ("open",)
    checks = ("held", "refused") if ours.check == "ready" else ("ready",)
    for door in doors:
        yield Event(f"settings: {door}", "settings", world._replace(ours=ours._replace(door=door)))
    for check in checks:
        yield Event(f"preflight: {check}", "settings", world._replace(ours=ours._replace(check=check)))
