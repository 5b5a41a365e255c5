"""
Splits QuickBooks' answers into records.

Only the few fields that order versions are read; the rest of a record stays the bytes that came, so that no
amount passes through a float. A record that cannot be read is told apart from the others, which go on.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

import msgspec

from include.errors import UnrenderableError
from include.quickbooks.splitting import items, members, mend

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from include.quickbooks.entities import Entity

# Intuit: change data capture answers at most 1,000 objects, and does not page.
CHANGES_CAP = 1000
# The time of a record without one that can be read: any other is later.
OLDEST = datetime.fromtimestamp(0, UTC)
# The highest counter that staging holds.
HIGHEST_TOKEN = 2**31 - 1
LONGEST_ID = 50
# Begins what stands for the Id of a record without one.
NO_ID = "no Id, "

T = TypeVar("T")


class MalformedAnswerError(UnrenderableError):
    """The body is cut off or is not the JSON that was asked for."""


class Record(msgspec.Struct, frozen=True):
    """
    One version of a QuickBooks record.

    :param sync_token: the version's counter; 0 for a record without one.
    :param updated_at: QuickBooks' LastUpdatedTime in UTC; :data:`OLDEST` for a record without one that can be read.
    :param is_deleted: whether it is the stub that change data capture sends for a deleted record.
    :param payload: the record's JSON as it came; halves of surrogate pairs, which no text can hold, are replaced.
    :param created_at: QuickBooks' CreateTime in UTC; :data:`OLDEST` for a record without one that can be read.
    :param is_ordered: whether it has what tells whether it is newer than another version.
    """

    qbo_id: str
    sync_token: int
    updated_at: datetime
    is_deleted: bool
    payload: bytes
    created_at: datetime = OLDEST
    is_ordered: bool = True


@dataclass(frozen=True, slots=True)
class Odd:
    """
    A record that cannot be read.

    :param qbo_id: its Id; what stands for it, the same each time, if it has none that can be told.
    :param reason: what is wrong, as the second half of a sentence.
    """

    entity: Entity
    qbo_id: str
    reason: str

    @property
    def has_id(self) -> bool:
        """Whether the record's Id is known."""
        return not self.qbo_id.startswith(NO_ID)


@dataclass(frozen=True, slots=True)
class Page:
    """
    What one query answered.

    :param odd: the records that cannot be read.
    :param server_time: when QuickBooks began to answer, by its own clock: the basis of the next cursor.
    """

    entity: Entity
    records: list[Record]
    server_time: datetime
    odd: list[Odd] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        """The Ids of all that the answer held, readable or not."""
        return [record.qbo_id for record in self.records] + [odd.qbo_id for odd in self.odd]


@dataclass(frozen=True, slots=True)
class Changes:
    """
    What one call of change data capture answered.

    :param records: per entity name, every entity asked for; stubs of deleted records included.
    :param is_full: the answer may have been cut, so it does not prove that nothing else changed.
    :param odd: the records that cannot be read.
    """

    records: dict[str, list[Record]]
    server_time: datetime
    is_full: bool
    odd: list[Odd] = field(default_factory=list)

    def alive(self, entity: Entity) -> Page:
        """Return what the answer held of an entity, without the stubs of deleted records."""
        records = [record for record in self.records[entity.name] if not record.is_deleted]
        return Page(entity, records, self.server_time, [odd for odd in self.odd if odd.entity is entity])


class _MetaData(msgspec.Struct):
    last_updated_time: str | None = msgspec.field(default=None, name="LastUpdatedTime")
    create_time: str | None = msgspec.field(default=None, name="CreateTime")


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

# What the usual decoders refuse is read with these, value by value.
_any_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_id = msgspec.json.Decoder(str | int | None)
_token = msgspec.json.Decoder(int, strict=False)
_text = msgspec.json.Decoder(str)
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def is_id(text: str) -> bool:
    """Tell whether a text can be a record's Id."""
    return 0 < len(text) <= LONGEST_ID and text.isascii() and text.isprintable() and " " not in text


def parse_page(body: bytes, entity: Entity) -> Page:
    """
    Split the answer of a query into records.

    An answer without the entity's key is an empty page: that is how QuickBooks says "none".

    :raises MalformedAnswerError: if the body is cut off or not the JSON of a query.
    """
    response, time = _split_query(body)
    server_time = _parse_server_time(time)
    _refuse_fault(response)
    records, odd = _read_records(response.get(entity.name), entity, server_time)
    return Page(entity, records, server_time, odd)


