"""The sync log: each run of a company, what it read and merged, and why it failed."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.types.json import Jsonb

from include.errors import DiskFullError, ReauthorizeError, ThrottledError, UnreachableError
from include.quickbooks.catalogue import TokenRejectedError
from include.receivables.company import problems, quota
from include.receivables.company.companies import mark_reauthorize
from include.receivables.company.locks import company_lock
from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

    from include.errors import RetryableError
    from include.quickbooks.calls import CallCounts
    from include.receivables.company.companies import Company
    from include.receivables.company.run_context import RunContext

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class EntityCounts:
    """
    What a run did with one entity.

    :param read: records that QuickBooks sent.
    :param changed: of them, those that said something new.
    :param merged: records of Peakflo that changed.
    :param deleted: records of Peakflo that are deleted now.
    :param seconds: spent on this entity.
    """

    read: int = 0
    changed: int = 0
    merged: int = 0
    deleted: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class Run:
    """
    One piece of work for one company.

    :param run_id: its row in ``sync.run``, which every staged version names.
    :param dag_id: whose calls are counted as that DAG's.
    :param is_inbound: whether it merges into ``peakflo.*``; a delivery counts what it has made in QuickBooks.
    :param counts: per staging table.
    """

    run_id: int
    company: Company
    dag_id: str
    is_inbound: bool = True
    counts: defaultdict[str, EntityCounts] = field(default_factory=lambda: defaultdict(EntityCounts))

    @property
    def has_news(self) -> bool:
        """Whether it has changed something for those who read Peakflo's tables."""
        return self.is_inbound and any(each.merged or each.deleted for each in self.counts.values())

    @property
    def words(self) -> str:
        """Say what it has read and changed, entity by entity."""
        said = [
            f"{entity} {each.read} read, {each.merged} merged, {each.deleted} deleted"
            for entity, each in sorted(self.counts.items())
            if each.read or each.merged or each.deleted
        ]
        return "; ".join(said) or "nothing read"

    @contextmanager
    def timing(self, entity: str) -> Iterator[EntityCounts]:
        """Add the time of a block to an entity."""
        counts = self.counts[entity]
        started = time.monotonic()
        try:
            yield counts
        finally:
            counts.seconds += time.monotonic() - started

    def summary(self, calls: CallCounts) -> dict[str, dict[str, Any]]:
        """
        Return the counts as plain data, with the calls that asked for an entity alone; entities without any left out.

        :param calls: what the run's client has sent.
        """
        asked = calls.by_entity
        return {
            entity: asdict(counts := self.counts[entity])
            | {"calls": asked.get(entity, 0), "seconds": round(counts.seconds, 3)}
            for entity in sorted(self.counts.keys() | asked)
        }


@contextmanager
def company_run(
    db: Connection, company: Company, run_context: RunContext, *, calls: CallCounts
) -> Iterator[Run]:
    """
    Hold the company, and log what is done within: its counts and calls, or why it failed.

    :param calls: the counters of the client that is used within.
    :raises BusyError: when another process holds the company; nothing is logged then.
    :raises QuotaError: in place of a refused read, once reads have been refused for long.
    """
    with _saying_when_lost(), company_lock(db, company):
        run = _insert(db, company, run_context, is_exclusive=True)
        db.execute(load("sync/end_killed_runs"), {"company_id": company.company_id, "run_id": run.run_id})
        logger.info("Run %d begins: company %s, realm %s.", run.run_id, company.company_id, company.realm_id)
        try:
            with _saying_when_lost():
                yield run
        except BaseException as error:
            _try_to_end_failed(db, run, calls, error)
            if isinstance(error, ThrottledError):
                quota.check(db)
            raise
        _end(db, run, calls)


@contextmanager
def _saying_when_lost() -> Iterator[None]:
    """
    Say what it means that the database cannot be used.

    :raises RetryableError: in place of the database's own words.
    """
    try:
        yield
    except psycopg.OperationalError as error:
        raise database_error(
            error, "what was committed is kept, and the next run goes on from there"
        ) from error


def database_error(error: psycopg.OperationalError, consequence: str) -> RetryableError:
    """Return what to say of a database that cannot be used, and of what comes of that."""
    said = error.diag.message_primary or " ".join(str(error).split())
    if isinstance(error, psycopg.errors.DiskFull):
        return DiskFullError(f"The receivables database has no room left ({said}): {consequence}.")
    return UnreachableError(f"The receivables database went away ({said}): {consequence}.")


