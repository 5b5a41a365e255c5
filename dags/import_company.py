"""
### Import a company

Reads everything a company has in QuickBooks, page by page, merges each page at once, then reads what changed meanwhile
and compares the counts. Runs when a company was just connected, when it was not read for 29 days (change data capture
reaches back 30), or by hand.

**A stopped import goes on** where it was stopped: clear the task or trigger the DAG again. Nothing is staged twice.

**Cost.** One metered call per 1,000 records and entity, and about fifteen more.

**When it fails**, the log, `sync.run` and `sync.problem` say why. *Deletion brake*: records that had been staged before
are gone from QuickBooks, more than is believed; look there, then trigger again with `accept_deletions`.
*Counts differ*: the books changed faster than they could be read; run it again at a quieter time.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, get_current_context, task

from include.dag_defaults import (
    COMPANY_ID_SCHEMA,
    DEFAULT_ARGS,
    IMPORT_POOL,
    PEAKFLO_RECEIVABLES,
    refuse_unknown,
    skip_if_busy,
)


@dag(
    schedule=None,
    catchup=False,
    max_active_runs=16,
    dagrun_timeout=timedelta(hours=12),
    default_args=DEFAULT_ARGS,
    params={
        "company_id": Param(**COMPANY_ID_SCHEMA),
        "accept_deletions": Param(
            default=False,
            type="boolean",
            title="Believe deletions",
            description="Mark records that are gone from QuickBooks as deleted however many they are.",
        ),
    },
    doc_md=__doc__,
    tags=["receivables", "quickbooks"],
)
def import_company() -> None:
    @task(
        outlets=[PEAKFLO_RECEIVABLES],
        pool=IMPORT_POOL,
        execution_timeout=timedelta(hours=6),
    )
    def import_all() -> dict[str, Any]:
        """Read, stage and merge everything."""
        from include.hooks.access import get_access
        from include.receivables.company import batches
        from include.receivables.company.run_context import RunContext
        from include.receivables.inbound import jobs

        context = get_current_context()
        refuse_unknown(context["dag_run"].conf, context["dag"].params)
        company_id = context["params"]["company_id"]
        access, run_context = get_access(), RunContext.of(context)
        believed = context["params"]["accept_deletions"]
        outcomes = batches.run_batch(
            [company_id],
            lambda company_id: jobs.import_all(access, company_id, run_context, accept_deletions=believed),
        )
        skip_if_busy(outcomes)
        return batches.summarize(outcomes)

    import_all()


import_company()
