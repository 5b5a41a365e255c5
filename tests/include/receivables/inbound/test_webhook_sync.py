from __future__ import annotations

import json
import threading
from decimal import Decimal
from typing import TYPE_CHECKING, Any, get_args

import pytest

from include.errors import BusyError, ReceivablesError
from include.receivables.company.run_context import RunContext
from include.receivables.inbound import webhook_events, webhook_sync
from include.receivables.inbound.webhooks import parse
from sandbox.odd_events import OddEvent, OddField
from tests.support.bookkeeper import Bookkeeper
from tests.support.killing import wait_until
from tests.support.quick_start import connect_as_imported, held
from tests.support.truth import REFRESHED, contradictions, differences
from tests.support.webhook_listener import listening
from tests.support.workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

    from include.receivables.company.batches import Outcome
    from include.receivables.company.companies import Company
    from tests.support.cashier import Cashier
    from tests.support.webhook_listener import Listener


DAG = "read_webhook_events"


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


def receive(bench: Workbench, listener: Listener) -> int:
    """Store all that the sandbox tells; return how many events are new."""
    told = listener.wait(bench.sandbox)
    return sum(webhook_events.store(bench.db, parse(posted.body))["stored"] for posted in told)


def read(bench: Workbench, company: Company, run_id: str | None = None) -> Outcome:
    run_context = RunContext(DAG, run_id or bench.run_context().dag_run_id)
    return webhook_sync.read_events(bench.access, company.company_id, run_context)


def due(bench: Workbench) -> list[str]:
    return [company.company_id for company in webhook_sync.list_due(bench.db, dag_id=DAG)]


def unread(bench: Workbench) -> list[tuple[Any, ...]]:
    return bench.db.execute(
        "select entity, qbo_id from sync.webhook_event where read_at is null order by 1, 2"
    ).fetchall()


def calls(bench: Workbench, company: Company) -> dict[str, int]:
    """Return which paths of the API were called since this was last asked."""
    counted = bench.sandbox.calls(company.realm_id)
    bench.sandbox.reset_calls(company.realm_id)
    return counted["by_path"]


def forget_calls(bench: Workbench, company: Company) -> None:
    bench.sandbox.reset_calls(company.realm_id)


def open_balances(bench: Workbench) -> list[Decimal]:
    rows = bench.db.execute("select amount_due from peakflo.invoice where deleted_at is null order by 1")
    return [row[0] for row in rows]


@pytest.mark.intuit_changes
def test_a_payment_is_read_by_one_call_with_the_balance_that_it_changes(
    bench: Workbench, company: Company, books: Bookkeeper, listener: Listener
):
    customer = books.customer("Ada")
    invoice = books.invoice(customer, "100")
    bench.sync(company)
    receive(bench, listener)
    books.pay(customer, "40", ("Invoice", invoice, "40"))
    assert receive(bench, listener) == 2
    forget_calls(bench, company)

    outcome = read(bench, company)

    assert outcome.calls == 1
    assert open_balances(bench) == [Decimal(60)]
    assert bench.db.execute("select amount from peakflo.payment").fetchall() == [(Decimal(40),)]
    assert unread(bench) == []
    assert due(bench) == []


@pytest.mark.intuit_changes
def test_invoices_alone_are_read_by_id_and_the_cursor_stays(
    bench: Workbench, company: Company, books: Bookkeeper, listener: Listener
):
    customer = books.customer("Ada")
    bench.sync(company)
    receive(bench, listener)
    bench.sync(company)
    cursors = bench.db.execute("select entity, changed_since from staging.cursor order by 1").fetchall()
    for amount in ("10", "20", "30"):
        books.invoice(customer, amount)
    receive(bench, listener)
    forget_calls(bench, company)

    outcome = read(bench, company)

    assert outcome.calls == 1
    assert calls(bench, company) == {"query:Invoice": 1}
    assert open_balances(bench) == [Decimal(10), Decimal(20), Decimal(30)]
    assert unread(bench) == []
    assert (
        bench.db.execute("select entity, changed_since from staging.cursor order by 1").fetchall() == cursors
    )


