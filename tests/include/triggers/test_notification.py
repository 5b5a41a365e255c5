from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from include.triggers import notification
from include.triggers.notification import OUTBOX_DELIVERY, WEBHOOK_EVENT, NotificationTrigger
from tests.support.airflow_settings import define_connections

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import psycopg

    from sandbox.control import SandboxControl

DEADLINE_SECONDS = 20


@pytest.fixture(autouse=True)
def connections(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxControl, db_url: str) -> None:
    define_connections(monkeypatch, sandbox, db_url)
    monkeypatch.setattr(notification, "RECONNECT_SECONDS", 0.05)


async def listener(db: psycopg.Connection) -> int:
    """Return the process of the database that serves the trigger, once it listens."""
    statement = "select pid from pg_stat_activity where datname = current_database() and query like 'listen%'"
    while True:
        row = db.execute(statement).fetchone()
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


def test_it_fires_at_once_and_then_once_for_all_that_follow_closely(db: psycopg.Connection):
    async def listen() -> list[list[str]]:
        async with contextlib.aclosing(NotificationTrigger(WEBHOOK_EVENT, pause_seconds=0.3).run()) as events:
            first = asyncio.create_task(following(events))
            await listener(db)
            notify(db, "acme")
            fired = [await first]
            notify(db, "acme")
            notify(db, "borealis", "cobalt")
            return [*fired, await following(events)]

    assert asyncio.run(listen()) == [["acme"], ["acme", "borealis", "cobalt"]]


def test_it_listens_again_after_the_connection_was_lost_and_fires_for_what_it_missed(db: psycopg.Connection):
    async def listen() -> list[list[str]]:
        async with contextlib.aclosing(NotificationTrigger(WEBHOOK_EVENT, pause_seconds=0).run()) as events:
            first = asyncio.create_task(following(events))
            db.execute("select pg_terminate_backend(%s)", [await listener(db)])
            fired = [await first]
            notify(db, "acme")
            return [*fired, await following(events)]

    assert asyncio.run(listen()) == [[], ["acme"]]


@pytest.mark.parametrize("channel", [OUTBOX_DELIVERY, WEBHOOK_EVENT])
def test_it_hears_what_its_own_channel_says_and_nothing_else(db: psycopg.Connection, channel: str):
    async def listen() -> list[str]:
        async with contextlib.aclosing(NotificationTrigger(channel).run()) as events:
            first = asyncio.create_task(following(events))
            await listener(db)
            for other in {"outbox_delivery", "webhook_event"} - {channel}:
                notify(db, "other", channel=other)
            notify(db, "acme", channel=channel)
            return await first

    assert asyncio.run(listen()) == ["acme"]


def test_another_process_can_build_it_again():
    path, arguments = NotificationTrigger(WEBHOOK_EVENT, pause_seconds=1.5).serialize()
    assert path == "include.triggers.notification.NotificationTrigger"
    assert NotificationTrigger(**arguments).serialize() == (path, arguments)


def test_those_who_listen_to_different_channels_are_told_apart():
    outbox, webhook = NotificationTrigger(OUTBOX_DELIVERY), NotificationTrigger(WEBHOOK_EVENT)
    assert outbox.serialize() != webhook.serialize()
