"""Work on a company in processes of their own."""

from __future__ import annotations

import multiprocessing
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psycopg

from include.errors import ReceivablesError
from include.quickbooks.entities import ACCOUNT
from include.quickbooks.oauth import OAuthApp
from include.receivables.company.access import Access
from include.receivables.company.companies import get_company
from include.receivables.company.run_context import RunContext
from include.receivables.company.runs import company_run
from include.receivables.company.side_connection import SideConnection
from include.receivables.company.tokens import CompanyTokens, TokenCipher
from tests.support.databases import for_user

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Barrier

    from sandbox.control import SandboxControl

SPAWNING = multiprocessing.get_context("spawn")
DEADLINE_SECONDS = 60


@dataclass(frozen=True)
class Keys:
    """
    What another process needs to work for companies; an :class:`Access` itself cannot be sent there.

    :param db_url: the administrator's.
    """

    db_url: str
    base_url: str
    discovery_url: str
    fernet_keys: str

    @classmethod
    def of(cls, sandbox: SandboxControl, db_url: str, fernet_keys: str) -> Keys:
        return cls(db_url, sandbox.api_url, sandbox.discovery_url, fernet_keys)

    def access(self, *, client_secret: str = "sandbox-secret") -> Access:
        return Access(
            connect=lambda: psycopg.connect(
                for_user(self.db_url, "receivables_sync"), autocommit=True, prepare_threshold=None
            ),
            app=OAuthApp(
                "sandbox-client",
                client_secret,
                environment="sandbox",
                redirect_uri="http://127.0.0.1/callback",
                discovery_url=self.discovery_url,
                allowed_hosts=frozenset({urlsplit(self.discovery_url).netloc}),
            ),
            cipher=TokenCipher(self.fernet_keys),
            api_url=self.base_url,
        )


def run_at_once(work: Callable[..., Any], count: int, *arguments: Any) -> list[Any]:
    """Run a function in some processes that all begin at the same moment, and return what they return."""
    with SPAWNING.Manager() as manager, SPAWNING.Pool(count) as pool:
        start = manager.Barrier(count)
        answers = [pool.apply_async(work, (start, *arguments)) for _ in range(count)]
        return [answer.get(DEADLINE_SECONDS) for answer in answers]


def run_elsewhere(work: Callable[..., Any], *arguments: Any) -> int | None:
    """Run a function in another process, and return its exit code."""
    process = SPAWNING.Process(target=work, args=arguments)
    process.start()
    process.join(DEADLINE_SECONDS)
    return process.exitcode


def count_accounts(start: Barrier, keys: Keys, company_id: str, times: int = 1) -> list[int]:
    """Ask QuickBooks for a count, some times in a row."""
    with keys.access().open_books(company_id) as books:
        start.wait(DEADLINE_SECONDS)
        return [books.quickbooks.count(ACCOUNT) for _ in range(times)]


def try_to_count_accounts(start: Barrier, keys: Keys, company_id: str) -> str:
    """Ask QuickBooks for a count, and return what error came of it."""
    with keys.access().open_books(company_id) as books:
        start.wait(DEADLINE_SECONDS)
        try:
            books.quickbooks.count(ACCOUNT)
        except ReceivablesError as error:
            return type(error).__name__
    return ""


def die_with_new_tokens(keys: Keys, company_id: str) -> None:
    """Get an access token, and be killed before it is used."""
    access = keys.access()
    side = SideConnection(access.connect)
    with access.connect() as db:
        company = get_company(db, company_id)
    CompanyTokens(
        company.company_id, company.realm_id, side=side, app=access.app, cipher=access.cipher
    ).current()
    os.kill(os.getpid(), signal.SIGKILL)


def die_in_mid_run(keys: Keys, company_id: str, dag_id: str = "test") -> None:
    """Begin a piece of work on a company, and be killed in it."""
    with (
        keys.access().open_books(company_id) as books,
        company_run(books.db, books.company, RunContext(dag_id, "killed"), calls=books.quickbooks.calls),
    ):
        os.kill(os.getpid(), signal.SIGKILL)
