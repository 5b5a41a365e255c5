from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from include.quickbooks.calls import CallCounts
from include.quickbooks.entities import BY_NAME
from include.quickbooks.records import Page, Record
from include.receivables.company.run_context import RunContext
from include.receivables.company.runs import Run, company_run
from include.receivables.inbound import staging
from include.receivables.inbound.merging import merge_pending
from tests.support import truth
from tests.support.quick_start import connect_as_imported

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

    from include.receivables.company.companies import Company
    from tests.support.bookkeeper import Bookkeeper
    from tests.support.workbench import Workbench


@pytest.fixture
def company(bench: Workbench) -> Company:
    return connect_as_imported(bench, "acme")


@pytest.fixture
def books(company: Company, keep_books: Callable[[Company], Bookkeeper]) -> Bookkeeper:
    return keep_books(company)


@pytest.fixture
def run(db: psycopg.Connection, company: Company) -> Iterator[Run]:
    with company_run(db, company, RunContext("test", "merging"), calls=CallCounts()) as run:
        yield run


def merge(db: psycopg.Connection, run: Run, entity: str, *payloads: dict[str, Any]) -> None:
    """Stage records in the order given and merge them."""
    now = db.execute("select now()").fetchone()
    assert now is not None
    records = [
        Record(each["Id"], int(each.get("SyncToken", 0)), now[0], False, json.dumps(each).encode())
        for each in payloads
    ]
    staging.stage_page(db, run, Page(BY_NAME[entity], records, now[0]))
    merge_pending(db, run)


