"""What a staged record points at and we lack is read by Id in the same cycle."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from include.quickbooks.entities import ENTITIES, JOURNAL_ENTRY
from include.quickbooks.halving import read_ids
from include.quickbooks.records import is_id
from include.receivables.company import problems
from include.receivables.company.locks import realm_transaction
from include.receivables.inbound.staging import mark_deleted, stage_records
from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from psycopg import Connection

    from include.quickbooks.client import QuickBooksClient
    from include.quickbooks.entities import Entity
    from include.receivables.company.runs import Run

logger = logging.getLogger(__name__)

BY_TABLE = {entity.table: entity for entity in ENTITIES}
# A customer has at most four levels of parents (Intuit: sub-customers).
DEPTH = 5
IDS_PER_CALL = 500
PROBE_EVERY = timedelta(hours=1)


def fetch_missing(db: Connection, quickbooks: QuickBooksClient, run: Run) -> None:
    """
    Read the records that staged ones point at and that are not staged, and what those point at in turn.

    Each is asked for once: one that cannot be stored stays missing.
    """
    asked: set[tuple[str, str]] = set()
    for _ in range(DEPTH):
        missing = _select(db, run, "staging/select_missing_references") - asked
        if not missing:
            return
        _fetch(db, quickbooks, run, missing)
        asked |= missing


def fetch_outdated(db: Connection, quickbooks: QuickBooksClient, run: Run) -> None:
    """Read the invoices and credit memos whose settled amount changed without QuickBooks sending them along."""
    _fetch(db, quickbooks, run, _select(db, run, "staging/select_outdated_links"))


def fetch_merged(db: Connection, quickbooks: QuickBooksClient, run: Run) -> None:
    """Read both records of each merge that QuickBooks told of: a list of changes need not show what is gone."""
    _fetch(db, quickbooks, run, _select(db, run, "sync/select_merged"))


def fetch_left_behind(db: Connection, quickbooks: QuickBooksClient, run: Run) -> None:
    """Read what Peakflo has under customers that have gone: it may be those' whom they were merged into."""
    wanted = select_left_behind(db, run)
    _fetch(db, quickbooks, run, wanted)
    settle_left_behind(db, run, wanted)


def select_left_behind(db: Connection, run: Run) -> set[tuple[str, str]]:
    """List what Peakflo has under customers that have gone and what was not read since, if it can be read."""
    found = _select(db, run, "staging/select_left_behind")
    return found - _unreadable(db, run) if found else found


def settle_left_behind(db: Connection, run: Run, read: set[tuple[str, str]]) -> None:
    """
    Forget the customers that went, as far as all that they had was read since.

    :param read: what was asked for after they had gone, and answered; what could not be read does not count.
    """
    read_whole = read - _unreadable(db, run) if read else read
    keys = [f"{table}/{qbo_id}" for table, qbo_id in read_whole]
    company = {"company_id": run.company.company_id, "realm_id": run.company.realm_id}
    db.execute(load("staging/settle_left_behind"), company | {"read": keys})


def read_own_entries(db: Connection, quickbooks: QuickBooksClient, run: Run) -> None:
    """Read the journal entries of Peakflo's payments, and mark those that QuickBooks does not have any more."""
    rows = db.execute(load("outbox/list_own_entries"), {"realm_id": run.company.realm_id})
    read_by_ids(db, quickbooks, run, JOURNAL_ENTRY, [row[0] for row in rows])


def read_by_ids(
    db: Connection, quickbooks: QuickBooksClient, run: Run, entity: Entity, qbo_ids: Sequence[str]
) -> None:
    """
    Read records by Id and stage them; what QuickBooks does not have any more is marked as deleted.

    Being asked for by Id and not answered is the proof of a deletion: lists are asked for their inactive
    records too.
    """
    if not qbo_ids:
        return
    for asked in split_ids(qbo_ids, problems.list_unreadable(db, run.company, entity.table)):
        page = read_ids(quickbooks, entity, asked)
        gone = set(asked) - set(page.ids)
        with realm_transaction(db, run.company.realm_id):
            stage_records(db, run, page, is_by_id=True)
            mark_deleted(db, run, entity, dict.fromkeys(gone, page.server_time), read_at=page.server_time)
        if gone:
            logger.info("QuickBooks does not have %s %s any more.", entity.name, ", ".join(sorted(gone)))


def split_ids(qbo_ids: Iterable[str], unreadable: set[str]) -> Iterator[list[str]]:
    """
    Split Ids into what one call asks for.

    What could not be read before is asked for apart, lest QuickBooks fail at the others for its sake. What can be no Id
    is left out.
    """
    wanted = [qbo_id for qbo_id in dict.fromkeys(qbo_ids) if is_id(qbo_id)]
    for part in (
        [qbo_id for qbo_id in wanted if qbo_id not in unreadable],
        [qbo_id for qbo_id in wanted if qbo_id in unreadable],
    ):
        for first in range(0, len(part), IDS_PER_CALL):
            yield part[first : first + IDS_PER_CALL]


def read_unreadable(db: Connection, quickbooks: QuickBooksClient, run: Run) -> None:
    """
    Read again, once an hour, what could not be read, or was answered in a form that Peakflo's tables refuse.

    QuickBooks may have been mended without a word: its record is as it was, and is not told of as changed.
    """
    wanted = _select(db, run, "staging/select_unreadable", older_than=PROBE_EVERY)
    wanted |= _select(db, run, "staging/select_unmergeable", older_than=PROBE_EVERY)
    _fetch(db, quickbooks, run, wanted)


def _unreadable(db: Connection, run: Run) -> set[tuple[str, str]]:
    return _select(db, run, "staging/select_unreadable", older_than=timedelta())


def _select(db: Connection, run: Run, statement: str, **more: Any) -> set[tuple[str, str]]:
    """Return the staging tables and Ids of the records that a statement lists per table."""
    keys = {"company_id": run.company.company_id, "realm_id": run.company.realm_id}
    wanted = db.execute(load(statement), keys | more).fetchall()
    return {(table, qbo_id) for table, qbo_ids in wanted for qbo_id in qbo_ids}


def _fetch(db: Connection, quickbooks: QuickBooksClient, run: Run, wanted: set[tuple[str, str]]) -> None:
    for table in sorted({table for table, _ in wanted}):
        qbo_ids = sorted(qbo_id for wanted_table, qbo_id in wanted if wanted_table == table)
        logger.info("Reading %d %s records by Id.", len(qbo_ids), table)
        read_by_ids(db, quickbooks, run, BY_TABLE[table], qbo_ids)
