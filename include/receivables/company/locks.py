"""Who may work on what: one piece of work per company, one writing transaction per realm."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from psycopg import OperationalError

from include.errors import BusyError
from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

    from include.receivables.company.companies import Company


@contextmanager
def company_lock(db: Connection, company: Company) -> Iterator[None]:
    """
    Hold a company for one sync or import at a time; a kill frees it.

    :raises BusyError: when somebody else holds it.
    """
    busy = f"Company {company.company_id!r} is being synced by another process: its next sync takes over."
    with hold_company(db, company, load("sync/lock_company"), load("sync/unlock_company"), busy):
        yield


@contextmanager
def hold_company(db: Connection, company: Company, lock: str, unlock: str, busy: str) -> Iterator[None]:
    """
    Hold something of a company that is locked and unlocked by a statement each, as long as the connection at most.

    :raises BusyError: when somebody else holds it, in the given words.
    """
    keys = {"company_id": company.company_id}
    row = db.execute(lock, keys).fetchone()
    if row is None or not row[0]:
        raise BusyError(busy)
    try:
        yield
    finally:
        # A lost connection has lost the lock, too.
        with suppress(OperationalError):
            db.execute(unlock, keys)


@contextmanager
def realm_transaction(db: Connection, realm_id: str) -> Iterator[None]:
    """Write a realm's records in one transaction, while no other process does."""
    with db.transaction():
        db.execute(load("staging/lock_realm"), {"realm_id": realm_id})
        yield
