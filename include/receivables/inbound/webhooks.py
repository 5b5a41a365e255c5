"""What Intuit delivers to the webhook: whether it is Intuit's, and which records of which companies it names."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from base64 import b64encode
from codecs import BOM_UTF8
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from include.errors import ReceivablesError
from include.quickbooks.entities import SYNCED
from include.quickbooks.splitting import items, members

if TYPE_CHECKING:
    from collections.abc import Iterator

# Intuit: up to 100 events and about 1 MB per delivery, and elsewhere: of any size.
MAX_BYTES = 2 * 1024 * 1024

# From a delivery of the old format down to the fields of an event.
LEVELS = 6

# As an event's type or name has them, in either format. What the sync does not read needs no early reading, nor do
# journal entries: Peakflo's own come with the payments that they are linked to, others with the next sync at no cost.
ENTITIES = {entity.name.lower(): entity.table for entity in SYNCED}
OPERATIONS = {
    "created": "create",
    "updated": "update",
    "deleted": "delete",
    "merged": "merge",
    "voided": "void",
    "emailed": "email",
}
MERGE = "merge"

_ID = re.compile(r"[0-9]{1,32}")
_EVENT_ID = re.compile(r"[!-~]{1,128}")
_WORD = re.compile(r"[a-z]{1,32}")


class RefusedDeliveryError(ReceivablesError):
    """A delivery that is not taken; the code is the reason under which it is counted."""


@dataclass(frozen=True, slots=True)
class Event:
    """
    One record that changed, by Intuit's word: a hint to read it, never the record.

    :param event_id: the same whenever the event is delivered again.
    :param entity: the staging table.
    :param happened_at: None where the event does not say it.
    """

    event_id: str
    realm_id: str
    entity: str
    qbo_id: str
    operation: str
    happened_at: datetime | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """
    What one request brought.

    :param others: how many events it has about entities that the sync does not read.
    :param odd: how many do not say which record of which company they are about.
    """

    events: list[Event]
    others: int = 0
    odd: int = 0


class _Told(NamedTuple):
    """What an event says, in either format and as it stands there."""

    name: Any
    operation: Any
    realm_id: Any
    qbo_id: Any
    loser: Any
    event_id: Any
    time: Any


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
    Read a delivery in either of Intuit's formats: CloudEvents, an array or a single one, or ``eventNotifications``.

    What matters of an event is the record: the company, the entity and the Id. One that lacks these is odd, and no
    obstacle to the others.

    :raises RefusedDeliveryError: when it is in neither format.
    """
    content = _decode(body.removeprefix(BOM_UTF8))
    if not isinstance(content, list) and not _is_cloud_event(content) and not _is_legacy(content):
        # What the parser says may repeat the body.
        raise RefusedDeliveryError(
            "The body is neither CloudEvents nor eventNotifications as Intuit documents them.",
            code="malformed",
        )
    digest = hashlib.sha256(body).hexdigest()
    found = [_events(told, digest) for item in _listed(content) for told in _told(item)]
    return Delivery([event for events in found for event in events or ()], found.count([]), found.count(None))


def _decode(text: bytes, levels: int = LEVELS) -> Any:
    """
    Read JSON as kindly as can be: nothing in one event costs the others; what is no JSON is None.

    :param levels: how deep to look for what can be read inside of what cannot.
    """
    with suppress(ValueError, RecursionError):
        return _decode_whole(text)
    with suppress(ValueError):
        if levels and text.lstrip().startswith(b"["):
            return [_decode(item, levels - 1) for item in items(text)]
        if levels:
            return {name.lower(): _decode(value, levels - 1) for name, value in members(text).items()}
    return None


def _decode_whole(text: bytes) -> Any:
    """
    Read JSON whatever its texts hold.

    Numbers stay as they are written, as Ids are texts; names of fields are in lower case, as Intuit spells them in
    several ways.
    """
    return json.loads(
        text.decode(errors="replace"),
        object_pairs_hook=lambda pairs: {name.lower(): value for name, value in pairs},
        parse_int=str,
        parse_float=str,
        strict=False,
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is_cloud_event(item: Any) -> bool:
    return isinstance(item, dict) and ("specversion" in item or "type" in item)


def _is_legacy(item: Any) -> bool:
    return isinstance(item, dict) and "eventnotifications" in item


def _told(item: Any) -> Iterator[_Told | None]:
    """Return what the events of an item say; None for one that says nothing."""
    if _is_legacy(item):
        for notification in _listed(item["eventnotifications"]):
            yield from _from_notification(notification)
    else:
        yield _from_cloud_event(item)


def _from_cloud_event(item: Any) -> _Told | None:
    """Read an event whose type is ``qbo.<entity>.<operation>.v1``."""
    if not isinstance(item, dict) or not isinstance(item.get("type"), str):
        return None
    publisher, name, operation = [*item["type"].split("."), "", ""][:3]
    data = item.get("data")
    return _Told(
        name if publisher.lower() == "qbo" else "",
        operation,
        item.get("intuitaccountid"),
        item.get("intuitentityid"),
        data.get("deletedid") if isinstance(data, dict) else None,
        item.get("id"),
        item.get("time"),
    )


def _from_notification(notification: Any) -> Iterator[_Told | None]:
    match notification:
        case {"datachangeevent": {"entities": entities}}:
            for item in _listed(entities):
                yield _from_legacy(notification.get("realmid"), item)
        case _:
            yield None


def _from_legacy(realm_id: Any, item: Any) -> _Told | None:
    if not isinstance(item, dict):
        return None
    return _Told(
        item.get("name"),
        item.get("operation"),
        realm_id,
        item.get("id"),
        item.get("deletedid"),
        None,
        item.get("lastupdated"),
    )


def _events(told: _Told | None, digest: str) -> list[Event] | None:
    """
    Return an event, and for a merge a second one for the record that is gone; None for an odd one.

    :param digest: of the delivery, which makes an event that has no time of its own one of this delivery.
    """
    if told is None or not isinstance(told.name, str):
        return None
    entity = ENTITIES.get(told.name.lower())
    if entity is None:
        return []
    realm_id, qbo_id, loser = (_id(value) for value in (told.realm_id, told.qbo_id, told.loser))
    if realm_id is None or qbo_id is None:
        return None
    operation, moment = _operation(told.operation), _moment(told.time)
    event_id = told.event_id
    if not (isinstance(event_id, str) and _EVENT_ID.fullmatch(event_id)):
        event_id = f"{operation}/{moment.isoformat() if moment else digest}"
    if loser is None:
        return [Event(event_id, realm_id, entity, qbo_id, operation, moment)]
    # Who was merged into whom is known by the id: two merges never have the same one.
    event_id = f"{event_id}/{qbo_id}"
    return [Event(event_id, realm_id, entity, record, operation, moment) for record in (qbo_id, loser)]


def _id(value: Any) -> str | None:
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def _operation(value: Any) -> str:
    word = value.lower() if isinstance(value, str) else ""
    return OPERATIONS.get(word, word) if _WORD.fullmatch(word) else "unknown"


def _moment(value: Any) -> datetime | None:
    """Read a time that says its zone; Intuit sends nanoseconds, of which Python keeps the microseconds."""
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (TypeError, ValueError, OverflowError):
        return None
