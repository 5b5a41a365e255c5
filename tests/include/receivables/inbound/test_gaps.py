from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from include.errors import ChangesExpiredError, DeletionBrakeError
from include.quickbooks.entities import SYNCED
from include.receivables.inbound import staging
from tests.support import truth
from tests.support.quick_start import connect_as_imported

if TYPE_CHECKING:
    from collections.abc import Callable

    from include.receivables.company.companies import Company
    from tests.support.bookkeeper import Bookkeeper
    from tests.support.workbench import Workbench

    KeepBooks = Callable[[Company], Bookkeeper]

DAY = 86_400
BEYOND_OVERLAP = 900  # seconds; each sync reads the last ten minutes again
SMALL = {"customers": 20, "invoices": 150, "payments": 60}


def ids(bench: Workbench, company: Company, entity: str) -> list[str]:
    return [record["Id"] for record in truth.read_truth(bench.sandbox, company.realm_id)["records"][entity]]


def quiet(bench: Workbench, company: Company) -> None:
    """Sync so late that the next answer brings nothing of what happened before."""
    bench.sandbox.advance_clock(BEYOND_OVERLAP)
    bench.sync(company)
    bench.sandbox.advance_clock(BEYOND_OVERLAP)


def cursor(bench: Workbench, company: Company):
    return staging.read_cursor(bench.db, company.realm_id, SYNCED)


def delete(books: Bookkeeper, entity: str, record_ids: list[str]) -> None:
    records = [{"Id": each, "SyncToken": books.read(entity, each)["SyncToken"]} for each in record_ids]
    books.batch("delete", entity, records)


def open_problems(bench: Workbench) -> set[tuple[str, str, str]]:
    statement = "select entity, qbo_id, code from sync.problem where state = 'open'"
    return set(bench.db.execute(statement).fetchall())


