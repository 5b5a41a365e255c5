"""Days on end in which nothing goes wrong that does not pass by itself: nobody is told anything."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from include.receivables.alerts.causes import list_causes
from include.receivables.alerts.facts import SYNC
from include.receivables.reminders.check import ReminderRequest
from include.receivables.reminders.refreshing import refresh_and_judge
from tests.support.failing import CYCLE, HOUR, expire_tokens, take
from tests.support.two_sides import disagreements
from tests.support.world import MINUTE, World, small_world

if TYPE_CHECKING:
    from local.embedded_postgres import EmbeddedPostgres
    from sandbox.control import SandboxControl
    from tests.support.cashier import Cashier

# A month, if asked for.
DAYS = int(os.environ.get("QUIET_DAYS", "2"))
# Cycles of ten minutes, which the rule for late companies allows, and looks every six.
SLOWNESS = 2


@pytest.mark.timeout(3600)
def test_a_quiet_time_is_told_to_nobody(embedded_postgres: EmbeddedPostgres, sandbox: SandboxControl):
    with small_world(embedded_postgres, sandbox, "quiet_month", seed=30) as world:
        acme = world.cashier("acme")
        world.slowness = SLOWNESS
        payments = [payment for day in range(DAYS) for payment in live_a_day(world, acme, day)]
        world.live(HOUR)

        assert world.heard == []
        assert list_causes(world.db) == []
        assert payments
        assert {acme.standing(each)[0] for each in payments} == {"agrees"}
        assert disagreements(acme) == []
        assert_lived(world)


def live_a_day(world: World, acme: Cashier, day: int) -> list:
    """Live from one morning to the next: people work on weekdays, and every third day something heals by itself."""
    ends_at = world.now + timedelta(days=1)
    payments = []
    if world.now.weekday() < 5:
        payments = work(world, acme)
        remind(world)
    if day % 3 == 0:
        hiccup(world, acme, day)
    world.live(ends_at - world.now)
    return payments


def work(world: World, acme: Cashier) -> list:
    """Bill customers, take payments in both places, and have the webhook tell of it."""
    payments = []
    for _ in range(3):
        [invoice] = acme.invoices(1)
        world.deliver_webhook(acme.company, invoice["source_id"])
        payments.append(take(world, acme, "40", processing_fee="1"))
        customer = acme.books.read("Invoice", invoice["source_id"])["CustomerRef"]["value"]
        acme.books.pay(customer, "30", ("Invoice", invoice["source_id"], "30"))
        world.live(world.draw.randrange(10, 90) * MINUTE)
    return payments


def remind(world: World) -> None:
    """Ask before reminders, as the reminder service does."""
    judgement = refresh_and_judge(
        world.access, ReminderRequest("acme"), world.bench.run_context(), seconds=30
    )
    assert "send" in {each.verdict for each in judgement.verdicts}


def hiccup(world: World, acme: Cashier, day: int) -> None:
    """Let something fail that heals within the bound."""
    kind = ("500", "503_html", "429", "reset", "truncated")[day // 3 % 5]
    world.slowness = 1
    world.live(10 * MINUTE)
    expire_tokens(world)
    world.deliver_webhook(acme.company, "1", token="somebody else's")
    world.sandbox.add_fault(kind)
    world.live(CYCLE)
    world.sandbox.clear_faults()
    world.live(10 * MINUTE)
    world.slowness = SLOWNESS


def assert_lived(world: World) -> None:
    """Make sure that the month was one."""
    runs = dict(world.db.execute("select dag_id, count(*) from sync.run group by 1").fetchall())
    assert runs[SYNC] > DAYS * 24 * 60 / (5 * SLOWNESS) * 0.9
    verdicts = [verdict for (verdict,) in world.db.execute("select verdict from proof.proof")]
    assert len(verdicts) == DAYS
    assert set(verdicts) <= {"equal", "explained"}
    assert world.db.execute("select count(*) from sync.run where state = 'failed'").fetchone() != (0,)
