"""What webhooks say and how they are signed, and what tests may change about them."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from base64 import b64encode
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from sandbox import odd_events
from sandbox.json_text import encode

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from sandbox.books import Change

VERIFIER_TOKEN = "sandbox-verifier-token"  # noqa: S105  (published on purpose, like the client secret)
SOURCE = "intuit.c2FuZGJveC1jbGllbnQ="
# Intuit: these of ours can be subscribed to.
SUBSCRIBED = frozenset(
    {
        "Account",
        "CreditMemo",
        "Customer",
        "Deposit",
        "Invoice",
        "Item",
        "JournalEntry",
        "Payment",
        "PaymentMethod",
        "Preferences",
        "Term",
    }
)
PAST = {
    "Create": "created",
    "Update": "updated",
    "Delete": "deleted",
    "Void": "voided",
    "Merge": "merged",
}


class WebhookSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """
    Where webhooks go and in what form.

    :param endpoint: the URL they are posted to; without one there are none.
    :param verifier_token: what they are signed with.
    :param format: CloudEvents, or the form that Intuit sent until July 2026.
    :param gather_seconds: how long changes are gathered. Intuit: 1 to 5 minutes in production, less in its sandbox.
    :param most_events: how many events one request has. Intuit: up to 100.
    :param retry_seconds: the waits before each further try of what was not answered with 200. Intuit's go on for days.
    :param spelling: an operation as documented (``voided``, ``deletedid``), as also seen (``void``, ``deletedId``), or
        all in upper case.
    :param single_object: an event alone in its request, which is then no array.
    :param mixes_realms: whether one request may tell of several companies.
    :param odd: what is odd about every event, or which events there are besides; sandbox.odd_events has them.
    :param body_bytes: how large a request is at least.
    :param content_type: another media type than that of the form; none at all when empty.
    """

    endpoint: str = ""
    verifier_token: str = VERIFIER_TOKEN
    format: Literal["cloudevents", "legacy"] = "cloudevents"
    gather_seconds: float = 0.1
    most_events: int = 100
    retry_seconds: tuple[float, ...] = (10, 20, 30)
    spelling: Literal["past", "plain", "upper"] = "past"
    single_object: bool = False
    mixes_realms: bool = False
    odd: tuple[odd_events.OddField | odd_events.OddEvent, ...] = ()
    body_bytes: int = 0
    content_type: str | None = None


class WebhookFault(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """
    What goes wrong with the next requests.

    :param kind: sent twice, behind the next one, late, never, or at first with a wrong signature.
    :param count: how many requests it strikes.
    :param seconds: how long a late one is held back.
    """

    kind: Literal["duplicate", "out_of_order", "delayed", "lost", "bad_signature"]
    count: int = 1
    seconds: float = 1.0


class Event(NamedTuple):
    """A change that a subscriber is told of."""

    realm_id: str
    change: Change
    at: float
    id: str


def new_id(numbers: random.Random) -> str:
    """Return the next id of an event."""
    return str(uuid.UUID(int=numbers.getrandbits(128), version=4))


def body_of(events: Sequence[Event], settings: WebhookSettings) -> bytes:
    """Return the body that tells of some events."""
    form = _legacy_body if settings.format == "legacy" else _cloud_body
    body = encode(form(events, settings, ""))
    missing = settings.body_bytes - len(body)
    return encode(form(events, settings, "x" * missing)) if missing > 0 else body


def content_type(settings: WebhookSettings) -> str:
    """Return the media type of such a body."""
    if settings.content_type is not None:
        return settings.content_type
    return "application/cloudevents+json" if settings.format == "cloudevents" else "application/json"


def sign(body: bytes, verifier_token: str) -> str:
    """Return the ``intuit-signature`` of a body."""
    return b64encode(hmac.digest(verifier_token.encode(), body, hashlib.sha256)).decode()


def _cloud_body(events: Sequence[Event], settings: WebhookSettings, padding: str) -> Any:
    told = [_cloud_event(event, settings) for event in events]
    told[-1] |= {"padding": padding} if padding else {}
    return told[0] if settings.single_object else odd_events.besides(told, settings.odd)


def _legacy_body(events: Sequence[Event], settings: WebhookSettings, padding: str) -> Any:
    by_realm: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        by_realm.setdefault(event.realm_id, []).append(_legacy(event, settings))
    told = [
        {
            "realmId": realm_id,
            "dataChangeEvent": {"entities": odd_events.besides(entities, settings.odd)},
        }
        for realm_id, entities in by_realm.items()
    ]
    return {"eventNotifications": told} | ({"padding": padding} if padding else {})


def _cloud_event(event: Event, settings: WebhookSettings) -> dict[str, Any]:
    change = event.change
    operation = change.operation.lower() if settings.spelling == "plain" else PAST[change.operation]
    kind = f"qbo.{change.entity.lower()}.{operation}.v1"
    told = {
        "specversion": "1.0",
        "id": event.id,
        "source": SOURCE,
        "type": kind.upper() if settings.spelling == "upper" else kind,
        "datacontenttype": "application/json",
        # Intuit prints nanoseconds.
        "time": f"{_moment(event):%Y-%m-%dT%H:%M:%S.%f}000Z",
        "intuitentityid": change.id,
        "intuitaccountid": event.realm_id,
        "data": _loser(change, settings, "deletedid"),
    }
    return odd_events.made_odd(told, settings.odd)


def _legacy(event: Event, settings: WebhookSettings) -> dict[str, Any]:
    change = event.change
    is_upper = settings.spelling == "upper"
    told = {
        "name": change.entity.upper() if is_upper else change.entity,
        "id": change.id,
        "operation": change.operation.upper() if is_upper else change.operation,
        "lastUpdated": f"{_moment(event):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
        **_loser(change, settings, "deletedId"),
    }
    return odd_events.made_odd(told, settings.odd)


def _loser(change: Change, settings: WebhookSettings, documented: str) -> dict[str, str]:
    """Return the field that names the record which was merged into another."""
    spellings = {"past": documented, "plain": "deletedId", "upper": "DELETEDID"}
    return {spellings[settings.spelling]: change.loser} if change.loser else {}


def _moment(event: Event) -> datetime:
    return datetime.fromtimestamp(event.at, UTC)
