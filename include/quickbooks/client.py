"""Reads and writes a company's books through QuickBooks Online's accounting API."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager, suppress
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from tenacity import (
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_before_delay,
    wait_exponential_jitter,
)

from include.errors import (
    ConfigurationError,
    NotFoundError,
    RecordError,
    RejectedError,
    UnreachableError,
    UnrenderableError,
)
from include.quickbooks import query, reports, transport
from include.quickbooks.calls import CallCounts
from include.quickbooks.entities import ACCOUNT
from include.quickbooks.faults import TokenRejectedError, raise_for_answer, raise_for_fault
from include.quickbooks.records import (
    MalformedAnswerError,
    parse_changes,
    parse_count,
    parse_page,
    parse_time,
)
from include.quickbooks.writing import MAX_REQUEST_ID, encode, parse_written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date, datetime
    from types import TracebackType

    from tenacity import RetryCallState

    from include.quickbooks.entities import Entity
    from include.quickbooks.records import Changes, Page, Record
    from include.quickbooks.writing import Written

log = logging.getLogger(__name__)

# Intuit: since August 2025 every version below 75 is answered as 75.
MINOR_VERSION = "75"
# Intuit has counted ten requests at once and ten a second; four keep clear of either.
CONCURRENT = 4
ATTEMPTS = 3
# Between the attempts of a read.
PAUSES = wait_exponential_jitter(multiplier=0.2, max=5.0, jitter=0.3)
# What QuickBooks says of a record that it fails at is the same however often it is asked.
LASTING = "4002"

_HEADERS = {"Accept": "application/json", "User-Agent": "quickbooks-peakflo"}

T = TypeVar("T")


class AccessTokens(Protocol):
    """Where the client gets access tokens from."""

    def current(self) -> str:
        """Return a valid access token."""
        ...

    def renew(self, rejected: str) -> str:
        """
        Return another access token than the rejected one.

        :raises ReauthorizeError: if QuickBooks gives no more tokens for the company.
        """
        ...


class Limiter(Protocol):
    """What keeps all who call for one company within QuickBooks' limits."""

    def acquire(self) -> None:
        """Block until one more request may be sent."""
        ...


