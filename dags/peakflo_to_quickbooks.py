"""
### Peakflo → QuickBooks, within seconds of a payment

Brings the payments that Peakflo took to QuickBooks, each exactly once: `outbox.queue` → Payment and, where there is a
fee, withholding tax or rounding, the JournalEntry that it links. A payment is queued in the transaction that changes
anything about it; the database then wakes this DAG, which also runs every 5 minutes for what waits.

**Tasks.** `plan` lists the connected companies that have something due; `deliver` works for one company each (beyond 50
companies they share tasks).

**Cost.** Nothing: Intuit does not meter writes. A lost answer costs a metered read or two, to find out what became of
it.

**Where each payment stands** is in `outbox.delivery` (`bin/receivables delivery list COMPANY`).

* *agrees*: it is in QuickBooks as Peakflo says, or cancelled on both sides.
* *waits*: goes by itself once the cause is gone: two-way sync off, an account not mapped, books closed, an invoice that
  QuickBooks does not have yet. Also *undecided*, when an answer was lost: it is searched for, adopted if found, and
  else sent again under the same request id; while the month's quota of reads is used up it waits, and the others go on.
* *differs*: QuickBooks refused it, it cannot be right, or somebody changed it on one side only. Do what the problem
  says; where it does not go by itself then, `bin/receivables delivery retry COMPANY DELIVERY`, or `ignore` it. After
  *possible_orphan*, a lost answer that is older than 12 hours, look into QuickBooks first.
* *ignored*: somebody decided so; `retry` takes that back.

**When a task fails** its log says which company and why, as do `sync.run` and `sync.problem`. The other companies are
not affected, nor are the company's other payments, unless QuickBooks gives no answer about several.

Any run may be cleared, repeated or killed at any time: what was being sent is looked for before it is sent again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import (
    Asset,
    AssetOrTimeSchedule,
    AssetWatcher,
    DeltaTriggerTimetable,
    Param,
    dag,
    get_current_context,
    task,
)

from include.company_operator import company_task
from include.dag_defaults import (
    COMPANY_ID_SCHEMA,
    DEFAULT_ARGS,
    ON_EVENTS,
    ON_SCHEDULE,
    PLANNING,
    refuse_unknown,
)
from include.triggers.notification import OUTBOX_DELIVERY, NotificationTrigger

DELIVERY_POOL = "quickbooks_delivery"
# A task that is stopped would leave a request undecided: a company ends by itself well before, also when QuickBooks
# lets its last requests hang, a minute each.
LONGEST = timedelta(minutes=2)
PEAKFLO_PAYMENTS = Asset(
    "peakflo_payments",
    watchers=[
        AssetWatcher(
            name="payment_queued",
            trigger=NotificationTrigger(
                OUTBOX_DELIVERY, backlog="outbox/list_queued_companies", dag_id="peakflo_to_quickbooks"
            ),
        )
    ],
)


@dag(
    dag_display_name="Peakflo → QuickBooks",
    description="Payments that Peakflo took, each brought to QuickBooks once, within seconds.",
    schedule=AssetOrTimeSchedule(
        timetable=DeltaTriggerTimetable(timedelta(minutes=5)), assets=[PEAKFLO_PAYMENTS]
    ),
    catchup=False,
    allowed_run_types=(*ON_SCHEDULE, *ON_EVENTS),
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=15),
    default_args=DEFAULT_ARGS,
    params={
        "companies": Param(
            [],
            type="array",
            items=COMPANY_ID_SCHEMA,
            title="Only for",
            description="Companies to deliver for; without any, all that have something due.",
            examples=[["demo"]],
        )
    },
    doc_md=__doc__,
    tags=["receivables", "quickbooks"],
)
def peakflo_to_quickbooks() -> None:
    @task(pool=DELIVERY_POOL, **PLANNING, task_display_name="Plan")
    def plan() -> list[list[str]]:
        """Deal the companies that have something due to tasks."""
        from include.hooks.receivables_db import ReceivablesDbHook
        from include.receivables.company import batches
        from include.receivables.outbound import work

        context = get_current_context()
        refuse_unknown(context["dag_run"].conf, context["dag"].params)
        chosen = context["params"]["companies"]
        with ReceivablesDbHook().get_conn() as db:
            due = work.list_due_companies(db)
        return batches.split([company_id for company_id in due if company_id in (chosen or due)])

    @company_task(pool=DELIVERY_POOL, task_display_name="Deliver a company's payments")
    def deliver(batch: list[str]) -> dict[str, Any]:
        """Deliver the payments of one batch of companies."""
        from include.company_tasks import run_companies
        from include.receivables.outbound import delivery_jobs

        return run_companies(
            batch,
            lambda access, company_id, run_context: delivery_jobs.deliver(
                access, company_id, run_context, longest=LONGEST
            ),
        )

    deliver.expand(batch=plan())


peakflo_to_quickbooks()