def test_a_deleted_invoice_is_found_by_asking_for_it(
    bench: Workbench, company: Company, books: Bookkeeper, listener: Listener
):
    customer = books.customer("Ada")
    kept, gone = books.invoice(customer, "10"), books.invoice(customer, "20")
    receive(bench, listener)
    bench.sync(company)
    books.delete("Invoice", gone)
    receive(bench, listener)

    read(bench, company)

    assert open_balances(bench) == [Decimal(10)]
    [(source_id,)] = bench.db.execute("select source_id from peakflo.invoice where deleted_at is null")
    assert source_id == kept


def test_an_invoice_of_a_customer_that_we_lack_brings_the_customer(
    bench: Workbench, company: Company, books: Bookkeeper, listener: Listener
):
    customer = books.customer("Ada")
    listener.wait(bench.sandbox)
    books.invoice(customer, "10")
    receive(bench, listener)
    assert {entity for entity, _ in unread(bench)} == {"invoice"}

    outcome = read(bench, company)

    assert outcome.calls == 2
    assert bench.db.execute("select company_name from peakflo.customer").fetchall() == [("Ada",)]
    assert open_balances(bench) == [Decimal(10)]


def test_customers_alone_are_read_by_id(
    bench: Workbench, company: Company, books: Bookkeeper, listener: Listener
):
    books.customer("Ada")
    receive(bench, listener)
    forget_calls(bench, company)

    read(bench, company)

    assert calls(bench, company) == {"query:Customer": 1}
    assert bench.db.execute("select company_name from peakflo.customer").fetchall() == [("Ada",)]


def test_invoices_and_customers_together_are_cheaper_by_a_sync(
    bench: Workbench, company: Company, books: Bookkeeper, listener: Listener
):
    books.invoice(books.customer("Ada"), "10")
    receive(bench, listener)
    forget_calls(bench, company)

    read(bench, company)

    assert calls(bench, company) == {"cdc": 1}
    assert open_balances(bench) == [Decimal(10)]
    assert unread(bench) == []


def test_a_thousand_events_of_one_company_take_one_call(
    bench: Workbench, company: Company, books: Bookkeeper, listener: Listener
):
    customer = books.customer("Ada")
    sale = {"DetailType": "SalesItemLineDetail", "SalesItemLineDetail": {"ItemRef": {"value": "1"}}}
    lines = [{**sale, "Amount": "10"}]
    books.batch("create", "Invoice", [{"CustomerRef": {"value": customer}, "Line": lines}] * 900)
    posts = listener.wait(bench.sandbox)
    assert len(posts) >= 10
    for posted in posts:
        webhook_events.store(bench.db, parse(posted.body))
    assert len(unread(bench)) == 901
    forget_calls(bench, company)

    outcome = read(bench, company)

    assert outcome.calls == 1
    assert unread(bench) == []
    assert len(open_balances(bench)) == 900


def test_a_run_without_unread_events_asks_nothing(bench: Workbench, company: Company):
    forget_calls(bench, company)

    assert read(bench, company).calls == 0
    assert calls(bench, company) == {}
    assert bench.db.execute("select count(*) from sync.run").fetchone() == (0,)


@pytest.mark.parametrize("entity", ["payment", "invoice"])
def test_a_try_that_is_repeated_after_its_success_reads_nothing_again(
    bench: Workbench, company: Company, entity: str
):
    tell(bench, company, entity, "1")
    read(bench, company, "one-run")
    tell(bench, company, entity, "2")
    forget_calls(bench, company)

    read(bench, company, "one-run")

    assert calls(bench, company) == {}
    assert unread(bench) == [(entity, "2")]


@pytest.mark.parametrize("entity", ["payment", "invoice"])
def test_what_could_not_be_read_stays_unread_for_the_next_sync(
    bench: Workbench, company: Company, entity: str
):
    tell(bench, company, entity, "1")
    bench.sandbox.add_fault("403_3100", realm=company.realm_id)
    with pytest.raises(ReceivablesError):
        read(bench, company)
    assert unread(bench) == [(entity, "1")]
    bench.sandbox.clear_faults()

    bench.sync(company)

    assert unread(bench) == []


def test_a_company_that_failed_is_not_tried_again_whenever_others_are_woken(
    bench: Workbench, company: Company
):
    tell(bench, company, "payment", "1", age="2 seconds")
    assert due(bench) == ["acme"]
    bench.sandbox.add_fault("403_3100", realm=company.realm_id)
    with pytest.raises(ReceivablesError):
        read(bench, company)

    assert due(bench) == []
    tell(bench, company, "payment", "2")
    assert due(bench) == ["acme"]


