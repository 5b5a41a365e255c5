"""How errors look: a page with one sentence and the right status, and nothing of what is inside."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psycopg
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException

from include.errors import (
    BusyError,
    FatalError,
    NotFoundError,
    ReceivablesError,
    RecordError,
    RetryableError,
    ThrottledError,
)
from include.web import audit
from include.web.airflow_private.api_server import get_auth_manager
from include.web.database import IS_DOWN, NO_COMPANY
from include.web.rendering import path, render

if TYPE_CHECKING:
    from fastapi import FastAPI, Request, Response

log = logging.getLogger(__name__)

# The first class that fits tells the status.
STATUSES: tuple[tuple[type[ReceivablesError], int], ...] = (
    (NotFoundError, 404),
    (RecordError, 422),
    (BusyError, 409),
    (RetryableError, 503),
    (FatalError, 409),
    (ReceivablesError, 500),
)
TITLES = {
    400: "That cannot be read",
    401: "Sign in first",
    403: "Not allowed",
    404: "Not found",
    405: "Not possible",
    409: "That cannot be done now",
    413: "Too large",
    422: "That cannot be read",
    500: "Something broke",
    503: "Not available at the moment",
}
# In place of what the framework and Airflow say.
SENTENCES = {
    "Invalid JWT token": "Your sign-in is not valid: sign in to Airflow again.",
    "Method Not Allowed": "This page takes no such request.",
    "Not Found": "There is no such page.",
    "Not authenticated": "Sign in to Airflow first.",
    "There was an error parsing the body": "The form cannot be read.",
    "Token Expired": "Your sign-in has expired: sign in to Airflow again.",
}
BROKE = "Something broke in this page: the API server's log has the details."


def add_error_pages(app: FastAPI) -> None:
    """Make a page of every error."""
    app.add_exception_handler(ReceivablesError, _show_own)
    app.add_exception_handler(psycopg.OperationalError, _show_unreachable)
    app.add_exception_handler(psycopg.DataError, _show_impossible)
    app.add_exception_handler(RequestValidationError, _show_invalid)
    app.add_exception_handler(HTTPException, _show_http)
    app.add_exception_handler(Exception, _show_broken)


def status_of(error: ReceivablesError) -> int:
    """Return the HTTP status that says what kind of error it is."""
    return next(status for kind, status in STATUSES if isinstance(error, kind))


def _show_own(request: Request, error: Exception) -> Response:
    assert isinstance(error, ReceivablesError)  # noqa: S101
    response = _page(request, status_of(error), str(error))
    if isinstance(error, ThrottledError):
        response.headers["Retry-After"] = str(round(error.retry_after))
    return response


def _show_unreachable(request: Request, error: Exception) -> Response:
    log.warning("The receivables database failed while a page was made: %s", type(error).__name__)
    return _page(request, 503, IS_DOWN)


def _show_impossible(request: Request, error: Exception) -> Response:
    """Answer a value that no column can hold, such as a number with too many digits."""
    log.warning("A page was asked for with a value that the database refuses: %s", type(error).__name__)
    return _page(request, 422, "The request has a value that cannot be: go back and correct it.")


def _show_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    names = sorted({str(problem["loc"][-1]) for problem in error.errors()})
    return _page(request, 422, f"Not filled in, or not as it should be: {', '.join(names)}.")


def _show_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    if error.status_code == 401 and _is_page(request):
        return RedirectResponse(_login_url(request), status_code=303)
    if error.status_code == 403 or (error.detail == NO_COMPANY and request.method != "GET"):
        audit.note_denied(request, error.detail)
    return _page(request, error.status_code, SENTENCES.get(error.detail, error.detail))


def _show_broken(request: Request, error: Exception) -> Response:
    return _page(request, 500, BROKE)


def _is_page(request: Request) -> bool:
    """Tell a person's navigation from a program's or a script's call."""
    if request.method != "GET" or request.headers.get("Sec-Fetch-Mode", "navigate") != "navigate":
        return False
    return not _wants_json(request)


def _wants_json(request: Request) -> bool:
    accepted = request.headers.get("Accept", "")
    response_class = getattr(request.scope.get("route"), "response_class", None)
    is_json_route = isinstance(response_class, type) and issubclass(response_class, JSONResponse)
    return is_json_route or ("json" in accepted and "html" not in accepted)


def _login_url(request: Request) -> str:
    # A consent cannot be gone on with in another sign-in than it was begun in: its code is of no use there.
    is_kept = request.url.query and "is_query_secret" not in request.scope
    here = request.url.path + (f"?{request.url.query}" if is_kept else "")
    url = get_auth_manager().get_url_login(next_url=here)
    return url if urlsplit(url).netloc or url.startswith("/") else f"/{url}"


def _page(request: Request, status: int, sentence: str) -> Response:
    if _wants_json(request):
        return JSONResponse({"detail": sentence}, status)
    return render(
        request,
        None,
        "error.html",
        status_code=status,
        title=TITLES.get(status, "That did not work"),
        here=path(request),
        sentence=sentence,
    )
