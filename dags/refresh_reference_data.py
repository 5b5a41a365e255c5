"""
### Refresh reference data

Reads what changes rarely, whole lists at a time: accounts; tax codes and rates; terms and payment methods; the
company's own facts and preferences. Runs daily for every connected company, and for one company and group when
somebody presses *Refresh accounts* or *Refresh taxes*.

**Cost.** One metered call per list of up to 1,000: seven a company and day. While the month's reads would not last,
each company is refreshed once a week.

**When a task fails** its log, `sync.run` and `sync.problem` say which company and why; the others are not affected, and
the next run tries again.
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

GROUPS = ["accounts", "taxes", "terms", "company"]


@dag(
    dag_display_name="Refresh reference data",
    description="Daily: accounts, tax codes and rates, terms, payment methods and the company's own facts.",
    schedule="17 3 * * *",
    catchup=False,
    allowed_run_types=ON_SCHEDULE,
    max_active_runs=16,
    max_active_tasks=8,
    dagrun_timeout=timedelta(hours=1),
    default_args=DEFAULT_ARGS,
    params={
        "company_id": Param(
            None,
            **COMPANY_ID_SCHEMA | {"type": ["null", "string"]},
        ),
        "groups": Param(
            GROUPS,
            type="array",
            items={"type": "string", "enum": GROUPS, "examples": GROUPS},
            minItems=1,
            title="What to refresh",
            description="Any of accounts, taxes, terms, company.",
        ),
    },
    doc_md=__doc__,
    tags=["receivables", "quickbooks"],
)
def refresh_reference_data() -> None:
    @task(**PLANNING, task_display_name="Plan")
    def plan() -> list[list[str]]:
        """Deal the connected companies to tasks, or pick the one that was asked for."""
        from include.hooks.receivables_db import ReceivablesDbHook
        from include.receivables.company import batches, companies
        from include.receivables.inbound import reference_data
        from include.receivables.inbound.syncing import REACH

        context = get_current_context()
        refuse_unknown(context["dag_run"].conf, context["dag"].params)
        company_id = context["params"]["company_id"]
        with ReceivablesDbHook().get_conn() as db:
            if company_id is not None:
                return [[companies.get_connected_company(db, company_id).company_id]]
            return batches.split(reference_data.list_due(db, reach=REACH))

    @company_task(task_display_name="Refresh a company", outlets=[RECEIVABLES_CHANGES])
    def refresh(batch: list[str]) -> dict[str, Any]:
        """Refresh the companies of one batch."""
        from include.company_tasks import run_companies
        from include.receivables.inbound import jobs

        groups = get_current_context()["params"]["groups"]
        return run_companies(
            batch,
            lambda access, company_id, run_context: jobs.refresh(
                access, company_id, run_context, groups=groups
            ),
        )

    refresh.expand(batch=plan())


refresh_reference_data()
