"""
### QuickBooks → Peakflo, seconds after a change

Reads what QuickBooks' webhook names without waiting for the 5-minute sync. The webhook (`/quickbooks/webhook`) stores
each event in `sync.webhook_event`; the database then wakes this DAG.

**Tasks.** `plan` lists the connected companies with unread events; `read` works for one company each (beyond 50
companies they share tasks). A few events of invoices only, or of customers only, are
read by Id; everything else takes a sync of the company, the same as every 5 minutes.

**Cost.** One metered call per company and run, however many events it answers; one more per kind of record that others
point at and that is not staged, and one for the records of a merge. A run gathers what comes while the one before is
at work, and QuickBooks itself groups the changes of 1 to 5 minutes in production.

**When a task fails** its log says which company and why, as does `sync.run`. Nothing has to be done here: the events
stay unread until the task's next try or the next 5-minute sync has read them. The webhook is only a hint to read early;
nothing is lost with an event. A run that is cleared reads what is unread by then.

* *No runs at all*: is the webhook's URL entered at Intuit, and the connection's `webhook_verifier_token` the one that
  Intuit shows? `sync.webhook_count` has what was received and refused, per hour and reason.
* *Skipped*: another run is at work on the company, which wakes this DAG again when it is done.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, AssetWatcher, Param, dag, get_current_context, task

from include.company_operator import company_task
from include.dag_defaults import (
    COMPANY_ID_SCHEMA,
    DEFAULT_ARGS,
    ON_EVENTS,
    PLANNING,
    RECEIVABLES_CHANGES,
    refuse_unknown,
)
from include.triggers.notification import WEBHOOK_EVENT, NotificationTrigger

EVENTS_POOL = "quickbooks_events"
# A burst of events comes in many deliveries: what follows the first is gathered for so long.
PAUSE_SECONDS = 2.0
QUICKBOOKS_EVENTS = Asset(
    "quickbooks_events",
    watchers=[
        AssetWatcher(
            name="event_received",
            trigger=NotificationTrigger(
                WEBHOOK_EVENT,
                backlog="sync/list_companies_with_events",
                dag_id="read_webhook_events",
                pause_seconds=PAUSE_SECONDS,
            ),
        )
    ],
)


@dag(
    dag_display_name="QuickBooks → Peakflo, early",
    description="What QuickBooks' webhook names, read seconds after a change.",
    schedule=[QUICKBOOKS_EVENTS],
    catchup=False,
    allowed_run_types=ON_EVENTS,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=15),
    default_args=DEFAULT_ARGS,
    params={
        "companies": Param(
            [],
            type="array",
            items=COMPANY_ID_SCHEMA,
            title="Only for",
            description="Companies to read for; without any, all that have unread events.",
            examples=[["demo"]],
        )
    },
    doc_md=__doc__,
    tags=["receivables", "quickbooks"],
)
def read_webhook_events() -> None:
    @task(pool=EVENTS_POOL, **PLANNING, task_display_name="Plan")
    def plan() -> list[list[str]]:
        """Deal the companies with unread events to tasks."""
        from include.hooks.receivables_db import ReceivablesDbHook
        from include.receivables.company import batches
        from include.receivables.inbound import webhook_sync

        context = get_current_context()
        refuse_unknown(context["dag_run"].conf, context["dag"].params)
        chosen = context["params"]["companies"]
        with ReceivablesDbHook().get_conn() as db:
            due = webhook_sync.list_due(db, dag_id=context["dag"].dag_id)
        return batches.split(
            [company.company_id for company in due if not chosen or company.company_id in chosen]
        )

    @company_task(pool=EVENTS_POOL, task_display_name="Read a company", outlets=[RECEIVABLES_CHANGES])
    def read(batch: list[str]) -> dict[str, Any]:
        """Read what the events of one batch of companies name."""
        from include.company_tasks import run_companies
        from include.receivables.inbound import webhook_sync

        return run_companies(batch, webhook_sync.read_events)

    read.expand(batch=plan())


read_webhook_events()
