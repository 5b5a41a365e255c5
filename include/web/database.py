"""Connections to the receivables database for pages: so many at most, and soon given up when it does not answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import psycopg
from fastapi import Depends, HTTPException
from psycopg_pool import NullConnectionPool, PoolTimeout

from include.errors import UnreachableError
from include.hooks.access import get_access
from include.hooks.receivables_db import ReceivablesDbHook
from include.receivables.company.access import Access
from include.receivables.company.companies import COMPANY_ID, Company, find_company

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_CONNECTIONS = 10
WAIT_SECONDS = 3.0
IS_DOWN = "The receivables database does not answer: try again in a minute."


class HookConnection(psycopg.Connection):
    """A connection as the hook opens it, wherever Airflow keeps its address."""

    @classmethod
    def connect(cls, conninfo: str = "", **kwargs: Any) -> psycopg.Connection:  # type: ignore[override]
        """Open it; what the pool would have it opened with is of no use."""
        return ReceivablesDbHook().get_conn()


# It limits the connections and keeps none: one that outlived a restart of the database would have to be found out
# first, at the cost of a request. It is opened with the first request, in the process that answers it.
POOL = NullConnectionPool(
    connection_class=HookConnection,
    min_size=0,
    max_size=MOST_CONNECTIONS,
    timeout=WAIT_SECONDS,
    reconnect_timeout=WAIT_SECONDS,
    name="quickbooks-pages",
    open=False,
)


def connection() -> Iterator[psycopg.Connection]:
    """
    Lend a connection in autocommit mode for one request.

    :raises UnreachableError: when the database does not answer.
    """
    ReceivablesDbHook.get_connection(ReceivablesDbHook.default_conn_name)
    POOL.open()
    try:
        db = POOL.getconn()
    except (PoolTimeout, UnreachableError):
        raise UnreachableError(IS_DOWN) from None
    try:
        yield db
    finally:
        POOL.putconn(db)


Db = Annotated[psycopg.Connection, Depends(connection)]


def page_access() -> Access:
    """Return access to QuickBooks and to the database, which is told in a page's words when it does not answer."""
    return replace(get_access(), connect=_connect)


def _connect() -> psycopg.Connection:
    try:
        return ReceivablesDbHook().get_conn()
    except UnreachableError:
        raise UnreachableError(IS_DOWN) from None


QuickBooksAccess = Annotated[Access, Depends(page_access)]


def known_company(company_id: str, db: Db) -> Company:
    """Return the company that a path names; the answer is the same for every id that is none."""
    company = find_company(db, company_id) if COMPANY_ID.fullmatch(company_id) else None
    if company is None:
        raise HTTPException(404, "There is no such company.")
    return company


KnownCompany = Annotated[Company, Depends(known_company)]