def parse_count(body: bytes) -> int:
    """
    Read the answer of a count.

    :raises MalformedAnswerError: if the body holds no count.
    """
    total = _decode(_query_answer, body).response.get("totalCount")
    if total is None:
        raise MalformedAnswerError("QuickBooks answered a count without totalCount: try again later.")
    return _decode(_count, total)


def parse_time(body: bytes) -> datetime:
    """
    Read when QuickBooks began to answer a query, by its own clock.

    :raises MalformedAnswerError: if the body is not the JSON of a query.
    """
    response, time = _split_query(body)
    _refuse_fault(response)
    return _parse_server_time(time)


def parse_changes(body: bytes, entities: Sequence[Entity]) -> Changes:
    """
    Split the answer of change data capture into records by entity.

    :raises MalformedAnswerError: if the body is cut off or not the JSON of change data capture.
    """
    responses, time = _split_changes(body)
    changes = Changes({entity.name: [] for entity in entities}, _parse_server_time(time), is_full=False)
    is_full = False
    for response in responses:
        _refuse_fault(response)
        for entity in entities:
            if entity.name in response:
                records, odd = _read_records(response[entity.name], entity, changes.server_time)
                changes.records[entity.name].extend(records)
                changes.odd.extend(odd)
                is_full |= _says_more(response, len(records) + len(odd))
    is_full |= sum(map(len, changes.records.values())) + len(changes.odd) >= CHANGES_CAP
    return replace(changes, is_full=is_full)


def _split_query(body: bytes) -> tuple[Mapping[str, bytes | msgspec.Raw], str]:
    """Return what stands in the place of records, by entity, and the answer's time."""
    try:
        answer = _query_answer.decode(body)
    except _UNREADABLE as error:
        with suppress(ValueError, KeyError):
            parts = members(body)
            return members(parts["QueryResponse"]), _text.decode(parts["time"])
        raise _malformed(error) from None
    return answer.response, answer.time


def _split_changes(body: bytes) -> tuple[Sequence[Mapping[str, bytes | msgspec.Raw]], str]:
    """Return the responses, one per entity in whatever order, and the answer's time."""
    try:
        answer = _changes_answer.decode(body)
    except _UNREADABLE as error:
        with suppress(ValueError, KeyError):
            parts = members(body)
            groups = [members(group) for group in items(parts["CDCResponse"])]
            return [
                members(response)
                for group in groups
                for response in items(group["QueryResponse"])
                if response != b"null"
            ], _text.decode(parts["time"])
        raise _malformed(error) from None
    return [response for group in answer.responses for response in group.responses], answer.time


def _refuse_fault(response: Mapping[str, bytes | msgspec.Raw]) -> None:
    """Refuse a fault in the place of records: read as "there are none" it would lose changes."""
    if "Fault" in response:
        raise MalformedAnswerError("QuickBooks answered with a fault in the place of records.")


def _says_more(response: Mapping[str, bytes | msgspec.Raw], found: int) -> bool:
    """Tell whether QuickBooks counted more changes of an entity than it sent."""
    total = response.get("totalCount")
    return total is not None and _decode(_count, total) > found


def _read_records(
    rows: bytes | msgspec.Raw | None, entity: Entity, server_time: datetime
) -> tuple[list[Record], list[Odd]]:
    """Read each record by itself; none in the place of a list is an empty one, and an object a list of one."""
    records, odd = [], []
    for row in _split_rows(b"null" if rows is None else bytes(rows)):
        record = _read_record(row, entity, server_time)
        if isinstance(record, Odd):
            odd.append(record)
        else:
            records.append(record)
    return records, odd


def _split_rows(rows: bytes) -> list[bytes]:
    try:
        return [bytes(row) for row in _rows.decode(rows)]
    except _UNREADABLE as error:
        if rows == b"null":
            return []
        with suppress(ValueError):
            return items(rows)
        if rows.startswith(b"{"):
            return [rows]
        raise _malformed(error) from None


