"""Delivers a company's payments as a piece of work that DAGs and the command line run, logged as a run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psycopg

from include.receivables.company import runs
from include.receivables.company.batches import Outcome
from include.receivables.outbound.delivering import deliver_company
from include.receivables.outbound.situation import SETTLED_AFTER, Patience
from include.receivables.outbound.work import Work, delivery_lock, reuse_plans
from include.sql import load

if TYPE_CHECKING:
    from datetime import timedelta

    from include.receivables.company.access import Access
    from include.receivables.company.run_context import RunContext


def deliver(
    access: Access,
    company_id: str,
    run_context: RunContext,
    *,
    settled_after: timedelta = SETTLED_AFTER,
    longest: timedelta | None = None,
) -> Outcome:
    """
    Deliver one company's payments, see :func:`include.receivables.outbound.delivering.deliver_company`.

    It may run beside a sync of the company. The outcome counts, per document, what was looked at (read), sent (changed)
    and made or undone (merged).

    :param settled_after: how long after a request whose answer was lost it may be repeated.
    :param longest: begin no further delivery after that time; the rest is left to the next run, which is woken.
    :raises BusyError: when another process delivers for the company.
    """
    started = time.monotonic()
    with access.open_books(company_id) as books, delivery_lock(books.db, books.company):
        reuse_plans(books.db)
        run = runs.start_concurrent_run(books.db, books.company, run_context, is_inbound=False)
        stop_at = None if longest is None else started + longest.total_seconds()
        _deliver(Work(books.db, books.quickbooks, run, Patience(settled_after), stop_at))
        calls = books.quickbooks.calls
    return Outcome(
        company_id,
        calls=calls.metered,
        seconds=round(time.monotonic() - started, 3),
        entities=run.summary(calls),
    )


def _deliver(work: Work) -> None:
    """Deliver within a run of the log."""
    try:
        deliver_company(work)
    except psycopg.OperationalError as error:
        # The next run finds out what became of what was being sent.
        raise runs.database_error(error, "the next delivery goes on from there") from error
    except BaseException as error:
        runs.end_concurrent_run(work.db, work.run, work.quickbooks.calls, error)
        raise
    forgotten = None
    if not work.quickbooks.calls.total:
        forgotten = work.db.execute(load("outbox/forget_run"), {"run_id": work.run.run_id}).fetchone()
    if forgotten is None:
        runs.end_concurrent_run(work.db, work.run, work.quickbooks.calls, None)
