"""Errors: one sentence and the right status, and nothing of what is inside."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from httpx import ASGITransport, AsyncClient, Response
from starlette.applications import Starlette
from starlette.routing import Mount

from include import errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

    from tests.support.fixtures_web import Web

SENTENCE = "The books of <Acme> are closed: open them first."
STATUSES: dict[Exception, int] = {
    errors.ReceivablesError(SENTENCE): 500,
    errors.FatalError(SENTENCE): 409,
    errors.ConfigurationError(SENTENCE): 409,
    errors.ReauthorizeError(SENTENCE): 409,
    errors.DeletionBrakeError(SENTENCE): 409,
    errors.RetryableError(SENTENCE): 503,
    errors.UnreachableError(SENTENCE): 503,
    errors.UnrenderableError(SENTENCE): 503,
    errors.QuotaError(SENTENCE): 503,
    errors.NoTokenError(SENTENCE): 503,
    errors.ThrottledError(SENTENCE, retry_after=61.4): 503,
    errors.BusyError(SENTENCE): 409,
    errors.ChangesExpiredError(SENTENCE): 503,
    errors.ChannelError(SENTENCE): 503,
    errors.SilentChannelError(SENTENCE): 409,
    errors.DiskFullError(SENTENCE): 503,
    errors.RecordError(SENTENCE): 422,
    errors.NotFoundError(SENTENCE): 404,
    errors.RejectedError(SENTENCE): 422,
    errors.BatchError({"acme": errors.BusyError(SENTENCE)}): 503,
}


@pytest.fixture
def fail(app: FastAPI) -> Callable[..., Response]:
    """Ask a page that fails with an error; `app` has been imported by then."""
    from include.web.app import create_app

    failing = create_app()
    pending: list[Exception] = []

    @failing.get("/fails")
    def fails() -> Any:
        raise pending.pop()

    def ask(error: Exception, **headers: str) -> Response:
        pending.append(error)
        return asyncio.run(_ask(failing, headers))

    return ask


async def _ask(app: FastAPI, headers: dict[str, str]) -> Response:
    airflow = Starlette(routes=[Mount("/quickbooks", app)])
    transport = ASGITransport(airflow, raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url="http://airflow") as client:
        return await client.get("/quickbooks/fails", headers=headers)


def test_each_error_of_ours_has_its_status_and_says_its_sentence(fail: Callable[..., Response]):
    for error, status in STATUSES.items():
        answer = fail(error)
        assert answer.status_code == status, type(error)
        assert "The books of &lt;Acme&gt; are closed: open them first." in answer.text, type(error)
        assert 'href="/quickbooks/"' in answer.text


def test_there_is_no_error_of_ours_without_a_status():
    def kinds(kind: type[Exception]) -> set[type[Exception]]:
        return {kind}.union(*(kinds(each) for each in kind.__subclasses__()))

    ours = {kind for kind in kinds(errors.ReceivablesError) if kind.__module__ == errors.__name__}
    assert ours == {type(error) for error in STATUSES}


def test_a_program_is_told_the_sentence_as_json(fail: Callable[..., Response]):
    answer = fail(errors.BusyError(SENTENCE), Accept="application/json")
    assert answer.status_code == 409
    assert answer.json() == {"detail": SENTENCE}


def test_a_program_is_told_when_to_come_again(fail: Callable[..., Response]):
    assert fail(errors.ThrottledError(SENTENCE, retry_after=61.4)).headers["Retry-After"] == "61"


def test_what_breaks_inside_stays_inside(fail: Callable[..., Response]):
    inside = "password=hunter2 host=10.0.0.7"
    for error, status in (
        (RuntimeError(inside), 500),
        (psycopg.OperationalError(inside), 503),
        (psycopg.DataError(inside), 422),
    ):
        answer = fail(error)
        assert answer.status_code == status
        assert "hunter2" not in answer.text
        assert "Traceback" not in answer.text
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_database_that_is_gone_is_said_soon_and_forgotten_once_it_is_back(
    web: Web, add_company: Callable[..., str], server: psycopg.Connection
):
    add_company("acme", name="Acme of old")
    browser = web.as_("viewer")
    assert "Acme of old" in browser.get("").text
    server.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = 'web'")
    server.execute("alter database web rename to web_away")
    try:
        answer = browser.get("")
        assert answer.status_code == 503
        assert answer.elapsed.total_seconds() < 8
        assert "The receivables database does not answer: try again in a minute." in answer.text
        assert "web" not in answer.text.replace("quickbooks", "").partition("<main")[2]
    finally:
        server.execute("alter database web_away rename to web")
    answer = browser.get("")
    assert answer.status_code == 200
    assert "Acme of old" in answer.text
