from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from include.errors import RetryableError, UnreachableError
from include.quickbooks.entities import INVOICE, SYNCED
from include.receivables.company.run_context import RunContext
from include.receivables.company.runs import company_run
from include.receivables.inbound import staging
from include.receivables.inbound.references import read_by_ids
from tests.support import truth
from tests.support.quick_start import connect_as_imported

if TYPE_CHECKING:
    from collections.abc import Callable

    from include.receivables.company.companies import Company
    from tests.support.bookkeeper import Bookkeeper
    from tests.support.workbench import Workbench

LARGE = {"customers": 40, "invoices": 2600, "payments": 500}


def ids(bench: Workbench, company: Company, entity: str) -> list[str]:
    records = truth.read_truth(bench.sandbox, company.realm_id)["records"][entity]
    return sorted((record["Id"] for record in records), key=int)


def queries(bench: Workbench, company: Company) -> dict[str, int]:
    return dict(bench.sandbox.calls(company.realm_id)["by_path"])


@pytest.mark.intuit_changes
@pytest.mark.parametrize(
    "options",
    [
        {"country": "SG", "home_currency": "SGD"},
        {"country": "US", "home_currency": "USD", "multicurrency": False},
    ],
)
def test_an_import_brings_all_that_the_books_hold_and_another_one_changes_nothing(
    bench: Workbench, options: dict
):
    company = bench.imported("demo", **options)
    assert truth.differences(bench.db, bench.sandbox, company) == []
    # QuickBooks spells countries with two letters or with three.
    facts = "select source_name, left(country, 2), home_currency from peakflo.company where company_id = %s"
    name = next(each["name"] for each in bench.sandbox.companies() if each["realm_id"] == company.realm_id)
    assert bench.db.execute(facts, [company.company_id]).fetchone() == (
        name,
        options["country"],
        options["home_currency"],
    )

    before = truth.versions(bench.db)
    bench.import_all(company)
    assert truth.versions(bench.db) == before


def test_records_without_an_id_that_look_the_same_do_not_stop_an_import(bench: Workbench):
    company = bench.connect({"customers": 3, "invoices": 9, "payments": 0})
    invoices = ids(bench, company, "Invoice")
    for qbo_id in invoices[2:5]:
        bench.sandbox.serve(company.realm_id, "Invoice", qbo_id, raw=b"null")

    bench.import_all(company)

    taken_in = "select count(*) from peakflo.invoice where company_id = %s"
    assert bench.db.execute(taken_in, [company.company_id]).fetchone() == (len(invoices) - 3,)
    told = "select code, state from sync.problem where company_id = %s"
    assert bench.db.execute(told, [company.company_id]).fetchall() == [("unreadable", "open")]


def test_books_that_change_between_the_pages_are_imported_whole(bench: Workbench):
    company = bench.connect(LARGE)
    invoices = ids(bench, company, "Invoice")
    bench.sandbox.add_hook(
        company.realm_id, "query:Invoice", delete_ids={"Invoice": invoices[:120]}, count=40
    )
    bench.sandbox.add_hook(company.realm_id, "query:Invoice", nth=2, count=40, seed=2)
    bench.sandbox.add_hook(company.realm_id, "query:Payment", count=40, seed=3)
    bench.import_all(company)
    assert bench.sandbox.hooks() == []
    assert truth.differences(bench.db, bench.sandbox, company) == []


@pytest.mark.intuit_changes
def test_books_that_change_while_the_counts_are_compared_are_imported_whole(bench: Workbench):
    company = bench.connect("demo")
    # The second query of an entity is the count.
    bench.sandbox.add_hook(company.realm_id, "query:Account", nth=2, count=30)
    bench.sandbox.add_hook(company.realm_id, "query:CreditMemo", nth=2, count=30, seed=2)
    bench.import_all(company)
    bench.sync(company)
    assert truth.differences(bench.db, bench.sandbox, company) == []


