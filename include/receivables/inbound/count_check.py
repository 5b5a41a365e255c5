"""Proves that staging has what QuickBooks has: by counts first, by Ids where they differ."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from include.quickbooks.paging import read_pages
from include.quickbooks.records import NO_ID
from include.receivables.company import problems
from include.receivables.company.locks import realm_transaction
from include.receivables.inbound.references import read_by_ids
from include.receivables.inbound.staging import check_deletions, count_live, stage_records
from include.sql import load

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import Connection

    from include.quickbooks.client import QuickBooksClient
    from include.quickbooks.entities import Entity
    from include.quickbooks.records import Page
    from include.receivables.company.runs import Run

logger = logging.getLogger(__name__)


def find_hidden_deletions(
    db: Connection, quickbooks: QuickBooksClient, run: Run, entity: Entity, *, accept_deletions: bool
) -> None:
    """
    Find the records that vanished without a word, once all that were created and changed are staged.

    Equal counts prove that there are none, for one call; else all Ids are read and compared.

    :raises DeletionBrakeError: when more vanished than a healthy company deletes.
    """
    if counts_agree(db, quickbooks, run, entity):
        return
    logger.warning("QuickBooks and staging count %s differently: comparing all Ids.", entity.name)
    db.execute(load("staging/clear_seen"), _keys(run, entity))
    started_at = None
    for portion in read_pages(quickbooks, entity):
        started_at = started_at or portion.page.server_time
        with realm_transaction(db, run.company.realm_id):
            stage_seen(db, run, portion.page)
    if started_at:
        mark_unseen(db, quickbooks, run, entity, started_at, accept_deletions=accept_deletions)


def counts_agree(db: Connection, quickbooks: QuickBooksClient, run: Run, entity: Entity) -> bool:
    """Tell whether QuickBooks has as many records of an entity as staging knows of; one metered call."""
    return quickbooks.count(entity) == count_live(db, run, entity)


def stage_seen(db: Connection, run: Run, page: Page) -> None:
    """Stage a page and note which records it held, inside the caller's transaction."""
    stage_records(db, run, page)
    seen = _keys(run, page.entity) | {"qbo_ids": page.ids}
    db.execute(load("staging/note_seen"), seen)


def mark_unseen(
    db: Connection,
    quickbooks: QuickBooksClient,
    run: Run,
    entity: Entity,
    started_at: datetime,
    *,
    accept_deletions: bool,
) -> None:
    """
    Ask by Id for the records that a reading of all did not meet; those that QuickBooks lacks are marked deleted.

    :param started_at: QuickBooks' time at the beginning of the reading: what was staged later is not missing.
    :raises DeletionBrakeError: when more vanished than a healthy company deletes.
    """
    keys = _keys(run, entity) | {"started_at": started_at}
    unmet = [row[0] for row in db.execute(load("staging/select_unseen"), keys)]
    unseen = [qbo_id for qbo_id in unmet if not qbo_id.startswith(NO_ID)]
    if not accept_deletions:
        check_deletions(db, run, entity, unseen)
    read_by_ids(db, quickbooks, run, entity, unseen)
    # A record without an Id cannot be asked for: it was not met again, so it is well by now, or gone.
    problems.resolve_unreadable(db, run.company, entity.table, set(unmet) - set(unseen))


def _keys(run: Run, entity: Entity) -> dict[str, object]:
    return {"realm_id": run.company.realm_id, "entity": entity.table}
