"""What may be odd about the events of a webhook, as a test wishes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

Told = dict[str, Any]

# What is odd about every event, which names the right record all the same.
OddField = Literal[
    "numeric_id",
    "no_time",
    "local_time",
    "odd_time",
    "no_id",
    "data_list",
    "data_null",
    "data_text",
    "surrogate",
]
# What is told besides the events that have happened: none at all, one that names no record, or one of no news.
OddEvent = Literal[
    "null", "number", "no_record", "odd_record", "unknown_entity", "unknown_operation", "emailed", "repeated"
]

_FIELDS: dict[str, Told] = {
    "no_time": {"time": None, "lastUpdated": None},
    "local_time": {"time": "2026-01-05T12:00:00", "lastUpdated": "2026-01-05T12:00:00"},
    "odd_time": {"time": "soon", "lastUpdated": "soon"},
    "no_id": {"id": None},
    "data_list": {"data": []},
    "data_null": {"data": None},
    "data_text": {"data": "{}"},
    # Half a pair, which encoders do not write.
    "surrogate": {"data": {"DisplayName": msgspec.Raw(b'"\\ud83d"')}},
}
_EVENTS: dict[str, Callable[[Told], Any]] = {
    "null": lambda event: None,
    "number": lambda event: 12,
    "no_record": lambda event: {**event, _record_field(event): None},
    "odd_record": lambda event: {**event, _record_field(event): "12 or 1=1"},
    "unknown_entity": lambda event: {**event, **_kind(event, "Vendor", "Created")},
    "unknown_operation": lambda event: {**event, **_kind(event, _entity(event), "Paused")},
    "emailed": lambda event: {**event, **_kind(event, _entity(event), "Emailed")},
    "repeated": lambda event: event,
}


def made_odd(event: Told, odd: Collection[str]) -> Told:
    """Return an event of either form with what is to be odd about it."""
    record = _record_field(event)
    changed = dict(event)
    for kind in odd:
        changed |= {
            name: value for name, value in _FIELDS.get(kind, {}).items() if name in event and name != record
        }
    if "numeric_id" in odd:
        changed[record] = int(changed[record])
    return changed


def besides(events: list[Told], odd: Collection[str]) -> list[Any]:
    """Return events of either form behind those that are told besides, which are made from the first of them."""
    return [_EVENTS[kind](events[0]) for kind in odd if kind in _EVENTS] + events


def _record_field(event: Told) -> str:
    return "intuitentityid" if "type" in event else "id"


def _entity(event: Told) -> str:
    return str(event["type"].split(".")[1] if "type" in event else event["name"])


def _kind(event: Told, entity: str, operation: str) -> Told:
    if "type" not in event:
        return {"name": entity, "operation": operation}
    kind = f"qbo.{entity}.{operation}.v1".lower()
    return {"type": kind, "id": f"{event['id']}-{operation}"}
