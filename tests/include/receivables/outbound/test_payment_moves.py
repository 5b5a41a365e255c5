from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from include.quickbooks.entities import SYNCED
from include.receivables.company.runs import company_run
from include.receivables.inbound import staging
from include.receivables.inbound.merging import merge_pending
from include.receivables.inbound.references import fetch_missing, fetch_outdated
from include.receivables.inbound.syncing import OVERLAP
from tests.support import truth
from tests.support.quick_start import connect_as_imported

if TYPE_CHECKING:
    from collections.abc import Callable

    from include.receivables.company.companies import Company
    from tests.support.bookkeeper import Bookkeeper
    from tests.support.workbench import Workbench

    KeepBooks = Callable[[Company], Bookkeeper]

NUMBERS = itertools.count(1)


@dataclass
class Case:
    """A customer who paid 100 for the first of two invoices and has a credit memo left."""

    books: Bookkeeper
    customer: str
    first: str
    second: str
    credit: str
    payment: str


@pytest.fixture
def company(bench: Workbench) -> Company:
    return connect_as_imported(bench, "acme")


def new_case(bench: Workbench, company: Company, books: Bookkeeper) -> Case:
    """Enter a case and sync it."""
    customer = books.customer(f"Customer {next(NUMBERS)}")
    first, second = books.invoice(customer, "100"), books.invoice(customer, "80")
    credit = books.credit(customer, "30")
    payment = books.pay(customer, "100", ("Invoice", first, "100"))
    bench.sync(company)
    case = Case(books, customer, first, second, credit, payment)
    assert due(bench, case) == (0, 80)
    return case


def move(case: Case) -> None:
    case.books.allocate(case.payment, ("Invoice", case.second, "80"))


def split(case: Case) -> None:
    case.books.allocate(case.payment, ("Invoice", case.first, "60"), ("Invoice", case.second, "40"))


def enlarge(case: Case) -> None:
    both = (("Invoice", case.first, "100"), ("Invoice", case.second, "80"))
    case.books.allocate(case.payment, *both, TotalAmt="180")


def shrink(case: Case) -> None:
    case.books.allocate(case.payment, ("Invoice", case.first, "25.5"), TotalAmt="25.5")


def take_back(case: Case) -> None:
    case.books.allocate(case.payment)


def void(case: Case) -> None:
    case.books.void("Payment", case.payment)


def delete(case: Case) -> None:
    case.books.delete("Payment", case.payment)


def apply_credit(case: Case) -> None:
    case.books.pay(case.customer, "0", ("Invoice", case.second, "30"), ("CreditMemo", case.credit, "30"))


def pay_and_take_back(case: Case) -> None:
    payment = case.books.pay(case.customer, "80", ("Invoice", case.second, "80"))
    case.books.delete("Payment", payment)


# What happens, and what is due of the two invoices then.
MOVES = [
    (move, "100", "0"),
    (split, "40", "40"),
    (enlarge, "0", "0"),
    (shrink, "74.5", "80"),
    (take_back, "100", "80"),
    (void, "100", "80"),
    (delete, "100", "80"),
    (apply_credit, "0", "50"),
    (pay_and_take_back, "0", "80"),
]


def due(bench: Workbench, case: Case) -> tuple[Decimal, Decimal]:
    statement = "select source_id, amount_due, status from peakflo.invoice"
    rows = {qbo_id: (amount, status) for qbo_id, amount, status in bench.db.execute(statement)}
    assert all((status == "paid") is (amount == 0) for amount, status in rows.values())
    return rows[case.first][0], rows[case.second][0]


def sync_without_bills(bench: Workbench, company: Company) -> int:
    """Sync from an answer that brings payments without the invoices and credit memos they touch; count queries."""
    run_context = bench.run_context()
    with bench.access.open_books(company.company_id) as books:
        cursor = staging.read_cursor(books.db, company.realm_id, SYNCED)
        assert cursor is not None
        changes = books.quickbooks.changes(SYNCED, cursor - OVERLAP)
        changes = replace(changes, records={**changes.records, "Invoice": [], "CreditMemo": []})
        with company_run(books.db, company, run_context, calls=books.quickbooks.calls) as run:
            staging.stage_changes(books.db, run, changes, SYNCED)
            fetch_missing(books.db, books.quickbooks, run)
            fetch_outdated(books.db, books.quickbooks, run)
            merge_pending(books.db, run)
        return books.quickbooks.calls.by_kind.get("query", 0)


def test_payments_that_move_are_right_in_the_same_cycle(
    bench: Workbench, company: Company, keep_books: KeepBooks, subtests: pytest.Subtests
):
    books = keep_books(company)
    for happen, first, second in MOVES:
        with subtests.test(happen.__name__):
            case = new_case(bench, company, books)
            happen(case)
            assert bench.sync(company).calls == 1
            assert due(bench, case) == (Decimal(first), Decimal(second))
    assert truth.differences(bench.db, bench.sandbox, company, but=truth.REFRESHED) == []


@pytest.mark.parametrize("is_same_second", [False, True])
def test_bills_that_do_not_come_with_their_payment_are_read_by_id_in_the_same_cycle(
    bench: Workbench,
    company: Company,
    keep_books: KeepBooks,
    subtests: pytest.Subtests,
    is_same_second: bool,
):
    books = keep_books(company)
    for happen, first, second in MOVES:
        with subtests.test(happen.__name__):
            case = new_case(bench, company, books)
            bench.sandbox.advance_clock(1)
            happen(case)
            if is_same_second:
                now = bench.sandbox.clock()["now"]
                bench.db.execute("update staging.invoice set qbo_updated_at = to_timestamp(%s)", [int(now)])
            is_visible = happen is not pay_and_take_back
            assert (sync_without_bills(bench, company) > 0) is is_visible
            assert due(bench, case) == (Decimal(first), Decimal(second))
    assert truth.contradictions(bench.db, company) == []


def test_bills_that_have_not_changed_are_not_read_by_id(
    bench: Workbench, company: Company, keep_books: KeepBooks
):
    case = new_case(bench, company, keep_books(company))
    bench.sandbox.advance_clock(5)
    case.books.change("Payment", case.payment, PaymentRefNum="WIRE-1")
    assert sync_without_bills(bench, company) == 0
    assert truth.differences(bench.db, bench.sandbox, company, but=truth.REFRESHED) == []


def test_a_payment_on_the_parent_settles_the_childs_invoice(
    bench: Workbench, company: Company, keep_books: KeepBooks
):
    books = keep_books(company)
    parent = books.customer("Ada")
    child = books.customer("Child", ParentRef={"value": parent}, BillWithParent=True)
    invoice = books.invoice(child, "45")
    books.pay(parent, "45", ("Invoice", invoice, "45"))
    bench.sync(company)
    statement = """
        select child.company_name, payer.company_name
        from peakflo.payment_allocation as allocation
        join peakflo.invoice as invoice on invoice.id = allocation.target_id
        join peakflo.customer as child on child.id = invoice.customer_id
        join peakflo.payment as payment on payment.id = allocation.payment_id
        join peakflo.customer as payer on payer.id = payment.customer_id
        where invoice.source_id = %s
    """
    assert bench.db.execute(statement, [invoice]).fetchall() == [("Child", "Ada")]
    assert truth.differences(bench.db, bench.sandbox, company, but=truth.REFRESHED) == []
