"""One company's cycle: what changed in QuickBooks since the last one, staged, mapped and merged."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from include.errors import ChangesExpiredError
from include.quickbooks import query
from include.quickbooks.entities import SYNCED
from include.receivables import problems
from include.receivables.locks import realm_transaction
from include.receivables.merging import MERGES, merge_pending
from include.receivables.pages import read_pages
from include.receivables.proof import find_hidden_deletions
from include.receivables.references import fetch_missing, fetch_outdated
from include.receivables.staging import (
    advance_cursor,
    read_cursor,
    stage_changes,
    stage_page,
)

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import Connection

    from include.quickbooks.client import QuickBooksClient
    from include.quickbooks.records import Changes
    from include.receivables.runs import Run

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
    Bring a company up to date: one metered call, and a second one only for a record that others point at.

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
    fetch_missing(db, quickbooks, run)
    fetch_outdated(db, quickbooks, run)
    merge_pending(db, run)
    finish(db, run)


def read_changes(
    db: Connection, quickbooks: QuickBooksClient, run: Run, since: datetime, *, accept_deletions: bool
) -> None:
    """Stage all that changed since a moment and move the cursors, whatever it takes to be sure of "all"."""
    changes = quickbooks.changes(SYNCED, since)
    if changes.is_full:
        _read_full_changes(db, quickbooks, run, changes, since, accept_deletions=accept_deletions)
    else:
        stage_changes(db, run, changes, SYNCED, accept_deletions=accept_deletions)


def finish(db: Connection, run: Run) -> None:
    """Report the records that could not be merged and close the problems of those that could."""
    problems.resolve_merged(db, run.company)
    problems.report_waiting(db, run.company, [merge.entity for merge in MERGES])


def _read_full_changes(
    db: Connection,
    quickbooks: QuickBooksClient,
    run: Run,
    changes: Changes,
    since: datetime,
    *,
    accept_deletions: bool,
) -> None:
    """
    Read the changes that a full answer may have left out.

    Intuit documents neither paging nor which objects a full answer keeps, so each entity is asked for by query
    within the same bounds, and the deletions that may be hidden are found by comparing Ids. The cursors move
    last: a kill in between starts over.
    """
    logger.warning("Change data capture's answer is full: reading the changes since %s by query.", since)
    until = changes.server_time
    stage_changes(db, run, changes, SYNCED, accept_deletions=accept_deletions, moves_cursor=False)
    for entity in SYNCED:
        for portion in read_pages(quickbooks, run, entity, where=query.window(since, until)):
            stage_page(db, run, portion.page)
    for entity in SYNCED:
        find_hidden_deletions(db, quickbooks, run, entity, accept_deletions=accept_deletions)
    with realm_transaction(db, run.company.realm_id):
        advance_cursor(db, run, SYNCED, until)
