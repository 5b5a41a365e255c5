"""What Intuit delivers to the webhook: whether it is Intuit's, and which records of which companies it names."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from include.errors import ReceivablesError
from include.quickbooks.entities import SYNCED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.quickbooks.entities import Entity

# Intuit: up to 100 events and about 1 MB per delivery.
MAX_BYTES = 1_000_000

# As an event's type or name has them, in either format. What the sync does not read needs no early reading.
ENTITIES = {entity.name.lower(): entity for entity in SYNCED}
OPERATIONS = {
    "created": "create",
    "updated": "update",
    "deleted": "delete",
    "merged": "merge",
    "voided": "void",
    "emailed": "email",
}


class RefusedDeliveryError(ReceivablesError):
    """A delivery that is not taken; the code is the reason under which it is counted."""


@dataclass(frozen=True, slots=True)
class Event:
    """
    One record that changed, by Intuit's word: a hint to read it, never the record.

    :param event_id: the same whenever the event is delivered again.
    :param entity: the staging table.
    """

    event_id: str
    realm_id: str
    entity: str
    qbo_id: str
    operation: str
    happened_at: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """
    What one request brought.

    :param others: how many events it has about entities that the sync does not read.
    """

    events: list[Event]
    others: int


_Id = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,32}\Z")]
_Word = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z]{1,32}\Z")]


class _CloudEvent(msgspec.Struct):
    id: Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,128}\Z")]
    time: str
    record: _Id = msgspec.field(name="intuitentityid")
    realm: _Id = msgspec.field(name="intuitaccountid")
    data: dict[str, Any] | None = None


class _LegacyEntity(msgspec.Struct, rename="camel"):
    name: str
    id: _Id
    operation: _Word
    last_updated: str
    deleted_id: _Id | None = None


class _LegacyChanges(msgspec.Struct):
    entities: list[dict[str, Any]]


class _LegacyNotification(msgspec.Struct, rename="camel"):
    realm_id: _Id
    data_change_event: _LegacyChanges


class _LegacyBody(msgspec.Struct, rename="camel"):
    event_notifications: list[_LegacyNotification]


class _MergedInto(msgspec.Struct):
    loser: _Id | None = msgspec.field(default=None, name="deletedid")


def check_signature(body: bytes, signature: str, verifier_token: str) -> None:
    """
    Make sure that a delivery comes from Intuit, in a time that tells nothing of the right signature.

    Intuit: ``intuit-signature`` is the base64 of the HMAC-SHA256 of the raw body under the app's verifier token.

    :raises RefusedDeliveryError: when it does not.
    """
    expected = b64encode(hmac.digest(verifier_token.encode(), body, hashlib.sha256))
    if not hmac.compare_digest(expected, signature.encode()):
        raise RefusedDeliveryError(
            "The signature is not that of this body under the app's verifier token.", code="forged"
        )


def parse(body: bytes) -> Delivery:
    """
    Read a delivery in either of Intuit's formats: an array of CloudEvents, or ``eventNotifications``.

    :raises RefusedDeliveryError: when it is neither.
    """
    try:
        content = msgspec.json.decode(body)
        if isinstance(content, list):
            found = [_from_cloud_event(item) for item in content]
        else:
            legacy = msgspec.convert(content, _LegacyBody)
            found = [
                _from_legacy(notification.realm_id, item)
                for notification in legacy.event_notifications
                for item in notification.data_change_event.entities
            ]
    except (msgspec.MsgspecError, ValueError, RecursionError):
        # What the parser says may repeat the body.
        raise RefusedDeliveryError(
            "The body is neither an array of CloudEvents nor eventNotifications as Intuit documents them.",
            code="malformed",
        ) from None
    return Delivery([event for events in found for event in events], found.count([]))


def _from_cloud_event(item: Any) -> list[Event]:
    entity, operation = _type_of(item)
    if entity is None:
        return []
    event = msgspec.convert(item, _CloudEvent)
    loser = msgspec.convert(event.data or {}, _MergedInto).loser if operation == "merge" else None
    return list(_events(event.id, event.realm, entity, event.record, operation, event.time, loser))


def _type_of(item: Any) -> tuple[Entity | None, str]:
    """Return what ``qbo.<entity>.<operation>.v1`` names; no entity for one that the sync does not read."""
    if not (isinstance(item, dict) and isinstance(item.get("specversion"), str)):
        raise ValueError("not a CloudEvent")
    parts = msgspec.convert(item.get("type"), str).lower().split(".")
    if len(parts) != 4 or parts[0] != "qbo":
        return None, ""
    return ENTITIES.get(parts[1]), _operation(parts[2])


def _from_legacy(realm_id: str, item: dict[str, Any]) -> list[Event]:
    entity = ENTITIES.get(msgspec.convert(item.get("name"), str).lower())
    if entity is None:
        return []
    changed = msgspec.convert(item, _LegacyEntity)
    operation = _operation(changed.operation.lower())
    told = (realm_id, entity.name, changed.id, operation, changed.last_updated)
    digest = hashlib.sha256("\n".join(told).encode()).hexdigest()
    return list(
        _events(digest, realm_id, entity, changed.id, operation, changed.last_updated, changed.deleted_id)
    )


def _operation(word: str) -> str:
    return OPERATIONS.get(word, msgspec.convert(word, _Word))


def _events(
    event_id: str,
    realm_id: str,
    entity: Entity,
    qbo_id: str,
    operation: str,
    happened: str,
    loser: str | None,
) -> Iterator[Event]:
    """Return an event, and for a merge a second one for the record that is gone."""
    # Intuit sends nanoseconds, of which Python keeps the microseconds.
    happened_at = datetime.fromisoformat(happened)
    if happened_at.tzinfo is None:
        raise ValueError("a time of no time zone")
    yield Event(event_id, realm_id, entity.table, qbo_id, operation, happened_at)
    if loser is not None:
        yield Event(f"{event_id}/merged", realm_id, entity.table, loser, "delete", happened_at)
