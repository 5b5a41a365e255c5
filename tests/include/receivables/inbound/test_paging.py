from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from include.errors import UnreachableError
from include.quickbooks.calls import CallCounts
from include.quickbooks.entities import CUSTOMER, INVOICE
from include.quickbooks.paging import MOST_GUESSES, read_pages
from include.receivables.company.run_context import RunContext
from include.receivables.company.runs import company_run
from tests.support import truth

if TYPE_CHECKING:
    from include.quickbooks.entities import Entity
    from include.quickbooks.paging import Portion
    from include.receivables.company.companies import Company
    from tests.support.workbench import Workbench

BOOKS = {"customers": 30, "invoices": 300, "payments": 0}
SIZE = 40


@pytest.fixture
def company(bench: Workbench) -> Company:
    return bench.connect(BOOKS)


def invoice_ids(bench: Workbench, company: Company) -> list[str]:
    records = truth.read_truth(bench.sandbox, company.realm_id)["records"]["Invoice"]
    return sorted((record["Id"] for record in records), key=int)


def portions(bench: Workbench, company: Company, entity: Entity = INVOICE, **options: Any) -> list[Portion]:
    with (
        bench.access.open_books(company.company_id) as books,
        company_run(books.db, company, RunContext("test", "pages"), calls=CallCounts()),
    ):
        return list(read_pages(books.quickbooks, entity, **{"size": SIZE, **options}))


def read(bench: Workbench, company: Company, **options: Any) -> list[str]:
    found = portions(bench, company, **options)
    return [record.qbo_id for portion in found for record in portion.page.records]


def test_all_records_are_read_in_the_order_of_their_creation(bench: Workbench, company: Company):
    expected = invoice_ids(bench, company)
    found = read(bench, company)
    assert list(dict.fromkeys(found)) == expected


@pytest.mark.parametrize("invoices", [0, 1, SIZE - 1, SIZE, SIZE + 1])
def test_the_last_page_may_be_empty_or_full(bench: Workbench, invoices: int):
    company = bench.connect({"customers": 3, "invoices": invoices, "payments": 0})
    assert set(read(bench, company)) == set(invoice_ids(bench, company))


@pytest.mark.parametrize("seed", range(4))
def test_no_record_is_skipped_while_others_are_deleted_and_created_between_the_pages(
    bench: Workbench, company: Company, seed: int
):
    rng = random.Random(seed)
    before = invoice_ids(bench, company)
    doomed = rng.sample(before, 120)
    for page in range(1, 7):
        share = [doomed.pop() for _ in range(rng.choice((0, 3, 9, 10, 11, 30))) if doomed]
        bench.sandbox.add_hook(
            company.realm_id, "query:Invoice", nth=page, delete_ids={"Invoice": share}, writes=[NEW] * 2
        )
    found = read(bench, company)
    assert set(before) & set(invoice_ids(bench, company)) <= set(found)


def test_a_deletion_of_the_whole_page_before_skips_nothing(bench: Workbench, company: Company):
    before = invoice_ids(bench, company)
    bench.sandbox.add_hook(
        company.realm_id, "query:Invoice", nth=3, delete_ids={"Invoice": before[: 3 * SIZE]}
    )
    found = read(bench, company)
    assert set(invoice_ids(bench, company)) <= set(found)


def test_reading_goes_on_from_a_position_although_records_before_it_are_gone(
    bench: Workbench, company: Company, keep_books
):
    before = invoice_ids(bench, company)
    [first, *_] = portions(bench, company)
    assert {record.qbo_id for record in first.page.records} == set(before[:SIZE])
    books = keep_books(company)
    for qbo_id in before[:20]:
        books.delete("Invoice", qbo_id)
    found = read(bench, company, position=first.following)
    assert set(before[SIZE:]) <= set(found)
    assert len(found) < len(before)


@pytest.mark.parametrize(("reads_ahead", "asked"), [(True, 3), (False, 2)])
def test_whoever_stops_after_two_pages_pays_for_two_unless_the_next_one_is_read_ahead(
    bench: Workbench, company: Company, reads_ahead: bool, asked: int
):
    with bench.access.open_books(company.company_id) as books:
        for number, _ in enumerate(
            read_pages(books.quickbooks, INVOICE, size=SIZE, reads_ahead=reads_ahead), start=1
        ):
            if number == 2:
                break
    assert books.quickbooks.calls.metered == asked


