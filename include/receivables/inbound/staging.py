"""QuickBooks → staging: records as they came, a page and its cursor in one transaction."""

from __future__ import annotations

import hashlib
import logging
from functools import partial
from typing import TYPE_CHECKING

import psycopg

from include.errors import DeletionBrakeError
from include.quickbooks.records import Odd
from include.receivables.company import problems
from include.receivables.company.locks import realm_transaction
from include.receivables.inbound.apply_or_reject import apply_or_reject
from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from psycopg import Connection

    from include.quickbooks.entities import Entity
    from include.quickbooks.records import Changes, Page, Record
    from include.receivables.company.runs import Run

logger = logging.getLogger(__name__)

# A cycle that deletes more than this share of an entity's records, and more than a handful, is not believed.
DELETION_SHARE = 0.10
DELETIONS_ALWAYS_BELIEVED = 25


class _Hashed:
    """A record and the hash by which it is told from the version that is staged."""

    __slots__ = ("content_hash", "record")

    def __init__(self, record: Record) -> None:
        self.record = record
        self.content_hash = content_hash(record)


def content_hash(record: Record) -> bytes:
    """Return what a version is told from another by."""
    return hashlib.sha256(record.payload).digest()


def stage_page(db: Connection, run: Run, page: Page) -> None:
    """Stage one page of records in a transaction of its own."""
    with realm_transaction(db, run.company.realm_id):
        stage_records(db, run, page)


def stage_changes(
    db: Connection,
    run: Run,
    changes: Changes,
    entities: Sequence[Entity],
    *,
    accept_deletions: bool = False,
    moves_cursor: bool = True,
) -> None:
    """
    Stage all that one call of change data capture answered, and move the cursors, in one transaction.

    :param moves_cursor: false for an answer that may have left changes out.
    :raises DeletionBrakeError: when it would delete more than a healthy company does; nothing is staged then.
    """
    with realm_transaction(db, run.company.realm_id):
        stage_tombstones(db, run, changes, entities, accept_deletions=accept_deletions)
        for entity in entities:
            stage_records(db, run, changes.alive(entity))
        if moves_cursor:
            advance_cursor(db, run, entities, changes.server_time)


def stage_records(db: Connection, run: Run, page: Page, *, is_by_id: bool = False) -> None:
    """
    Stage records of one entity, inside the caller's transaction; only those that differ are sent.

    One that cannot be read, or whose text Postgres cannot hold, becomes a problem and does not stop the others.

    :param is_by_id: whether they were asked for by Id, which is what QuickBooks has now: one that is older than what
        was read before becomes a problem, too.
    """
    entity = page.entity
    with run.timing(entity.table) as counts:
        counts.read += len(page.records) + len(page.odd)
        hashed = [_Hashed(record) for record in _newest(page.records)]
        new, changed = _select_different(db, run, entity, hashed)
        counts.changed += len(new) + len(changed)
        odd = list(page.odd)

        def refuse(version: _Hashed, error: psycopg.Error) -> None:
            reason = error.diag.message_primary or error
            odd.append(
                Odd(
                    entity,
                    version.record.qbo_id,
                    f"its version {version.record.sync_token} cannot be stored: {reason}",
                )
            )

        apply_or_reject(db, new, partial(_insert, db, run, page), refuse)
        apply_or_reject(db, changed, partial(_replace, db, run, page), refuse)
        refused = {each.qbo_id for each in odd}
        doubtful = [
            version
            for version in changed
            if version.record.qbo_id not in refused and (is_by_id or not version.record.is_ordered)
        ]
        odd += _select_contradicting(db, run, page, doubtful)
        problems.resolve_unreadable(
            db,
            run.company,
            entity.table,
            {version.record.qbo_id for version in hashed} - {each.qbo_id for each in odd},
        )
        for each in odd:
            problems.report_unreadable(db, run.company, each)


def stage_tombstones(
    db: Connection, run: Run, changes: Changes, entities: Sequence[Entity], *, accept_deletions: bool
) -> None:
    """
    Mark what change data capture reports as deleted, inside the caller's transaction.

    :raises DeletionBrakeError: when it would delete more than a healthy company does.
    """
    for entity in entities:
        deleted_at = {
            record.qbo_id: record.updated_at for record in changes.records[entity.name] if record.is_deleted
        }
        run.counts[entity.table].read += len(deleted_at)
        if not (accept_deletions or entity.is_partial):
            check_deletions(db, run, entity, list(deleted_at))
        mark_deleted(db, run, entity, deleted_at, read_at=changes.server_time)


def check_deletions(db: Connection, run: Run, entity: Entity, qbo_ids: Sequence[str]) -> None:
    """
    Stop before a deletion that is too large to be believed: a wrong one restarts reminders.

    :raises DeletionBrakeError: when more than a share of the entity's records would go.
    """
    if len(qbo_ids) <= DELETIONS_ALWAYS_BELIEVED:
        return
    keys = _keys(run, entity) | {"qbo_ids": list(qbo_ids)}
    deleted, alive = db.execute(load("staging/count_deletions"), keys).fetchone() or (0, 0)
    if deleted > max(DELETIONS_ALWAYS_BELIEVED, alive * DELETION_SHARE):
        raise DeletionBrakeError(
            f"QuickBooks reports {deleted} of {alive} {entity.name} records as deleted, more than is believed without "
            "a person: if it is right, run this again with --accept-deletions, or believe it on the company's page."
        )


