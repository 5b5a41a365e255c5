"""
### Send alerts, every 3 minutes

Looks at what is wrong in all companies, and tells whom it concerns: once when it begins, once more if it becomes
dangerous, and once when it is over. Who is told of what, and in which hours not, is set per channel on the page
*QuickBooks → Alerts* or with `bin/receivables alerts channel`.

**Tasks.** `send` opens an alert for each new cause (`sync.alert`), closes those whose cause has been gone for 10
minutes, and sends each channel what is due (`sync.alert_message`), as one message however many causes there are.
`find_questions` lists what only a person can tell and nobody was asked yet; `ask` starts a run of `ask_for_decision`
for each, so that it waits under Airflow's *Required Actions*. At most 20 are open at a time, the first of each company
first.

Triggered with `test_channels: [CHANNEL]`, as *Send test* on the page does, it sends those a test message, too.

**Cost.** No call of QuickBooks; a few statements, and one message per channel where something has changed.

**When it fails**, its log says which channel did not take its messages and why. A channel that fails keeps no other
from its messages, and what it did not take is sent with the next run; the run is red only once a channel has failed
three times in a row. Correct the Airflow connection that the log names, then send a test.

* *Alerts go to https addresses only*: the connection's host has to begin with `https://`.
* *The mail server …*: its words say why; the connection's extra holds `from_email`, `disable_ssl`, `disable_tls`.

That this DAG itself runs is to be watched from outside: `GET /quickbooks/health` answers 503 when it does not.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Param, dag, get_current_context, task

from include.dag_defaults import DEFAULT_ARGS, ON_SCHEDULE, base_url, refuse_unknown

# A jam is told of in spite of it.
PRIORITY = 500
# Of each of the two tasks that ask; both with a second try fit the run.
ASKING = timedelta(seconds=40)


@dag(
    dag_display_name="Send alerts",
    description="Every 3 minutes: tells whom it concerns of what is wrong, once, and once when it is over.",
    allowed_run_types=ON_SCHEDULE,
    schedule=timedelta(minutes=3),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=5),
    default_args=DEFAULT_ARGS,
    params={
        "test_channels": Param(
            [],
            type="array",
            items={
                "type": "string",
                "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$",
                "examples": ["operations"],
            },
            title="Test",
            description="Channels to send a test message to.",
        )
    },
    doc_md=__doc__,
    tags=["receivables", "quickbooks"],
)
def send_alerts() -> None:
    # A message that was claimed is another run's once it is 3 minutes old.
    @task(
        task_display_name="Send",
        execution_timeout=timedelta(minutes=2),
        priority_weight=PRIORITY,
    )
    def send() -> dict[str, Any]:
        """Look at what is wrong, and tell whom it concerns."""
        from include.hooks.alert_courier import AlertCourier
        from include.hooks.receivables_db import ReceivablesDbHook
        from include.receivables.alerts import telling

        context = get_current_context()
        refuse_unknown(context["dag_run"].conf, context["dag"].params)
        with ReceivablesDbHook().get_conn() as db:
            return telling.tell(
                db, AlertCourier(), base_url=base_url(), tests=context["params"]["test_channels"]
            )

    @task(task_display_name="Find questions", execution_timeout=ASKING)
    def find_questions() -> list[dict[str, Any]]:
        """List what only a person can tell and nobody was asked yet."""
        from include import decision_tasks

        return decision_tasks.list_new(get_current_context()["ti"])

    send()
    TriggerDagRunOperator.partial(
        task_id="ask",
        task_display_name="Ask for a decision",
        trigger_dag_id="ask_for_decision",
        logical_date=None,
        map_index_template="{{ task.conf['company_id'] }}",
        execution_timeout=ASKING,
        skip_when_already_exists=True,
    ).expand_kwargs(find_questions())


send_alerts()
