"""The pieces of work that DAGs and the command line run for a company, each logged as a run."""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from include.errors import BatchError, BusyError
from include.quickbooks.calls import CallCounts
from include.receivables import runs
from include.receivables.companies import get_company
from include.receivables.importing import import_company
from include.receivables.merging import merge_pending
from include.receivables.reference_data import GROUPS, refresh_reference_data
from include.receivables.staging import queue_all
from include.receivables.syncing import finish, sync_company

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from psycopg import Connection

    from include.quickbooks.client import QuickBooksClient
    from include.receivables.access import Access
    from include.receivables.runs import Run

logger = logging.getLogger(__name__)

# Airflow starts about seven tasks a second on two cores: companies beyond this many share tasks.
MOST_TASKS = 50
THREADS = 8


@dataclass(frozen=True, slots=True)
class Occasion:
    """
    On whose behalf a job runs, for the sync log.

    :param dag_run_id: the DAG run's id, or one that the command line makes up.
    """

    dag_id: str
    dag_run_id: str
    try_number: int = 1

    @classmethod
    def of(cls, context: Any) -> Occasion:
        """Return the occasion of an Airflow task, from its context."""
        instance = context["ti"]
        return cls(instance.dag_id, instance.run_id, instance.try_number)


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What a job did; plain data, without any record.

    :param entities: per entity: read, changed, merged, deleted, calls, seconds.
    :param calls: metered calls.
    """

    company_id: str
    calls: int = 0
    seconds: float = 0.0
    entities: dict[str, dict[str, Any]] = field(default_factory=dict)


class Step(Protocol):
    """A piece of work on one company's books."""

    def __call__(self, db: Connection, quickbooks: QuickBooksClient, run: Run) -> None:
        """Do the work."""
        ...


def sync(access: Access, company_id: str, occasion: Occasion, *, accept_deletions: bool = False) -> Outcome:
    """Bring one company up to date, see :func:`include.receivables.syncing.sync_company`."""
    return run_step(
        access,
        company_id,
        occasion,
        lambda db, quickbooks, run: sync_company(db, quickbooks, run, accept_deletions=accept_deletions),
    )


def import_all(
    access: Access, company_id: str, occasion: Occasion, *, accept_deletions: bool = False
) -> Outcome:
    """Import one company, see :func:`include.receivables.importing.import_company`."""
    return run_step(
        access,
        company_id,
        occasion,
        lambda db, quickbooks, run: import_company(db, quickbooks, run, accept_deletions=accept_deletions),
    )


def refresh(
    access: Access, company_id: str, occasion: Occasion, *, groups: Iterable[str] = tuple(GROUPS)
) -> Outcome:
    """Refresh one company's reference data."""
    chosen = tuple(groups)
    return run_step(
        access,
        company_id,
        occasion,
        lambda db, quickbooks, run: refresh_reference_data(db, quickbooks, run, groups=chosen),
    )


def merge_again(connect: Callable[[], Connection], company_id: str, occasion: Occasion) -> Outcome:
    """Merge everything that is staged for a company again, without a call to QuickBooks."""
    started, calls = time.monotonic(), CallCounts()
    with connect() as db:
        company = get_company(db, company_id)
        with runs.company_run(
            db, company, calls=calls, dag_id=occasion.dag_id, dag_run_id=occasion.dag_run_id
        ) as run:
            queue_all(db, company.realm_id)
            merge_pending(db, run)
            finish(db, run)
    return Outcome(company_id, seconds=round(time.monotonic() - started, 3), entities=run.summary(calls))


def run_step(access: Access, company_id: str, occasion: Occasion, step: Step) -> Outcome:
    """Run a step for a company, unless an earlier try of the same DAG run went through: reads are metered."""
    started = time.monotonic()
    with access.open_books(company_id) as books:
        done = {"dag_id": occasion.dag_id, "dag_run_id": occasion.dag_run_id}
        if runs.has_succeeded(books.db, books.company, **done):
            logger.info("Company %s is done already in this DAG run.", company_id)
            return Outcome(company_id)
        with runs.company_run(
            books.db, books.company, calls=books.quickbooks.calls, try_number=occasion.try_number, **done
        ) as run:
            step(books.db, books.quickbooks, run)
    return Outcome(
        company_id,
        calls=books.quickbooks.calls.metered,
        seconds=round(time.monotonic() - started, 3),
        entities=run.summary(books.quickbooks.calls),
    )


def deal(company_ids: Sequence[str], *, most: int = MOST_TASKS) -> list[list[str]]:
    """Deal companies to a bounded number of tasks: one each while there are few."""
    return [list(company_ids[first::most]) for first in range(min(most, len(company_ids)))]


def run_batch(company_ids: Sequence[str], job: Callable[[str], Outcome]) -> list[Outcome]:
    """
    Run a job for each company of a batch, some at once; one company's failure does not stop the others.

    :return: what was done; a company that another process is at work on is left to that process.
    :raises ReceivablesError: the only company's own error.
    :raises BatchError: which companies failed and why, after all have been tried.
    """
    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        futures = {company_id: pool.submit(job, company_id) for company_id in company_ids}
    outcomes: list[Outcome] = []
    failures: dict[str, Exception] = {}
    for company_id, future in futures.items():
        try:
            outcomes.append(future.result())
        except BusyError as error:
            logger.warning("%s", error)
        except Exception as error:
            # The task fails with it, which is an error in its log; what a person has to do is said where it begins.
            logger.warning("Company %s failed: %s", company_id, error)
            failures[company_id] = error
    if failures:
        raise next(iter(failures.values())) if len(company_ids) == 1 else BatchError(failures)
    return outcomes


def summarize(outcomes: Iterable[Outcome]) -> dict[str, Any]:
    """Return what a batch did as counts per company: what a task may hand on."""
    return {outcome.company_id: asdict(outcome) for outcome in outcomes}
