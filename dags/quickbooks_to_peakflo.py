"""
### QuickBooks → Peakflo, every 5 minutes

Brings accounts, payments and credit notes of every connected company from QuickBooks into Peakflo's tables, with the
invoices and customers that changed in the same answer: `staging.*` → `mapping.*` → `peakflo.*`.

**Tasks.** `plan` lists the connected companies; `sync` works for one company each (beyond 50 companies they share
tasks). Companies never read before, or not for 29 days, are named by `plan_imports` and get a run of `import_company`
from `start_import` instead. `plan_reconnects` names those that have to be connected again, for `needs_reconnect` to say
why.

Triggered with `companies: [COMPANY]`, as *Sync now* on the company's page does, it does so for those only.

**Cost.** One metered call per company and run, changed or idle; one more per kind of record that others point at and
that is not staged. Where the connection `quickbooks` names a tier or a number of reads a month and these would not
last, `plan` leaves out idle companies for a while, first those whose webhook is proven; its log says how many and for
how long, and its XCom `budget` has the figures.

**When a task fails** its log says which company and why, as do `sync.run` and `sync.problem`
(`bin/receivables company show COMPANY`). The other companies are not affected.

* *Reconnect needed*: connect the company again. The run in which QuickBooks said so is red; from then on the company
  has a skipped task under *Reconnect needed* whose log has the reason, and is not asked for. No run fails for it.
* *Throttled* or *no answer*: nothing to do, the next run catches up from the cursor. Once no read of any company was
  answered for a quarter of an hour, the month's quota is probably used up: then one company an hour is tried until
  there are reads again, and those that somebody asks for.
* *Deletion brake*: more records vanished in QuickBooks than is believed. Look there first; if it is right, trigger this
  DAG with `accept_deletions: [COMPANY]`.

Any run may be cleared at any time, and does its work again. A retry, after some companies of a task failed, reads only
those again.

**Who waits for changes** schedules on the asset `peakflo_receivables`: it is updated once per company that has changed,
with how many records of what in the event's extra (`examples/receivables_changes.py`).
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Param, dag, get_current_context, task

from include.company_operator import company_task
from include.dag_defaults import (
    COMPANY_ID_SCHEMA,
    DEFAULT_ARGS,
    ON_SCHEDULE,
    PLANNING,
    RECEIVABLES_CHANGES,
    refuse_unknown,
)

if TYPE_CHECKING:
    from include.receivables.company.budget import Budget
    from include.receivables.company.companies import DueCompany

logger = logging.getLogger(__name__)


@dag(
    dag_display_name="QuickBooks → Peakflo",
    description="Every 5 minutes: accounts, payments and credit notes of each connected company.",
    schedule=timedelta(minutes=5),
    catchup=False,
    allowed_run_types=ON_SCHEDULE,
    max_active_runs=1,
    max_active_tasks=8,
    dagrun_timeout=timedelta(minutes=15),
    default_args=DEFAULT_ARGS,
    params={
        "companies": Param(
            [],
            type="array",
            items=COMPANY_ID_SCHEMA,
            title="Only for",
            description="Companies to sync; without any, all that are connected.",
        ),
        "accept_deletions": Param(
            [],
            type="array",
            # The examples belong to the items: those of a list, Airflow's form shows as the only choice.
            items=COMPANY_ID_SCHEMA,
            title="Believe deletions of",
            description="Companies whose deletions are right however many they are; see the deletion brake.",
        ),
    },
    doc_md=__doc__,
    tags=["receivables", "quickbooks"],
)
def quickbooks_to_peakflo() -> None:
    @task(**PLANNING, task_display_name="Plan")
    def plan() -> list[list[str]]:
        """Deal the companies that are due to tasks."""
        from include.receivables.company import batches

        due, budget = _list_due()
        _tell_who_waits(len(due), budget)
        return batches.split([company.company_id for company in due if not company.is_import_due])

    @task(**PLANNING, task_display_name="Plan imports")
    def plan_imports() -> list[dict[str, str]]:
        """Name the companies that need an import first."""
        due, _ = _list_due()
        return [{"company_id": company.company_id} for company in due if company.is_import_due]

    @company_task(task_display_name="Sync a company", outlets=[RECEIVABLES_CHANGES])
    def sync(batch: list[str]) -> dict[str, Any]:
        """Bring the companies of one batch up to date."""
        from include.company_tasks import run_companies
        from include.receivables.inbound import jobs

        believed = get_current_context()["params"]["accept_deletions"]
        return run_companies(
            batch,
            lambda access, company_id, run_context: jobs.sync(
                access, company_id, run_context, accept_deletions=company_id in believed
            ),
        )

    @task(**PLANNING, task_display_name="Plan reconnects")
    def plan_reconnects() -> list[list[str]]:
        """Name the companies that are left out until they are connected again."""
        from include.hooks.receivables_db import ReceivablesDbHook
        from include.receivables.company import batches, companies

        chosen = get_current_context()["params"]["companies"]
        with ReceivablesDbHook().get_conn() as db:
            lost = [company.company_id for company in companies.list_reauthorize(db)]
        return batches.split([company_id for company_id in lost if company_id in (chosen or lost)])

    @company_task(task_display_name="Reconnect needed", **PLANNING)
    def needs_reconnect(batch: list[str]) -> None:
        """Say of companies why they are not synced and who can change that, without asking QuickBooks."""
        from include.company_tasks import skip_lost_companies

        skip_lost_companies(batch)

    sync.expand(batch=plan())
    needs_reconnect.expand(batch=plan_reconnects())
    TriggerDagRunOperator.partial(
        task_id="start_import",
        task_display_name="Start an import",
        trigger_dag_id="import_company",
        # One an hour at most: an import may take longer than a cycle, and one that failed is tried again.
        trigger_run_id="due__{{ task.conf['company_id'] }}__{{ dag_run.run_after.strftime('%Y-%m-%dT%H') }}",
        logical_date=None,
        map_index_template="{{ task.conf['company_id'] }}",
        skip_when_already_exists=True,
    ).expand(conf=plan_imports())


def _list_due() -> tuple[list[DueCompany], Budget]:
    from include.hooks.quickbooks import QuickBooksHook
    from include.hooks.receivables_db import ReceivablesDbHook
    from include.receivables.company import budget, companies
    from include.receivables.inbound.syncing import REACH

    context = get_current_context()
    refuse_unknown(context["dag_run"].conf, context["dag"].params)
    chosen = context["params"]["companies"]
    with ReceivablesDbHook().get_conn() as db:
        for company_id in chosen:
            companies.get_connected_company(db, company_id)
        decided = budget.decide(db, QuickBooksHook().read_limit)
        due = companies.list_due_companies(db, reach=REACH, chosen=chosen, at_intervals=True)
    return [company for company in due if company.company_id in chosen or not chosen], decided


def _tell_who_waits(due: int, budget: Budget) -> None:
    if budget.is_saving:
        logger.info("%d of %d companies are read. %s", due, budget.companies, budget.sentence)
    get_current_context()["ti"].xcom_push(
        key="budget",
        value={"companies": budget.companies, "due": due, "used": budget.used, "forecast": budget.forecast},
    )


quickbooks_to_peakflo()
