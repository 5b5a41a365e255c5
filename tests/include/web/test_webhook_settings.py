from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import warnings
from base64 import b64encode
from typing import TYPE_CHECKING

import httpx
import pytest
from fastapi import FastAPI

from include.local.ports import free_port
from tests.airflow_settings import VERIFIER_TOKEN, define_connections, quickbooks_connection
from tests.killing import wait_until
from tests.quick_start import connect_as_imported

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from include.sandbox.control import SandboxControl
    from tests.workbench import Workbench


@pytest.fixture
def webhook_app(sandbox: SandboxControl, db_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FastAPI]:
    """The webhook alone, in this process, whose connections a test may change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Airflow's own dependencies say about each other
        from include.web.routes import webhook

    define_connections(monkeypatch, sandbox, db_url)
    remembered = (webhook._read_verifier_token, webhook._say_not_configured)
    for cached in remembered:
        cached.cache_clear()
    app = FastAPI()
    app.include_router(webhook.router)
    yield app
    for cached in remembered:
        cached.cache_clear()


def deliver(app: FastAPI, token: str = VERIFIER_TOKEN) -> httpx.Response:
    [answer] = deliver_at_once(app, [b"[]"], token)
    return answer


def deliver_at_once(app: FastAPI, bodies: list[bytes], token: str = VERIFIER_TOKEN) -> list[httpx.Response]:
    async def post_all() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://airflow") as client:
            posts = [
                client.post("/webhook", content=body, headers={"intuit-signature": sign(body, token)})
                for body in bodies
            ]
            return await asyncio.gather(*posts)

    return asyncio.run(post_all())


def sign(body: bytes, token: str) -> str:
    return b64encode(hmac.new(token.encode(), body, hashlib.sha256).digest()).decode()


def counts(db: psycopg.Connection) -> dict[str, int]:
    return dict(db.execute("select outcome, total from sync.webhook_count").fetchall())


def use_token(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxControl, token: str | None) -> None:
    connection = json.loads(quickbooks_connection(sandbox))
    connection["extra"]["webhook_verifier_token"] = token
    monkeypatch.setenv("AIRFLOW_CONN_QUICKBOOKS", json.dumps(connection))


def test_the_token_of_the_airflow_connection_is_what_counts(webhook_app: FastAPI):
    assert deliver(webhook_app).status_code == 200
    assert deliver(webhook_app, "another").status_code == 401


@pytest.mark.parametrize("token", ["", None])
def test_without_a_token_everything_is_refused_and_the_log_says_once_what_to_do(
    webhook_app: FastAPI,
    db: psycopg.Connection,
    sandbox: SandboxControl,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    token: str | None,
):
    use_token(monkeypatch, sandbox, token)
    caplog.set_level(logging.ERROR)

    answers = [deliver(webhook_app, each) for each in ("", "None", VERIFIER_TOKEN)]

    assert {answer.status_code for answer in answers} == {401}
    assert counts(db) == {"not_configured": 3}
    [said] = [record.message for record in caplog.records if record.name == "include.web.routes.webhook"]
    assert "has no webhook_verifier_token; copy it from the app's webhooks page at Intuit" in said


def test_without_the_connection_everything_is_refused(
    webhook_app: FastAPI, db: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("AIRFLOW_CONN_QUICKBOOKS")

    assert deliver(webhook_app).status_code == 401
    assert counts(db) == {"not_configured": 1}


def test_a_token_that_was_changed_counts_soon(
    webhook_app: FastAPI, sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch
):
    from include.web.routes import webhook

    assert deliver(webhook_app).status_code == 200
    use_token(monkeypatch, sandbox, "a-new-token")
    assert deliver(webhook_app).status_code == 200

    monkeypatch.setattr(webhook, "VERIFIER_SECONDS", 0.01)
    wait_until(lambda: deliver(webhook_app, "a-new-token").status_code == 200)
    assert deliver(webhook_app).status_code == 401


def test_while_the_database_is_down_intuit_is_told_to_come_again(
    webhook_app: FastAPI, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AIRFLOW_CONN_RECEIVABLES_DB", f"postgresql://u:hunter2@127.0.0.1:{free_port()}/none")

    answer = deliver(webhook_app)

    assert answer.status_code == 503
    assert "hunter2" not in answer.text


def test_while_the_database_is_down_a_forged_delivery_is_refused_all_the_same(
    webhook_app: FastAPI, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setenv("AIRFLOW_CONN_RECEIVABLES_DB", f"postgresql://u:hunter2@127.0.0.1:{free_port()}/none")

    assert deliver(webhook_app, "another").status_code == 401
    assert "A webhook delivery was refused (forged), and the database does not answer" in caplog.text


def test_a_burst_of_a_thousand_events_in_many_deliveries_at_once(
    webhook_app: FastAPI, db: psycopg.Connection, bench: Workbench
):
    company = connect_as_imported(bench, "acme")
    entities = [
        {"name": "Payment", "id": str(n), "operation": "Update", "lastUpdated": "2026-01-05T12:00:00Z"}
        for n in range(1000)
    ]
    notifications = [
        {"realmId": company.realm_id, "dataChangeEvent": {"entities": entities[first : first + 100]}}
        for first in range(0, 1000, 100)
    ]
    bodies = [json.dumps({"eventNotifications": [each]}).encode() for each in notifications]
    assert deliver(webhook_app).status_code == 200

    answers = deliver_at_once(webhook_app, bodies * 2)

    assert {answer.status_code for answer in answers} == {200}
    assert (
        db.execute("select count(distinct qbo_id), count(*) from sync.webhook_event").fetchone()
        == (1000,) * 2
    )
    assert counts(db) == {"stored": 1000, "repeated": 1000}
