"""Connections to the receivables database for pages: so many at most, and soon given up when it does not answer."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import psycopg
from fastapi import Depends, HTTPException
from psycopg_pool import NullConnectionPool, PoolTimeout

from include.errors import UnreachableError
from include.hooks.access import get_access
from include.hooks.receivables_db import (
    Actor,
    PagesDbHook,
    ReceivablesDbHook,
    WebhookDbHook,
    acting_as,
)
from include.receivables.company.access import Access
from include.receivables.company.companies import COMPANY_ID, Company, find_company
from include.sql import load
from include.web.security import SignedIn, SomebodySignedIn

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_CONNECTIONS = 10
WAIT_SECONDS = 3.0
IS_DOWN = "The receivables database does not answer: try again in a minute."


def _pool_of(hook: type[ReceivablesDbHook]) -> NullConnectionPool[Any]:
    """
    Limit the connections of a user of the database, and keep none.

    One that outlived a restart of the database would have to be found out first, at the cost of a request.
    """

    class HookConnection(psycopg.Connection[Any]):
        """A connection as the hook opens it, wherever Airflow keeps its address."""

        @classmethod
        def connect(cls, conninfo: str = "", **kwargs: Any) -> psycopg.Connection[Any]:  # type: ignore[override]
            """Open it; what the pool would have it opened with is of no use."""
            return hook().get_conn()

    # It is opened with the first request, in the process that answers it.
    return NullConnectionPool(
        connection_class=HookConnection,
        min_size=0,
        max_size=MOST_CONNECTIONS,
        timeout=WAIT_SECONDS,
        reconnect_timeout=WAIT_SECONDS,
        name=hook.default_conn_name,
        open=False,
    )


POOLS = {hook: _pool_of(hook) for hook in (PagesDbHook, WebhookDbHook)}


@contextmanager
def lend(hook: type[ReceivablesDbHook]) -> Iterator[psycopg.Connection]:
    """
    Lend a connection in autocommit mode.

    :param hook: says as which user of the database.
    :raises ConfigurationError: when Airflow has no connection of that user.
    :raises UnreachableError: when the database does not answer.
    """
    hook.get_connection(hook.default_conn_name)
    pool = POOLS[hook]
    pool.open()
    try:
        db = pool.getconn()
    except (PoolTimeout, UnreachableError):
        raise UnreachableError(IS_DOWN) from None
    try:
        yield db
    finally:
        pool.putconn(db)


@contextmanager
def lend_to(user: SignedIn) -> Iterator[psycopg.Connection]:
    """Lend a connection of the pages to somebody, which shows nothing but their companies."""
    with lend(PagesDbHook) as db:
        _begin(db, user)
        yield db


@contextmanager
def lend_for_counts() -> Iterator[psycopg.Connection]:
    """Lend a connection of the pages to nobody in particular, for counts of all companies that name none."""
    with lend(PagesDbHook) as db:
        _see(db, actor="", groups=[], sees_all=True)
        yield db


def connection(user: SomebodySignedIn) -> Iterator[psycopg.Connection]:
    """Lend a connection for one request."""
    with lend_to(user) as db:
        yield db


Db = Annotated[psycopg.Connection, Depends(connection)]


def _begin(db: psycopg.Connection, user: SignedIn) -> None:
    # Who sees no page reads the verdicts on any company: the reminder service.
    sees_all = user.can_administer or not user.can_see
    _see(db, actor=user.name, groups=list(user.groups), sees_all=sees_all)


def _see(db: psycopg.Connection, **keys: Any) -> None:
    db.execute(load("sync/see_companies"), keys)


def page_access(user: SomebodySignedIn) -> Access:
    """
    Return access to QuickBooks, and to the database as the sync has it, whose work begins on the page.

    That the database does not answer is told in a page's words.
    """

    def connect() -> psycopg.Connection:
        try:
            with acting_as(Actor(user.name, "page")):
                return ReceivablesDbHook().get_conn()
        except UnreachableError:
            raise UnreachableError(IS_DOWN) from None

    return replace(get_access(), connect=connect)


QuickBooksAccess = Annotated[Access, Depends(page_access)]


def known_company(company_id: str, db: Db) -> Company:
    """Return the company that a path names; the answer is the same for every id that is none, or not the user's."""
    company = find_company(db, company_id) if COMPANY_ID.fullmatch(company_id) else None
    if company is None:
        raise HTTPException(404, NO_COMPANY)
    return company


NO_COMPANY = "There is no such company."
KnownCompany = Annotated[Company, Depends(known_company)]
