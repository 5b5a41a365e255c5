"""One company's cycle: what changed in QuickBooks since the last one, staged, mapped and merged."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from include.errors import ChangesExpiredError
from include.quickbooks import query
from include.quickbooks.changes import read_parts
from include.quickbooks.entities import CAPTURED, SYNCED
from include.quickbooks.paging import read_pages
from include.receivables.company import problems
from include.receivables.company.locks import realm_transaction
from include.receivables.inbound import webhook_events
from include.receivables.inbound.count_check import find_hidden_deletions
from include.receivables.inbound.merging import MERGES, merge_pending
from include.receivables.inbound.references import (
    fetch_left_behind,
    fetch_merged,
    fetch_missing,
    fetch_outdated,
    read_own_entries,
    read_unreadable,
)
from include.receivables.inbound.staging import advance_cursor, read_cursor, stage_changes, stage_page

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import Connection

    from include.quickbooks.client import QuickBooksClient
    from include.quickbooks.entities import Entity
    from include.receivables.company.runs import Run

logger = logging.getLogger(__name__)

# Each read goes back a little further than the last one reached: a record may become visible after the second
# that its LastUpdatedTime names.
OVERLAP = timedelta(minutes=10)
# Intuit: change data capture looks back 30 days; a day less leaves time to get there.
REACH = timedelta(days=29)


def sync_company(
    db: Connection, quickbooks: QuickBooksClient, run: Run, *, accept_deletions: bool = False
) -> None:
    """
    Bring a company up to date: one metered call, and more only for records that others point at.

    What a customer had that went is read again, too: it may have been merged into another one.

    :param accept_deletions: believe a deletion however large it is.
    :raises ChangesExpiredError: when the company was never imported, or not read for too long.
    :raises DeletionBrakeError: when more records vanished than a healthy company deletes.
    """
    cursor = read_cursor(db, run.company.realm_id, SYNCED)
    if cursor is None:
        raise ChangesExpiredError(
            f"Company {run.company.company_id!r} has not been imported yet: import it first."
        )
    read_changes(db, quickbooks, run, cursor - OVERLAP, accept_deletions=accept_deletions)
    read_unreadable(db, quickbooks, run)
    fetch_merged(db, quickbooks, run)
    fetch_left_behind(db, quickbooks, run)
    fetch_missing(db, quickbooks, run)
    fetch_outdated(db, quickbooks, run)
    merge_all(db, run)
    finish(db, run)
    problems.resolve_failures(db, run.company)


def merge_all(db: Connection, run: Run) -> None:
    """Merge what a run has staged that read all changes, which answers the events that had come before it."""
    with db.transaction():
        webhook_events.note_change(db, run.company)
        merge_pending(db, run)
        webhook_events.mark_read(db, run)


def read_changes(
    db: Connection, quickbooks: QuickBooksClient, run: Run, since: datetime, *, accept_deletions: bool
) -> None:
    """Stage all that changed since a moment and move the cursors, whatever it takes to be sure of "all"."""
    read_at = []
    for entities, changes in read_parts(quickbooks, CAPTURED, since):
        is_whole = changes is not None and not changes.is_full
        if changes:
            is_all = is_whole and entities == CAPTURED
            stage_changes(db, run, changes, entities, accept_deletions=accept_deletions, moves_cursor=is_all)
            if is_all:
                return
            read_at.append(changes.server_time)
        if len(entities) == 1 and not is_whole:
            until = changes.server_time if changes else None
            read_at += _read_by_query(
                db, quickbooks, run, entities[0], since, until, accept_deletions=accept_deletions
            )
    # Last: a kill in between starts over.
    with realm_transaction(db, run.company.realm_id):
        advance_cursor(db, run, CAPTURED, min(read_at))


def finish(db: Connection, run: Run) -> None:
    """Report the records that could not be merged and close the problems of those that could."""
    problems.resolve_merged(db, run.company)
    problems.report_waiting(db, run.company, [merge.entity for merge in MERGES])


def _read_by_query(
    db: Connection,
    quickbooks: QuickBooksClient,
    run: Run,
    entity: Entity,
    since: datetime,
    until: datetime | None,
    *,
    accept_deletions: bool,
) -> list[datetime]:
    """
    Read an entity's changes within bounds, and find the deletions that may be hidden by comparing Ids.

    :return: QuickBooks' time of each answer.
    """
    if entity.is_partial:
        read_own_entries(db, quickbooks, run)
        return []
    read_at = []
    for portion in read_pages(quickbooks, entity, where=query.window(since, until)):
        stage_page(db, run, portion.page)
        read_at.append(portion.page.server_time)
    find_hidden_deletions(db, quickbooks, run, entity, accept_deletions=accept_deletions)
    return read_at
