"""What a reminder run asks QuickBooks for: everything at once, up to a deadline, and what came of each read."""

from __future__ import annotations

import logging
import time
from concurrent.futures import wait
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import psycopg

from include.errors import (
    ChangesExpiredError,
    ConfigurationError,
    DeletionBrakeError,
    NoTokenError,
    ReauthorizeError,
    ReceivablesError,
    ThrottledError,
    UnreachableError,
)
from include.quickbooks import query
from include.quickbooks.changes import read_parts
from include.quickbooks.entities import CAPTURED, CREDIT_MEMO, CUSTOMER, INVOICE, PAYMENT
from include.quickbooks.halving import read_ids
from include.quickbooks.paging import read_pages
from include.receivables.company.deadline import in_background
from include.receivables.inbound.references import split_ids
from include.receivables.inbound.staging import (
    check_deletions,
    content_hash,
    mark_deleted,
    stage_changes,
    stage_records,
)
from include.receivables.reminders.verdicts import MESSAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from concurrent.futures import Future
    from datetime import datetime

    from psycopg import Connection

    from include.quickbooks.client import QuickBooksClient
    from include.quickbooks.entities import Entity
    from include.quickbooks.records import Changes, Page, Record
    from include.receivables.company.deadline import Deadline
    from include.receivables.company.runs import Run

logger = logging.getLogger(__name__)

T = TypeVar("T")

# A burst of several runs may meet QuickBooks' limit of requests per second: that is over after one. Intuit does not
# meter refused calls.
THROTTLE_PAUSE_SECONDS = 1.0
THROTTLED_ATTEMPTS = 3

# Of a full answer's changes, those that verdicts rest on.
JUDGED = (CUSTOMER, INVOICE, CREDIT_MEMO, PAYMENT)


class LateError(UnreachableError):
    """An answer did not come within the run's deadline."""

    code = "deadline"


class DatabaseUnreachableError(UnreachableError):
    """The receivables database gave no connection."""

    code = "database_unreachable"


# The first class that fits names the cause of an error whose own code is none of a verdict's.
CAUSES: tuple[tuple[type[Exception], str], ...] = (
    (ReauthorizeError, "reauthorize"),
    (ChangesExpiredError, "import_needed"),
    (ConfigurationError, "configuration"),
    (NoTokenError, "quickbooks_unreachable"),
    (UnreachableError, "quickbooks_unreachable"),
)


def cause_of(error: BaseException) -> str:
    """Name why something was not read, by a code of :data:`include.receivables.reminders.verdicts.MESSAGES`."""
    if isinstance(error, ReceivablesError) and error.code in MESSAGES:
        return error.code
    return next((code for kind, code in CAUSES if isinstance(error, kind)), "unexpected")


class Closable(Protocol):
    """What has to be closed."""

    def close(self) -> None:
        """Close it."""
        ...


@dataclass(frozen=True, slots=True)
class AllChanges:
    """
    What changed in a company.

    :param parts: the answers, each with what was asked for.
    :param pages: the changes that they may have left out.
    """

    parts: list[tuple[Sequence[Entity], Changes]]
    pages: list[Page]


@dataclass(frozen=True, slots=True)
class _ByIds:
    entity: Entity
    qbo_ids: list[str]
    answer: Future[Page]


