"""
Every failure that is known of, in virtual time: told in time, once per cause, and once more when it is over.

With ``pytest -s`` it prints how long each took to be told, beyond what the rule of its alert grants, and how long its
all-clear took.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from include.hooks.alert_courier import AlertCourier
from include.receivables.alerts.causes import list_causes
from include.receivables.alerts.facts import SYNC
from include.receivables.alerts.observing import PAUSE
from include.receivables.alerts.wording import OWNERS
from include.receivables.inbound import jobs
from local.ports import free_port
from tests.support import failures_of_payments, failures_of_reading, failures_of_records
from tests.support.alerts import BASE_URL, Watch
from tests.support.failing import CYCLE, HOUR, Told, expire_tokens, list_failures, reconnect, take
from tests.support.mail_server import running_mail_server
from tests.support.world import ALERTS, MINUTE, Ear, World, small_world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta

    from include.receivables.alerts.channels import Channel
    from include.receivables.alerts.wording import Message
    from local.embedded_postgres import EmbeddedPostgres
    from sandbox.control import SandboxControl
    from tests.support.cashier import Cashier
    from tests.support.world import Heard

FAILURES = list_failures(failures_of_reading, failures_of_records, failures_of_payments)
WITHIN = 10 * MINUTE
# A cycle and a round of deliveries, two looks with the pause between.
ALL_CLEAR = PAUSE + 20 * MINUTE


@pytest.fixture
def world(
    embedded_postgres: EmbeddedPostgres, sandbox: SandboxControl, request: pytest.FixtureRequest
) -> Iterator[World]:
    """A world whose chances go by the name of the test."""
    with small_world(
        embedded_postgres, sandbox, "small_world", seed=sum(request.node.name.encode())
    ) as world:
        yield world


@pytest.fixture
def acme(world: World) -> Cashier:
    """A company of two, in which payments are taken, and some time in which nothing was wrong."""
    cashier = world.cashier("acme")
    world.bench.imported("empty", company_id="globex")
    world.live(8 * MINUTE + world.draw.randrange(15) * MINUTE)
    assert world.heard == []
    return cashier


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_is_told_in_time_and_once_and_once_when_it_is_over(world: World, acme: Cashier, name: str):
    failure = FAILURES[name]
    world.slowness = failure.slowness
    steps = failure.happen(world, acme)
    expected = {told.key: told for told in next(steps)}
    began = world.now
    world.live(failure.granted + WITHIN)
    opened = list(world.heard)
    assert [each.item.kind for each in opened] == ["opened"] * len(expected), told_by(opened)
    assert {each.key for each in opened} == expected.keys(), told_by(opened)
    for each in opened:
        assert_says_all(each, expected[each.key])

    world.live(20 * MINUTE)
    assert world.heard == opened, told_by(world.heard)

    next(steps, None)
    cured = world.now
    world.live(failure.lingers + ALL_CLEAR)
    closed = world.heard[len(opened) :]
    assert [each.item.kind for each in closed] == ["closed"] * len(expected), told_by(closed)
    assert {each.key for each in closed} == expected.keys(), told_by(closed)
    world.live(HOUR)
    assert world.heard == [*opened, *closed], told_by(world.heard)
    assert [cause for cause in list_causes(world.db) if cause.is_told] == []
    print(row(name, failure.granted, opened[0].at - began, len(opened), closed[-1].at - cured))


def told_by(heard: list[Heard]) -> list[str]:
    return [f"{each.at:%d %H:%M} {each.item.kind} {each.key} {each.item.sentence}" for each in heard]


def assert_says_all(heard: Heard, expected: Told) -> None:
    """Make sure that a message says what is wrong, of which company and money, what to do, who, and where."""
    item, text = heard.item, heard.message.text
    assert expected.says in item.sentence, item.sentence
    assert item.owner == expected.owner
    assert {key: Decimal(amount) for key, amount in item.amounts.items()} == {
        key: Decimal(amount) for key, amount in expected.amounts.items()
    }
    page = f"companies/{expected.company_id}" if expected.company_id else "alerts"
    assert heard.link == f"{BASE_URL}/quickbooks/{page}"
    assert item.company_name or not expected.company_id
    for part in (item.company, item.sentence, item.remedy, OWNERS[item.owner], heard.link, item.money):
        assert part in text, (part, text)


def row(name: str, granted: timedelta, told: timedelta, messages: int, over: timedelta) -> str:
    minutes = [f"{span / MINUTE:>6.0f}" for span in (granted, told, over)]
    return f"{name:<45} granted {minutes[0]}  told {minutes[1]}  messages {messages}  all-clear {minutes[2]}"


def test_one_cause_of_twenty_companies_is_one_message(world: World):
    for number in range(20):
        world.bench.imported("empty", company_id=f"company-{number:02}")
    world.live(10 * MINUTE)
    world.access = replace(world.keys.access(), api_url=f"http://127.0.0.1:{free_port()}")
    world.live(30 * MINUTE)
    [opened] = world.heard
    assert (opened.key, opened.item.count) == (("", "nothing_read", ""), 20)

    # While the first of them are read, nobody is told of the others.
    world.access = world.keys.access()
    for number in range(3):
        jobs.sync(world.access, f"company-{number:02}", replace(world.bench.run_context(), dag_id=SYNC))
    world.run(ALERTS)
    world.live(30 * MINUTE)
    assert [(each.item.kind, each.key) for each in world.heard] == [
        ("opened", opened.key),
        ("closed", opened.key),
    ]


def test_who_is_told_by_a_mail_server_that_is_down_is_told_once_it_is_up(
    world: World, acme: Cashier, monkeypatch: pytest.MonkeyPatch
):
    port = free_port()
    with running_mail_server(port) as mail:
        monkeypatch.setenv("AIRFLOW_CONN_MAIL", mail.connection())
    watch = Watch(world.db)
    watch.add("mail", kind="smtp", recipients=["ada@example.com"])

    class Both:
        def deliver(self, channel: Channel, message: Message) -> list[str]:
            return (AlertCourier() if channel.kind == "smtp" else Ear(world)).deliver(channel, message)

    world.courier = Both()
    world.sandbox.revoke(acme.company.realm_id)
    world.live(30 * MINUTE)
    assert [each.key for each in world.heard] == [("acme", "reconnect", "")]

    with running_mail_server(port) as mail:
        world.live(WITHIN)
        [received] = mail.received
        assert "Nothing is read or sent." in received.part("plain")
        reconnect(world, "acme")
        world.live(HOUR)
        assert [each.mail["Subject"].split(":")[0] for each in mail.received] == [
            "[QuickBooks] Company 1",
            "[QuickBooks] Over",
        ]
    assert [each.item.kind for each in world.heard] == ["opened", "closed"]


# What passes by itself


def test_connections_that_are_cut_in_the_middle_of_a_sync_are_told_to_nobody(world: World, acme: Cashier):
    world.sandbox.add_fault("slow", realm=acme.company.realm_id, path="cdc", seconds=1, count=1)
    cut = "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s and pid <> pg_backend_pid()"
    timer = threading.Timer(0.5, lambda: world.db.execute(cut, [world.db.info.dbname]))
    world.set_clocks(world.now)
    timer.start()
    world.run(SYNC)
    timer.join()
    world.live(HOUR)
    assert world.heard == []
    assert failed_runs(world) == [("acme", "killed")]


def failed_runs(world: World) -> list[tuple[str, str]]:
    return world.db.execute("select company_id, error_code from sync.run where state = 'failed'").fetchall()


def test_a_database_that_is_away_for_some_minutes_is_told_to_nobody(world: World, acme: Cashier):
    leave(world, 4 * MINUTE)
    world.live(HOUR)
    assert world.heard == []


def test_a_database_that_was_away_for_long_is_told_at_most_once(world: World, acme: Cashier):
    """Nobody can be told while it is away: then the health check of the pages says so."""
    leave(world, 40 * MINUTE)
    world.live(HOUR)
    told = [(each.item.kind, each.key) for each in world.heard]
    assert told in ([], [(kind, ("", "dag_not_running", SYNC)) for kind in ("opened", "closed")])


def leave(world: World, span: timedelta) -> None:
    """Have nobody get through to the database for a while."""
    name = sql.Identifier(world.db.info.dbname)
    with psycopg.connect(world.keys.db_url, dbname="postgres", autocommit=True) as server:
        server.execute(sql.SQL("alter database {} allow_connections false").format(name))
        world.live(span)
        server.execute(sql.SQL("alter database {} allow_connections true").format(name))


@pytest.mark.parametrize("kind", ["500", "503_html", "429", "reset", "malformed_json"])
def test_what_quickbooks_fails_at_for_some_minutes_is_told_to_nobody(world: World, acme: Cashier, kind: str):
    world.sandbox.add_fault(kind)
    world.live(CYCLE)
    assert world.sandbox.faults()[0]["hits"] > 0
    world.sandbox.clear_faults()
    world.live(HOUR)
    assert world.heard == []


def test_what_heals_at_once_is_told_to_nobody(world: World, acme: Cashier):
    expire_tokens(world)
    world.killed.add("acme")
    world.live(5 * MINUTE)
    world.killed.clear()
    world.deliver_webhook(acme.company, "1", token="somebody else's")
    world.sandbox.add_fault(
        "lost_answer", realm=acme.company.realm_id, path="payment", method="POST", count=1
    )
    payment_id = take(world, acme, "70")
    world.live(HOUR)
    assert world.heard == []
    assert acme.standing(payment_id)[0] == "agrees"
    assert ("acme", "killed") in failed_runs(world)
