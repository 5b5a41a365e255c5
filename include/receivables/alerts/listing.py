"""What people see of alerts: those that are open, those that are over, and whether anybody looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row, dict_row

from include.receivables.alerts.model import LATE
from include.sql import load

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import Connection

PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class AlertPage:
    """
    A bounded part of the alerts, the latest first.

    :param has_more: whether there are earlier ones.
    """

    rows: list[dict[str, Any]]
    has_more: bool


@dataclass(frozen=True, slots=True)
class AlertCounts:
    """
    How many alerts there are.

    :param evaluated_at: when somebody looked last; None if nobody ever did.
    """

    open: int
    closed: int
    evaluated_at: datetime | None


@dataclass(frozen=True, slots=True)
class Health:
    """
    How late the sync is, without a name; ages in seconds, None where there is nothing of the kind.

    :param oldest_freshness_seconds: how old what is known of a connected company's books is, of the one that is worst.
    :param overdue_seconds: how much older than it may be that of a connected company is, of the one that is worst.
    :param oldest_queued_payment_seconds: how long a payment has been waiting to be looked at.
    :param alert_evaluation_seconds: since when nobody has looked for alerts.
    """

    oldest_freshness_seconds: int | None
    overdue_seconds: int | None
    oldest_queued_payment_seconds: int | None
    alert_evaluation_seconds: int | None
    connected: int
    needing_reconnect: int
    open_alerts: int
    waiting_messages: int

    @property
    def late(self) -> list[str]:
        """What is late, by name; that alerts are never looked for counts as late."""
        ages = {
            "queued_payment": self.oldest_queued_payment_seconds or 0,
            "alert_evaluation": self.alert_evaluation_seconds,
        }
        late = [name for name, age in ages.items() if age is None or age > LATE.total_seconds()]
        return ["freshness", *late] if (self.overdue_seconds or 0) > 0 else late


def list_alerts(
    db: Connection,
    *,
    state: str | None = None,
    company_id: str | None = None,
    before: int | None = None,
) -> AlertPage:
    """
    List a page of the alerts with who was told of each.

    :param state: ``open`` or ``closed``; both when None.
    :param before: go on after this alert, the last of the page before.
    """
    keys = {"state": state, "company_id": company_id, "before": before, "most": PAGE_SIZE + 1}
    with db.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(load("sync/list_alerts"), keys).fetchall()
    return AlertPage(rows[:PAGE_SIZE], len(rows) > PAGE_SIZE)


def count_alerts(db: Connection) -> AlertCounts:
    """Count the alerts."""
    with db.cursor(row_factory=class_row(AlertCounts)) as cursor:
        counts = cursor.execute(load("sync/count_alerts")).fetchone()
    if counts is None:
        raise LookupError("a count always has a row")
    return counts


def read_health(db: Connection) -> Health:
    """Read how late the sync is, in one statement."""
    with db.cursor(row_factory=class_row(Health)) as cursor:
        health = cursor.execute(load("sync/read_health")).fetchone()
    if health is None:
        raise LookupError("health always has a row")
    return health
