"""
One state of the world: QuickBooks' books, the line to them, our database, and a backup of it.

Small and hashable. Times are seconds, of which only their order counts and whether minutes or half a day lie between.
"""

from __future__ import annotations

import json
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from include.receivables.outbound import compare, model

if TYPE_CHECKING:
    from include.receivables.outbound.model import DecisionKind, Document, State

Json = dict[str, Any]

# A request is over, and what QuickBooks cannot tell is asked again, after minutes; it forgets a request after hours.
MINUTES = 600
HOURS = 43_200
# What is shorter counts as no time.
SETTLED = 120


class Doc(NamedTuple):
    """
    A record in QuickBooks.

    :param content: its JSON.
    :param made: as which it was made.
    :param asked: as which it was to be made.
    :param is_ours: made by a request of ours, and not given money again by hand since.
    """

    qbo_id: str
    document: Document
    token: int
    content: str
    made: str
    asked: str
    is_deleted: bool = False
    is_ours: bool = True

    @property
    def is_alive(self) -> bool:
        return not self.is_deleted and not is_void(self.content)

    @property
    def is_named(self) -> bool:
        return names_payment(self.content)

    @property
    def is_changed(self) -> bool:
        """Whether somebody changed it by hand, other than back to what was asked for."""
        return self.is_alive and self.content not in (self.made, self.asked)


class Request(NamedTuple):
    """
    A request that QuickBooks remembers, with its answer.

    :param is_old: whether it may be forgotten by now.
    """

    request_id: str
    qbo_id: str
    token: int
    content: str
    is_old: bool = False


class Waiting(NamedTuple):
    """
    A request; one on the line is one whose sender has given it up, while QuickBooks may still carry it out.

    :param content: of a record to be made; None of a request to undo one.
    :param made: as which QuickBooks will make it, if that is not what is asked for.
    """

    request_id: str
    document: Document
    content: str | None
    qbo_id: str = ""
    token: int = 0
    made: str | None = None


class Staged(NamedTuple):
    """A record as the sync read it last."""

    qbo_id: str
    document: Document
    token: int
    content: str
    is_deleted: bool

    @property
    def is_alive(self) -> bool:
        return not self.is_deleted and not is_void(self.content)


class Row(NamedTuple):
    """A row of outbox.record, by the names of its columns."""

    document: Document
    generation: int
    request_id: str
    state: State = "intended"
    code: str | None = None
    reason: str | None = None
    payload: str | None = None
    sent_snapshot: str | None = None
    qbo_id: str | None = None
    sync_token: int | None = None
    response: str | None = None
    read_sync_token: int | None = None
    read_payload: str | None = None
    sends: int = 0
    undo_count: int = 0
    undone_sync_token: int | None = None
    first_sent_at: int | None = None
    sent_at: int | None = None
    looked_at: int | None = None


class Decided(NamedTuple):
    """
    What a person decided.

    :param seen: the living records that the person saw.
    """

    kind: DecisionKind
    fingerprint: str
    lets_go: bool
    snapshot: str
    at: int
    seen: tuple[str, ...]


class Ours(NamedTuple):
    """
    Our database.

    :param is_fresh: whether a sync has read QuickBooks within the time for which it remembers requests.
    :param edition: what Peakflo says of the payment, as a number of the case's editions.
    :param door: ``open``, or why nothing may be sent.
    :param check: what the preflight says: ``ready``, ``held`` or ``refused``.
    """

    rows: tuple[Row, ...] = ()
    staged: tuple[Staged, ...] = ()
    is_fresh: bool = True
    decisions: tuple[Decided, ...] = ()
    is_active: bool = True
    is_settled: bool = True
    edition: int = 0
    door: str = "open"
    check: str = "ready"


