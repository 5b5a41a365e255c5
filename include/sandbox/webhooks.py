"""What webhooks say and how they are signed, and what tests may change about them."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from base64 import b64encode
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from include.sandbox.json_text import encode

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from include.sandbox.books import Change

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
PAST = {"Create": "created", "Update": "updated", "Delete": "deleted", "Void": "voided"}


class WebhookSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """
    Where webhooks go and in what form.

    :param endpoint: the URL they are posted to; without one there are none.
    :param verifier_token: what they are signed with.
    :param format: CloudEvents, or the form that Intuit sent until July 2026.
    :param gather_seconds: how long changes are gathered. Intuit: 1 to 5 minutes in production, less in its sandbox.
    :param most_events: how many events one request has. Intuit: up to 100.
    :param retry_seconds: the waits before each further try of what was not answered with 200. Intuit's go on for days.
    """

    endpoint: str = ""
    verifier_token: str = VERIFIER_TOKEN
    format: Literal["cloudevents", "legacy"] = "cloudevents"
    gather_seconds: float = 0.1
    most_events: int = 100
    retry_seconds: tuple[float, ...] = (10, 20, 30)


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


def body_of(events: Sequence[Event], form: Literal["cloudevents", "legacy"]) -> bytes:
    """Return the body that tells of some events of one company."""
    if form == "legacy":
        changed = {"entities": [_legacy(event) for event in events]}
        return encode({"eventNotifications": [{"realmId": events[0].realm_id, "dataChangeEvent": changed}]})
    return encode([_cloud_event(event) for event in events])


def content_type(form: Literal["cloudevents", "legacy"]) -> str:
    """Return the media type of such a body."""
    return "application/cloudevents+json" if form == "cloudevents" else "application/json"


def sign(body: bytes, verifier_token: str) -> str:
    """Return the ``intuit-signature`` of a body."""
    return b64encode(hmac.digest(verifier_token.encode(), body, hashlib.sha256)).decode()


def _cloud_event(event: Event) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": event.id,
        "source": SOURCE,
        "type": f"qbo.{event.change.entity.lower()}.{PAST[event.change.operation]}.v1",
        "datacontenttype": "application/json",
        # Intuit prints nanoseconds.
        "time": f"{_moment(event):%Y-%m-%dT%H:%M:%S.%f}000Z",
        "intuitentityid": event.change.id,
        "intuitaccountid": event.realm_id,
        "data": {},
    }


def _legacy(event: Event) -> dict[str, Any]:
    return {
        "name": event.change.entity,
        "id": event.change.id,
        "operation": event.change.operation,
        "lastUpdated": f"{_moment(event):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
    }


def _moment(event: Event) -> datetime:
    return datetime.fromtimestamp(event.at, UTC)
