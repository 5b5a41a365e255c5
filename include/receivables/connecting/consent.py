"""
Connects a company: from the way to QuickBooks' consent page to stored tokens and a first look into the books.

Everything is decided before tokens that work are replaced. The state is used up before the code is exchanged, and the
tokens are stored in one transaction: whenever the process ends in between, either the old connection works on or the
new one is complete, and who comes back with the same answer is told which.
"""

from __future__ import annotations

import logging
import secrets
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from psycopg.errors import UniqueViolation

from include.errors import BusyError, ReauthorizeError, ReceivablesError, RetryableError
from include.quickbooks.client import QuickBooksClient
from include.quickbooks.entities import COMPANY_INFO
from include.receivables.company import companies, runs
from include.receivables.company.locks import company_lock
from include.receivables.company.run_context import RunContext
from include.receivables.connecting import connect_requests, connections
from include.receivables.connecting.connect_requests import (
    START_AGAIN,
    Answer,
    ConnectError,
    Intent,
    Request,
    Visitor,
    refusal,
)
from include.receivables.inbound.reference_data import refresh_reference_data
from include.receivables.outbound.work import delivery_lock, wake
from include.sql import load

if TYPE_CHECKING:
    from psycopg import Connection

    from include.quickbooks.oauth import OAuthApp, Tokens
    from include.receivables.company.access import Access
    from include.receivables.company.companies import Company

__all__ = [
    "Answer",
    "ConnectError",
    "Intent",
    "Visitor",
    "begin",
    "complete",
    "find_company_of_realm",
    "first_failure",
    "read_first",
]

logger = logging.getLogger(__name__)

# How long a change of books waits for a sync that is at work on the old ones.
PATIENCE_SECONDS = 10.0
# Somebody looks at the page meanwhile.
READ_SECONDS = 15.0
FIRST_READ = ("company", "accounts")
DAG_ID = "connect"


def begin(
    db: Connection,
    app: OAuthApp,
    visitor: Visitor,
    *,
    company_id: str,
    name: str = "",
    intent: Intent = "connect",
) -> str:
    """
    Begin to connect a company.

    :param name: of a company that is new.
    :param intent: a company that is known is reconnected, to the same books, unless they are to be changed.
    :return: where a person lets the app in: Intuit's consent page.
    :raises ConfigurationError: when the id or the name cannot be one.
    :raises UnreachableError: when Intuit cannot be asked where that is.
    """
    companies.check_company_id(company_id)
    known = companies.find_company(db, company_id)
    name = known.name if known else " ".join(name.split())
    if not name:
        raise ConnectError("The company has no name yet: type one.", code="no_name", company_id=company_id)
    if intent != "change":
        intent = "reconnect" if known else "connect"
    state = secrets.token_urlsafe(32)
    consent_page = app.authorize_url(state)
    connect_requests.start(
        db,
        visitor,
        state,
        company_id=company_id,
        name=name,
        intent=intent,
        expected=known.realm_id if known and intent == "reconnect" else None,
    )
    return consent_page


def complete(access: Access, visitor: Visitor, answer: Answer) -> Company:
    """
    Connect the company for which somebody comes back from the consent page.

    :raises ConnectError: why it is not connected, and what to do.
    """
    with access.connect() as db, ExitStack() as held:
        request = connect_requests.find(db, visitor, answer.state)
        before = companies.find_company(db, request.company_id)
        if before is not None and _changes_books(request, before, answer):
            # What is at work on the old books has to end first. The state is not used yet: one may come again.
            held.enter_context(_hold(db, before))
        connect_requests.use(db, request, answer.state)
        realm_id = _check_answer(request, answer)
        _check_choice(db, request, before, realm_id)
        tokens = _exchange(access.app, request, answer.code)
        _check_tokens(access, db, request, realm_id, tokens)
        replaced = _store(db, access, request, realm_id, tokens, answer.state)
        if replaced:
            _take_back(access, request, replaced)
        logger.info("Company %s is connected to realm %s.", request.company_id, realm_id)
        company = companies.get_company(db, request.company_id)
        # Payments that waited for these books go on.
        wake(db, company)
        return company


def read_first(access: Access, company_id: str) -> None:
    """
    Read what the account mapping needs of a company: its own facts, its home currency and the chart of accounts.

    :raises ReceivablesError: why it could not be read; the company stays connected.
    """
    with access.open_books(company_id, read_timeout=READ_SECONDS) as books:
        run_context = RunContext(DAG_ID, f"{DAG_ID}__{datetime.now(UTC).isoformat()}")
        with runs.company_run(books.db, books.company, run_context, calls=books.quickbooks.calls) as run:
            refresh_reference_data(books.db, books.quickbooks, run, groups=FIRST_READ)


def first_failure(db: Connection, company: Company) -> str | None:
    """Return why the last attempt to read what the account mapping needs failed, if it did."""
    keys = {"company_id": company.company_id, "dag_id": DAG_ID}
    row = db.execute(load("sync/read_first_failure"), keys).fetchone()
    return None if row is None else str(row[0]).partition(": ")[2] or str(row[0])


def find_company_of_realm(db: Connection, realm_id: str) -> Company | None:
    """Find the company that has a QuickBooks company's books, or had them last."""
    row = db.execute(load("sync/find_realm_company"), {"realm_id": realm_id}).fetchone()
    return None if row is None else companies.find_company(db, row[0])


def _changes_books(request: Request, before: Company, answer: Answer) -> bool:
    return request.intent == "change" and answer.realm_id not in ("", before.realm_id)


