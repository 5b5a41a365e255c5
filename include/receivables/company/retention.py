"""How long the receivables database keeps what is over, and forgetting the rest, some rows at a time."""

from __future__ import annotations

import logging
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from include.errors import ConfigurationError
from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Mapping

    from psycopg import Connection

logger = logging.getLogger(__name__)

# Rows that one statement deletes: each is a transaction of its own, so that nobody waits long for a lock.
MOST_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class Retention:
    """
    For how many days what is kept, by the names of the setting.

    :param verdicts: verdicts before reminders; the last one on each invoice stays.
    :param history: versions of records that newer ones replaced; those that a kept verdict was judged on stay.
    :param sync_log: runs, resolved problems, alerts that are over, counted calls and webhooks; runs that something kept
        names stay.
    :param deliveries: moves of the records of payments that both sides agree on.
    :param proofs: proofs with their customers and differences; the last one of each company stays.
    :param webhook_events: events of webhooks.
    :param airflow: Airflow's own tables: runs, tasks, XComs.
    :param audit: who did what in Airflow.
    :param task_logs: the files of tasks' logs.
    """

    verdicts: int = 400
    history: int = 400
    sync_log: int = 400
    deliveries: int = 3650
    proofs: int = 90
    webhook_events: int = 30
    airflow: int = 60
    audit: int = 400
    task_logs: int = 60

    @classmethod
    def of(cls, setting: Any) -> Retention:
        """
        Read the setting: what it does not name has its default.

        :raises ConfigurationError: when it names what is not kept, or fewer days than the sync needs.
        """
        if not isinstance(setting, dict):
            raise ConfigurationError(f"The retention is no JSON object of days: {setting!r}.")
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(setting) - known):
            raise ConfigurationError(
                f"The retention names what is not kept ({', '.join(unknown)}): use {', '.join(sorted(known))}."
            )
        for name, days in setting.items():
            if type(days) is not int or not FEWEST_DAYS <= days <= MOST_DAYS:
                raise ConfigurationError(
                    f"The retention of {name} is {days!r}: give whole days, from {FEWEST_DAYS} to {MOST_DAYS}."
                )
        return cls(**setting)


# Change data capture reaches back 30 days, and a forecast of calls looks at a month.
FEWEST_DAYS = 30
MOST_DAYS = 36_500
# What is forgotten, in this order: what others name comes after them.
PRUNED = (
    ("verdicts", "peakflo/prune_verdicts"),
    ("history", "staging/prune_history"),
    ("deliveries", "outbox/prune_moves"),
    ("proofs", "proof/prune"),
    ("webhook_events", "sync/prune_webhook_events"),
    ("sync_log", "sync/prune_problems"),
    ("sync_log", "sync/prune_alerts"),
)
PRUNED_AT_ONCE = (("sync_log", "sync/prune_counts"), ("sync_log", "staging/prune_import_progress"))


def prune(db: Connection, retention: Retention, *, most: int = MOST_ROWS) -> dict[str, int]:
    """
    Forget what is older than it has to be kept.

    :param db: in autocommit mode.
    :return: how many rows each statement deleted.
    """
    deleted = {}
    for name, statement in PRUNED:
        deleted[statement] = _repeat(db, statement, _keys(retention, name) | {"most": most})
    for name, statement in PRUNED_AT_ONCE:
        deleted[statement] = db.execute(load(statement), _keys(retention, name)).rowcount
    deleted["sync/delete_runs"] = _prune_runs(db, _keys(retention, "sync_log"), most)
    for statement, rows in deleted.items():
        logger.info("%s: %d rows deleted.", statement, rows)
    return deleted


def _keys(retention: Retention, name: str) -> dict[str, Any]:
    return {"kept_for": timedelta(days=getattr(retention, name))}


def _repeat(db: Connection, statement: str, keys: Mapping[str, Any]) -> int:
    total = 0
    while rows := db.execute(load(statement), keys).rowcount:
        total += rows
    return total


def _prune_runs(db: Connection, keys: Mapping[str, Any], most: int) -> int:
    """Delete runs that nothing names; to find those takes a look at all that might, so many are found at once."""
    total = 0
    while run_ids := [row[0] for row in db.execute(load("sync/list_old_runs"), {**keys, "most": 50 * most})]:
        for first in range(0, len(run_ids), most):
            total += db.execute(load("sync/delete_runs"), {"run_ids": run_ids[first : first + most]}).rowcount
    return total