def select(db: psycopg.Connection, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    return db.execute(statement, values).fetchall()


def customer(qbo_id: str, parent: str = "") -> dict[str, Any]:
    own = {"Id": qbo_id, "DisplayName": f"Customer {qbo_id}", "Active": True, "Balance": 0}
    return {**own, "ParentRef": {"value": parent}} if parent else own


def test_a_customer_that_comes_before_its_parent_in_the_same_answer_goes_in(db: psycopg.Connection, run: Run):
    merge(db, run, "Customer", customer("1", parent="2"), customer("2"))
    rows = select(db, "select source_id, parent_id from peakflo.customer order by 1")
    assert rows == [("1", truth.peakflo_id(run.company.realm_id, "customer", "2")), ("2", None)]


def test_a_customer_waits_for_a_parent_that_comes_with_a_later_answer(db: psycopg.Connection, run: Run):
    merge(db, run, "Customer", customer("1", parent="2"), customer("3"))
    assert select(db, "select source_id from peakflo.customer") == [("3",)]
    merge(db, run, "Customer", customer("2"))
    assert select(db, "select count(*) from peakflo.customer") == [(3,)]
    assert select(db, "select 1 from staging.unmerged") == []


@pytest.mark.parametrize("length", [1, 2, 3])
def test_customers_that_are_each_others_parents_go_in(db: psycopg.Connection, run: Run, length: int):
    ring = [customer(str(number), parent=str((number + 1) % length)) for number in range(length)]
    merge(db, run, "Customer", *ring)
    assert select(db, "select count(*), count(parent_id) from peakflo.customer") == [(length, length)]


def test_an_invoice_of_a_customer_that_quickbooks_lacks_waits_and_is_reported(
    bench: Workbench, company: Company, books: Bookkeeper
):
    ada = books.customer("Ada")
    lost = {"Id": "900", "CustomerRef": {"value": "901"}, "TotalAmt": 5, "Balance": 5, "Line": []}
    with company_run(bench.db, company, RunContext("test", "lost"), calls=CallCounts()) as run:
        merge(bench.db, run, "Invoice", lost)
    good = books.invoice(ada, "10")
    for _ in range(2):
        bench.sync(company)
        assert select(bench.db, "select source_id from peakflo.invoice") == [(good,)]
        problem = "select entity, qbo_id, code, message from sync.problem where state = 'open'"
        [(entity, qbo_id, code, message)] = select(bench.db, problem)
        assert (entity, qbo_id, code) == ("invoice", "900", "missing_reference")
        assert (
            message
            == "QuickBooks' invoice 900 points at a record that QuickBooks does not have, or that cannot be read."
        )
    assert bench.sync(company).calls == 1  # the customer is not asked for again and again


def test_each_status_of_invoices_credit_notes_and_payments(
    bench: Workbench, company: Company, books: Bookkeeper
):
    ada = books.customer("Ada")
    sent, partly, paid, voided, deleted = (books.invoice(ada, "100") for _ in range(5))
    note = books.invoice(ada, "100", PrivateNote="Voided check came back")
    free = books.invoice(ada, "0", PrivateNote="a gift")
    opened, applied, dropped = (books.credit(ada, "30") for _ in range(3))
    active = books.pay(ada, "100", ("Invoice", paid, "100"))
    bounced = books.pay(ada, "40", ("Invoice", sent, "40"), PrivateNote="cheque 7")
    undone = books.pay(ada, "40", ("Invoice", sent, "40"))
    links = books.pay(ada, "0", ("Invoice", partly, "30"), ("CreditMemo", applied, "30"))
    bench.sync(company)
    books.void("Invoice", voided)
    books.delete("Invoice", deleted)
    books.delete("CreditMemo", dropped)
    books.void("Payment", bounced)
    books.delete("Payment", undone)
    bench.sync(company)

    def statuses(table: str) -> dict[str, str]:
        return dict(select(bench.db, f"select source_id, status from peakflo.{table}"))

    assert statuses("invoice") == {
        **dict.fromkeys((sent, partly, note), "sent"),
        **dict.fromkeys((paid, free), "paid"),
        **dict.fromkeys((voided, deleted), "cancelled"),
    }
    assert statuses("credit_note") == {opened: "open", applied: "applied", dropped: "deleted"}
    assert statuses("payment") == {active: "active", bounced: "voided", undone: "deleted", links: "active"}
    settled = (
        "select payment.source_id, count(*) from peakflo.payment_allocation as allocation "
        "join peakflo.payment as payment on payment.id = allocation.payment_id group by 1"
    )
    assert dict(select(bench.db, settled)) == {active: 1, links: 2}
    assert truth.differences(bench.db, bench.sandbox, company, but=truth.REFRESHED) == []


def test_the_status_of_an_overdue_invoice_follows_from_the_day_in_the_companys_time_zone(
    bench: Workbench, company: Company, books: Bookkeeper
):
    ada = books.customer("Ada")
    zone = "(now() at time zone 'America/Los_Angeles')::date"
    [(yesterday, today)] = select(bench.db, f"select ({zone} - 1)::text, {zone}::text")
    late, due = books.invoice(ada, "1", DueDate=yesterday), books.invoice(ada, "1", DueDate=today)
    settled = books.invoice(ada, "1", DueDate=yesterday)
    books.pay(ada, "1", ("Invoice", settled, "1"))
    bench.sync(company)
    rows = dict(select(bench.db, "select source_id, status from peakflo.invoice_today"))
    assert rows == {late: "overdue", due: "sent", settled: "paid"}


@pytest.mark.parametrize("status", ["Draft", "Pending"])
def test_an_invoice_that_quickbooks_calls_a_draft_is_one(db: psycopg.Connection, run: Run, status: str):
    merge(db, run, "Customer", customer("1"))
    draft = {
        "Id": "5",
        "status": status,
        "CustomerRef": {"value": "1"},
        "TotalAmt": 5,
        "Balance": 5,
        "Line": [],
    }
    merge(db, run, "Invoice", draft)
    assert select(db, "select status from peakflo.invoice") == [("draft",)]


def test_an_invoice_that_shrinks_loses_its_last_lines(bench: Workbench, company: Company, books: Bookkeeper):
    def lines(*amounts: int) -> list[dict[str, Any]]:
        return [
            {
                "Amount": amount,
                "DetailType": "SalesItemLineDetail",
                "SalesItemLineDetail": {"ItemRef": {"value": "1"}, "Qty": 1, "UnitPrice": amount},
            }
            for amount in amounts
        ]

    invoice = books.invoice(books.customer("Ada"), "1", Line=lines(10, 20, 30))
    for amounts in ((10, 20, 30), (30, 10), (5,), (5, 6, 7, 8)):
        books.change("Invoice", invoice, Line=lines(*amounts))
        bench.sync(company)
        found = select(bench.db, "select total_amount from peakflo.invoice_line order by position")
        assert [int(row[0]) for row in found] == list(amounts)
    assert truth.differences(bench.db, bench.sandbox, company, but=truth.REFRESHED) == []


def test_the_lines_of_a_group_stand_in_its_place(db: psycopg.Connection, run: Run):
    def item(text: str, amount: int) -> dict[str, Any]:
        return {
            "Description": text,
            "Amount": amount,
            "DetailType": "SalesItemLineDetail",
            "SalesItemLineDetail": {},
        }

    group = {
        "Amount": 5,
        "DetailType": "GroupLineDetail",
        "GroupLineDetail": {"Line": [item("b", 2), item("c", 3)]},
    }
    text = {"Description": "d", "DetailType": "DescriptionOnly"}
    total = {"Amount": 10, "DetailType": "SubTotalLineDetail", "SubTotalLineDetail": {}}
    discount = {"Amount": 1, "DetailType": "DiscountLineDetail", "DiscountLineDetail": {}}
    merge(db, run, "Customer", customer("1"))
    invoice = {"Id": "5", "CustomerRef": {"value": "1"}, "TotalAmt": 9, "Balance": 9}
    merge(db, run, "Invoice", {**invoice, "Line": [item("a", 1), group, text, item("e", 4), total, discount]})
    assert [
        row[0] for row in select(db, "select description from peakflo.invoice_line order by position")
    ] == list("abcde")
    assert select(db, "select sub_total, total_discount from peakflo.invoice") == [(Decimal(10), Decimal(1))]


def test_names_and_amounts_of_all_the_world_arrive_as_they_are(
    bench: Workbench, company: Company, books: Bookkeeper
):
    names = (
        "株式会社さくら",
        "Łukasz & Søn",
        'O\'Brien "Quote" \\ Backslash',
        "👩‍👩‍👧 Family",
        "مؤسسة النور",
        "é",
    )
    for name in names:
        books.invoice(books.customer(name), "1", CustomerMemo={"value": name})
    yen = books.customer("Yen", CurrencyRef={"value": "JPY"})
    large = books.invoice(yen, "123456789012", ExchangeRate="0.0067123456")
    books.pay(yen, "123456789011", ("Invoice", large, "123456789011"), ExchangeRate="0.0068")
    bench.sync(company)
    stored = {row[0] for row in select(bench.db, "select company_name from peakflo.customer")}
    assert stored == {*names, "Yen"}
    assert select(
        bench.db, "select amount_due, exchange_rate from peakflo.invoice where currency = 'JPY'"
    ) == [(Decimal(1), Decimal("0.0067123456"))]
    assert truth.differences(bench.db, bench.sandbox, company, but=truth.REFRESHED) == []


def test_an_amount_never_passes_through_a_float(db: psycopg.Connection, run: Run):
    merge(db, run, "Customer", customer("1"))
    merge(
        db,
        run,
        "Invoice",
        {"Id": "5", "CustomerRef": {"value": "1"}, "TotalAmt": 1, "Balance": 1, "Line": []},
    )
    raw = b'{"Id":"6","CustomerRef":{"value":"1"},"TotalAmt":9007199254740993.01,"Balance":0.1,"Line":[]}'
    [(now,)] = select(db, "select now()")
    staging.stage_page(db, run, Page(BY_NAME["Invoice"], [Record("6", 0, now, False, raw)], now))
    merge_pending(db, run)
    rows = select(db, "select total_amount, amount_due from peakflo.invoice where source_id = '6'")
    assert rows == [(Decimal("9007199254740993.01"), Decimal("0.1"))]


def test_the_echo_of_a_payment_that_peakflo_made_changes_nothing_of_peakflos(
    bench: Workbench, company: Company, books: Bookkeeper
):
    ada = books.customer("Ada")
    invoice = books.invoice(ada, "100")
    bench.sync(company)
    ours = uuid4()
    bench.db.execute(
        "insert into peakflo.payment (company_id, id, realm_id, customer_id, payment_date, amount, currency) "
        "select company_id, %s, realm_id, id, '2026-03-02', 60, 'USD' from peakflo.customer",
        [ours],
    )
    delivered = books.pay(ada, "60", ("Invoice", invoice, "60"))
    bench.db.execute(
        "insert into mapping.record (realm_id, entity, qbo_id, peakflo_id, origin) "
        "values (%s, 'payment', %s, %s, 'peakflo')",
        [company.realm_id, delivered, ours],
    )
    before = truth.dump(bench.db, tables=("payment", "payment_allocation"))
    for _ in range(2):
        bench.sync(company)
        assert truth.dump(bench.db, tables=("payment", "payment_allocation")) == before
        assert select(bench.db, "select amount_due from peakflo.invoice") == [(40,)]
        assert select(bench.db, "select 1 from staging.unmerged") == []
        books.change("Payment", delivered, PaymentRefNum="edited in QuickBooks")