@dataclass(slots=True)
class Reads:
    """
    What of a company was read just now, and why the rest was not.

    :param read_at: per entity and Id, QuickBooks' time of the answer that told of the record or that it is gone.
    :param causes: per entity and Id, why a record was not read.
    :param changes_cause: why the changes were not read; empty if they were.
    :param changes_since: since when changes were asked for.
    :param changes_read_at: QuickBooks' time of the answer that told of the changes.
    :param settled_before: what changed earlier is the same in all answers that told of the changes; None if it was one.
    :param told: the records that the changes told of, as :func:`told_as` names them.
    :param errors: what went wrong, in the order of the reads.
    """

    read_at: dict[tuple[str, str], datetime] = field(default_factory=dict)
    causes: dict[tuple[str, str], str] = field(default_factory=dict)
    changes_cause: str = "deadline"
    changes_since: datetime | None = None
    changes_read_at: datetime | None = None
    settled_before: datetime | None = None
    told: list[bytes] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    def cause(self, entity: Entity, qbo_id: str) -> str:
        """Return why a record was not read; empty if it was."""
        key = (entity.table, qbo_id)
        return "" if key in self.read_at else self.causes.get(key, "deadline")

    def was_asked(self, table: str, qbo_id: str) -> bool:
        """Tell whether a record was read, or asked for without success."""
        return (table, qbo_id) in self.read_at or (table, qbo_id) in self.causes

    def ids(self, entity: Entity) -> list[str]:
        """Return the Ids of an entity's records that were read."""
        return [qbo_id for table, qbo_id in self.read_at if table == entity.table]

    def note(self, entity: Entity, qbo_ids: Iterable[str], read_at: datetime) -> None:
        """Note that records were read."""
        for qbo_id in qbo_ids:
            key = (entity.table, qbo_id)
            self.read_at[key] = max(read_at, self.read_at.get(key, read_at))

    def note_failure(self, entity: Entity, qbo_ids: Iterable[str], error: BaseException) -> None:
        """Note that records were not read, and why."""
        self.errors.append(error)
        self.causes |= {(entity.table, qbo_id): cause_of(error) for qbo_id in qbo_ids}


