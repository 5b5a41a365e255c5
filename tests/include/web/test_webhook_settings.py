from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING

import httpx
import pytest

from local.ports import free_port
from tests.support.airflow_settings import VERIFIER_TOKEN, quickbooks_connection
from tests.support.databases import for_user
from tests.support.intuit import deliver, deliver_at_once, post_at_once, sign
from tests.support.killing import wait_until
from tests.support.quick_start import connect_as_imported

if TYPE_CHECKING:
    import psycopg
    from fastapi import FastAPI

    from sandbox.control import SandboxControl
    from tests.support.workbench import Workbench

WEBHOOK_DB = "AIRFLOW_CONN_RECEIVABLES_WEBHOOK_DB"


def connections() -> int:
    """Return how many connections to the database the pages have opened."""
    from include.hooks.receivables_db import WebhookDbHook
    from include.web.database import POOLS

    return POOLS[WebhookDbHook].get_stats().get("connections_num", 0)


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
    monkeypatch.setenv(WEBHOOK_DB, f"postgresql://u:hunter2@127.0.0.1:{free_port()}/none")

    answer = deliver(webhook_app)

    assert answer.status_code == 503
    assert "hunter2" not in answer.text


def test_while_the_database_is_down_a_forged_delivery_is_refused_all_the_same(
    webhook_app: FastAPI, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setenv(WEBHOOK_DB, f"postgresql://u:hunter2@127.0.0.1:{free_port()}/none")

    assert deliver(webhook_app, "another").status_code == 401
    assert "refused: 1 forged. The database does not answer to count them." in caplog.text


def test_what_could_not_be_counted_while_the_database_was_down_is_counted_later(
    webhook_app: FastAPI, db: psycopg.Connection, db_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(WEBHOOK_DB, f"postgresql://u:hunter2@127.0.0.1:{free_port()}/none")
    assert deliver(webhook_app, "another").status_code == 401
    monkeypatch.setenv(WEBHOOK_DB, for_user(db_url, "receivables_webhook"))
    assert deliver(webhook_app, "another").status_code == 401

    assert counts(db) == {"forged": 2}


def test_refusals_are_saved_while_the_server_runs(
    webhook_app: FastAPI, db: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
):
    from include.web import refusals

    monkeypatch.setattr(refusals, "SAVE_SECONDS", 0.05)

    async def post_and_wait() -> None:
        transport = httpx.ASGITransport(webhook_app)
        async with httpx.AsyncClient(transport=transport, base_url="http://airflow") as client:
            await client.post("/webhook")
            await asyncio.to_thread(wait_until, lambda: counts(db) == {"unsigned": 1})

    asyncio.run(post_and_wait())


def test_a_flood_of_refused_deliveries_costs_one_connection_and_is_put_off(
    webhook_app: FastAPI, db: psycopg.Connection
):
    deliver(webhook_app)
    before = connections()
    headers = [
        {},
        {"intuit-signature": "no signature"},
        {"intuit-signature": sign(b"another", VERIFIER_TOKEN)},
    ]

    answers = post_at_once(webhook_app, [(b"[]", headers[number % 3]) for number in range(150)])

    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(401), statuses.count(429)) == (60, 90)
    assert {answer.headers["Retry-After"] for answer in answers if answer.status_code == 429} == {"60"}
    assert counts(db) == {"unsigned": 50, "forged": 100}
    assert connections() == before + 1


def test_what_intuit_has_signed_is_never_put_off(webhook_app: FastAPI, db: psycopg.Connection):
    deliver_at_once(webhook_app, [b"[]"] * 100, "another")

    assert deliver(webhook_app, "another").status_code == 429
    assert {answer.status_code for answer in deliver_at_once(webhook_app, [b"[]"] * 100)} == {200}
    assert {answer.status_code for answer in deliver_at_once(webhook_app, [b"{}"] * 100)} == {400}
    assert counts(db) == {"forged": 101, "malformed": 100}


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
