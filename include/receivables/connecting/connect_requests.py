"""People on their way to QuickBooks' consent page and back: each with a state that serves once, and only them."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from psycopg.rows import class_row

from include.errors import ConfigurationError
from include.sql import load

if TYPE_CHECKING:
    from psycopg import Connection

Intent = Literal["connect", "reconnect", "change"]

# Who is on the consent page decides in a few minutes; Intuit's code lives no longer either.
STATE_LIFE = timedelta(minutes=10)
START_AGAIN = "Nothing was changed: start again."


@dataclass(frozen=True, slots=True)
class Visitor:
    """
    Who is at the browser.

    :param name: the signed-in user.
    :param session: what differs with each sign-in and cannot be guessed.
    """

    name: str
    session: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What QuickBooks' consent page sends a browser back with; what is missing is empty."""

    state: str = ""
    code: str = ""
    realm_id: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """
    Somebody on the way to the consent page and back.

    :param expected_realm_id: the books that have to be chosen; None when any may be.
    """

    session_hash: bytes
    requested_by: str
    company_id: str
    company_name: str
    intent: Intent
    expected_realm_id: str | None
    is_expired: bool
    is_used: bool
    is_connected: bool


class ConnectError(ConfigurationError):
    """
    A company was not connected, and what it was connected to works as before.

    :param code: a stable name of the cause.
    :param company_id: the company, as far as it is known.
    """

    def __init__(self, message: str, *, code: str, company_id: str = "") -> None:
        super().__init__(message, code=code)
        self.company_id = company_id


def start(
    db: Connection,
    visitor: Visitor,
    state: str,
    *,
    company_id: str,
    name: str,
    intent: Intent,
    expected: str | None,
) -> None:
    """
    Remember that somebody goes to the consent page.

    :param state: what they will come back with.
    :param expected: the books that have to be chosen; None when any may be.
    """
    db.execute(load("sync/forget_connect_requests"))
    request = {
        "state_hash": _hash(state),
        "session_hash": _hash(visitor.session),
        "requested_by": visitor.name,
        "company_id": company_id,
        "company_name": name,
        "intent": intent,
        "expected_realm_id": expected,
        "life": STATE_LIFE,
    }
    db.execute(load("sync/start_connect_request"), request)


def find(db: Connection, visitor: Visitor, state: str) -> Request:
    """
    Find what somebody who comes back went for.

    :raises ConnectError: when the state is not theirs, or no longer good.
    """
    with db.cursor(row_factory=class_row(Request)) as cursor:
        request = cursor.execute(load("sync/find_connect_request"), {"state_hash": _hash(state)}).fetchone()
    if request is None:
        raise ConnectError(
            f"This answer belongs to no connection that was begun here. {START_AGAIN}", code="state_unknown"
        )
    if request.requested_by != visitor.name:
        raise ConnectError(
            "Another user began this connection: only they can end it. Nothing was changed.",
            code="other_user",
        )
    if not secrets.compare_digest(request.session_hash, _hash(visitor.session)):
        raise ConnectError(
            f"This connection was begun in another browser, or before you signed in anew. {START_AGAIN}",
            code="other_session",
            company_id=request.company_id,
        )
    if request.is_used:
        raise _used(request)
    if request.is_expired:
        minutes = STATE_LIFE.seconds // 60
        raise ConnectError(
            f"More than {minutes} minutes have passed since this connection was begun. {START_AGAIN}",
            code="state_expired",
            company_id=request.company_id,
        )
    return request


def _used(request: Request) -> ConnectError:
    if request.is_connected:
        return ConnectError(
            f"This answer was taken already: {request.company_name} is connected.",
            code="connected_already",
            company_id=request.company_id,
        )
    return ConnectError(
        "This answer of QuickBooks was used already and did not lead to a connection. If the page before said why, do "
        "what it says; if it never came, the server was interrupted. What was connected before works on: start again.",
        code="state_used",
        company_id=request.company_id,
    )


def use(db: Connection, request: Request, state: str) -> None:
    """
    Use a state up.

    :raises ConnectError: when somebody just did.
    """
    if db.execute(load("sync/use_connect_request"), {"state_hash": _hash(state)}).fetchone() is None:
        raise _used(request)


def end(db: Connection, state: str) -> None:
    """Record that a consent led to a connection, in the transaction that stores its tokens."""
    db.execute(load("sync/end_connect_request"), {"state_hash": _hash(state)})


def refusal(request: Request, code: str, sentence: str) -> ConnectError:
    """Return why somebody's company is not connected."""
    return ConnectError(sentence, code=code, company_id=request.company_id)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