def _hold(db: Connection, company: Company) -> ExitStack:
    """Hold a company's syncs and deliveries, once those that are at work have ended."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with ExitStack() as attempt:
                attempt.enter_context(company_lock(db, company))
                attempt.enter_context(delivery_lock(db, company))
                return attempt.pop_all()
        except BusyError:
            if time.monotonic() > give_up_at:
                raise ConnectError(
                    f"{company.name} is being synced or imported right now, and its books cannot be changed meanwhile: "
                    "reload this page in a minute, or start again once the import has ended.",
                    code="busy",
                    company_id=company.company_id,
                ) from None
        time.sleep(0.2)


def _check_answer(request: Request, answer: Answer) -> str:
    """Return which books were chosen."""
    if answer.error == "access_denied":
        raise refusal(
            request, "denied", "QuickBooks was not let in: the consent was cancelled. " + START_AGAIN
        )
    if answer.error:
        raise refusal(
            request,
            "consent_failed",
            f"QuickBooks' consent page answered {answer.error[:100]!r}. {START_AGAIN}",
        )
    if not (answer.code and answer.realm_id):
        raise refusal(
            request, "incomplete", f"QuickBooks' answer names no company or carries no code. {START_AGAIN}"
        )
    connections.check_realm_id(answer.realm_id)
    return answer.realm_id


def _check_choice(db: Connection, request: Request, before: Company | None, realm_id: str) -> None:
    """
    Refuse books that are not this company's to have, before the code is exchanged: no token is issued then.

    Intuit does not say whether taking such a token back would end the other company's connection, too.
    """
    user = connections.find_realm_user(db, request.company_id, realm_id)
    if user is not None:
        raise _in_use(request, realm_id, user)
    if request.intent == "change":
        return
    # The company may have been connected, or its books changed, since this was begun.
    books = (before.realm_id if before else None, request.expected_realm_id)
    expected = next((each for each in books if each not in (None, realm_id)), None)
    if expected is not None:
        raise refusal(
            request,
            "wrong_company",
            f"QuickBooks company {realm_id} was chosen, but the books of {request.company_name} are those of "
            f"{companies.name_books(db, request.company_id, expected)}. Nothing was changed: start again and choose "
            "that one, or change the QuickBooks organisation on purpose.",
        )


def _in_use(request: Request, realm_id: str, user: str) -> ConnectError:
    return refusal(
        request,
        "realm_in_use",
        f"QuickBooks company {realm_id} is connected to company {user!r} already, and serves one at a time. Nothing "
        f"was changed: choose another one, or disconnect {user!r} first.",
    )


def _exchange(app: OAuthApp, request: Request, code: str) -> Tokens:
    try:
        return app.exchange(code)
    except ReauthorizeError:
        raise refusal(
            request,
            "code_refused",
            f"QuickBooks did not accept the consent: it counts once and for a few minutes only. {START_AGAIN}",
        ) from None
    except RetryableError as error:
        logger.warning("The exchange of a code for company %s got no answer: %s", request.company_id, error)
        raise refusal(
            request,
            "exchange_lost",
            f"QuickBooks' answer to the consent was lost, and it cannot be asked for twice. {START_AGAIN}",
        ) from None


@dataclass(frozen=True, slots=True)
class _FreshToken:
    """An access token that was issued just now."""

    token: str

    def current(self) -> str:
        return self.token

    def renew(self, rejected: str) -> str:
        raise ReauthorizeError("QuickBooks rejects the access token that it has just issued.")


def _check_tokens(access: Access, db: Connection, request: Request, realm_id: str, tokens: Tokens) -> None:
    """Make sure that the tokens open the books which the browser names: anybody can write an address."""
    with QuickBooksClient(
        api_url=access.api_url,
        realm_id=realm_id,
        tokens=_FreshToken(tokens.access_token),
        read_timeout=READ_SECONDS,
    ) as quickbooks:
        try:
            quickbooks.query(COMPANY_INFO)
        except RetryableError as error:
            logger.warning("The books of realm %s could not be opened yet: %s", realm_id, error)
        except ReceivablesError as error:
            logger.warning(
                "The tokens for company %s do not open realm %s: %s", request.company_id, realm_id, error
            )
            raise refusal(
                request,
                "books_closed",
                f"QuickBooks let the app in, but not into company {realm_id}: sign in there as an admin of that "
                "company, with a subscription that is paid. Nothing was changed: start again.",
            ) from None
        finally:
            runs.count_calls(db, realm_id, quickbooks.calls)


def _store(
    db: Connection, access: Access, request: Request, realm_id: str, tokens: Tokens, state: str
) -> str | None:
    """
    Store the tokens, unless things have changed meanwhile.

    :return: the refresh token, encrypted, of other books that these replace.
    """
    keys = {"company_id": request.company_id}
    try:
        with db.transaction():
            db.execute(load("sync/lock_connecting"), keys)
            before = companies.find_company(db, request.company_id)
            row = db.execute(load("sync/lock_connection"), keys).fetchone()
            _check_choice(db, request, before, realm_id)
            connections.record_connection(
                db,
                company_id=request.company_id,
                name=request.company_name,
                realm_id=realm_id,
                connected_by=request.requested_by,
                tokens=access.cipher.encrypt_tokens(tokens),
            )
            connect_requests.end(db, state)
    except UniqueViolation:
        user = connections.find_realm_user(db, request.company_id, realm_id)
        raise _in_use(request, realm_id, user or "?") from None
    return row[2] if row is not None and row[0] != realm_id else None


def _take_back(access: Access, request: Request, encrypted: str) -> None:
    """Take the app's access to the old books back; if that fails it ends by itself, unused."""
    try:
        access.app.revoke(access.cipher.decrypt(encrypted))
    except ReceivablesError as error:
        logger.warning("The old access of company %s was not taken back: %s", request.company_id, error)
