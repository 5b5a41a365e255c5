"""What the API answers where it is not the truth: odd records, and records that QuickBooks cannot answer at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from sandbox import shapes
from sandbox.given_faults import Choice, fault_of
from sandbox.json_text import decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sandbox.books import Record
    from sandbox.settings import Settings


class Oddity(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """
    How a record is answered; the books, their filters and their counts stay as they are.

    :param entity: the record's entity, or the name of a report.
    :param id: the record's Id; empty for every record of the entity.
    :param raw: the whole record in verbatim, whether JSON or not.
    :param put: JSON text, verbatim, by the path of a property such as ``Line.0.LinkedTxn``.
    :param drop: the paths of properties that are left out.
    :param fault: every answer that would hold the record is this fault instead.
    :param times: in how many answers; in all of them when None.
    :param tombstone: whether it is what is left of the record once it is deleted.
    """

    entity: str
    id: str = ""
    raw: bytes | None = None
    put: dict[str, bytes] = {}
    drop: list[str] = []
    fault: Choice | None = None
    times: int | None = None
    tombstone: bool = False


class Serving:
    """
    How the records of one company are answered.

    :param settings: returns those in force, which may ask for other shapes.
    """

    def __init__(self, settings: Callable[[], Settings]) -> None:
        self._settings = settings
        self._oddities: dict[tuple[str, str, bool], Oddity] = {}

    def oddities(self) -> list[Oddity]:
        """Return what is not answered as it is."""
        return list(self._oddities.values())

    def add(self, oddity: Oddity) -> None:
        """Answer a record oddly, in place of how it was answered before."""
        self._oddities[oddity.entity, oddity.id, oddity.tombstone] = oddity

    def clear(self, entity: str = "", record_id: str = "") -> None:
        """Answer one record as it is again, or an entity, or everything."""
        self._oddities = {
            key: oddity
            for key, oddity in self._oddities.items()
            if entity not in ("", key[0]) or record_id not in ("", key[1])
        }

    def records(self, records: Iterable[Record]) -> list[bytes]:
        """
        Return the JSON texts of live records.

        :raises faults.Fault: when one of them cannot be answered.
        """
        if not self._oddities and not shapes.are_other(self._settings()):
            return [record.json for record in records]
        return [self.text(record.entity, record.id, record.json) for record in records]

    def text(self, entity: str, record_id: str, json: bytes, *, tombstone: bool = False) -> bytes:
        """
        Return the JSON text of a record.

        :raises faults.Fault: when it cannot be answered.
        """
        oddity = self._oddities.get((entity, record_id, tombstone)) or self._oddities.get(
            (entity, "", tombstone)
        )
        settings = self._settings()
        if shapes.are_other(settings) and not tombstone:
            json = shapes.reshaped(json, settings)
        if oddity is None or oddity.times == 0:
            return json
        if oddity.times is not None:
            oddity.times -= 1
        if oddity.fault is not None:
            raise fault_of(oddity.fault)
        return _changed(json, oddity) if oddity.raw is None else oddity.raw


def _changed(json: bytes, oddity: Oddity) -> bytes:
    fields = decode(json)
    for path in oddity.drop:
        _drop(fields, path.split("."))
    for path, text in oddity.put.items():
        _put(fields, path.split("."), msgspec.Raw(text))
    return encode(fields)


def _put(place: Any, path: list[str], value: msgspec.Raw) -> None:
    key: Any = int(path[0]) if isinstance(place, list) else path[0]
    if len(path) == 1:
        place[key] = value
        return
    if isinstance(place, dict) and not isinstance(place.get(key), dict | list):
        place[key] = {}
    _put(place[key], path[1:], value)


def _drop(place: Any, path: list[str]) -> None:
    key: Any = int(path[0]) if isinstance(place, list) else path[0]
    if len(path) > 1:
        if key in place or isinstance(place, list):
            _drop(place[key], path[1:])
    elif isinstance(place, list):
        del place[key]
    else:
        place.pop(key, None)