ORDERS = ("honour", "ignore", "shuffle", "shuffle_anew")


@pytest.mark.parametrize("order", ORDERS)
def test_all_are_read_whatever_becomes_of_the_order(bench: Workbench, company: Company, order: str):
    bench.sandbox.change_settings(company.realm_id, order_by=order, order_by_id="refuse")
    assert set(read(bench, company)) == set(invoice_ids(bench, company))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("customers", [SIZE, SIZE + 1, 3 * SIZE + 7])
def test_more_records_of_one_second_than_a_page_holds_are_all_read(
    bench: Workbench, order: str, customers: int
):
    company = bench.connect({"customers": customers})
    bench.sandbox.change_settings(company.realm_id, order_by=order)
    records = truth.read_truth(bench.sandbox, company.realm_id)["records"]["Customer"]
    assert len({record["MetaData"]["CreateTime"] for record in records}) == 1
    found = [
        record.qbo_id for portion in portions(bench, company, CUSTOMER) for record in portion.page.records
    ]
    assert set(found) == {record["Id"] for record in records}


def test_all_are_read_where_no_order_is_taken(bench: Workbench, company: Company):
    fault = {"code": "4001", "message": "Invalid query", "detail": "property is not sortable"}
    bench.sandbox.poison(company.realm_id, "Invoice", "", fault, times=1)
    assert set(read(bench, company)) == set(invoice_ids(bench, company))


def test_records_that_do_not_say_when_they_were_created_are_all_read(bench: Workbench, company: Company):
    bench.sandbox.serve(company.realm_id, "Invoice", drop=["MetaData"])
    assert set(read(bench, company)) == set(invoice_ids(bench, company))


@pytest.mark.parametrize("fault", ["unprintable", "inactive"])
@pytest.mark.parametrize("places", [[0], [17], [SIZE - 1], [SIZE], [-1], [3, 4, 200]])
def test_a_record_that_quickbooks_fails_at_is_named_and_the_others_are_read(
    bench: Workbench, company: Company, fault: str, places: list[int]
):
    expected = invoice_ids(bench, company)
    bad = [expected[place] for place in places]
    for qbo_id in bad:
        bench.sandbox.poison(company.realm_id, "Invoice", qbo_id, fault)
    bench.sandbox.reset_calls(company.realm_id)
    found = portions(bench, company)
    assert {record.qbo_id for portion in found for record in portion.page.records} == set(expected) - set(bad)
    assert {odd.qbo_id for portion in found for odd in portion.page.odd} == set(bad)
    counted = bench.sandbox.calls(company.realm_id)
    pages, halvings = len(expected) // SIZE + 1, (SIZE).bit_length() + MOST_GUESSES.bit_length()
    assert counted["metered"] <= pages + 2 * len(bad) * 2 * halvings


def test_a_quickbooks_that_fails_at_everything_is_unreachable(bench: Workbench, company: Company):
    bench.sandbox.add_fault("500", realm=company.realm_id)
    with pytest.raises(UnreachableError):
        read(bench, company)


def test_inactive_records_of_a_list_are_read_too(bench: Workbench):
    company = bench.connect("demo")
    with (
        bench.access.open_books(company.company_id) as books,
        company_run(books.db, company, RunContext("test", "pages"), calls=CallCounts()),
    ):
        found = {
            record.qbo_id
            for portion in read_pages(books.quickbooks, CUSTOMER, size=15)
            for record in portion.page.records
        }
    customers = truth.read_truth(bench.sandbox, company.realm_id)["records"]["Customer"]
    assert found == {record["Id"] for record in customers}
    assert any(not record["Active"] for record in customers)


NEW = {
    "Invoice": {
        "CustomerRef": {"value": "1"},
        "Line": [
            {
                "Amount": 5,
                "DetailType": "SalesItemLineDetail",
                "SalesItemLineDetail": {"ItemRef": {"value": "1"}, "Qty": 1, "UnitPrice": 5},
            }
        ],
    }
}
