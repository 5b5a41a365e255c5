from __future__ import annotations

import json
import time
import warnings
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from include.receivables.alerts import observing
from include.receivables.alerts.listing import read_health
from local.ports import free_port
from tests.support.airflow_settings import define_connections
from tests.support.alerts import cause

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.fixtures_web import Web

FRESH = "insert into staging.cursor (realm_id, entity, changed_since) values (%s, 'invoice', now() - %s::interval)"
QUEUED = (
    "insert into outbox.queue (company_id, payment_id, queued_at) "
    "values (%s, gen_random_uuid(), now() - %s::interval)"
)


def look(db, ago: timedelta = timedelta()) -> None:
    observing.observe(db, [], datetime.now(UTC) - ago)


@pytest.fixture
def acme(db, add_company: Callable[..., str]) -> str:
    """A company that was read a minute ago, where somebody has looked for alerts just now."""
    add_company("acme", name="Acme", realm_id="9130001")
    db.execute(FRESH, ["9130001", "1 minute"])
    look(db)
    return "acme"


def test_all_is_well_while_everything_is_fresh(db, acme):
    health = read_health(db)

    assert health.late == []
    assert 60 <= health.oldest_freshness_seconds < 90
    assert (health.connected, health.needing_reconnect, health.open_alerts, health.waiting_messages) == (
        1,
        0,
        0,
        0,
    )


def test_an_installation_without_companies_is_well_once_somebody_looks(db):
    assert read_health(db).late == ["alert_evaluation"]
    look(db)
    assert read_health(db).late == []


@pytest.mark.parametrize(
    ("what", "statement", "keys"),
    [
        ("freshness", "update staging.cursor set changed_since = now() - %s::interval", []),
        ("queued_payment", QUEUED, ["acme"]),
        ("alert_evaluation", "update sync.alert_evaluation set evaluated_at = now() - %s::interval", []),
    ],
)
def test_each_kind_of_lateness_counts_beyond_a_quarter_of_an_hour(db, acme, what, statement, keys):
    db.execute(statement, [*keys, "14 minutes"])
    assert read_health(db).late == []

    db.execute(statement, [*keys, "16 minutes"])

    assert read_health(db).late == [what]


@pytest.mark.parametrize("status", ["paused", "reauthorize", "disconnected"])
def test_a_company_that_is_not_to_be_read_is_not_late(db, acme, status: str):
    db.execute("update staging.cursor set changed_since = now() - interval '2 days'")
    db.execute(QUEUED, ["acme", "2 days"])
    assert read_health(db).late == ["freshness", "queued_payment"]

    db.execute("update sync.connection set status = %s", [status])

    assert read_health(db).late == []
    assert read_health(db).needing_reconnect == (status == "reauthorize")


@pytest.fixture
def health(db_url: str, sandbox, monkeypatch):
    """The route in this process, over the test's database, and nothing kept of an earlier answer."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Airflow's own dependencies say about each other
        from include.web.routes import health

    define_connections(monkeypatch, sandbox, db_url)
    health._read.cache_clear()
    yield health
    health._read.cache_clear()


def test_it_answers_200_while_all_is_well_and_asks_the_database_once_in_a_while(
    health, db, acme, monkeypatch
):
    monkeypatch.setattr(health.time, "monotonic", lambda: 100.0)
    assert health.show_health().status_code == 200
    db.execute("update staging.cursor set changed_since = now() - interval '1 hour'")
    assert health.show_health().status_code == 200

    monkeypatch.setattr(health.time, "monotonic", lambda: 100.0 + health.KEPT_SECONDS)

    assert health.show_health().status_code == 503


def test_a_database_that_does_not_answer_is_503_and_a_word(health, monkeypatch, caplog):
    url = f"postgresql://user:hunter2@127.0.0.1:{free_port()}/none"
    monkeypatch.setenv("AIRFLOW_CONN_RECEIVABLES_PAGES_DB", url)

    answer = health.show_health()

    assert answer.status_code == 503
    assert json.loads(answer.body) == {"status": "down", "late": ["database"]}
    assert "hunter2" not in caplog.text


def test_whoever_watches_is_answered_without_signing_in_and_learns_no_name(web: Web, add_company):
    add_company("acme", name="Acme", realm_id="9130001")
    web.db.execute(FRESH, ["9130001", "1 hour"])
    observing.observe(web.db, [cause()], datetime.now(UTC))

    deadline = time.monotonic() + 30
    while (answer := web.anonymous.get("health")).json().get("open_alerts") != 1:
        # An answer is kept for some seconds, also that of an earlier test.
        assert time.monotonic() < deadline, answer.text

    assert answer.status_code == 503
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    told = answer.json()
    assert (told["status"], told["late"]) == ("late", ["freshness"])
    assert told["open_alerts"] == 1
    text = json.dumps(told).lower()
    assert not [name for name in ("acme", "9130001", "not_fresh") if name in text]
    assert set(told) == {
        "status", "late", "oldest_freshness_seconds", "overdue_seconds", "oldest_queued_payment_seconds",
        "alert_evaluation_seconds", "connected", "needing_reconnect", "open_alerts", "waiting_messages",
    }  # fmt: skip
