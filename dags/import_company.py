"""
### Import a company

Reads everything a company has in QuickBooks, page by page, merges each page at once, then reads what changed meanwhile
and compares the counts. Runs when a company was just connected, when it was not read for 29 days (change data capture
reaches back 30), or by hand.

**A stopped import goes on** where it was stopped: clear the task or trigger the DAG again. Nothing is staged twice. One
that had come to its end begins at the beginning when it is cleared.

**Cost.** One metered call per 1,000 records and entity, and about fifteen more.

**When it fails**, the log, `sync.run` and `sync.problem` say why. *Deletion brake*: records that had been staged before
are gone from QuickBooks, more than is believed; look there, then trigger again with `accept_deletions`.
*Counts differ*: the books changed faster than they could be read; run it again at a quieter time.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, get_current_context

from include.company_operator import company_task
from include.dag_defaults import (
    COMPANY_ID_SCHEMA,
    DEFAULT_ARGS,
    IMPORT_POOL,
    ON_DEMAND,
    RECEIVABLES_CHANGES,
    refuse_unknown,
)


@dag(
    dag_display_name="Import a company",
    description="Everything that a company has in QuickBooks; goes on where it was stopped.",
    schedule=None,
    catchup=False,
    allowed_run_types=ON_DEMAND,
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
    @company_task(
        task_display_name="Import",
        outlets=[RECEIVABLES_CHANGES],
        pool=IMPORT_POOL,
        # A try goes on where the one before was stopped.
        retries=2,
        execution_timeout=timedelta(hours=3, minutes=30),
    )
    def import_all(batch: list[str]) -> dict[str, Any]:
        """Read, stage and merge everything."""
        from include.company_tasks import run_companies
        from include.receivables.inbound import jobs

        context = get_current_context()
        refuse_unknown(context["dag_run"].conf, context["dag"].params)
        believed = context["params"]["accept_deletions"]
        return run_companies(
            batch,
            lambda access, company_id, run_context: jobs.import_all(
                access, company_id, run_context, accept_deletions=believed
            ),
        )

    import_all(batch=["{{ params.company_id }}"])


import_company()
