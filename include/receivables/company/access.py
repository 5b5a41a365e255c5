"""How a piece of work reaches the database and a company's books."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.quickbooks.client import QuickBooksClient
from include.receivables.company.companies import Company, get_connected_company
from include.receivables.company.rate_limit import SharedRateLimiter
from include.receivables.company.side_connection import SideConnection
from include.receivables.company.tokens import MARGIN, CompanyTokens, TokenCipher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import timedelta

    from psycopg import Connection

    from include.quickbooks.oauth import OAuthApp


@dataclass(frozen=True, slots=True)
class Books:
    """
    One company's books, open for a piece of work.

    :param db: the receivables database, in autocommit mode.
    :param quickbooks: the client for the company.
    """

    db: Connection
    company: Company
    quickbooks: QuickBooksClient


@dataclass(frozen=True, slots=True)
class Access:
    """
    What it takes to work for any company.

    :param connect: opens a connection to the receivables database, in autocommit mode.
    :param app: the Intuit app.
    :param api_url: where QuickBooks' API is.
    """

    connect: Callable[[], Connection]
    app: OAuthApp
    cipher: TokenCipher
    api_url: str

    @contextmanager
    def open_books(self, company_id: str, *, read_timeout: float = 60.0) -> Iterator[Books]:
        """
        Open a connected company's books.

        :param read_timeout: seconds to wait for an answer of QuickBooks.
        :raises ConfigurationError: when there is no such company or it is not connected.
        """
        side = SideConnection(self.connect)
        try:
            with self.connect() as db:
                company = get_connected_company(db, company_id)
                with self.client(company, side, read_timeout=read_timeout) as quickbooks:
                    yield Books(db, company, quickbooks)
        finally:
            side.close()

    def client(
        self,
        company: Company,
        side: SideConnection,
        *,
        connect_timeout: float = 3.05,
        read_timeout: float = 60.0,
        token_margin: timedelta = MARGIN,
    ) -> QuickBooksClient:
        """
        Return a client for a company, to be closed before its side connection.

        :param token_margin: an access token with less than this left is renewed before it is used.
        """
        return QuickBooksClient(
            api_url=self.api_url,
            realm_id=company.realm_id,
            tokens=CompanyTokens(
                company.company_id,
                company.realm_id,
                side=side,
                app=self.app,
                cipher=self.cipher,
                margin=token_margin,
            ),
            limiter=SharedRateLimiter(company.realm_id, side=side),
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
        )
