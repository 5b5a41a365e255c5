"""The pieces of work that DAGs and the command line run for a company, each logged as a run."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Protocol

from include.quickbooks.calls import CallCounts
from include.receivables.company import runs
from include.receivables.company.batches import Outcome
from include.receivables.company.companies import get_company
from include.receivables.inbound.importing import import_company
from include.receivables.inbound.merging import merge_pending
from include.receivables.inbound.reference_data import GROUPS, refresh_reference_data
from include.receivables.inbound.staging import queue_all
from include.receivables.inbound.syncing import finish, sync_company

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from psycopg import Connection

    from include.quickbooks.client import QuickBooksClient
    from include.receivables.company.access import Access
    from include.receivables.company.run_context import RunContext
    from include.receivables.company.runs import Run

logger = logging.getLogger(__name__)


class Step(Protocol):
    """A piece of work on one company's books."""

    def __call__(self, db: Connection, quickbooks: QuickBooksClient, run: Run) -> None:
        """Do the work."""
        ...


def sync(
    access: Access, company_id: str, run_context: RunContext, *, accept_deletions: bool = False
) -> Outcome:
    """Bring one company up to date, see :func:`include.receivables.inbound.syncing.sync_company`."""
    return run_step(
        access,
        company_id,
        run_context,
        lambda db, quickbooks, run: sync_company(db, quickbooks, run, accept_deletions=accept_deletions),
    )


def import_all(
    access: Access, company_id: str, run_context: RunContext, *, accept_deletions: bool = False
) -> Outcome:
    """Import one company, see :func:`include.receivables.inbound.importing.import_company`."""
    return run_step(
        access,
        company_id,
        run_context,
        lambda db, quickbooks, run: import_company(db, quickbooks, run, accept_deletions=accept_deletions),
    )


def refresh(
    access: Access, company_id: str, run_context: RunContext, *, groups: Iterable[str] = tuple(GROUPS)
) -> Outcome:
    """Refresh one company's reference data."""
    chosen = tuple(groups)
    return run_step(
        access,
        company_id,
        run_context,
        lambda db, quickbooks, run: refresh_reference_data(db, quickbooks, run, groups=chosen),
    )


def merge_again(connect: Callable[[], Connection], company_id: str, run_context: RunContext) -> Outcome:
    """Merge everything that is staged for a company again, without a call to QuickBooks."""
    started, calls = time.monotonic(), CallCounts()
    with connect() as db:
        company = get_company(db, company_id)
        with runs.company_run(db, company, run_context, calls=calls) as run:
            queue_all(db, company.realm_id)
            merge_pending(db, run)
            finish(db, run)
    return Outcome(company_id, seconds=round(time.monotonic() - started, 3), entities=run.summary(calls))


def run_step(access: Access, company_id: str, run_context: RunContext, step: Step) -> Outcome:
    """
    Run a step for a company, unless an earlier try of the same DAG run went through: reads are metered.

    Once somebody clears the DAG run, the work is done again.
    """
    started = time.monotonic()
    with access.open_books(company_id) as books:
        if runs.has_succeeded(books.db, books.company, run_context):
            logger.info("Company %s went through at an earlier try: it is not read again.", company_id)
            return Outcome(company_id)
        with runs.company_run(books.db, books.company, run_context, calls=books.quickbooks.calls) as run:
            step(books.db, books.quickbooks, run)
    return Outcome(
        company_id,
        calls=books.quickbooks.calls.metered,
        seconds=round(time.monotonic() - started, 3),
        entities=run.summary(books.quickbooks.calls),
    )
