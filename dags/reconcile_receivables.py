"""
### Prove that Peakflo has what QuickBooks has, each night

Compares `peakflo.*` with QuickBooks, to the cent: the records as QuickBooks answers them now, and Intuit's own reports
of what each customer owes and what is open of each document. What was missed is read and merged; what is left has a
class, an amount and what to do about it, in `proof.difference` and on the company's page *Proofs*. The payments that
Peakflo took are decided about anew, as their delivery does.

**Tasks.** `plan` lists the connected companies; `prove` works for one company each (beyond 50 companies they share
tasks).

Triggered with `companies: [COMPANY]`, as *Prove now* does, it does so for those only.

**Cost.** Per company and night two reports, one call for changes, and one call per 1,000 records, of which
`most_pages` at most; what they leave out is compared in the next nights. A company of up to 1,000 records of each kind
takes 8 metered calls. While reads are saved (see `quickbooks_to_peakflo`), each company is proved once a week.

**When a task fails** its log says which company and why, as do `sync.run` and `sync.problem`; the other companies are
not affected. *Not proved* is no failure of the task: a report was cut, or of another day or basis, and the page says
which.
*Deletion brake*: more vanished than is believed; look into QuickBooks, then import with `accept_deletions`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

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

# A proof has time: it never takes the slots of a sync, nor of an import that somebody waits for.
PROOF_POOL = "quickbooks_proof"


@dag(
    dag_display_name="Prove receivables",
    description="Nightly: Peakflo has what QuickBooks has, to the cent; what was missed is repaired.",
    allowed_run_types=ON_SCHEDULE,
    # When hardly anybody books, and after the reference data was refreshed.
    schedule="43 3 * * *",
    catchup=False,
    max_active_runs=4,
    dagrun_timeout=timedelta(hours=4),
    default_args=DEFAULT_ARGS,
    params={
        "companies": Param(
            [],
            type="array",
            items=COMPANY_ID_SCHEMA,
            title="Only for",
            description="Companies to prove; without any, all that are connected.",
        ),
        "most_pages": Param(
            20,
            type="integer",
            minimum=0,
            maximum=10_000,
            title="Pages at most",
            examples=[20, 0],
            description="How many pages of up to 1,000 records may be read for each company, each a metered call.",
        ),
    },
    doc_md=__doc__,
    tags=["receivables", "quickbooks"],
)
def reconcile_receivables() -> None:
    @task(**PLANNING, task_display_name="Plan")
    def plan() -> list[list[str]]:
        """Deal the connected companies to tasks."""
        from include.hooks.receivables_db import ReceivablesDbHook
        from include.receivables.company import batches, companies
        from include.receivables.inbound.syncing import REACH
        from include.receivables.proof import proofs

        context = get_current_context()
        refuse_unknown(context["dag_run"].conf, context["dag"].params)
        chosen = context["params"]["companies"]
        with ReceivablesDbHook().get_conn() as db:
            for company_id in chosen:
                companies.get_connected_company(db, company_id)
            return batches.split(proofs.list_due(db, reach=REACH, chosen=chosen))

    @company_task(
        task_display_name="Prove a company",
        outlets=[RECEIVABLES_CHANGES],
        pool=PROOF_POOL,
        execution_timeout=timedelta(hours=1),
    )
    def prove(batch: list[str]) -> dict[str, Any]:
        """Prove the companies of one batch."""
        from include.company_tasks import run_companies
        from include.receivables.proof.reconciling import reconcile

        most_pages = get_current_context()["params"]["most_pages"]
        return run_companies(
            batch,
            lambda access, company_id, run_context: reconcile(
                access, company_id, run_context, most_pages=most_pages
            ),
        )

    prove.expand(batch=plan())


reconcile_receivables()
