"""
### Maintain the databases

Every night forgets what is over: rows of the receivables database that nothing needs any more, rows of Airflow's own
tables, and the files of tasks' logs. How long each is kept is in the Airflow Variable `retention_days`, a JSON object;
what it does not name has its default:

| name | days | what |
|---|---|---|
| `verdicts` | 400 | verdicts before reminders with their evidence; the last one on each invoice stays |
| `history` | 400 | versions of records in `staging.history`; those that a kept verdict was judged on stay |
| `sync_log` | 400 | `sync.run`, resolved problems, old alerts, counts of calls and webhooks; runs that are named stay |
| `deliveries` | 3650 | moves of the records of payments that both sides agree on; all others stay |
| `proofs` | 90 | proofs with their customers and differences; the last one of each company stays |
| `webhook_events` | 30 | `sync.webhook_event` |
| `airflow` | 60 | runs, task instances, XComs and the like; each DAG's last run stays |
| `audit` | 400 | Airflow's table `log`: who did what |
| `task_logs` | 60 | files of tasks' logs on this machine |

Rows go some thousands at a time, so that nobody waits. A reminder run's id is answered 409 as long as Airflow keeps its
run: after `airflow` days it could be used again.

**Cost.** No call to QuickBooks; some reading in the databases, at night.

**When a task fails** its log says why, and the next night goes on from there. Nothing else depends on it.

* *Clean Airflow's tables* is skipped: tasks may not touch Airflow's database, so its address has to be named to them,
  as the connection `airflow_db`. Where that is not wanted, run `airflow db clean` on a schedule of your own.
* *A retention is refused*: the Variable names what is not kept, or fewer than 30 days. Nothing is deleted then.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import Variable, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from include.dag_defaults import DEFAULT_ARGS, ON_SCHEDULE

if TYPE_CHECKING:
    from include.receivables.company.retention import Retention

SETTING = "retention_days"


@dag(
    dag_display_name="Maintain the databases",
    description="Every night: forgets what is over, in the receivables database, Airflow's tables and the logs.",
    schedule="43 2 * * *",
    catchup=False,
    allowed_run_types=ON_SCHEDULE,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=5),
    default_args=DEFAULT_ARGS | {"execution_timeout": timedelta(hours=2)},
    doc_md=__doc__,
    tags=["receivables", "quickbooks", "maintenance"],
)
def maintain_database() -> None:
    @task(task_display_name="Prune the receivables database")
    def prune_receivables() -> dict[str, int]:
        """Forget runs, versions, verdicts, moves and events that nothing needs any more."""
        from include.hooks.receivables_db import ReceivablesDbHook
        from include.receivables.company import retention

        with ReceivablesDbHook().get_conn() as db:
            return retention.prune(db, _retention())

    @task(task_display_name="Clean Airflow's tables")
    def clean_airflow() -> None:
        """Delete old rows of Airflow's own tables."""
        from include.hooks import airflow_database

        retention, now = _retention(), datetime.now(UTC)
        connection = airflow_database.find_connection()
        if connection is None:
            raise AirflowSkipException(
                f"The connection {airflow_database.AIRFLOW_DB!r} is not defined: run `airflow db clean` otherwise."
            )
        for tables, days in (
            (airflow_database.TABLES, retention.airflow),
            (airflow_database.AUDIT_TABLES, retention.audit),
        ):
            airflow_database.clean(connection, tables, now - timedelta(days=days))

    @task(task_display_name="Delete old task logs")
    def delete_logs() -> int:
        """Delete the files of old logs."""
        from include.hooks import task_logs

        before = datetime.now(UTC) - timedelta(days=_retention().task_logs)
        return task_logs.delete_old(task_logs.log_folder(), before.timestamp())

    prune_receivables()
    clean_airflow()
    delete_logs()


def _retention() -> Retention:
    from include.receivables.company.retention import Retention

    setting: Any = Variable.get(SETTING, default={}, deserialize_json=True)
    return Retention.of(setting)


maintain_database()