def start_concurrent_run(
    db: Connection, company: Company, run_context: RunContext, *, is_inbound: bool = True
) -> Run:
    """
    Begin a run in the log that does not hold the company: a sync may be at work at the same time.

    :param is_inbound: whether it merges into ``peakflo.*``.
    """
    run = _insert(db, company, run_context, is_exclusive=False)
    run.is_inbound = is_inbound
    return run


def end_concurrent_run(
    db: Connection, run: Run, calls: CallCounts, error: BaseException | None, *, is_news: bool = True
) -> None:
    """
    End such a run in the log, with the reason if it failed.

    :param is_news: whether a failure becomes a problem of the company; what is known already does not.
    """
    if error is not None and is_news:
        _end_failed(db, run, calls, error)
    else:
        _end(db, run, calls, error)


def has_succeeded(db: Connection, company: Company, run_context: RunContext) -> bool:
    """Tell whether an earlier try of a DAG run went through for the company, and nobody has cleared it since."""
    keys = {"company_id": company.company_id, "realm_id": company.realm_id}
    row = db.execute(load("sync/has_succeeded"), keys | asdict(run_context)).fetchone()
    return bool(row and row[0])


def _insert(db: Connection, company: Company, run_context: RunContext, *, is_exclusive: bool) -> Run:
    keys = {"company_id": company.company_id, "realm_id": company.realm_id, "is_exclusive": is_exclusive}
    row = db.execute(load("sync/start_run"), keys | asdict(run_context)).fetchone()
    if row is None:
        raise LookupError("the run was not recorded")
    return Run(row[0], company, run_context.dag_id)


def _try_to_end_failed(db: Connection, run: Run, calls: CallCounts, error: BaseException) -> None:
    """Log a failure, unless the database is what failed: then the company's next run ends this one in the log."""
    try:
        _end_failed(db, run, calls, error)
    except psycopg.Error as unreachable:
        logger.warning("The end of run %d could not be logged: %s", run.run_id, str(unreachable).strip())


def _end_failed(db: Connection, run: Run, calls: CallCounts, error: BaseException) -> None:
    company = run.company
    was_used_up = isinstance(error, ThrottledError) and quota.read(db).is_used_up
    _end(db, run, calls, error)
    # A token that is rejected right after it was issued is QuickBooks' own contradiction, not a disconnect.
    if isinstance(error, ReauthorizeError) and not isinstance(error, TokenRejectedError):
        mark_reauthorize(
            db, company_id=company.company_id, realm_id=company.realm_id, error=error, run_id=run.run_id
        )
    problems.report_failure(db, company, error)
    if isinstance(error, ThrottledError):
        quota.tell(db, is_news=not was_used_up)


def _end(db: Connection, run: Run, calls: CallCounts, error: BaseException | None = None) -> None:
    ended = {
        "run_id": run.run_id,
        "state": "success" if error is None else "failed",
        "counts": Jsonb(run.summary(calls)),
        "calls": calls.metered,
        "has_news": run.has_news,
        "error_code": None if error is None else problems.code_of(error),
        "error": None if error is None else f"{type(error).__name__}: {error}",
    }
    with db.transaction():
        db.execute(load("sync/end_run"), ended)
        count_calls(db, run.company.realm_id, calls, dag_id=run.dag_id)
    logger.info(
        "Run %d ends in %s: company %s, metered calls %d, %s.",
        run.run_id, ended["state"], run.company.company_id, calls.metered, run.words,
    )  # fmt: skip


def count_calls(db: Connection, realm_id: str, calls: CallCounts, *, dag_id: str = "") -> None:
    """
    Add calls to the realm's ledger of the day.

    :param dag_id: whose run has sent them, if one has.
    """
    by_kind = calls.by_kind
    ledger = {
        "realm_id": realm_id,
        "dag_id": dag_id,
        "kinds": list(by_kind),
        "calls": list(by_kind.values()),
        "metered": [calls.metered_by_kind.get(kind, 0) for kind in by_kind],
    }
    db.execute(load("sync/count_calls"), ledger)
