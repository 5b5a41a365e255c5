"""Customers that are merged in QuickBooks: all that they had is followed to the customer that is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from include.receivables.company.companies import Company
    from tests.support.bookkeeper import Bookkeeper
    from tests.support.workbench import Workbench


BEYOND_OVERLAP = 900  # seconds; each sync reads the last ten minutes again


class Family:
    """A company with customers, of which one is to be merged into another one."""

    def __init__(self, bench: Workbench, company: Company, books: Bookkeeper) -> None:
        self.bench, self.company, self.books = bench, company, books
        self.loser, self.survivor, self.third = map(books.customer, ("Loser", "Winner", "Third"))
        self.invoices = [books.invoice(self.loser, amount) for amount in ("100", "80", "65")]
        self.payment = books.pay(self.loser, "30")
        self.credit = books.credit(self.loser, "12")
        self.sync()

    def sync(self) -> int:
        """Bring everything up to date, and return the calls that it took."""
        return self.bench.sync(self.company).calls

    def hand_over(self, *records: tuple[str, str], to: str) -> None:
        """Give records to another customer."""
        for entity, qbo_id in records:
            self.books.change(entity, qbo_id, CustomerRef={"value": to})

    def merge(self, into: str) -> None:
        """Merge a customer into another one, as QuickBooks does."""
        self.hand_over(*self.records, to=into)
        self.let_go(self.loser)

    def let_go(self, customer: str) -> None:
        """Make a customer inactive."""
        self.books.change("Customer", customer, Active=False)

    @property
    def records(self) -> list[tuple[str, str]]:
        """What the loser has."""
        return [
            *(("Invoice", each) for each in self.invoices),
            ("Payment", self.payment),
            ("CreditMemo", self.credit),
        ]

    def merges(self) -> dict[str, str]:
        """Return as whom each merged customer goes on."""
        rows = self.bench.db.execute(
            "select qbo_id, survivor_qbo_id from mapping.customer_merge where realm_id = %s",
            [self.company.realm_id],
        )
        return dict(rows.fetchall())

    def owners(self) -> set[str]:
        """Return whose the loser's records are in Peakflo by now."""
        rows = self.bench.db.execute(
            "select customer.source_id from peakflo.customer where company_id = %(company)s and id in ("
            " select customer_id from peakflo.invoice union select customer_id from peakflo.payment"
            " union select customer_id from peakflo.credit_note)",
            {"company": self.company.company_id},
        )
        return {row[0] for row in rows}


@pytest.fixture
def family(bench: Workbench, keep_books: Callable[[Company], Bookkeeper]) -> Family:
    company = bench.imported("empty")
    return Family(bench, company, keep_books(company))


def test_a_customer_whose_records_went_over_as_it_went_was_merged(family: Family):
    family.merge(family.survivor)
    assert family.sync() == 1
    assert family.merges() == {family.loser: family.survivor}
    assert family.owners() == {family.survivor}


def test_a_customer_that_goes_after_its_records_had_been_read_elsewhere_was_not_merged(family: Family):
    family.hand_over(*family.records, to=family.survivor)
    family.sync()
    family.bench.sandbox.advance_clock(60)
    family.let_go(family.loser)
    family.sync()
    assert family.merges() == {}
    assert family.owners() == {family.survivor}


def test_a_record_that_had_gone_to_somebody_else_before_does_not_hide_a_merge(family: Family):
    family.hand_over(("Invoice", family.invoices[0]), to=family.third)
    family.sync()
    family.bench.sandbox.advance_clock(60)
    family.merge(family.survivor)
    family.hand_over(("Invoice", family.invoices[0]), to=family.third)
    family.sync()
    assert family.merges() == {family.loser: family.survivor}


def test_a_customer_that_keeps_a_record_was_not_merged(family: Family):
    kept = family.books.invoice(family.loser, "50")
    family.books.pay(family.loser, "50", ("Invoice", kept, "50"))
    family.sync()
    family.bench.sandbox.advance_clock(BEYOND_OVERLAP)
    family.merge(family.survivor)
    family.sync()
    assert family.merges() == {}


def test_a_customer_whose_records_went_to_several_was_not_merged(family: Family):
    family.hand_over(*family.records, to=family.survivor)
    family.hand_over(family.records[0], to=family.third)
    family.let_go(family.loser)
    family.sync()
    assert family.merges() == {}


def test_a_customer_that_is_merged_on_is_followed_to_the_end(family: Family):
    family.merge(family.survivor)
    family.sync()
    family.hand_over(*family.records, to=family.third)
    family.let_go(family.survivor)
    family.sync()
    assert family.merges() == {family.loser: family.third, family.survivor: family.third}


def test_a_customer_that_is_back_was_not_merged(family: Family):
    family.merge(family.survivor)
    family.sync()
    family.books.change("Customer", family.loser, Active=True, DisplayName="Loser again")
    family.sync()
    assert family.merges() == {}