def _read_record(payload: bytes, entity: Entity, server_time: datetime) -> Record | Odd:
    try:
        header = _header.decode(payload)
    except _UNREADABLE:
        payload = mend(payload)
        try:
            header = _read_header(payload)
        except _OddHeaderError as error:
            qbo_id = error.qbo_id if is_id(error.qbo_id) else _stand_in(payload)
            return Odd(entity, qbo_id, str(error))
    if not is_id(header.qbo_id):
        return Odd(entity, _stand_in(payload), "it has no Id")
    if not 0 <= (header.sync_token or 0) <= HIGHEST_TOKEN:
        return Odd(entity, header.qbo_id, f"its SyncToken is {header.sync_token}")
    is_deleted = header.status == "Deleted"
    times = header.meta_data or _MetaData()
    updated_at = _parse_time(times.last_updated_time)
    return Record(
        qbo_id=header.qbo_id,
        sync_token=header.sync_token or 0,
        # A deletion without a time is one by now: what was read before is alive no more.
        updated_at=server_time if is_deleted and updated_at is None else updated_at or OLDEST,
        is_deleted=is_deleted,
        payload=payload,
        created_at=_parse_time(times.create_time) or OLDEST,
        is_ordered=header.sync_token is not None and updated_at is not None,
    )


class _OddHeaderError(Exception):
    """What is wrong with a record, and its Id if that can be told."""

    def __init__(self, reason: str, qbo_id: str = "") -> None:
        super().__init__(reason)
        self.qbo_id = qbo_id


def _read_header(payload: bytes) -> _Header:
    """
    Read the header of a record that is unlike others, field by field.

    :raises _OddHeaderError: if its version cannot be told, or if it is no JSON that can be kept.
    """
    try:
        fields = members(payload)
    except ValueError:
        raise _OddHeaderError("there is no record in its place") from None
    qbo_id = _read_id(fields.get("Id", b"null"))
    try:
        _any_object.decode(payload)
    except RecursionError:
        raise _OddHeaderError("it is nested too deeply", qbo_id) from None
    except _UNREADABLE as error:
        raise _OddHeaderError(f"it is not JSON ({error})", qbo_id) from None
    meta_data = _MetaData()
    with suppress(*_UNREADABLE):
        times = _any_object.decode(fields.get("MetaData", b"{}"))
        meta_data = _MetaData(*(_read_text(times.get(name)) for name in ("LastUpdatedTime", "CreateTime")))
    return _Header(
        qbo_id,
        _read_token(fields.get("SyncToken", b"null"), qbo_id),
        meta_data,
        _read_text(fields.get("status")),
    )


def _read_id(value: bytes) -> str:
    """Return an Id, also one that is written as a number; empty if it is none."""
    return str(_decode_or_none(_id, value) or "")


def _read_token(value: bytes, qbo_id: str) -> int | None:
    if value == b"null":
        return None
    if isinstance(token := _decode_or_none(_token, value), int):
        return token
    raise _OddHeaderError(f"its SyncToken is {value[:40].decode(errors='replace')}", qbo_id)


def _read_text(value: bytes | msgspec.Raw | None) -> str | None:
    return None if value is None else _decode_or_none(_text, value)


def _stand_in(payload: bytes) -> str:
    return NO_ID + hashlib.sha256(payload).hexdigest()[:16]


def _decode(decoder: msgspec.json.Decoder[T], data: bytes | msgspec.Raw) -> T:
    try:
        return decoder.decode(data)
    except _UNREADABLE as error:
        raise _malformed(error) from None


def _decode_or_none(decoder: msgspec.json.Decoder[T], data: bytes | msgspec.Raw) -> T | None:
    with suppress(*_UNREADABLE):
        return decoder.decode(data)
    return None


def _malformed(error: Exception) -> MalformedAnswerError:
    return MalformedAnswerError(f"QuickBooks' answer is not readable ({error}): try again later.")


def _parse_server_time(text: str) -> datetime:
    time = _parse_time(text)
    if time is None:
        raise MalformedAnswerError(f"QuickBooks sent a time that is none, {text[:40]!r}.")
    return time


# The two times of a record are the same until it is changed, and those of records that came in one batch are alike.
@lru_cache(maxsize=1024)
def _parse_time(text: str | None) -> datetime | None:
    """
    Read a time in UTC, None if it is none.

    QuickBooks sends an offset with every time; one without is taken as UTC.
    """
    try:
        time = datetime.fromisoformat(text or "")
        utc = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return max(utc, OLDEST)