def test_an_event_that_comes_during_a_read_is_left_to_the_next_and_wakes_it(
    bench: Workbench, company: Company, books: Bookkeeper
):
    books.customer("Ada")
    tell(bench, company, "payment", "1")
    bench.sandbox.add_fault("slow", realm=company.realm_id, path="cdc", seconds=1)
    forget_calls(bench, company)
    reading = threading.Thread(target=read, args=[bench, company])
    reading.start()
    wait_until(lambda: has_begun(bench))
    tell(bench, company, "payment", "2")
    with subscribed(bench) as notes:
        reading.join()
        woken = [note.payload for note in notes.notifies(timeout=0.5)]

    assert unread(bench) == [("payment", "2")]
    assert woken == ["acme"]
    assert due(bench) == ["acme"]
    bench.sandbox.clear_faults()
    read(bench, company)
    assert unread(bench) == []


def test_a_company_that_somebody_is_at_work_on_is_left_to_them(bench: Workbench, company: Company):
    tell(bench, company, "payment", "1")
    with held(bench, "acme"):
        assert due(bench) == []
        with pytest.raises(BusyError):
            read(bench, company)
    wait_until(lambda: due(bench) == ["acme"])


def pay(books: Bookkeeper, customer: str, invoice: str) -> None:
    books.pay(customer, "4", ("Invoice", invoice, "4"))


def credit(books: Bookkeeper, customer: str, invoice: str) -> None:
    memo = books.credit(customer, "4")
    books.pay(customer, "0", ("Invoice", invoice, "4"), ("CreditMemo", memo, "4"))


@pytest.mark.parametrize("settle", [pay, credit])
def test_an_invoice_that_was_settled_is_not_taken_without_what_settles_it(
    bench: Workbench,
    company: Company,
    books: Bookkeeper,
    settle: Callable[[Bookkeeper, str, str], None],
):
    customer = books.customer("Ada")
    invoice = books.invoice(customer, "10")
    bench.sync(company)
    settle(books, customer, invoice)
    tell(bench, company, "invoice", invoice)
    forget_calls(bench, company)

    read(bench, company)

    assert calls(bench, company)["cdc"] == 1
    assert open_balances(bench) == [Decimal(6)]
    assert contradictions(bench.db, company) == []
    assert unread(bench) == []


def test_an_invoice_that_was_deleted_brings_the_payments_that_it_sets_free(
    bench: Workbench, company: Company, books: Bookkeeper
):
    customer = books.customer("Ada")
    invoice = books.invoice(customer, "10")
    pay(books, customer, invoice)
    bench.sync(company)
    books.delete("Invoice", invoice)
    tell(bench, company, "invoice", invoice)

    read(bench, company)

    assert differences(bench.db, bench.sandbox, company, but=REFRESHED) == []
    assert bench.db.execute("select unapplied_amount from peakflo.payment").fetchall() == [(Decimal(4),)]


def test_an_invoice_that_is_paid_and_changed_otherwise_is_read_by_id_alone(
    bench: Workbench, company: Company, books: Bookkeeper
):
    customer = books.customer("Ada")
    invoice = books.invoice(customer, "10")
    pay(books, customer, invoice)
    bench.sync(company)
    books.change("Invoice", invoice, DueDate="2030-01-01")
    tell(bench, company, "invoice", invoice)
    forget_calls(bench, company)

    read(bench, company)

    assert calls(bench, company) == {"query:Invoice": 1}
    [(due_date,)] = bench.db.execute("select due_date::text from peakflo.invoice").fetchall()
    assert due_date == "2030-01-01"


def apply(books: Bookkeeper, customer: str, invoice: str) -> tuple[str, str]:
    return "payment", books.pay(customer, "4", ("Invoice", invoice, "4"))


def settle_by_credit(books: Bookkeeper, customer: str, invoice: str) -> tuple[str, str]:
    memo = books.credit(customer, "4")
    books.pay(customer, "0", ("Invoice", invoice, "4"), ("CreditMemo", memo, "4"))
    return "credit_memo", memo