class ReminderReader:
    """
    Asks QuickBooks on threads that nobody waits for past the deadline, and stages what came.

    :param quickbooks: a client whose timeouts end with the deadline.
    :param deadline: by when answers have to be there.
    """

    def __init__(self, quickbooks: QuickBooksClient, run: Run, deadline: Deadline) -> None:
        self.reads = Reads()
        self.quickbooks = quickbooks
        self._run = run
        self._deadline = deadline
        self._changes: Future[AllChanges] | None = None
        self._by_ids: list[_ByIds] = []
        self._started: list[Future[Any]] = []
        # Known before the threads count in them, so that a late one never adds to what is being read.
        self._counts = {entity: run.counts[entity.table] for entity in CAPTURED}

    def ask_for_changes(self, since: datetime | None) -> None:
        """Ask for all that changed since a moment; None for a company without one."""
        self.reads.changes_since = since
        self._changes = self._start(partial(self._read_changes, since))

    def ask_for(self, entity: Entity, qbo_ids: Iterable[str], unreadable: set[str]) -> None:
        """
        Ask for records by Id, in as few calls as possible.

        :param unreadable: those that could not be read before.
        """
        for asked in split_ids(sorted(qbo_ids), unreadable):
            read = partial(read_ids, self.quickbooks, entity, asked)
            answer = self._start(partial(self._patiently, read))
            self._by_ids.append(_ByIds(entity, asked, answer))

    def wait(self) -> None:
        """Wait for all that was asked, until the deadline."""
        wait(self._started, timeout=self._deadline.left)

    def stage(self, db: Connection) -> None:
        """Stage what has come, inside the caller's transaction, and note what of it is fresh."""
        if self._changes is not None:
            self._stage_changes(db, self._changes)
        for asked in self._by_ids:
            self._stage_by_ids(db, asked)
        self._changes, self._by_ids = None, []

    def close_after(self, *used: Closable) -> None:
        """Close what the threads use, in this order, once the last has ended; nobody waits for that."""

        def close() -> None:
            wait(self._started)
            for each in used:
                each.close()

        in_background(close)

    def _start(self, work: Callable[[], T]) -> Future[T]:
        future = in_background(work)
        self._started.append(future)
        return future

    def _patiently(self, read: Callable[[], T]) -> T:
        """Read, and once more after a pause when QuickBooks asks to slow down, while there is time."""
        for _ in range(THROTTLED_ATTEMPTS - 1):
            try:
                return read()
            except ThrottledError:
                if self._deadline.left < THROTTLE_PAUSE_SECONDS:
                    raise
                time.sleep(THROTTLE_PAUSE_SECONDS)
        return read()

    def _read_changes(self, since: datetime | None) -> AllChanges:
        if since is None:
            raise ChangesExpiredError(
                f"Company {self._run.company.company_id!r} has not been imported yet: import it first."
            )
        parts, pages = [], []
        for entities, changes in self._patiently(lambda: list(read_parts(self.quickbooks, CAPTURED, since))):
            if changes:
                parts.append((entities, changes))
            if len(entities) == 1 and entities[0] in JUDGED and (changes is None or changes.is_full):
                window = query.window(since, changes.server_time if changes else None)
                for portion in read_pages(self.quickbooks, entities[0], where=window):
                    pages.append(portion.page)
        return AllChanges(parts, pages)

    def _stage_changes(self, db: Connection, answer: Future[AllChanges]) -> None:
        try:
            read = _result(answer)
            for entities, changes in read.parts:
                is_all = entities == CAPTURED and not changes.is_full
                stage_changes(db, self._run, changes, entities, moves_cursor=is_all)
        except ReceivablesError as error:
            self.reads.errors.append(error)
            self.reads.changes_cause = cause_of(error)
            return
        self.reads.changes_cause = ""
        self.reads.changes_read_at = min(
            (answer.server_time for answer in [changes for _, changes in read.parts] + read.pages),
            default=None,
        )
        if len(read.parts) + len(read.pages) > 1 and self.reads.changes_read_at:
            self.reads.settled_before = self.reads.changes_read_at.replace(microsecond=0)
        for entities, changes in read.parts:
            for entity in entities:
                found = changes.records[entity.name]
                self.reads.note(entity, (record.qbo_id for record in found), changes.server_time)
                if entity in JUDGED:
                    self.reads.told += [told_as(entity, record) for record in found]
        for page in read.pages:
            self._stage_page(db, page)
            self.reads.told += [told_as(page.entity, record) for record in page.records]

    def _stage_by_ids(self, db: Connection, asked: _ByIds) -> None:
        try:
            page = _result(asked.answer)
        except ReceivablesError as error:
            self.reads.note_failure(asked.entity, asked.qbo_ids, error)
            return
        self._stage_page(db, page, is_by_id=True)
        gone = sorted(set(asked.qbo_ids) - set(page.ids))
        self._stage_gone(db, page, gone)

    def _stage_page(self, db: Connection, page: Page, *, is_by_id: bool = False) -> None:
        stage_records(db, self._run, page, is_by_id=is_by_id)
        self.reads.note(page.entity, (record.qbo_id for record in page.records), page.server_time)
        self.reads.causes |= {(page.entity.table, odd.qbo_id): "not_merged" for odd in page.odd}

    def _stage_gone(self, db: Connection, page: Page, gone: list[str]) -> None:
        """Mark what was asked for by Id and not answered: that is the proof of a deletion."""
        try:
            check_deletions(db, self._run, page.entity, gone)
        except DeletionBrakeError as error:
            self.reads.note_failure(page.entity, gone, error)
            return
        mark_deleted(
            db, self._run, page.entity, dict.fromkeys(gone, page.server_time), read_at=page.server_time
        )
        self.reads.note(page.entity, gone, page.server_time)


def told_as(entity: Entity, record: Record) -> bytes:
    """Name a version as ``reminders/find_later`` does: a deleted record has no content."""
    return f"{entity.table} {record.qbo_id}".encode() if record.is_deleted else content_hash(record)


def _result(answer: Future[T]) -> T:
    """
    Return what a read brought.

    :raises ReceivablesError: why it brought nothing; whatever it is, the reminder run goes on without.
    """
    if not answer.done():
        raise LateError("QuickBooks did not answer within the run's deadline: try again.")
    error = answer.exception()
    if error is None:
        return answer.result()
    if isinstance(error, ReceivablesError):
        raise error
    if isinstance(error, psycopg.OperationalError):
        raise DatabaseUnreachableError(f"The receivables database does not answer: {error}") from error
    logger.error("A read failed as none should.", exc_info=error)
    raise ReceivablesError(f"{type(error).__name__}: read the task's log.", code="unexpected") from error