@pytest.mark.parametrize(
    ("scope", "keeps"),
    [("response", "live_first"), ("response", "oldest"), ("entity", "newest")],
)
def test_an_answer_that_is_full_loses_no_change_and_no_deletion(
    bench: Workbench, keep_books: KeepBooks, scope: str, keeps: str
):
    company = bench.imported(SMALL)
    bench.sandbox.change_settings(company.realm_id, cdc_cap_scope=scope, cdc_keeps=keeps)
    bench.sandbox.advance_clock(BEYOND_OVERLAP)
    books = keep_books(company)
    customer = ids(bench, company, "Customer")[0]
    new = ({"CustomerRef": {"value": customer}, "TotalAmt": 10 + number / 100} for number in range(1500))
    books.batch("create", "Payment", new)
    delete(books, "Payment", ids(bench, company, "Payment")[3:18])
    delete(books, "Invoice", ids(bench, company, "Invoice")[5:15])
    # For all, for the payments alone, for the others, two pages of payments and their count; where deletions were
    # hidden, two pages of Ids, and those that were not met.
    assert bench.sync(company).calls <= 10
    assert truth.differences(bench.db, bench.sandbox, company) == []
    bench.sandbox.advance_clock(BEYOND_OVERLAP // 3)
    assert bench.sync(company).calls == 6
    quiet(bench, company)
    assert bench.sync(company).calls == 1


@pytest.mark.parametrize("scope", ["response", "entity"])
def test_several_entities_that_fill_answers_lose_no_change_and_no_deletion(
    bench: Workbench, keep_books: KeepBooks, scope: str
):
    company = bench.imported(SMALL)
    bench.sandbox.advance_clock(BEYOND_OVERLAP)
    books = keep_books(company)
    customers = books.batch("create", "Customer", ({"DisplayName": f"New {n}"} for n in range(1020)))
    new = ({"CustomerRef": {"value": each["Id"]}, "TotalAmt": 10} for each in customers)
    books.batch("create", "Payment", new)
    delete(books, "Payment", ids(bench, company, "Payment")[3:18])
    delete(books, "Invoice", ids(bench, company, "Invoice")[5:15])
    bench.sandbox.change_settings(company.realm_id, cdc_cap_scope=scope, cdc_keeps="live_first")
    bench.sync(company)
    assert truth.differences(bench.db, bench.sandbox, company) == []


def test_a_payment_made_between_the_parts_of_a_full_answer_settles_its_invoice(
    bench: Workbench, keep_books: KeepBooks
):
    company = bench.imported(SMALL)
    bench.sandbox.advance_clock(BEYOND_OVERLAP)
    books = keep_books(company)
    customer = books.customer("Ada")
    invoices = [books.invoice(customer, "10") for _ in range(3)]
    new = ({"CustomerRef": {"value": customer}, "TotalAmt": 10} for _ in range(1001))
    books.batch("create", "Payment", new)
    for nth, invoice in enumerate(invoices, 1):
        line = {"Amount": 10, "LinkedTxn": [{"TxnId": invoice, "TxnType": "Invoice"}]}
        payment = {"CustomerRef": {"value": customer}, "TotalAmt": 10, "Line": [line]}
        bench.sandbox.add_hook(company.realm_id, "cdc", nth=nth, writes=[{"Payment": payment}])
    bench.sync(company)
    assert bench.sandbox.hooks() == []
    assert truth.contradictions(bench.db, company) == []


def test_after_a_gap_of_31_days_an_import_brings_everything_and_the_deletions(
    bench: Workbench, keep_books: KeepBooks
):
    company = bench.imported()
    bench.sandbox.advance_clock(DAY)
    bench.sandbox.events(company.realm_id, 60)
    delete(keep_books(company), "Payment", ids(bench, company, "Payment")[:3])
    bench.sandbox.advance_clock(31 * DAY)
    bench.sandbox.events(company.realm_id, 20, seed=2)
    with pytest.raises(ChangesExpiredError):
        bench.sync(company)
    assert truth.differences(bench.db, bench.sandbox, company) != []
    bench.import_all(company)
    assert truth.differences(bench.db, bench.sandbox, company) == []
    assert bench.sync(company).calls == 1


def test_a_company_that_was_never_imported_asks_for_an_import(bench: Workbench):
    company = bench.connect("demo")
    with pytest.raises(ChangesExpiredError, match="import it first"):
        bench.sync(company)
    assert bench.sandbox.calls(company.realm_id)["metered"] == 0


def test_an_empty_answer_moves_the_cursor(bench: Workbench):
    company = connect_as_imported(bench, "acme")
    bench.sync(company)
    quiet(bench, company)
    before = cursor(bench, company)
    outcome = bench.sync(company)
    assert sum(counts["read"] for counts in outcome.entities.values()) == 0
    assert (cursor(bench, company) - before).total_seconds() >= BEYOND_OVERLAP


def test_an_answer_with_nothing_but_a_deletion_moves_the_cursor(bench: Workbench, keep_books: KeepBooks):
    company = connect_as_imported(bench, "acme")
    books = keep_books(company)
    free = books.invoice(books.customer("Ada"), "0")
    bench.sync(company)
    quiet(bench, company)
    before = cursor(bench, company)
    books.delete("Invoice", free)
    outcome = bench.sync(company)
    read = {name: counts["read"] for name, counts in outcome.entities.items() if counts["read"]}
    assert read == {"invoice": 1}
    assert (cursor(bench, company) - before).total_seconds() >= BEYOND_OVERLAP
    assert truth.differences(bench.db, bench.sandbox, company, but=truth.REFRESHED) == []


@pytest.mark.parametrize("days", [0, 8])
def test_a_record_dated_in_the_future_and_edited_later_is_not_lost(
    bench: Workbench, keep_books: KeepBooks, days: int
):
    company = bench.imported()
    records = truth.read_truth(bench.sandbox, company.realm_id)["records"]["Account"]
    future = max(records, key=lambda record: record["MetaData"]["LastUpdatedTime"])
    assert future["MetaData"]["LastUpdatedTime"] > truth.timestamp(bench.sandbox.clock()["now"] + DAY)
    bench.sandbox.advance_clock(days * DAY + BEYOND_OVERLAP)
    keep_books(company).change("Account", future["Id"], Name="Edited today")
    bench.sync(company)
    name = "select name from peakflo.account where source_id = %s"
    assert bench.db.execute(name, [future["Id"]]).fetchone() == ("Edited today",)
    assert truth.differences(bench.db, bench.sandbox, company) == []


def test_ten_records_of_the_very_second_of_the_cursor_are_not_lost(bench: Workbench):
    company = bench.imported()
    customer = ids(bench, company, "Customer")[0]
    invoice = {
        "CustomerRef": {"value": customer},
        "Line": [
            {
                "Amount": 7,
                "DetailType": "SalesItemLineDetail",
                "SalesItemLineDetail": {"ItemRef": {"value": "1"}, "Qty": 1, "UnitPrice": 7},
            }
        ],
    }
    bench.sandbox.add_hook(company.realm_id, "cdc", writes=[{"Invoice": invoice}] * 10)
    bench.sync(company)
    assert bench.sandbox.hooks() == []
    assert truth.differences(bench.db, bench.sandbox, company) != []
    bench.sandbox.advance_clock(1)
    bench.sync(company)
    assert truth.differences(bench.db, bench.sandbox, company) == []


def test_more_deletions_than_a_healthy_company_makes_wait_for_a_person(
    bench: Workbench, keep_books: KeepBooks
):
    company = bench.imported(SMALL)
    bench.sandbox.advance_clock(BEYOND_OVERLAP)
    bench.sandbox.events(company.realm_id, 10)
    delete(keep_books(company), "Invoice", ids(bench, company, "Invoice")[:40])
    before = (truth.versions(bench.db), cursor(bench, company))
    for _ in range(2):
        with pytest.raises(DeletionBrakeError, match="Invoice records as deleted"):
            bench.sync(company)
    assert (truth.versions(bench.db), cursor(bench, company)) == before
    assert open_problems(bench) == {("", "", "deletion_brake")}
    bench.sync(company, accept_deletions=True)
    assert truth.differences(bench.db, bench.sandbox, company) == []
    assert open_problems(bench) == set()


def test_an_import_that_finds_too_many_deletions_waits_for_a_person(bench: Workbench, keep_books: KeepBooks):
    company = bench.imported(SMALL)
    bench.sandbox.advance_clock(DAY)
    delete(keep_books(company), "Payment", ids(bench, company, "Payment")[:30])
    bench.sandbox.advance_clock(31 * DAY)
    with pytest.raises(DeletionBrakeError):
        bench.import_all(company)
    assert bench.db.execute(
        "select count(*) from peakflo.payment where deleted_at is not null"
    ).fetchone() == (0,)
    bench.import_all(company, accept_deletions=True)
    assert truth.differences(bench.db, bench.sandbox, company) == []