@pytest.mark.intuit_changes
@pytest.mark.parametrize("falling_seconds", [0, 3600])
@pytest.mark.parametrize("settle", [apply, settle_by_credit])
def test_the_event_of_a_payment_alone_brings_the_invoices_that_it_settles(
    bench: Workbench,
    company: Company,
    books: Bookkeeper,
    settle: Callable[[Bookkeeper, str, str], tuple[str, str]],
    falling_seconds: int,
):
    customer = books.customer("Ada")
    invoice = books.invoice(customer, "10")
    bench.sync(company)
    # The invoice's new version may not be among the changes, by its time.
    bench.sandbox.change_settings(company.realm_id, falling_times=falling_seconds)
    tell(bench, company, *settle(books, customer, invoice))

    read(bench, company)

    assert open_balances(bench) == [Decimal(6)]
    assert contradictions(bench.db, company) == []
    assert unread(bench) == []


@pytest.mark.intuit_changes
@pytest.mark.parametrize("undo", [Bookkeeper.void, Bookkeeper.delete])
def test_the_event_of_an_undone_payment_alone_opens_its_invoices_again(
    bench: Workbench,
    company: Company,
    books: Bookkeeper,
    undo: Callable[[Bookkeeper, str, str], Any],
):
    customer = books.customer("Ada")
    invoices = [books.invoice(customer, "10") for _ in range(2)]
    payment = books.pay(customer, "20", *(("Invoice", invoice, "10") for invoice in invoices))
    bench.sync(company)
    undo(books, "Payment", payment)
    tell(bench, company, "payment", payment)

    read(bench, company)

    assert open_balances(bench) == [Decimal(10)] * 2
    assert contradictions(bench.db, company) == []
    assert unread(bench) == []


@pytest.mark.intuit_changes
@pytest.mark.parametrize("form", ["cloudevents", "legacy"])
@pytest.mark.parametrize("merge_versions", [True, False])
def test_a_merge_brings_both_customers_and_what_they_have(
    bench: Workbench,
    company: Company,
    books: Bookkeeper,
    listener: Listener,
    form: str,
    merge_versions: bool,
):
    loser, survivor = books.customer("Ada"), books.customer("Bea")
    invoice = books.invoice(loser, "10")
    books.pay(loser, "4", ("Invoice", invoice, "4"))
    bench.sync(company)
    receive(bench, listener)
    bench.sync(company)
    bench.sandbox.change_settings(company.realm_id, merge_versions=merge_versions)
    bench.sandbox.change_webhooks(format=form)
    bench.sandbox.merge(company.realm_id, loser, survivor)
    receive(bench, listener)

    read(bench, company)

    assert differences(bench.db, bench.sandbox, company, but=REFRESHED) == []
    assert merges(bench) == [(loser, survivor)]
    assert unread(bench) == []


@pytest.mark.parametrize("reader", [read, Workbench.sync])
def test_both_customers_of_a_merge_are_read_though_no_list_of_changes_shows_them(
    bench: Workbench, company: Company, books: Bookkeeper, reader: Callable[[Workbench, Company], Outcome]
):
    loser, survivor = books.customer("Ada"), books.customer("Bea")
    books.invoice(loser, "10")
    bench.sync(company)
    bench.sandbox.change_settings(company.realm_id, merge_versions=False, falling_times=3600)
    bench.sandbox.merge(company.realm_id, loser, survivor)
    tell_merge(bench, company, "e-1", survivor, loser)

    reader(bench, company)

    assert differences(bench.db, bench.sandbox, company, but=REFRESHED) == []
    assert merges(bench) == [(loser, survivor)]
    assert unread(bench) == []


def test_merges_that_were_told_alike_are_told_apart(bench: Workbench, company: Company, books: Bookkeeper):
    """Two merges of the same second, or by one id, are two."""
    customers = [books.customer(name) for name in ("Ada", "Bea", "Cid", "Dot")]
    pairs = [(customers[0], customers[2]), (customers[1], customers[3])]
    bench.sync(company)
    for loser, survivor in pairs:
        bench.sandbox.merge(company.realm_id, loser, survivor)
    for event_id in (None, "e-1"):
        tell_merge(
            bench, company, event_id, *[name for loser, survivor in pairs for name in (survivor, loser)]
        )

    read(bench, company)

    assert merges(bench) == pairs


