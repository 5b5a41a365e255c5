"""What it takes to deliver a company's payments, and who may."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from include.errors import QuotaError, ThrottledError
from include.receivables.company import quota
from include.receivables.company.locks import hold_company
from include.receivables.outbound.situation import Patience
from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

    from include.quickbooks.client import QuickBooksClient
    from include.receivables.company.companies import Company
    from include.receivables.company.runs import Run


@dataclass(frozen=True, slots=True)
class Work:
    """
    What it takes to deliver a company's payments.

    :param db: in autocommit mode; no transaction is open while QuickBooks is asked.
    :param stop_at: when to begin with no further payment, by the monotonic clock.
    """

    db: Connection
    quickbooks: QuickBooksClient
    run: Run
    patience: Patience = field(default_factory=Patience)
    stop_at: float | None = None

    @property
    def is_time_up(self) -> bool:
        """Whether no further payment should be begun with."""
        return self.stop_at is not None and time.monotonic() >= self.stop_at

    @property
    def company(self) -> Company:
        """The company."""
        return self.run.company

    @contextmanager
    def reading(self) -> Iterator[QuickBooksClient]:
        """
        Have the client to read something with.

        :raises QuotaError: when QuickBooks does not let itself be read; what needs no reading goes on.
        """
        quota.check(self.db)
        try:
            yield self.quickbooks
        except ThrottledError as error:
            raise QuotaError("QuickBooks does not let itself be read for now.") from error


@contextmanager
def delivery_lock(db: Connection, company: Company) -> Iterator[None]:
    """
    Hold a company's deliveries for one process at a time, beside any sync of it; a kill frees them.

    :raises BusyError: when somebody else holds them.
    """
    busy = f"The payments of company {company.company_id!r} are being delivered by another process already."
    with hold_company(db, company, load("outbox/lock_company"), load("outbox/unlock_company"), busy):
        yield


def reuse_plans(db: Connection) -> None:
    """Have each statement planned once: what a delivery asks is about one payment at a time, whichever it is."""
    db.prepare_threshold = 0
    db.execute(load("outbox/reuse_plans"))


def list_due_companies(db: Connection) -> list[str]:
    """List the connected companies that have payments to look at and that nobody is delivering for."""
    return [row[0] for row in db.execute(load("outbox/list_due_companies"))]


def wake(db: Connection, company: Company) -> None:
    """Wake whoever delivers for a company."""
    db.execute(load("outbox/wake"), {"company_id": company.company_id})
