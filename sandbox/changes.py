"""Change data capture: what was changed or deleted since a time, capped and without pages."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, NamedTuple

from sandbox import faults
from sandbox.clock import parse_time, record_time
from sandbox.entities import ENTITIES, Entity
from sandbox.json_text import encode

if TYPE_CHECKING:
    from sandbox.books import Books

LOOK_BACK_SECONDS = 30 * 86_400


class Change(NamedTuple):
    """One changed or deleted record."""

    updated: int
    number: int
    is_deleted: bool
    entity: str
    json: bytes


def run(books: Books, names: str, changed_since: str) -> bytes:
    """
    Return the ``CDCResponse`` as JSON text.

    :param names: the entities, separated by commas.
    :raises faults.Fault: when an entity is not captured, or the time is wrong or too long ago.
    """
    since = _since(books, changed_since)
    entities = [_entity(name.strip()) for name in names.split(",") if name.strip()]
    if not entities:
        raise faults.missing("entities")
    kept = _capped(books, [_changes(books, entity, since) for entity in entities])
    parts = [_part(books, entity, changes) for entity, changes in zip(entities, kept, strict=True)]
    return b'[{"QueryResponse":[' + b",".join(parts) + b"]}]"


def _since(books: Books, text: str) -> float:
    if not text:
        raise faults.missing("changedSince")
    try:
        since = parse_time(text)
    except ValueError:
        raise faults.invalid_query(f"value '{text}' of changedSince is not a valid date time") from None
    if since < books.clock.now() - LOOK_BACK_SECONDS:
        detail = f"cdc with changedSince date {text} which is older than fixed days"
        raise faults.unsupported(detail)
    return since


def _entity(name: str) -> Entity:
    entity = ENTITIES.get(name)
    if entity is None:
        raise faults.invalid_query(f"Metadata not found for Entity: {name}")
    if not entity.in_changes:
        raise faults.unsupported(f"cdc for entity {name}")
    return entity


def _changes(books: Books, entity: Entity, since: float) -> list[Change]:
    table = books.tables[entity.name]
    live = [
        Change(record.updated, record.number, False, entity.name, record.json)
        for record in table.records.values()
        if record.updated >= since
    ]
    deleted = [
        Change(deleted_at, int(record_id), True, entity.name, tombstone(record_id, deleted_at))
        for record_id, deleted_at in table.deleted.items()
        if deleted_at >= since
    ]
    return sorted(live) + sorted(deleted)


def tombstone(record_id: str, deleted_at: int) -> bytes:
    """Return all that is left of a deleted record."""
    return encode(
        {
            "domain": "QBO",
            "status": "Deleted",
            "Id": record_id,
            "MetaData": {"LastUpdatedTime": record_time(deleted_at)},
        }
    )


def _capped(books: Books, changes: list[list[Change]]) -> list[list[Change]]:
    settings = books.settings
    if settings.cdc_cap_scope == "entity":
        return [_kept(each, settings.cdc_cap, settings.cdc_keeps) for each in changes]
    kept = set(_kept([change for each in changes for change in each], settings.cdc_cap, settings.cdc_keeps))
    return [[change for change in each if change in kept] for each in changes]


def _kept(changes: list[Change], cap: int, keeps: str) -> list[Change]:
    if len(changes) <= cap:
        return changes
    by_time = sorted(changes)
    if keeps == "newest":
        chosen = by_time[-cap:]
    elif keeps == "live_first":
        chosen = sorted(by_time, key=operator.attrgetter("is_deleted"))[:cap]
    else:
        chosen = by_time[:cap]
    return sorted(chosen, key=lambda change: (change.is_deleted, change))


def _part(books: Books, entity: Entity, changes: list[Change]) -> bytes:
    if not changes:
        return b"{}"
    text = books.serving.text
    rows = b",".join(
        text(entity.name, str(change.number), change.json, tombstone=change.is_deleted) for change in changes
    )
    tail = b"" if all(change.is_deleted for change in changes) else b'"startPosition":1,'
    tail += b'"maxResults":%d' % len(changes)
    if entity.counts_total or any(change.is_deleted for change in changes):
        tail += b',"totalCount":%d' % len(changes)
    return b'{"%s":[%s],%s}' % (entity.name.encode(), rows, tail)
