"""Alerts in tests: causes made up, a courier that keeps what it is given, and time that passes when told to."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from include.receivables.alerts import channels, observing, sending
from include.receivables.alerts.causes import Cause
from include.receivables.alerts.channels import NewChannel

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

    from include.receivables.alerts.channels import Channel
    from include.receivables.alerts.wording import Item, Message

BASE_URL = "https://airflow.example"
START = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
# As often as the DAG looks.
CYCLE = timedelta(minutes=3)


def cause(company_id: str = "acme", code: str = "not_fresh", detail: str = "", **changes: Any) -> Cause:
    """Make up something that is wrong."""
    given: dict[str, Any] = {
        "level": "danger",
        "sentence": f"{code} at {company_id}.",
        "remedy": "Do something about it.",
        "owner": "data engineer",
        "action": "sync",
        "amounts": {},
        "count": 1,
        "since": None,
        "is_told": True,
    }
    return Cause(company_id=company_id, code=code, detail=detail, **given | changes)


def payments(
    company_id: str = "acme", level: Any = "warning", amount: str = "1250.00", **changes: Any
) -> Cause:
    """Make up payments that somebody has to decide about: a warning, unless told otherwise."""
    amounts = {"USD": Decimal(amount)}
    return cause(company_id, "payments_differ", level=level, owner="bookkeeper", amounts=amounts, **changes)


@dataclass
class KeepingCourier:
    """
    Keeps what it is given, by the name of the channel.

    :param broken: the errors of channels that take nothing.
    """

    given: list[tuple[str, Message]] = field(default_factory=list)
    broken: dict[str, Exception] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    def deliver(self, channel: Channel, message: Message) -> list[str]:
        if channel.name in self.broken:
            raise self.broken[channel.name]
        self.given.append((channel.name, message))
        return self.refused

    def items(self, channel: str) -> list[Item]:
        """Return all that a channel was told, in order."""
        return [item for name, message in self.given if name == channel for item in message.items]

    def told(self, channel: str) -> list[tuple[str, str, str]]:
        return [(item.kind, item.company_id, item.code) for item in self.items(channel)]


@dataclass
class Watch:
    """Looks and sends as the DAG does, at times of its own."""

    db: psycopg.Connection
    courier: KeepingCourier = field(default_factory=KeepingCourier)
    now: datetime = START

    def add(self, name: str = "ops", **given: Any) -> None:
        """Add a channel."""
        channels.add_channel(
            self.db, NewChannel(**{"name": name, "kind": "slack", "connection_id": name} | given), by="test"
        )

    def look(self, causes: Iterable[Cause] = (), *, after: timedelta = CYCLE) -> sending.Sent:
        """Let time pass, then see what is wrong and send what is due."""
        self.now += after
        observing.observe(self.db, causes, self.now)
        return self.send()

    def send(self) -> sending.Sent:
        """Send what is due now."""
        return sending.send_due(self.db, self.courier, self.now, base_url=BASE_URL)

    def keep_looking(self, causes: Iterable[Cause] = (), *, for_: timedelta) -> None:
        """Look as often as the DAG does."""
        until, causes = self.now + for_, list(causes)
        while self.now < until:
            self.look(causes)
