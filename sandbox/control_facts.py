"""What the control API tells."""

from __future__ import annotations

from typing import Any, TypedDict

Json = dict[str, Any]


class CompanyFacts(TypedDict):
    """A company as it is listed."""

    realm_id: str
    name: str
    home_currency: str
    multicurrency: bool


class CreatedCompany(TypedDict):
    """A new company, and the tokens of the app's connection to it."""

    realm_id: str
    name: str
    refresh_token: str
    access_token: str


class Tokens(TypedDict):
    """The tokens of a connection."""

    refresh_token: str
    access_token: str


class CallCounts(TypedDict):
    """API calls since the last reset: metered reads, free writes, and all by path and by status."""

    metered: int
    core: int
    by_path: dict[str, int]
    by_status: dict[str, int]


class ClockFacts(TypedDict):
    """The sandbox's time, in seconds since the epoch."""

    now: float
    offset_seconds: float


class WebhookFacts(TypedDict):
    """Where webhooks go, what became of those that were sent, and whether any is still to be sent."""

    settings: Json
    counts: dict[str, int]
    is_idle: bool