class QuickBooksClient:
    """
    Read and write one company's books.

    Safe to use from several threads. A read that got no answer is tried again; a refusal is not, and neither
    is a 429, which the caller has to wait out. A write that got no answer is never tried again here: it may have
    been carried out, so the caller has to find out first.

    :param api_url: see :meth:`include.quickbooks.addresses.Addresses.api_url`.
    :param realm_id: QuickBooks' id of the company.
    :param tokens: gives access tokens.
    :param limiter: shared by all who call for the company; without one, nothing
        is waited for.
    :param session: closed by its owner; without one, the client has its own.
    :raises ConfigurationError: if the realm id or the address cannot be one.
    """

    def __init__(
        self,
        *,
        api_url: str,
        realm_id: str,
        tokens: AccessTokens,
        limiter: Limiter | None = None,
        session: requests.Session | None = None,
        connect_timeout: float = 3.05,
        read_timeout: float = 60.0,
    ) -> None:
        self.calls = CallCounts()
        self._realm_id = _check_realm_id(realm_id)
        self._company_url = f"{_check_url(api_url)}/v3/company/{realm_id}"
        self._tokens = tokens
        self._limiter = limiter
        self._places = BoundedSemaphore(CONCURRENT)
        self._session = session or _new_session()
        self._owns_session = session is None
        self._timeout = (connect_timeout, read_timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that the client opened."""
        if self._owns_session:
            self._session.close()

    def changes(self, entities: Sequence[Entity], since: datetime, *, attempts: int = ATTEMPTS) -> Changes:
        """
        Read what changed and what was deleted since a moment, of several entities in one call.

        :param attempts: how often to ask as long as there is no answer.
        :raises ChangesExpiredError: if the moment is older than change data capture reaches (30 days).
        """
        uncovered = [entity.name for entity in entities if not entity.in_changes]
        if uncovered or not entities:
            raise ValueError(f"change data capture cannot be asked for {', '.join(uncovered) or 'nothing'}")
        params = {
            "entities": ",".join(entity.name for entity in entities),
            "changedSince": query.timestamp(since),
        }
        return self._read("cdc", lambda body: parse_changes(body, entities), params=params, attempts=attempts)

    def query(
        self,
        entity: Entity,
        *,
        where: str = "",
        order_by: str = "",
        start: int = 1,
        size: int = query.MAX_PAGE,
        attempts: int = ATTEMPTS,
    ) -> Page:
        """
        Read one page of records; of a list, inactive ones too.

        :param where: conditions, see :mod:`include.quickbooks.query`.
        :param start: the row to start from, counted from 1.
        :param attempts: how often to ask as long as there is no answer.
        """
        statement = query.select(entity, where=where, order_by=order_by, start=start, size=size)
        self.calls.ask(entity.table)
        return self._query(statement, lambda body: parse_page(body, entity), attempts)

    def by_ids(self, entity: Entity, ids: Sequence[str], *, attempts: int = ATTEMPTS) -> Page:
        """Read records by their ids, up to 1,000; what QuickBooks does not have is not in the page."""
        if len(ids) > query.MAX_PAGE:
            raise ValueError(f"{len(ids)} ids are more than one statement can answer ({query.MAX_PAGE})")
        return self.query(entity, where=query.with_ids(ids), attempts=attempts)

    def count(self, entity: Entity, *, where: str = "") -> int:
        """Count records; of a list, inactive ones too."""
        self.calls.ask(entity.table)
        return self._query(query.select_count(entity, where=where), parse_count)

    def time(self, entity: Entity = ACCOUNT) -> datetime:
        """
        Ask for QuickBooks' time by a query that holds no record, so that none can spoil it.

        :param entity: what is counted for it.
        """
        return self._query(query.select_count(entity), parse_time)

    def report(self, name: str, day: date, currency: str) -> dict[str, Any]:
        """
        Read a report of all that is open at the end of a day.

        :param name: see :mod:`include.quickbooks.reports`.
        :param currency: the company's home currency.
        :raises DoubtfulReportError: if the answer is of something else.
        """
        return self._read(
            "report",
            lambda body: reports.parse_report(body, name, day, currency),
            path=f"reports/{name}",
            params=reports.parameters(day),
            attempts=ATTEMPTS,
        )

    def read(self, entity: Entity, qbo_id: str) -> Record:
        """
        Read one record.

        :raises NotFoundError: if QuickBooks does not have it.
        :raises RecordError: if what QuickBooks answers cannot be read.
        """
        page = self.by_ids(entity, [qbo_id])
        for odd in page.odd:
            raise RecordError(f"QuickBooks' {entity.name} {qbo_id} cannot be read: {odd.reason}.")
        if not page.records:
            raise NotFoundError(f"QuickBooks does not have {entity.name} {qbo_id}: it may have been deleted.")
        return page.records[0]

    def create(self, entity_name: str, payload: bytes | dict[str, Any], *, request_id: str) -> Written:
        """
        Create a record, with one request.

        :param payload: its JSON, or what :func:`include.quickbooks.writing.encode` makes JSON of.
        :param request_id: Intuit: a repeated one is answered with the first answer, and nothing is created again.
        :raises UnreachableError: if there was no readable answer; the record may exist.
        :raises RecordError: if QuickBooks refuses the record.
        """
        return self._write(entity_name, payload, request_id=request_id)

    def void_payment(self, qbo_id: str, sync_token: int, *, request_id: str) -> Written:
        """Void a payment, unless it has another version by now. It raises what :meth:`create` does."""
        payload = {"Id": qbo_id, "SyncToken": str(sync_token), "sparse": True}
        options = {"operation": "update", "include": "void"}
        return self._write("Payment", payload, request_id=request_id, options=options)

    def delete(self, entity_name: str, qbo_id: str, sync_token: int, *, request_id: str) -> Written:
        """Delete a transaction, unless it has another version by now. It raises what :meth:`create` does."""
        payload = {"Id": qbo_id, "SyncToken": str(sync_token)}
        options = {"operation": "delete"}
        return self._write(
            entity_name, payload, request_id=request_id, options=options, sync_token=sync_token
        )

    def _write(
        self,
        entity_name: str,
        payload: bytes | dict[str, Any],
        *,
        request_id: str,
        options: dict[str, str] | None = None,
        sync_token: int = 0,
    ) -> Written:
        """
        Write once; once more with the same request id if QuickBooks turned the first away for its access token.

        :param sync_token: the version to assume when the answer names none.
        """
        if not 0 < len(request_id) <= MAX_REQUEST_ID:
            raise ValueError(f"the request id {request_id!r} has not 1 to {MAX_REQUEST_ID} characters")
        body = payload if isinstance(payload, bytes) else encode(payload)
        params = {**(options or {}), "requestid": request_id}

        def ask(token: str) -> Written:
            response = self._request(
                token, "write", path=entity_name.lower(), params=params, body=body, media="application/json"
            )
            raise_for_answer(response, secrets=[token])
            tid = response.headers.get("intuit_tid")
            return _parse_answer(
                response,
                lambda content: parse_written(content, entity_name, intuit_tid=tid, sync_token=sync_token),
                token,
            )

        return self._with_token(ask)

    def _query(self, statement: str, parse: Callable[[bytes], T], attempts: int = ATTEMPTS) -> T:
        # Always posted: a list of ids outgrows a URL, and a body needs no escaping.
        return self._read("query", parse, body=statement, attempts=attempts)

    def _read(
        self,
        kind: str,
        parse: Callable[[bytes], T],
        *,
        path: str | None = None,
        params: dict[str, str] | None = None,
        body: str | None = None,
        attempts: int,
    ) -> T:
        """
        Ask until there is a readable answer; a read changes nothing, so asking again is safe.

        :param path: below the company's address; the kind of call if it is the same.
        """

        def ask(token: str) -> T:
            content = None if body is None else body.encode()
            response = self._request(token, kind, path=path or kind, params=params, body=content)
            with _failing_at_a_record():
                raise_for_answer(response, secrets=[token])
                return _parse_answer(response, parse, token)

        retrying = Retrying(
            retry=retry_if_exception(_may_pass),
            stop=stop_after_attempt(attempts) | stop_before_delay(self._timeout[1]),
            wait=PAUSES,
            before_sleep=self._tell,
            reraise=True,
        )
        return self._with_token(lambda token: retrying(ask, token))

    def _tell(self, state: RetryCallState) -> None:
        """Say that a read is tried again; it costs time that somebody may wonder about."""
        error = state.outcome and state.outcome.exception()
        log.warning("Realm %s: attempt %d failed: %s", self._realm_id, state.attempt_number, error)

    def _with_token(self, call: Callable[[str], T]) -> T:
        """
        Make a call with an access token, and once more with a renewed one if QuickBooks rejects the first.

        Tokens are fetched outside of any retry: a refresh token is single use, so it is not safe to repeat.
        """
        token = self._tokens.current()
        with suppress(TokenRejectedError):
            return call(token)
        return call(self._tokens.renew(token))

    def _request(
        self,
        token: str,
        kind: str,
        *,
        path: str,
        params: dict[str, str] | None = None,
        body: bytes | None = None,
        # Intuit: the type of a posted statement.
        media: str = "application/text",
    ) -> requests.Response:
        """Send one request: the only place that does."""
        with self._places:
            if self._limiter is not None:
                self._limiter.acquire()
            return self._exchange(
                "GET" if body is None else "POST",
                kind,
                path,
                params={**(params or {}), "minorversion": MINOR_VERSION},
                data=body,
                headers={**_HEADERS, "Content-Type": None if body is None else media},
                auth=_Bearer(token),
            )

    def _exchange(self, method: str, kind: str, path: str, **request: Any) -> requests.Response:
        """Send a request and count it, answered or not."""
        response = None
        started = time.monotonic()
        url = f"{self._company_url}/{path}"
        try:
            response = transport.send(self._session, method, url, timeout=self._timeout, **request)
        finally:
            self._count(kind, response, time.monotonic() - started)
        return response

    def _count(self, kind: str, response: requests.Response | None, seconds: float) -> None:
        # Intuit: writes are free.
        is_metered = kind != "write" and response is not None and response.ok
        self.calls.add(kind, is_metered=is_metered, seconds=seconds)
        log.debug(
            "QuickBooks %s: realm %s, status %s, %d ms, intuit_tid %s",
            kind,
            self._realm_id,
            "none" if response is None else response.status_code,
            seconds * 1000,
            None if response is None else response.headers.get("intuit_tid"),
        )


@contextmanager
def _failing_at_a_record() -> Iterator[None]:
    """Tell an answer at which QuickBooks fails, perhaps for the sake of one record, from none at all."""
    try:
        yield
    except (UnreachableError, RejectedError) as error:
        if isinstance(error, UnrenderableError) or not (
            isinstance(error, UnreachableError) or error.code == LASTING
        ):
            raise
        raise UnrenderableError(error.args[0], code=error.code, intuit_tid=error.intuit_tid) from None


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, UnreachableError) and error.code != LASTING


def _parse_answer(response: requests.Response, parse: Callable[[bytes], T], token: str) -> T:
    """Parse an answer; a fault in it although its status says success counts as that fault."""
    try:
        return parse(response.content)
    except MalformedAnswerError as error:
        raise_for_fault(response, secrets=[token])
        error.intuit_tid = response.headers.get("intuit_tid")
        raise


class _Bearer(AuthBase):
    """Signs a request; given as its auth, so that a .netrc file cannot replace it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _new_session() -> requests.Session:
    session = requests.Session()
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_connections=1, pool_maxsize=CONCURRENT))
    return session


def _check_realm_id(realm_id: str) -> str:
    if not (realm_id.isascii() and realm_id.isdigit()):
        raise ConfigurationError(f"{realm_id!r} is no QuickBooks company id: it has to be digits only.")
    return realm_id


def _check_url(api_url: str) -> str:
    if not api_url.startswith(("https://", "http://")):
        raise ConfigurationError(f"api_url {api_url!r} is no address: it has to start with https://.")
    return api_url.rstrip("/")
