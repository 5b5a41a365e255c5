"""What the DAGs share: connection ids, the asset, pools, and which errors are worth another try."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, ExceptionRetryPolicy, RetryAction, RetryRule
from airflow.sdk.exceptions import AirflowSkipException

from include.errors import ConfigurationError, FatalError, QuotaError, ThrottledError

RECEIVABLES_DB = "receivables_db"
QUICKBOOKS = "quickbooks"

# Updated whenever peakflo.* may have changed.
PEAKFLO_RECEIVABLES = Asset("peakflo_receivables")

# Bulk reads keep to their own pool, so that an import never takes the slots of a sync.
IMPORT_POOL = "quickbooks_import"
# Somebody waits for a reminder run: nothing else takes its slots, and it goes before what else is queued.
REMINDER_POOL = "reminders"
REMINDER_PRIORITY = 1000

DEFAULT_ARGS: dict[str, Any] = {
    "owner": "receivables",
    "retries": 2,
    "retry_delay": timedelta(seconds=20),
    "execution_timeout": timedelta(minutes=4),
    "retry_policy": ExceptionRetryPolicy(
        rules=[
            RetryRule(FatalError, action=RetryAction.FAIL, reason="a person has to act"),
            RetryRule(QuotaError, action=RetryAction.FAIL, reason="one read an hour is enough"),
            # Intuit: wait 60 seconds after a 429.
            RetryRule(
                ThrottledError, retry_delay=timedelta(seconds=60), reason="QuickBooks asked to slow down"
            ),
        ]
    ),
}

COMPANY_ID_SCHEMA: dict[str, Any] = {
    "type": "string",
    "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$",
    "title": "Company",
    "description": "Peakflo's id of a connected company; `bin/receivables company list` shows them.",
    "examples": ["demo"],
}


def refuse_unknown(conf: dict[str, Any] | None, known: Any) -> None:
    """
    Refuse a run whose conf has a key that no param has: Airflow's API lets those pass, a typo among them.

    :param known: the DAG's own params; those of the task's context have the conf's keys, too.
    :raises ConfigurationError: with the unknown keys and the known ones.
    """
    unknown = sorted(set(conf or {}) - set(known))
    if unknown:
        raise ConfigurationError(
            f"The conf has unknown keys ({', '.join(unknown)}): use {', '.join(sorted(known))}."
        )


def skip_if_busy(outcomes: list[Any]) -> None:
    """
    Skip a task that had nothing to do because another process was at work on all its companies.

    :raises AirflowSkipException: when nothing was done.
    """
    if not outcomes:
        raise AirflowSkipException("Another process is at work on the company; see the log.")
