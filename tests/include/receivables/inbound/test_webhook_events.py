from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg
import pytest

from include.receivables.connecting import connections
from include.receivables.inbound import webhook_events
from include.receivables.inbound.webhooks import Delivery, Event
from tests.support.quick_start import connect_as_imported

if TYPE_CHECKING:
    from include.receivables.company.companies import Company
    from tests.support.workbench import Workbench

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
EVENT = "insert into sync.webhook_event (event_id, realm_id, entity, qbo_id, operation, received_at) "


def event(company: Company, number: int = 1, **changes: str) -> Event:
    fields = {"event_id": f"e-{number}", "realm_id": company.realm_id, "entity": "payment"}
    return Event(**{**fields, "qbo_id": str(number), "operation": "create", "happened_at": NOW, **changes})


def store(db: psycopg.Connection, *events: Event, others: int = 0, odd: int = 0) -> dict[str, int]:
    return dict(webhook_events.store(db, Delivery(list(events), others, odd)))


def counts(db: psycopg.Connection) -> dict[str, int]:
    return dict(db.execute("select outcome, total from sync.webhook_count").fetchall())


def woken_by(db: psycopg.Connection, *events: Event) -> list[str]:
    with psycopg.connect(db.info.dsn, password=db.info.password, autocommit=True) as listener:
        listener.execute("listen webhook_event")
        store(db, *events)
        return [note.payload for note in listener.notifies(timeout=0.2)]


@pytest.fixture
def company(bench: Workbench) -> Company:
    return connect_as_imported(bench, "acme")


def test_each_event_is_stored_once_however_often_it_is_delivered(db: psycopg.Connection, company: Company):
    first = store(db, event(company, 1), event(company, 2))
    again = store(db, event(company, 2), event(company, 3), event(company, 3))

    assert (first["stored"], first["repeated"]) == (2, 0)
    assert (again["stored"], again["repeated"]) == (1, 2)
    rows = db.execute(
        "select event_id, entity, qbo_id, operation, happened_at, read_at from sync.webhook_event"
    )
    assert sorted(rows) == [(f"e-{n}", "payment", str(n), "create", NOW, None) for n in (1, 2, 3)]
    assert counts(db) == {"stored": 3, "repeated": 2}


def test_events_of_companies_that_are_not_ours_are_counted_and_forgotten(
    db: psycopg.Connection, bench: Workbench, company: Company
):
    gone = connect_as_imported(bench, "gone")
    connections.disconnect_company(db, gone, app=bench.access.app, cipher=bench.access.cipher)

    told = store(db, event(company), event(gone, 2), event(company, 3, realm_id="999"), others=4, odd=3)

    assert told == {"stored": 1, "repeated": 0, "unknown_company": 2, "other_entity": 4, "odd": 3}
    assert counts(db) == {"stored": 1, "unknown_company": 2, "other_entity": 4, "odd": 3}


def test_a_delivery_without_events_is_stored_as_nothing(db: psycopg.Connection):
    assert set(store(db).values()) == {0}
    assert counts(db) == {}


def test_refused_deliveries_are_counted_by_hour_and_reason(db: psycopg.Connection):
    webhook_events.count_refusals(db, {"forged": 1, "too_large": 1})
    webhook_events.count_refusals(db, {"forged": 1})

    rows = db.execute("select began_at = date_trunc('hour', now()), outcome, total from sync.webhook_count")
    assert sorted(rows) == [(True, "forged", 2), (True, "too_large", 1)]


def test_one_id_about_two_records_or_two_companies_is_stored_for_each(
    db: psycopg.Connection, bench: Workbench, company: Company
):
    other = connect_as_imported(bench, "other")
    events = [
        event(company, 1),
        event(company, 1, qbo_id="2"),
        event(company, 1, entity="invoice"),
        event(other, 1),
    ]

    assert (store(db, *events)["stored"], store(db, *events)["repeated"]) == (4, 4)


def test_an_event_without_a_time_has_the_one_when_it_came(db: psycopg.Connection, company: Company):
    store(db, replace(event(company), happened_at=None))

    times = "select happened_at, received_at <= now() from sync.webhook_event"
    assert db.execute(times).fetchall() == [(None, True)]


def test_a_delivery_wakes_the_readers_once_for_each_company(
    db: psycopg.Connection, bench: Workbench, company: Company
):
    other = connect_as_imported(bench, "other")

    woken = woken_by(db, *(event((company, other)[number % 2], number) for number in range(100)))

    assert sorted(woken) == ["acme", "other"]


def test_a_repeated_delivery_wakes_nobody(db: psycopg.Connection, company: Company):
    store(db, event(company))

    assert woken_by(db, event(company)) == []


@pytest.mark.parametrize("status", ["paused", "reauthorize"])
def test_a_company_that_cannot_be_read_wakes_nobody_and_is_not_listed(
    db: psycopg.Connection, company: Company, status: str
):
    db.execute("update sync.connection set status = %s", [status])

    assert woken_by(db, event(company)) == []
    assert webhook_events.list_companies(db, dag_id="d") == []
    db.execute("update sync.connection set status = 'connected'")
    assert webhook_events.list_companies(db, dag_id="d") == ["acme"]


def test_many_deliveries_of_the_same_events_at_once_store_each_once(db: psycopg.Connection, company: Company):
    events = [event(company, number) for number in range(200)]
    stored: list[int] = []

    def deliver(ordered: list[Event]) -> None:
        with psycopg.connect(db.info.dsn, password=db.info.password, autocommit=True) as own:
            stored.append(store(own, *ordered)["stored"])

    threads = [
        threading.Thread(target=deliver, args=[events if number % 2 else events[::-1]]) for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(stored) == 200
    assert len(stored) == 8
    assert counts(db) == {"stored": 200, "repeated": 1400}


def test_a_thousand_events_take_one_statement(db: psycopg.Connection, company: Company):
    told = store(db, *(event(company, number) for number in range(1000)))

    assert told["stored"] == 1000
    [plan] = db.execute(
        "explain (format json) select 1 from sync.webhook_event where realm_id = '1' and read_at is null"
    ).fetchone()
    assert "webhook_event_realm_id_idx" in json.dumps(plan)


def test_a_sync_marks_what_came_before_it_began_and_nothing_else(
    db: psycopg.Connection, bench: Workbench, company: Company
):
    other = connect_as_imported(bench, "other")
    store(db, event(company, 1), event(other, 2))
    db.execute(
        EVENT + "values ('later', %s, 'payment', '3', 'create', now() + interval '1 hour')",
        [company.realm_id],
    )

    bench.sync(company)

    assert read_events(db) == ["e-1"]


def test_a_failed_sync_marks_nothing(db: psycopg.Connection, bench: Workbench, company: Company):
    store(db, event(company, 1))
    bench.sandbox.add_fault("403_3100", realm=company.realm_id, path="cdc")

    with pytest.raises(Exception, match="3100"):
        bench.sync(company)

    assert read_events(db) == []


def test_an_import_marks_what_came_before_it_began(db: psycopg.Connection, bench: Workbench):
    company = bench.connect()
    store(db, event(company, 1))

    bench.import_all(company)

    assert read_events(db) == ["e-1"]


def read_events(db: psycopg.Connection) -> list[str]:
    rows = db.execute("select event_id from sync.webhook_event where read_at is not null order by event_id")
    return [row[0] for row in rows]
