from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from include.quickbooks.calls import CallCounts
from include.quickbooks.entities import CUSTOMER, INVOICE
from include.receivables.pages import Position, read_pages
from include.receivables.runs import company_run
from tests import truth

if TYPE_CHECKING:
    from include.receivables.companies import Company
    from tests.workbench import Workbench

BOOKS = {"customers": 30, "invoices": 300, "payments": 0}
SIZE = 40


@pytest.fixture
def company(bench: Workbench) -> Company:
    return bench.connect(BOOKS)


def invoice_ids(bench: Workbench, company: Company) -> list[str]:
    records = truth.read_truth(bench.sandbox, company.realm_id)["records"]["Invoice"]
    return sorted((record["Id"] for record in records), key=int)


def read(bench: Workbench, company: Company, **options) -> list[str]:
    options = {"size": SIZE, **options}
    with (
        bench.access.open_books(company.company_id) as books,
        company_run(books.db, company, calls=CallCounts(), dag_id="test", dag_run_id="pages") as run,
    ):
        portions = read_pages(books.quickbooks, run, INVOICE, **options)
        return [record.qbo_id for portion in portions for record in portion.page.records]


def test_all_records_are_read_in_the_order_of_their_ids(bench: Workbench, company: Company):
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


def test_a_deletion_of_the_whole_page_before_leads_back_to_the_beginning(bench: Workbench, company: Company):
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
    position = Position(101, tuple(before[60:110]))
    books = keep_books(company)
    for qbo_id in before[:20]:
        books.delete("Invoice", qbo_id)
    assert set(before[110:]) <= set(read(bench, company, position=position))


def test_inactive_records_of_a_list_are_read_too(bench: Workbench):
    company = bench.connect("demo")
    with (
        bench.access.open_books(company.company_id) as books,
        company_run(books.db, company, calls=CallCounts(), dag_id="test", dag_run_id="pages") as run,
    ):
        found = {
            record.qbo_id
            for portion in read_pages(books.quickbooks, run, CUSTOMER, size=15)
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
