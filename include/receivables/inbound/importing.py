"""Everything a company has in QuickBooks: page by page, resumable, with its counts proved at the end."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg.rows import class_row

from include.errors import RetryableError
from include.quickbooks.entities import (
    ACCOUNT,
    COMPANY_INFO,
    CREDIT_MEMO,
    CUSTOMER,
    INVOICE,
    JOURNAL_ENTRY,
    PAYMENT,
    PAYMENT_METHOD,
    PREFERENCES,
    SYNCED,
    TAX_CODE,
    TAX_RATE,
    TERM,
)
from include.quickbooks.paging import Portion, Position, read_pages
from include.receivables.company import problems
from include.receivables.company.locks import realm_transaction
from include.receivables.inbound.count_check import (
    counts_agree,
    find_hidden_deletions,
    mark_unseen,
    stage_seen,
)
from include.receivables.inbound.merging import merge_pending
from include.receivables.inbound.references import fetch_missing, read_own_entries
from include.receivables.inbound.syncing import OVERLAP, REACH, finish, merge_all, read_changes
from include.sql import load

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import Connection

    from include.quickbooks.client import QuickBooksClient
    from include.quickbooks.entities import Entity
    from include.receivables.company.runs import Run

logger = logging.getLogger(__name__)

# What others point at comes first.
IMPORTED = (
    TERM,
    PAYMENT_METHOD,
    COMPANY_INFO,
    PREFERENCES,
    TAX_RATE,
    TAX_CODE,
    ACCOUNT,
    CUSTOMER,
    INVOICE,
    CREDIT_MEMO,
    PAYMENT,
)
ROUNDS_OF_PROOF = 3
PROGRESS_EVERY = 2.0  # seconds


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import has read one entity; see ``staging.import_progress``."""

    entity: str
    created_since: datetime | None
    start_position: int
    last_ids: list[str]
    records_read: int
    started_at: datetime
    finished_at: datetime | None


class ProgressLog:
    """Says every few seconds how far the reading is."""

    def __init__(self) -> None:
        self._said_at = time.monotonic()

    def say(self, entity: Entity, records_read: int, *, is_last: bool) -> None:
        """Log how many records of an entity are in, unless it was said just now."""
        now = time.monotonic()
        if is_last or now - self._said_at >= PROGRESS_EVERY:
            self._said_at = now
            logger.info(
                "Imported %s %s records%s.", f"{records_read:,}", entity.name, "" if is_last else " so far"
            )


def import_company(
    db: Connection, quickbooks: QuickBooksClient, run: Run, *, accept_deletions: bool = False
) -> None:
    """
    Import a company: read everything, then what changed meanwhile, then prove the counts.

    A stopped import goes on where it was stopped, as long as change data capture still reaches back to its
    beginning.

    :param accept_deletions: believe the deletions it finds however many they are.
    :raises DeletionBrakeError: when more records vanished than a healthy company deletes.
    :raises RetryableError: when the counts do not agree in the end.
    """
    progress = _resume(db, run)
    started_at = min((known.started_at for known in progress.values()), default=None)
    for entity in IMPORTED:
        started_at = _import_entity(db, quickbooks, run, entity, progress.get(entity.table), started_at)
    if started_at is None:
        raise RetryableError("QuickBooks answered none of the import's reads: try again.")
    # Of journal entries only Peakflo's own matter, which are asked for by Id: one without is told only while it comes.
    problems.resolve_nameless(db, run.company, JOURNAL_ENTRY.table, [])
    read_changes(db, quickbooks, run, started_at - OVERLAP, accept_deletions=accept_deletions)
    for entity in SYNCED:
        mark_unseen(db, quickbooks, run, entity, started_at, accept_deletions=accept_deletions)
    _prove(db, quickbooks, run, started_at, accept_deletions=accept_deletions)
    read_own_entries(db, quickbooks, run)
    fetch_missing(db, quickbooks, run)
    merge_all(db, run)
    finish(db, run)
    db.execute(load("staging/clear_progress"), {"realm_id": run.company.realm_id})
    problems.resolve_failures(db, run.company)


def _resume(db: Connection, run: Run) -> dict[str, Progress]:
    """Return how far an unfinished import has come, or clear the way for a new one."""
    keys = {"realm_id": run.company.realm_id, "reach": REACH}
    with db.transaction():
        db.execute(load("staging/clear_old_progress"), keys)
        with db.cursor(row_factory=class_row(Progress)) as cursor:
            progress = cursor.execute(load("staging/read_progress"), keys).fetchall()
    if progress:
        logger.info("Going on with an import that was stopped.")
    return {known.entity: known for known in progress}


def _import_entity(
    db: Connection,
    quickbooks: QuickBooksClient,
    run: Run,
    entity: Entity,
    known: Progress | None,
    started_at: datetime | None,
) -> datetime:
    """
    Read all records of an entity, from where an earlier try stopped, and merge them page by page.

    :param started_at: QuickBooks' time of the import's first answer, None before it.
    :return: the same, known by now.
    """
    if known and known.finished_at and started_at:
        return started_at
    position = (
        Position(known.created_since, known.start_position, tuple(known.last_ids)) if known else Position()
    )
    records_read = known.records_read if known else 0
    log = ProgressLog()
    for portion in read_pages(quickbooks, entity, position=position):
        started_at = started_at or portion.page.server_time
        records_read += len(portion.page.ids)
        with realm_transaction(db, run.company.realm_id):
            stage_seen(db, run, portion.page)
            _save_progress(db, run, portion, records_read, started_at)
        merge_pending(db, run)
        log.say(entity, records_read, is_last=portion.following is None)
    if started_at is None:
        raise RetryableError(f"QuickBooks gave no page of {entity.name}: try again.")
    return started_at


def _save_progress(
    db: Connection, run: Run, portion: Portion, records_read: int, started_at: datetime
) -> None:
    following = portion.following or Position()
    keys = {
        "realm_id": run.company.realm_id,
        "entity": portion.page.entity.table,
        "started_at": started_at,
        "created_since": following.created_since,
        "start_position": following.start,
        "last_ids": list(following.last_ids),
        "records_read": records_read,
        "is_finished": portion.following is None,
    }
    db.execute(load("staging/save_progress"), keys)


def _prove(
    db: Connection, quickbooks: QuickBooksClient, run: Run, started_at: datetime, *, accept_deletions: bool
) -> None:
    """
    Compare the counts, entity by entity; a difference is looked into, for books that change meanwhile.

    One that is left is believed of an entity of which records have no Id: they cannot be counted.
    """
    for _ in range(ROUNDS_OF_PROOF):
        differing = [entity for entity in SYNCED if not counts_agree(db, quickbooks, run, entity)]
        if not differing:
            return
        read_changes(db, quickbooks, run, started_at - OVERLAP, accept_deletions=accept_deletions)
        for entity in differing:
            find_hidden_deletions(db, quickbooks, run, entity, accept_deletions=accept_deletions)
    unexplained = [entity for entity in differing if not problems.has_nameless(db, run.company, entity.table)]
    if not unexplained:
        return
    names = ", ".join(entity.name for entity in unexplained)
    raise RetryableError(f"QuickBooks and staging still count {names} differently: run the import again.")