@pytest.mark.intuit_changes
def test_a_customer_that_went_brings_what_it_had(bench: Workbench, company: Company, books: Bookkeeper):
    loser, survivor = books.customer("Ada"), books.customer("Bea")
    books.invoice(loser, "10")
    bench.sync(company)
    bench.sandbox.merge(company.realm_id, loser, survivor)
    tell(bench, company, "customer", loser)

    read(bench, company)

    assert differences(bench.db, bench.sandbox, company, but=REFRESHED) == []


def test_a_company_that_was_never_imported_is_left_to_its_import(bench: Workbench):
    company = bench.connect()
    tell(bench, company, "payment", "1")

    assert due(bench) == []


@pytest.mark.parametrize(
    ("seed", "options"),
    [
        (1, {}),
        (2, {"spelling": "plain", "odd": [*get_args(OddField), *get_args(OddEvent)]}),
        (3, {"spelling": "upper", "single_object": True}),
        (4, {"format": "legacy", "odd": ["no_time", *get_args(OddEvent)], "body_bytes": 2_000_000}),
    ],
)
def test_whatever_happens_to_deliveries_the_books_agree_after_the_next_sync(
    bench: Workbench, listener: Listener, seed: int, options: dict[str, Any]
):
    bench.sandbox.change_webhooks(**options)
    company = bench.imported("demo", company_id="acme")
    for kind in ("lost", "duplicate", "out_of_order", "delayed", "bad_signature"):
        bench.sandbox.add_webhook_fault(kind, seconds=0.05)
        bench.sandbox.events(company.realm_id, 12, seed=seed)
        receive(bench, listener)
        if unread(bench):
            read(bench, company)
        assert contradictions(bench.db, company) == []

    bench.sync(company)

    assert differences(bench.db, bench.sandbox, company) == []
    assert unread(bench) == []


def test_the_echo_of_our_own_deliveries_costs_one_read_and_ends_there(cashier: Cashier, listener: Listener):
    bench, company = cashier.bench, cashier.company
    invoices = cashier.invoices(3)
    receive(bench, listener)
    read(bench, company)
    forget_calls(bench, company)
    payments = [cashier.take(invoice) for invoice in invoices]
    cashier.push()
    assert receive(bench, listener) == 6

    outcome = read(bench, company)

    assert outcome.calls == 1
    assert {cashier.standing(payment) for payment in payments} == {("agrees", "delivered")}
    paid = bench.db.execute("select distinct status from peakflo.payment where id = any(%s)", [payments])
    assert paid.fetchall() == [("active",)]
    assert receive(bench, listener) == 0
    assert unread(bench) == []
    assert due(bench) == []


def tell(bench: Workbench, company: Company, entity: str, qbo_id: str, age: str = "0 seconds") -> None:
    """Store an event."""
    bench.db.execute(
        "insert into sync.webhook_event (event_id, realm_id, entity, qbo_id, operation, received_at) "
        "values (gen_random_uuid()::text, %s, %s, %s, 'update', now() - %s::interval)",
        [company.realm_id, entity, qbo_id, age],
    )


def tell_merge(bench: Workbench, company: Company, event_id: str | None, *pairs: str) -> None:
    """Store what Intuit tells of merges: the survivor and the loser of each."""
    events = [
        {
            "id": event_id,
            "type": "qbo.customer.merged.v1",
            "time": "2026-01-05T12:00:00Z",
            "intuitentityid": survivor,
            "intuitaccountid": company.realm_id,
            "data": {"deletedid": loser},
        }
        for survivor, loser in zip(pairs[::2], pairs[1::2], strict=True)
    ]
    webhook_events.store(bench.db, parse(json.dumps(events).encode()))


def merges(bench: Workbench) -> list[tuple[str, str]]:
    return bench.db.execute(
        "select qbo_id, survivor_qbo_id from mapping.customer_merge order by qbo_id::int"
    ).fetchall()


def has_begun(bench: Workbench) -> bool:
    return bench.db.execute("select 1 from sync.run where state = 'running'").fetchone() is not None


def subscribed(bench: Workbench) -> psycopg.Connection:
    """Listen as the trigger does."""
    connection = bench.access.connect()
    connection.execute("listen webhook_event")
    return connection
