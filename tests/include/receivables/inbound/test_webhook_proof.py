from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from include.receivables.company import retention
from include.receivables.company.retention import Retention
from include.receivables.company.run_context import RunContext
from include.receivables.inbound import webhook_events, webhook_sync
from include.receivables.inbound.webhooks import Delivery, Event, parse
from tests.support.quick_start import connect_as_imported
from tests.support.webhook_listener import listening

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from include.receivables.company.companies import Company
    from tests.support.bookkeeper import Bookkeeper
    from tests.support.webhook_listener import Listener
    from tests.support.workbench import Workbench

NOW = datetime(2026, 11, 16, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def company(bench: Workbench) -> Company:
    return connect_as_imported(bench, "acme")


@pytest.fixture
def books(keep_books: Callable[[Company], Bookkeeper], company: Company) -> Bookkeeper:
    return keep_books(company)


@pytest.fixture
def listener(bench: Workbench) -> Iterator[Listener]:
    """Somebody whom the sandbox tells of every change."""
    with listening() as listener:
        bench.sandbox.change_webhooks(endpoint=listener.url)
        yield listener
        bench.sandbox.change_webhooks(endpoint="")


def receive(bench: Workbench, listener: Listener) -> None:
    """Store what the sandbox tells, and read what it names."""
    for posted in listener.wait(bench.sandbox):
        webhook_events.store(bench.db, parse(posted.body))
    webhook_sync.read_events(
        bench.access, "acme", RunContext("read_webhook_events", bench.run_context().dag_run_id)
    )


def let_pass(bench: Workbench, span: timedelta) -> None:
    """Let time pass, as far as is known of changes and events."""
    bench.db.execute(
        "update sync.webhook_proof set changed_at = changed_at - %(span)s, announced_at = announced_at - %(span)s,"
        " received_at = received_at - %(span)s",
        {"span": span},
    )


def is_proven(bench: Workbench) -> bool:
    [(has_webhook,)] = bench.db.execute("select has_webhook from sync.read_interval").fetchall()
    return bool(has_webhook)


def test_a_webhook_of_which_nothing_came_is_not_proven(bench: Workbench, company: Company, books: Bookkeeper):
    assert not is_proven(bench)
    books.customer("Ada")
    bench.sync(company)
    assert not is_proven(bench)


def test_it_is_proven_by_what_it_told_until_a_change_is_found_that_it_did_not_tell_of(
    bench: Workbench, company: Company, books: Bookkeeper, listener: Listener
):
    customer = books.customer("Ada")
    receive(bench, listener)
    bench.sync(company)
    assert is_proven(bench)

    let_pass(bench, timedelta(hours=1))
    books.invoice(customer, "10")
    listener.wait(bench.sandbox)  # lost
    assert is_proven(bench)
    bench.sync(company)
    assert not is_proven(bench)

    books.invoice(customer, "20")
    receive(bench, listener)
    assert is_proven(bench)
    bench.sync(company)
    assert is_proven(bench)


def test_what_a_payment_changes_with_it_needs_no_event_of_its_own(
    bench: Workbench, company: Company, books: Bookkeeper, listener: Listener
):
    customer = books.customer("Ada")
    invoice = books.invoice(customer, "100")
    receive(bench, listener)
    let_pass(bench, timedelta(hours=1))
    books.pay(customer, "40", ("Invoice", invoice, "40"))
    for posted in listener.wait(bench.sandbox):
        delivery = parse(posted.body)
        payments = [event for event in delivery.events if event.entity == "payment"]
        webhook_events.store(bench.db, Delivery(payments, others=0, odd=0))

    bench.sync(company)

    assert is_proven(bench)


def test_a_sync_that_finds_nothing_says_nothing_of_the_webhook(
    bench: Workbench, company: Company, books: Bookkeeper, listener: Listener
):
    books.customer("Ada")
    receive(bench, listener)
    before = proof(bench)
    bench.sync(company)
    bench.sync(company)
    changed_at, *announced = proof(bench)
    assert announced == list(before[1:])
    assert is_proven(bench)
    bench.sync(company)
    assert proof(bench)[0] == changed_at


def test_the_latest_event_counts_in_whatever_order_they_come_and_however_often(
    bench: Workbench, company: Company
):
    for number, minutes in ((1, 5), (2, 9), (3, 2), (2, 9)):
        event = Event(f"event-{number}", company.realm_id, "invoice", "1", "update", NOW + minutes * MINUTE)
        webhook_events.store(bench.db, Delivery([event], others=0, odd=0))
    assert proof(bench)[1] == NOW + 9 * MINUTE


def test_an_event_that_does_not_say_when_is_of_when_it_came(bench: Workbench, company: Company):
    event = Event("event-1", company.realm_id, "invoice", "1", "update", None)
    webhook_events.store(bench.db, Delivery([event], others=0, odd=0))
    _, announced_at, received_at = proof(bench)
    assert announced_at == received_at is not None
    assert is_proven(bench)


def test_the_proof_outlives_the_events(bench: Workbench, books: Bookkeeper, listener: Listener):
    books.customer("Ada")
    receive(bench, listener)
    bench.db.execute("update sync.webhook_event set received_at = now() - interval '31 days'")
    retention.prune(bench.db, Retention())
    assert bench.db.execute("select count(*) from sync.webhook_event").fetchone() == (0,)
    assert is_proven(bench)


def proof(bench: Workbench) -> tuple[datetime | None, datetime | None, datetime | None]:
    [row] = bench.db.execute(
        "select changed_at, announced_at, received_at from sync.webhook_proof"
    ).fetchall()
    return row
