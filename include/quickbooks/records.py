"""
Splits QuickBooks' answers into records.

Only the few fields that order versions are read; the rest of a record stays the bytes that came, so that no
amount passes through a float.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

import msgspec

from include.errors import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from include.quickbooks.entities import Entity

# Intuit: change data capture answers at most 1,000 objects, and does not page.
CHANGES_CAP = 1000

T = TypeVar("T")


class MalformedAnswerError(UnreachableError):
    """The body is cut off or is not the JSON that was asked for."""


class Record(msgspec.Struct, frozen=True):
    """
    One version of a QuickBooks record.

    :param updated_at: QuickBooks' LastUpdatedTime in UTC; the answer's time for a record without one.
    :param is_deleted: whether it is the stub that change data capture sends for a deleted record.
    :param payload: the record's JSON exactly as it came.
    """

    qbo_id: str
    sync_token: int
    updated_at: datetime
    is_deleted: bool
    payload: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """
    What one query answered.

    :param server_time: when QuickBooks began to answer, by its own clock: the basis of the next cursor.
    """

    entity: Entity
    records: list[Record]
    server_time: datetime


@dataclass(frozen=True, slots=True)
class Changes:
    """
    What one call of change data capture answered.

    :param records: per entity name, every entity asked for; stubs of deleted records included.
    :param is_full: the answer may have been cut, so it does not prove that nothing else changed.
    """

    records: dict[str, list[Record]]
    server_time: datetime
    is_full: bool


class _MetaData(msgspec.Struct):
    last_updated_time: str | None = msgspec.field(default=None, name="LastUpdatedTime")


class _Header(msgspec.Struct):
    qbo_id: str = msgspec.field(name="Id")
    sync_token: int | None = msgspec.field(default=None, name="SyncToken")
    meta_data: _MetaData | None = msgspec.field(default=None, name="MetaData")
    status: str | None = None


class _QueryAnswer(msgspec.Struct):
    response: dict[str, msgspec.Raw] = msgspec.field(name="QueryResponse")
    time: str


class _EntityChanges(msgspec.Struct):
    responses: list[dict[str, msgspec.Raw]] = msgspec.field(name="QueryResponse")


class _ChangesAnswer(msgspec.Struct):
    responses: list[_EntityChanges] = msgspec.field(name="CDCResponse")
    time: str


# QuickBooks writes SyncToken as a string; lax decoding reads it as the counter it is.
_header = msgspec.json.Decoder(_Header, strict=False)
_rows = msgspec.json.Decoder(list[msgspec.Raw])
_count = msgspec.json.Decoder(int)
_query_answer = msgspec.json.Decoder(_QueryAnswer)
_changes_answer = msgspec.json.Decoder(_ChangesAnswer)


def parse_page(body: bytes, entity: Entity) -> Page:
    """
    Split the answer of a query into records.

    An answer without the entity's key is an empty page: that is how QuickBooks says "none".

    :raises MalformedAnswerError: if the body is cut off or not the JSON of a query.
    """
    answer = _decode(_query_answer, body)
    server_time = _parse_time(answer.time)
    _refuse_fault(answer.response)
    rows = answer.response.get(entity.name)
    records = [] if rows is None else _read_records(rows, server_time)
    return Page(entity, records, server_time)


def parse_count(body: bytes) -> int:
    """
    Read the answer of a count.

    :raises MalformedAnswerError: if the body holds no count.
    """
    total = _decode(_query_answer, body).response.get("totalCount")
    if total is None:
        raise MalformedAnswerError("QuickBooks answered a count without totalCount: try again later.")
    return _decode(_count, total)


def parse_changes(body: bytes, entities: Sequence[Entity]) -> Changes:
    """
    Split the answer of change data capture into records by entity.

    :raises MalformedAnswerError: if the body is cut off or not the JSON of change data capture.
    """
    answer = _decode(_changes_answer, body)
    server_time = _parse_time(answer.time)
    records: dict[str, list[Record]] = {entity.name: [] for entity in entities}
    is_full = False
    for response in (response for group in answer.responses for response in group.responses):
        _refuse_fault(response)
        for name in records.keys() & response.keys():
            found = _read_records(response[name], server_time)
            records[name] += found
            is_full |= _says_more(response, found)
    is_full |= sum(map(len, records.values())) >= CHANGES_CAP
    return Changes(records, server_time, is_full)


def _refuse_fault(response: dict[str, msgspec.Raw]) -> None:
    """Refuse a fault in the place of records: read as "there are none" it would lose changes."""
    if "Fault" in response:
        raise MalformedAnswerError("QuickBooks answered with a fault in the place of records.")


def _says_more(response: dict[str, msgspec.Raw], found: list[Record]) -> bool:
    """Tell whether QuickBooks counted more changes of an entity than it sent."""
    total = response.get("totalCount")
    return total is not None and _decode(_count, total) > len(found)


def _read_records(rows: msgspec.Raw, server_time: datetime) -> list[Record]:
    return [_read_record(bytes(row), server_time) for row in _decode(_rows, rows)]


def _read_record(payload: bytes, server_time: datetime) -> Record:
    header = _decode(_header, payload)
    updated = header.meta_data.last_updated_time if header.meta_data else None
    return Record(
        qbo_id=header.qbo_id,
        sync_token=header.sync_token or 0,
        updated_at=_parse_time(updated) if updated else server_time,
        is_deleted=header.status == "Deleted",
        payload=payload,
    )


def _decode(decoder: msgspec.json.Decoder[T], data: bytes | msgspec.Raw) -> T:
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise MalformedAnswerError(
            f"QuickBooks' answer is not readable ({error}): try again later."
        ) from None


def _parse_time(text: str) -> datetime:
    """
    Read a time in UTC.

    QuickBooks sends an offset with every time; one without is taken as UTC.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise MalformedAnswerError(f"QuickBooks sent a time that is none, {text[:40]!r}.") from None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