def test_an_import_that_was_stopped_goes_on_where_it_was(
    bench: Workbench, keep_books: Callable[[Company], Bookkeeper]
):
    company = bench.connect(LARGE)
    fault = {"realm": company.realm_id, "path": "query", "entity": "CreditMemo"}
    bench.sandbox.add_fault("500", **fault)
    with pytest.raises(UnreachableError):
        bench.import_all(company)
    bench.sandbox.clear_faults()
    bench.sandbox.events(company.realm_id, 40)
    books = keep_books(company)
    for qbo_id in ids(bench, company, "Invoice")[10:20]:
        books.delete("Invoice", qbo_id)
    bench.sandbox.reset_calls(company.realm_id)
    bench.import_all(company)
    asked = queries(bench, company)
    assert (asked["query:Account"], asked["query:Customer"], asked["query:Invoice"]) == (
        1,
        1,
        1,
    )  # the counts
    assert truth.differences(bench.db, bench.sandbox, company) == []


def test_the_cursor_is_set_only_by_an_import_that_has_read_everything(bench: Workbench):
    company = bench.connect("demo")
    bench.sandbox.add_fault("500", realm=company.realm_id, path="query", entity="Payment")
    with pytest.raises(UnreachableError):
        bench.import_all(company)
    assert staging.read_cursor(bench.db, company.realm_id, SYNCED) is None


def test_a_stopped_import_too_old_to_go_on_begins_anew(bench: Workbench):
    company = bench.connect("demo")
    bench.sandbox.add_fault("500", realm=company.realm_id, path="query", entity="Payment")
    with pytest.raises(UnreachableError):
        bench.import_all(company)
    bench.sandbox.clear_faults()
    bench.db.execute("update staging.import_progress set started_at = started_at - interval '30 days'")
    bench.sandbox.reset_calls(company.realm_id)
    bench.import_all(company)
    assert queries(bench, company)["query:Account"] == 2
    assert truth.differences(bench.db, bench.sandbox, company) == []


@pytest.mark.intuit_changes
def test_an_invoice_taken_for_deleted_by_mistake_comes_back_with_an_import(bench: Workbench):
    company = bench.imported()
    invoice = ids(bench, company, "Invoice")[0]
    with (
        bench.access.open_books(company.company_id) as books,
        company_run(books.db, company, RunContext("test", "mistake"), calls=books.quickbooks.calls) as run,
        books.db.transaction(),
    ):
        page = books.quickbooks.by_ids(INVOICE, [invoice])
        deleted_at = {invoice: page.server_time}
        staging.mark_deleted(books.db, run, INVOICE, deleted_at, read_at=page.server_time)
    bench.sync(company)
    assert truth.differences(bench.db, bench.sandbox, company) != []
    bench.sandbox.advance_clock(900)
    bench.import_all(company)
    assert truth.differences(bench.db, bench.sandbox, company) == []


def test_records_asked_for_by_id_and_not_answered_are_deleted(
    bench: Workbench, keep_books: Callable[[Company], Bookkeeper]
):
    company = connect_as_imported(bench, "acme")
    books = keep_books(company)
    ada = books.customer("Ada")
    stays, goes = books.invoice(ada, "1"), books.invoice(ada, "2")
    bench.sync(company)
    books.delete("Invoice", goes)
    with (
        bench.access.open_books(company.company_id) as opened,
        company_run(opened.db, company, RunContext("test", "ids"), calls=opened.quickbooks.calls) as run,
    ):
        read_by_ids(opened.db, opened.quickbooks, run, INVOICE, [stays, goes, "77777"])
    found = dict(bench.db.execute("select qbo_id, deleted_at is not null from staging.invoice").fetchall())
    assert found == {stays: False, goes: True, "77777": True}


def test_books_that_never_stand_still_fail_the_import_with_what_to_do(bench: Workbench):
    company = bench.connect({"customers": 10, "invoices": 80, "payments": 60})
    doomed = iter(ids(bench, company, "Payment"))
    # Each answer about payments is out of date at once.
    for answer, times in (("cdc", 4), ("query:Payment", 12)):
        for number in range(1, times + 1):
            bench.sandbox.add_hook(
                company.realm_id, answer, nth=number, delete_ids={"Payment": [next(doomed)]}
            )
    with pytest.raises(RetryableError, match="still count Payment differently: run the import again"):
        bench.import_all(company)
    bench.sandbox.clear_hooks()
    bench.import_all(company)
    assert truth.differences(bench.db, bench.sandbox, company) == []
