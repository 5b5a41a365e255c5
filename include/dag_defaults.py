"""What the DAGs share: connection ids, assets, pools, run types, and which errors are worth another try."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, AssetAlias, ExceptionRetryPolicy, RetryAction, RetryRule
from airflow.sdk.configuration import conf as airflow_conf
from airflow.sdk.definitions.retry_policy import RetryDecision

from include.errors import BatchError, ConfigurationError, FatalError, QuotaError, ThrottledError

if TYPE_CHECKING:
    from airflow.sdk import Context

RECEIVABLES_DB = "receivables_db"
QUICKBOOKS = "quickbooks"

# Updated once per company whose rows in peakflo.* have changed; the event's extra says which and how many.
PEAKFLO_RECEIVABLES = Asset("peakflo_receivables")
# What tasks update it through: an outlet that is an asset itself would be updated by each task that ends well, with or
# without news.
RECEIVABLES_CHANGES = AssetAlias("receivables_changes")

# Bulk reads keep to their own pool, so that an import never takes the slots of a sync.
IMPORT_POOL = "quickbooks_import"
# Somebody waits for a reminder run: nothing else takes its slots, and it goes before what else is queued.
REMINDER_POOL = "reminders"
# Where Celery runs the tasks; workers of their own listen to it. Other executors know no queues.
REMINDER_QUEUE = airflow_conf.get(
    "quickbooks", "reminder_queue", fallback=airflow_conf.get("operators", "default_queue")
)
REMINDER_PRIORITY = 1000

# There is no past to fill: a run reads what has changed until now, whatever interval it is for. So Airflow refuses a
# backfill.
ON_DEMAND: Any = ("manual", "operator_triggered")
ON_SCHEDULE: Any = ("scheduled", *ON_DEMAND)
ON_EVENTS: Any = ("asset_triggered", *ON_DEMAND)

# Intuit: wait 60 seconds after a 429. A longer wait is left to the next run: no try of a task may begin later.
THROTTLED_DELAY = timedelta(seconds=60)
LONGEST_DELAY = timedelta(minutes=2)


class ErrorClassPolicy(ExceptionRetryPolicy):
    """Decide by the class of an error whether to try again; of a batch, whether any of its companies is worth it."""

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        """Return the decision, of several retries the one that waits the longest."""
        if isinstance(exception, BatchError):
            errors = exception.failures.values()
            return max((self.evaluate(error, try_number, max_tries, context) for error in errors), key=_rank)
        decision = super().evaluate(exception, try_number, max_tries, context)
        if not isinstance(exception, ThrottledError):
            return decision
        delay = max(THROTTLED_DELAY, timedelta(seconds=exception.retry_after))
        if delay > LONGEST_DELAY:
            return RetryDecision.fail(
                "QuickBooks asked to wait longer than a retry may: the next run reads it"
            )
        return RetryDecision.retry(delay, decision.reason)


def _rank(decision: RetryDecision) -> tuple[bool, timedelta]:
    return decision.action is not RetryAction.FAIL, decision.retry_delay or timedelta(0)


# All tries of a DAG's tasks, one after another, have to fit its dagrun_timeout.
DEFAULT_ARGS: dict[str, Any] = {
    "owner": "receivables",
    "retries": 1,
    "retry_delay": timedelta(seconds=20),
    "execution_timeout": timedelta(minutes=4),
    "retry_policy": ErrorClassPolicy(
        rules=[
            RetryRule(FatalError, action=RetryAction.FAIL, reason="a person has to act"),
            RetryRule(QuotaError, action=RetryAction.FAIL, reason="one read an hour is enough"),
            RetryRule(ThrottledError, retry_delay=THROTTLED_DELAY, reason="QuickBooks asked to slow down"),
        ]
    ),
    # What a task returns is in its XCom; the log has a sentence per company.
    "show_return_value_in_logs": False,
}
# Of a task that only asks the database what there is to do. Without it nothing is done, and another try costs nothing:
# an Airflow that has just started on a busy machine may lose the first ones.
PLANNING: dict[str, Any] = {"retries": 2, "execution_timeout": timedelta(minutes=1)}

COMPANY_ID_SCHEMA: dict[str, Any] = {
    "type": "string",
    "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$",
    "title": "Company",
    "description": "Peakflo's id of a connected company; `bin/receivables company list` shows them.",
    "examples": ["demo"],
}


def base_url() -> str:
    """Return the address of this Airflow's pages, as its setting says."""
    return str(airflow_conf.get("api", "base_url", fallback="") or "http://localhost:8080").rstrip("/")


def are_metrics_on() -> bool:
    """Tell whether this Airflow sends metrics anywhere."""
    switches = ("statsd_on", "statsd_datadog_enabled", "otel_on")
    return any(airflow_conf.getboolean("metrics", switch, fallback=False) for switch in switches)


def pages_url(path: str = "") -> str:
    """Return the address of one of our pages, for whoever reads a log or follows a link of a task."""
    return f"{base_url()}/quickbooks/{path}"


def company_page(company_id: str) -> str:
    """Return the address of a company's page."""
    return pages_url(f"companies/{company_id}")


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
