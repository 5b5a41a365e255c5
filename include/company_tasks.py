"""How a task of a DAG works for companies: what fails has a sentence in the log, what changes is told."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowSkipException

from include.dag_defaults import PEAKFLO_RECEIVABLES, RECEIVABLES_CHANGES, company_page
from include.errors import ReauthorizeError
from include.hooks.access import get_access
from include.hooks.receivables_db import ReceivablesDbHook
from include.receivables.company import batches, changes, companies, problems
from include.receivables.company.run_context import RunContext

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from psycopg import Connection

    from include.receivables.company.access import Access
    from include.receivables.company.batches import Outcome

logger = logging.getLogger(__name__)


def run_companies(batch: Sequence[str], job: Callable[[Access, str, RunContext], Outcome]) -> dict[str, Any]:
    """
    Do a task's work for the companies of a batch, and tell of what has changed in Peakflo's tables.

    :return: what was done, as counts per company.
    :raises AirflowSkipException: when other processes are at work on all of them.
    :raises BatchError: which companies failed and why; of one company, its own error.
    """
    context = get_current_context()
    access, run_context = get_access(), RunContext.of(context)
    outcomes = batches.run_batch(
        batch, lambda company_id: job(access, company_id, run_context), place_of=company_page
    )
    if not outcomes:
        raise AirflowSkipException("Another process is at work on the company; see the log.")
    with access.connect() as db:
        tell_changes(db, [outcome.company_id for outcome in outcomes], context)
    return batches.summarize(outcomes)


def skip_lost_companies(batch: Sequence[str]) -> None:
    """
    Say of each company that has to be connected again why it is not synced, and what cures that.

    :raises AirflowSkipException: with a sentence for each; unless all were connected again meanwhile.
    """
    with ReceivablesDbHook().get_conn() as db:
        lost = [company for company in companies.list_reauthorize(db) if company.company_id in batch]
    sentences = [
        problems.say_failure(
            company.company_id, ReauthorizeError(company.last_error), company_page(company.company_id)
        )
        for company in lost
    ]
    for sentence in sentences:
        logger.warning("%s", sentence)
    if sentences:
        raise AirflowSkipException(f"Companies to connect again: {len(sentences)}; see above.")


def tell_changes(db: Connection, company_ids: Sequence[str], context: Any) -> None:
    """
    Update the asset once for each company with changes that nobody was told of, if the task tells of any.

    Airflow passes it on once the task has ended well: it is the last thing that a task does.
    """
    if RECEIVABLES_CHANGES not in context["task"].outlets:
        return
    for change in changes.take(db, company_ids):
        context["outlet_events"][RECEIVABLES_CHANGES].add(PEAKFLO_RECEIVABLES, extra=change.as_json())