class World(NamedTuple):
    """
    A state of all that a payment's delivery rests on.

    :param happened: how often each kind of event has happened, in the order of the checker's limits.
    """

    ours: Ours = Ours()
    books: tuple[Doc, ...] = ()
    requests: tuple[Request, ...] = ()
    line: tuple[Waiting, ...] = ()
    backup: Ours | None = None
    now: int = 0
    happened: tuple[int, ...] = ()

    def doc(self, qbo_id: str) -> Doc | None:
        return next((doc for doc in self.books if doc.qbo_id == qbo_id), None)

    def with_doc(self, changed: Doc) -> World:
        """Put a record in the place of its former version, or add it."""
        others = [doc for doc in self.books if doc.qbo_id != changed.qbo_id]
        return self._replace(books=tuple(sorted([*others, changed])))

    def with_row(self, index: int, row: Row) -> World:
        rows = (*self.ours.rows[:index], row, *self.ours.rows[index + 1 :])
        return self._replace(ours=self.ours._replace(rows=rows))

    def living(self, document: Document) -> list[Doc]:
        """Return the living records that name the payment, or that we know as its own."""
        known = {row.qbo_id for row in self.ours.rows}
        return [
            doc
            for doc in self.books
            if doc.document == document and doc.is_alive and (doc.is_named or doc.qbo_id in known)
        ]


# The kind of what happens by itself, however often.
FREE = "free"


class Event(NamedTuple):
    """Something that may happen: what it is called, of which kind it is, and the world after it."""

    label: str
    kind: str
    world: World


# The contents of records, as text


@cache
def parse(text: str) -> Json:
    """Read a record's JSON; nobody changes what is returned."""
    parsed: Json = json.loads(text, parse_float=Decimal)
    return parsed


@cache
def is_void(text: str) -> bool:
    return compare.is_void(parse(text))


def names_payment(text: str) -> bool:
    return "Peakflo payment" in text


# States that are the same for all that may come


def canonical(world: World) -> World:
    """Forget what nothing can depend on any more, and count the time as short as it can be told."""
    ours = _tidy(world.ours)
    backup = world.backup and _tidy(world.backup)
    times = _times(ours) | {world.now}
    if backup:
        times |= _times(backup)
    short = _shortened(sorted(times))
    if any(before != after for before, after in short.items()):
        ours = _retimed(ours, short)
        backup = backup and _retimed(backup, short)
    return world._replace(ours=ours, backup=backup, now=short[world.now])


def _tidy(ours: Ours) -> Ours:
    rows = tuple([_tidy_row(row) for row in ours.rows])
    return ours if rows == ours.rows else ours._replace(rows=rows)


def _tidy_row(row: Row) -> Row:
    """Forget the times of a request that is decided: the next one has its own."""
    if row.state in model.UNDECIDED or (row.code is not None and row.state == "made"):
        return row
    if row.sent_at is None and row.looked_at is None and not row.sends:
        return row
    return row._replace(first_sent_at=None, sent_at=None, looked_at=None, sends=0)


def _times(ours: Ours) -> set[Any]:
    found: set[Any] = {decided.at for decided in ours.decisions}
    for row in ours.rows:
        found.update((row.first_sent_at, row.sent_at, row.looked_at))
    found.discard(None)
    return found


def _shortened(times: list[int]) -> dict[int, int]:
    """Count the time from one event to the next as briefly as tells seconds, minutes and hours apart."""
    short = {}
    before, passed = times[0], 0
    for at in times:
        gap = at - before
        passed += HOURS if gap >= HOURS else MINUTES if gap >= SETTLED else min(gap, 1)
        short[at] = passed
        before = at
    return short


def _retimed(ours: Ours, short: dict[int, int]) -> Ours:
    rows = tuple([_retimed_row(row, short) for row in ours.rows])
    decisions = tuple([decided._replace(at=short[decided.at]) for decided in ours.decisions])
    return ours._replace(rows=rows, decisions=decisions)


def _retimed_row(row: Row, short: dict[int, int]) -> Row:
    if row.sent_at is None and row.looked_at is None:
        return row
    first_sent_at, sent_at, looked_at = (
        None if at is None else short[at] for at in (row.first_sent_at, row.sent_at, row.looked_at)
    )
    return row._replace(first_sent_at=first_sent_at, sent_at=sent_at, looked_at=looked_at)
