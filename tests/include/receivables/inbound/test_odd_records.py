from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import truth
from tests.support.quick_start import connect_as_imported

if TYPE_CHECKING:
    from collections.abc import Callable

    from include.receivables.company.companies import Company
    from tests.support.bookkeeper import Bookkeeper
    from tests.support.workbench import Workbench

NUL = {"value": "Thank\x00you"}
UNFIT = "9999999999999999999"  # as an exchange rate


@pytest.fixture
def company(bench: Workbench) -> Company:
    return connect_as_imported(bench, "acme")


@pytest.fixture
def books(company: Company, keep_books: Callable[[Company], Bookkeeper]) -> Bookkeeper:
    return keep_books(company)


def problems(bench: Workbench, state: str = "open") -> set[tuple[str, str, str]]:
    statement = "select entity, qbo_id, code from sync.problem where state = %s"
    return set(bench.db.execute(statement, [state]).fetchall())


def differences(bench: Workbench, company: Company) -> list[str]:
    return truth.differences(bench.db, bench.sandbox, company, but=truth.REFRESHED)


def invoices(bench: Workbench) -> set[str]:
    return {row[0] for row in bench.db.execute("select source_id from peakflo.invoice")}


@pytest.mark.parametrize(
    ("odd", "cure", "code"),
    [
        ({"CustomerMemo": NUL}, {"CustomerMemo": {"value": "Thank you"}}, "unreadable"),
        ({"ExchangeRate": UNFIT}, {"ExchangeRate": "1.5"}, "unmergeable"),
    ],
)
def test_a_record_that_cannot_go_in_becomes_a_problem_until_it_is_corrected(
    bench: Workbench, company: Company, books: Bookkeeper, odd: dict, cure: dict, code: str
):
    customer = books.customer("Ada", CurrencyRef={"value": "EUR"})
    good = [books.invoice(customer, str(number)) for number in range(1, 6)]
    bad = books.invoice(customer, "100", **odd)
    good.append(books.invoice(customer, "7"))
    for _ in range(2):
        bench.sync(company)
        assert invoices(bench) == set(good)
        assert problems(bench) == {("invoice", bad, code)}
    books.change("Invoice", bad, **cure)
    bench.sync(company)
    assert differences(bench, company) == []
    assert problems(bench) == set()
    assert problems(bench, "resolved") == {("invoice", bad, code)}


@pytest.mark.parametrize("days", [0, 31])
def test_deleting_a_record_that_cannot_be_stored_cures_the_problem(
    bench: Workbench, company: Company, books: Bookkeeper, days: int
):
    bad = books.invoice(books.customer("Ada"), "100", CustomerMemo=NUL)
    bench.sync(company)
    assert len(problems(bench)) == 1
    books.delete("Invoice", bad)
    bench.sandbox.advance_clock(days * 86_400)
    bench.import_all(company)
    assert problems(bench) == set()
    assert differences(bench, company) == []


@pytest.mark.parametrize("fitted_before", [True, False])
def test_deleting_a_record_that_does_not_fit_deletes_it_here_and_cures_the_problem(
    bench: Workbench, company: Company, books: Bookkeeper, fitted_before: bool
):
    customer = books.customer("Ada", CurrencyRef={"value": "EUR"})
    invoice = books.invoice(customer, "100", ExchangeRate="1.5" if fitted_before else UNFIT)
    bench.sync(company)
    if fitted_before:
        books.change("Invoice", invoice, ExchangeRate=UNFIT)
        bench.sync(company)
    assert problems(bench) == {("invoice", invoice, "unmergeable")}
    books.delete("Invoice", invoice)
    bench.sync(company)
    assert problems(bench) == set()
    states = bench.db.execute(
        "select source_id, status, deleted_at is not null from peakflo.invoice"
    ).fetchall()
    assert states == ([(invoice, "cancelled", True)] if fitted_before else [])
    assert bench.db.execute("select count(*) from staging.unmerged").fetchone() == (0,)


