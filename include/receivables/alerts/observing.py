"""
Alerts: what was or is wrong, from when it began to be seen until it had been gone for some minutes.

Messages come of transitions, not of looking: each channel is told of an alert once, once more if it becomes dangerous
after it was told as a warning, and once when it is over. What flaps is one alert, since it is over only after a pause.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from psycopg import Connection

    from include.receivables.alerts.causes import Cause

# What is back sooner has not been away.
PAUSE = timedelta(minutes=10)
# In one transaction and in this order; the first makes others wait who observe at the same time.
STEPS = (
    "sync/mark_evaluated",
    "sync/open_alerts",
    "sync/close_alerts",
    "sync/drop_messages",
    "sync/resume_openings",
    "sync/plan_openings",
    "sync/plan_worsenings",
    "sync/plan_closings",
)


def read_clock(db: Connection) -> datetime:
    """Return the time on the database server's clock, by which all of a look is dated."""
    row = db.execute(load("sync/read_clock")).fetchone()
    if row is None:
        raise LookupError("a server always has a clock")
    moment: datetime = row[0]
    return moment


def observe(db: Connection, causes: Iterable[Cause], moment: datetime) -> None:
    """
    Open alerts for new causes, close those whose cause is gone, and plan what is told of them.

    :param causes: all that is wrong at the moment, in all companies.
    """
    told = {(cause.company_id, cause.code, cause.detail): cause for cause in causes if cause.is_told}
    keys = {"causes": json.dumps([_row(cause) for cause in told.values()]), "moment": moment, "pause": PAUSE}
    with db.transaction():
        for step in STEPS:
            db.execute(load(step), keys)


def _row(cause: Cause) -> dict[str, Any]:
    return {
        "company_id": cause.company_id,
        "code": cause.code,
        "detail": cause.detail,
        "level": cause.level,
        "sentence": cause.sentence,
        "remedy": cause.remedy,
        "owner": cause.owner,
        "action": cause.action,
        "amounts": {currency: f"{amount:f}" for currency, amount in sorted(cause.amounts.items())},
        "count": cause.count,
        "since": cause.since.isoformat() if cause.since else None,
    }