def mark_deleted(
    db: Connection, run: Run, entity: Entity, deleted_at: Mapping[str, datetime], *, read_at: datetime
) -> None:
    """
    Mark records as deleted in QuickBooks, inside the caller's transaction.

    :param deleted_at: when each was deleted, by QuickBooks' id.
    """
    if not deleted_at:
        return
    with run.timing(entity.table) as counts:
        keys = _keys(run, entity) | {
            "qbo_ids": list(deleted_at),
            "deleted_ats": list(deleted_at.values()),
            "read_at": read_at,
        }
        counts.changed += db.execute(load("staging/mark_deleted"), keys).rowcount
        problems.resolve_unreadable(db, run.company, entity.table, deleted_at)


def advance_cursor(db: Connection, run: Run, entities: Iterable[Entity], changed_since: datetime) -> None:
    """Move the cursors to QuickBooks' time of an answer, inside the caller's transaction."""
    keys = {
        "realm_id": run.company.realm_id,
        "entities": [entity.table for entity in entities],
        "changed_since": changed_since,
    }
    db.execute(load("staging/advance_cursor"), keys)


def read_cursor(db: Connection, realm_id: str, entities: Iterable[Entity]) -> datetime | None:
    """Return the moment from which changes of all the entities have to be read; None before an import."""
    keys = {"realm_id": realm_id, "entities": [entity.table for entity in entities]}
    row = db.execute(load("staging/read_cursor"), keys).fetchone()
    return row[0] if row else None


def count_live(db: Connection, run: Run, entity: Entity) -> int:
    """Count the records that QuickBooks still has, as far as staging knows."""
    row = db.execute(load("staging/count_live"), _keys(run, entity)).fetchone()
    return row[0] if row else 0


def queue_all(db: Connection, realm_id: str) -> None:
    """Queue everything staged of a realm to be merged again."""
    with realm_transaction(db, realm_id):
        db.execute(load("staging/queue_all"), {"realm_id": realm_id})


def _keys(run: Run, entity: Entity) -> dict[str, object]:
    return {"realm_id": run.company.realm_id, "entity": entity.table, "run_id": run.run_id}


def _newest(records: Sequence[Record]) -> list[Record]:
    """Keep the newest of what came twice in one answer: a statement may meet a key once only."""
    newest: dict[str, Record] = {}
    for record in records:
        known = newest.get(record.qbo_id)
        if known is None or (record.sync_token, record.updated_at) > (known.sync_token, known.updated_at):
            newest[record.qbo_id] = record
    return list(newest.values())


def _select_different(
    db: Connection, run: Run, entity: Entity, hashed: Sequence[_Hashed]
) -> tuple[list[_Hashed], list[_Hashed]]:
    """Return the records that are new, and those that are known in another version."""
    if not hashed:
        return [], []
    keys = _keys(run, entity) | {
        "qbo_ids": [version.record.qbo_id for version in hashed],
        "hashes": [version.content_hash for version in hashed],
    }
    is_known: dict[str, bool] = dict(db.execute(load("staging/select_different"), keys).fetchall())
    different = [version for version in hashed if version.record.qbo_id in is_known]
    return (
        [version for version in different if not is_known[version.record.qbo_id]],
        [version for version in different if is_known[version.record.qbo_id]],
    )


def _insert(db: Connection, run: Run, page: Page, versions: Sequence[_Hashed]) -> None:
    whole_second = page.server_time.replace(microsecond=0)
    with db.cursor() as cursor, cursor.copy(load("staging/insert_records")) as copy:
        for version in versions:
            record = version.record
            copy.write_row(
                (
                    run.company.realm_id,
                    page.entity.table,
                    record.qbo_id,
                    record.sync_token,
                    # A time that lies in the future would outrank every later version.
                    min(record.updated_at, whole_second),
                    version.content_hash,
                    _text(record.payload),
                    page.server_time,
                    run.run_id,
                )
            )


def _text(payload: bytes) -> str:
    try:
        return payload.decode()
    except UnicodeDecodeError as error:
        raise psycopg.DataError(f"its text is not UTF-8 ({error.reason})") from None


def _replace(db: Connection, run: Run, page: Page, versions: Sequence[_Hashed]) -> None:
    columns = {
        "read_at": page.server_time,
        "qbo_ids": [version.record.qbo_id for version in versions],
        "sync_tokens": [version.record.sync_token for version in versions],
        "updated_ats": [version.record.updated_at for version in versions],
        "hashes": [version.content_hash for version in versions],
        "payloads": [version.record.payload for version in versions],
    }
    db.execute(load("staging/replace_records"), _keys(run, page.entity) | columns)


def _select_contradicting(db: Connection, run: Run, page: Page, versions: Sequence[_Hashed]) -> list[Odd]:
    """Tell of the records that say something else than what is staged, and are not newer as far as can be told."""
    if not versions:
        return []
    keys = _keys(run, page.entity) | {
        "read_at": page.server_time,
        "qbo_ids": [version.record.qbo_id for version in versions],
        "hashes": [version.content_hash for version in versions],
        "payloads": [version.record.payload for version in versions],
    }
    rows = db.execute(load("staging/select_contradicting"), keys).fetchall()
    reason = "it says something else than before, and its SyncToken and time do not say that it is newer"
    return [Odd(page.entity, qbo_id, reason) for (qbo_id,) in rows]
