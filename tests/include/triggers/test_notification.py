from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from include.triggers import notification
from include.triggers.notification import OUTBOX_DELIVERY, WEBHOOK_EVENT, NotificationTrigger
from tests.support.airflow_settings import define_connections
from tests.support.fixtures_local import LISTENING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import psycopg

    from sandbox.control import SandboxControl

DEADLINE_SECONDS = 20

EVENTS = NotificationTrigger(WEBHOOK_EVENT, "sync/list_companies_with_events", "read_webhook_events", 0.3)
PAYMENTS = NotificationTrigger(OUTBOX_DELIVERY, "outbox/list_queued_companies", "peakflo_to_quickbooks")


@pytest.fixture(autouse=True)
def connections(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxControl, db_url: str) -> None:
    define_connections(monkeypatch, sandbox, db_url)
    monkeypatch.setattr(notification, "RECONNECT_SECONDS", 0.05)


async def listener(db: psycopg.Connection, trigger: NotificationTrigger = EVENTS) -> int:
    """Return the process of the database that serves a trigger, once it listens."""
    while True:
        row = db.execute(LISTENING, [trigger.channel]).fetchone()
        if row is not None:
            return int(row[0])
        await asyncio.sleep(0.02)


async def following(events: AsyncIterator[Any]) -> list[str]:
    event = await asyncio.wait_for(anext(events), DEADLINE_SECONDS)
    return list(event.payload["companies"])


def notify(db: psycopg.Connection, *companies: str, channel: str = WEBHOOK_EVENT) -> None:
    with db.transaction():
        for company in companies:
            db.execute("select pg_notify(%s, %s)", [channel, company])


def receive_event(db: psycopg.Connection, company_id: str) -> None:
    """Have an unread event of a company that is connected."""
    db.execute(
        "insert into sync.connection (company_id, realm_id, status) values (%(c)s, %(c)s, 'connected')",
        {"c": company_id},
    )
    db.execute(
        "insert into sync.webhook_event (event_id, realm_id, entity, qbo_id, operation)"
        " values ('1', %s, 'Invoice', '1', 'update')",
        [company_id],
    )


def read_events(db: psycopg.Connection) -> None:
    db.execute("update sync.webhook_event set read_at = now()")


def test_it_fires_at_once_and_then_once_for_all_that_follow_closely(db: psycopg.Connection):
    async def listen() -> list[list[str]]:
        async with contextlib.aclosing(EVENTS.run()) as events:
            first = asyncio.create_task(following(events))
            await listener(db)
            notify(db, "acme")
            fired = [await first]
            notify(db, "acme")
            notify(db, "borealis", "cobalt")
            return [*fired, await following(events)]

    assert asyncio.run(listen()) == [["acme"], ["acme", "borealis", "cobalt"]]


def test_it_fires_for_what_came_before_it_listened(db: psycopg.Connection):
    receive_event(db, "acme")

    async def listen() -> list[str]:
        async with contextlib.aclosing(EVENTS.run()) as events:
            return await following(events)

    assert asyncio.run(listen()) == ["acme"]


def test_it_listens_again_after_the_connection_was_lost_and_fires_for_what_it_missed(db: psycopg.Connection):
    async def listen() -> list[list[str]]:
        async with contextlib.aclosing(EVENTS.run()) as events:
            first = asyncio.create_task(following(events))
            pid = await listener(db)
            with db.transaction():
                db.execute("select pg_terminate_backend(%s, 10000)", [pid])
                receive_event(db, "acme")
            fired = [await first]
            read_events(db)
            await listener(db)
            notify(db, "borealis")
            return [*fired, await following(events)]

    assert asyncio.run(listen()) == [["acme"], ["borealis"]]


def test_it_fires_again_until_what_it_fired_for_is_done(
    db: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(notification, "AGAIN_SECONDS", 0.05)
    receive_event(db, "acme")

    async def listen() -> list[list[str]]:
        async with contextlib.aclosing(EVENTS.run()) as events:
            fired = [await following(events) for _ in range(3)]
            read_events(db)
            following_one = asyncio.create_task(following(events))
            notify(db, "borealis")
            return [*fired, await following_one]

    assert asyncio.run(listen()) == [["acme"], ["acme"], ["acme"], ["borealis"]]


@pytest.mark.parametrize("trigger", [PAYMENTS, EVENTS])
def test_it_hears_what_its_own_channel_says_and_nothing_else(
    db: psycopg.Connection, trigger: NotificationTrigger
):
    async def listen() -> list[str]:
        async with contextlib.aclosing(trigger.run()) as events:
            first = asyncio.create_task(following(events))
            await listener(db, trigger)
            for other in {"outbox_delivery", "webhook_event"} - {trigger.channel}:
                notify(db, "other", channel=other)
            notify(db, "acme", channel=trigger.channel)
            return await first

    assert asyncio.run(listen()) == ["acme"]


def test_another_process_can_build_it_again():
    path, arguments = EVENTS.serialize()
    assert path == "include.triggers.notification.NotificationTrigger"
    assert NotificationTrigger(**arguments).serialize() == (path, arguments)


def test_those_who_listen_to_different_channels_are_told_apart():
    assert PAYMENTS.serialize() != EVENTS.serialize()
