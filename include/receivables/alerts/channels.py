"""The channels that alerts are told through: an Airflow connection each, and what of it is wanted there and when."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from psycopg.errors import InvalidParameterValue
from psycopg.rows import class_row

from include.errors import ConfigurationError
from include.receivables.company.companies import get_company
from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, time

    from psycopg import Connection

Kind = Literal["smtp", "slack", "webhook"]
Level = Literal["danger", "warning"]

KINDS: tuple[Kind, ...] = ("smtp", "slack", "webhook")
LEVELS: tuple[Level, ...] = ("warning", "danger")
# Three runs: more than a server's restart.
FAILS_AFTER = 3
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
CONNECTION_ID = re.compile(r"[\w.-]{1,200}")
ADDRESS = re.compile(r"[^\s@,;<>\"()]+@[^\s@,;<>\"()]+")
CODE = re.compile(r"[a-z][a-z_]{0,63}")


@dataclass(frozen=True, slots=True)
class NewChannel:
    """
    A channel to be added.

    :param connection_id: of the Airflow connection that knows server or address, and secret.
    :param recipients: addresses of mail; none for the other kinds.
    :param company_id: only alerts of this company; all companies' and what concerns them all when empty.
    :param level: the least that is told.
    :param codes: only these causes; all when None.
    :param quiet_from: from then until the other time of the zone's clock, warnings wait.
    """

    name: str
    kind: Kind
    connection_id: str
    recipients: Sequence[str] = ()
    company_id: str = ""
    level: Level = "warning"
    codes: Sequence[str] | None = None
    quiet_from: time | None = None
    quiet_until: time | None = None
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Channel:
    """
    A channel in use, and how it gets on.

    :param failures: how often in a row it failed.
    """

    channel_id: int
    name: str
    kind: Kind
    connection_id: str
    recipients: list[str]
    company_id: str
    level: Level
    codes: list[str] | None
    quiet_from: time | None
    quiet_until: time | None
    time_zone: str
    created_at: datetime
    created_by: str
    last_sent_at: datetime | None
    failures: int
    failing_since: datetime | None
    last_error: str | None

    @property
    def keeps_failing(self) -> bool:
        """Whether somebody has to look after it."""
        return self.failures >= FAILS_AFTER


def list_channels(db: Connection, name: str | None = None) -> list[Channel]:
    """List the channels in use, or the one of a name, those first that work."""
    with db.cursor(row_factory=class_row(Channel)) as cursor:
        return cursor.execute(load("sync/list_channels"), {"name": name}).fetchall()


def get_channel(db: Connection, name: str) -> Channel:
    """
    Read one channel.

    :raises ConfigurationError: when there is none of that name.
    """
    found = list_channels(db, name)
    if not found:
        raise ConfigurationError(_unknown(name))
    return found[0]


def add_channel(db: Connection, channel: NewChannel, *, by: str) -> None:
    """
    Add a channel; it is told of what is open already.

    :raises ConfigurationError: when something about it cannot be, or there is one of its name.
    """
    _check(channel)
    if channel.company_id:
        get_company(db, channel.company_id)
    keys = {
        "name": channel.name,
        "kind": channel.kind,
        "connection_id": channel.connection_id,
        "recipients": list(channel.recipients),
        "company_id": channel.company_id,
        "level": channel.level,
        "codes": list(channel.codes) if channel.codes else None,
        "quiet_from": channel.quiet_from,
        "quiet_until": channel.quiet_until,
        "time_zone": channel.time_zone,
        "actor": by,
    }
    try:
        added = db.execute(load("sync/add_channel"), keys).fetchone()
    except InvalidParameterValue:
        raise ConfigurationError(
            f"{channel.time_zone!r} is no time zone: write it like Asia/Singapore."
        ) from None
    if added is None:
        raise ConfigurationError(
            f"There is a channel {channel.name!r} already: choose another name, or remove it."
        )


def remove_channel(db: Connection, name: str) -> None:
    """
    Remove a channel.

    :raises ConfigurationError: when there is none of that name.
    """
    if db.execute(load("sync/remove_channel"), {"name": name}).fetchone() is None:
        raise ConfigurationError(_unknown(name))


def _unknown(name: str) -> str:
    return f"There is no channel {name!r}: `bin/receivables alerts channel list` shows them."


def _check(channel: NewChannel) -> None:
    for is_right, sentence in (
        (
            NAME.fullmatch(channel.name),
            f"{channel.name!r} is no name of a channel: use up to 64 letters, digits, dots, dashes and underscores.",
        ),
        (channel.kind in KINDS, f"{channel.kind!r} is no kind of channel: use {', '.join(KINDS)}."),
        (channel.level in LEVELS, f"{channel.level!r} is no level: use {' or '.join(LEVELS)}."),
        (CONNECTION_ID.fullmatch(channel.connection_id), "Name the Airflow connection by its id."),
        (
            all(map(ADDRESS.fullmatch, channel.recipients)),
            "A recipient is no mail address: write each like finance@example.com.",
        ),
        (
            bool(channel.recipients) == (channel.kind == "smtp"),
            "A channel of mail has recipients, and no other has: the connection says where those go.",
        ),
        (
            all(map(CODE.fullmatch, channel.codes or ())),
            "A cause is named in small letters and underscores, such as reconnect.",
        ),
        (
            (channel.quiet_from is None) == (channel.quiet_until is None)
            and (channel.quiet_from is None or channel.quiet_from != channel.quiet_until),
            "Quiet hours have a beginning and another end, such as 22:00 and 07:00.",
        ),
    ):
        if not is_right:
            raise ConfigurationError(sentence)