def test_an_import_goes_through_although_one_record_cannot_be_stored(
    bench: Workbench, company: Company, books: Bookkeeper
):
    customer = books.customer("Ada")
    bad = books.invoice(customer, "100", CustomerMemo=NUL)
    good = books.invoice(customer, "7")
    bench.import_all(company)
    assert invoices(bench) == {good}
    assert problems(bench) == {("invoice", bad, "unreadable")}
    books.change("Invoice", bad, CustomerMemo={"value": "Thank you"})
    bench.import_all(company)
    assert truth.differences(bench.db, bench.sandbox, company) == []
    assert problems(bench) == set()


def test_an_unreadable_new_version_does_not_hide_the_one_that_is_known(
    bench: Workbench, company: Company, books: Bookkeeper
):
    invoice = books.invoice(books.customer("Ada"), "100")
    bench.sync(company)
    books.change("Invoice", invoice, CustomerMemo=NUL)
    for _ in range(2):
        bench.sync(company)
        assert problems(bench) == {("invoice", invoice, "unreadable")}
    bench.import_all(company)
    assert problems(bench) == {("invoice", invoice, "unreadable")}
    assert invoices(bench) == {invoice}


def test_an_ignored_problem_stays_ignored_while_it_lasts(
    bench: Workbench, company: Company, books: Bookkeeper
):
    bad = books.invoice(books.customer("Ada"), "100", CustomerMemo=NUL)
    bench.sync(company)
    bench.db.execute("update sync.problem set state = 'ignored'")
    bench.sync(company)
    assert problems(bench) == set()
    books.change("Invoice", bad, CustomerMemo={"value": "Thank you"})
    bench.sync(company)
    assert problems(bench, "resolved") == {("invoice", bad, "unreadable")}


def test_what_belongs_to_a_customer_that_cannot_go_in_waits_and_goes_in_with_it(
    bench: Workbench, company: Company, books: Bookkeeper
):
    customer = books.customer("Ada", PrimaryPhone={"FreeFormNumber": "\x00"})
    invoice = books.invoice(customer, "100")
    payment = books.pay(customer, "100", ("Invoice", invoice, "100"))
    other = books.invoice(books.customer("Bob"), "5")
    bench.sync(company)
    assert invoices(bench) == {other}
    assert {(entity, qbo_id) for entity, qbo_id, _ in problems(bench)} == {
        ("customer", customer),
        ("invoice", invoice),
        ("payment", payment),
    }
    books.change("Customer", customer, PrimaryPhone={"FreeFormNumber": "555"})
    bench.sync(company)
    assert problems(bench) == set()
    assert differences(bench, company) == []


def test_an_allocation_finds_an_invoice_that_was_taken_for_deleted_when_its_payment_was_merged(
    bench: Workbench, company: Company, books: Bookkeeper
):
    customer = books.customer("Ada")
    invoice = books.invoice(customer, "100")
    keys = (company.realm_id, "invoice", invoice)
    stub = """insert into staging.record
        (realm_id, entity, qbo_id, sync_token, qbo_updated_at, deleted_at, content_hash, payload, read_at, run_id)
        values (%s, %s, %s, 0, 'epoch', 'epoch', '', '{"status": "Deleted"}', 'epoch', 0)"""
    bench.db.execute(stub, keys)
    books.pay(customer, "100", ("Invoice", invoice, "100"))
    bench.db.execute(
        "update staging.record set read_at = now() + interval '1 hour' where qbo_id = %s", [invoice]
    )
    bench.sync(company)
    assert bench.db.execute("select target_id from peakflo.payment_allocation").fetchall() == [(None,)]
    bench.db.execute("update staging.record set read_at = 'epoch' where qbo_id = %s", [invoice])
    bench.sync(company)
    [target] = bench.db.execute("select target_id from peakflo.payment_allocation").fetchall()
    assert target == bench.db.execute("select id from peakflo.invoice").fetchone()
