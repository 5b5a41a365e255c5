"""
### Send metrics, every minute

Measures the sync and sends the figures where Airflow sends its own: to StatsD or to an OpenTelemetry collector, as the
section `[metrics]` of its configuration says. While that is off, this DAG does not run.

**Task.** `send` reads all figures from the database, in five statements however many companies there are, and sets a
gauge to each. They are named `airflow.quickbooks.…`; `docs/metrics.md` lists them, and `docs/grafana.json` is a
dashboard of them.

**Cost.** No call of QuickBooks.

**When it fails**, the database cannot be read, which other DAGs say as well; it is tried again at once, and in the next
minute. That a collector does not answer fails nothing: the log of the task says so.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import dag, get_current_context, task

from include.dag_defaults import DEFAULT_ARGS, ON_SCHEDULE, are_metrics_on, refuse_unknown


@dag(
    dag_display_name="Send metrics",
    description="Every minute while Airflow's metrics are on: how fresh, how much is held, how many calls.",
    allowed_run_types=ON_SCHEDULE,
    schedule=timedelta(minutes=1) if are_metrics_on() else None,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=2),
    default_args=DEFAULT_ARGS
    | {"execution_timeout": timedelta(seconds=30), "retry_delay": timedelta(seconds=5)},
    doc_md=__doc__,
    tags=["receivables", "quickbooks"],
)
def send_metrics() -> None:
    @task(task_display_name="Send")
    def send() -> int:
        """Measure the sync, send the figures, and return how many there are."""
        from include.hooks import metrics
        from include.hooks.receivables_db import ReceivablesDbHook
        from include.receivables.views.measures import measure

        context = get_current_context()
        refuse_unknown(context["dag_run"].conf, context["dag"].params)
        with ReceivablesDbHook().get_conn() as db:
            measures = measure(db)
        metrics.send(measures)
        return len(measures)

    send()


send_metrics()
