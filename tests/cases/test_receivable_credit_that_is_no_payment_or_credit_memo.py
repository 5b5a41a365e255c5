"""A journal entry or a deposit credits the customer, and nobody has linked it to the invoice yet."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.support.asking import Asking
from tests.support.other_money import check, deposit, journal

if TYPE_CHECKING:
    from tests.support.cashier import Cashier


@pytest.fixture
def ask(cashier: Cashier) -> Asking:
    return Asking(cashier.bench, cashier.company)


@pytest.mark.parametrize("enter", [journal, deposit])
@pytest.mark.parametrize(("amount", "expected"), [("100", "hold"), ("99.99", "send"), ("150", "hold")])
def test_money_on_the_customers_account_counts_whatever_it_is(
    cashier: Cashier, ask: Asking, enter, amount: str, expected: str
):
    ada = cashier.books.customer("Ada Receivable")
    invoice = cashier.books.invoice(ada, "100")
    cashier.bench.sync(cashier.company)
    enter(cashier, ada, amount)

    assert ask.about(invoice) == (expected, ["covered_by_other"] if expected == "hold" else [])


def test_a_parents_credit_covers_what_its_sub_customer_is_billed_with(cashier: Cashier, ask: Asking):
    parent = cashier.books.customer("Parent")
    child = cashier.books.customer("Child", ParentRef={"value": parent}, BillWithParent=True)
    invoice = cashier.books.invoice(child, "100")
    cashier.bench.sync(cashier.company)
    journal(cashier, parent, "100")

    assert ask.about(invoice) == ("hold", ["covered_by_other"])


@pytest.mark.parametrize(("is_billed", "expected"), [(True, "hold"), (False, "send")])
def test_a_siblings_credit_covers_only_what_is_billed_together(
    cashier: Cashier, ask: Asking, is_billed: bool, expected: str
):
    parent = cashier.books.customer("Parent")
    child = cashier.books.customer("Child", ParentRef={"value": parent}, BillWithParent=is_billed)
    sibling = cashier.books.customer("Sibling", ParentRef={"value": parent}, BillWithParent=True)
    invoice = cashier.books.invoice(child, "100")
    cashier.bench.sync(cashier.company)
    journal(cashier, sibling, "100")

    assert ask.about(invoice)[0] == expected


@pytest.mark.parametrize("refund", [partial(journal, side="Debit"), check])
def test_a_refunded_credit_covers_nothing(cashier: Cashier, ask: Asking, refund):
    ada = cashier.books.customer("Ada Refunded")
    invoice = cashier.books.invoice(ada, "100")
    cashier.books.credit(ada, "100")
    cashier.bench.sync(cashier.company)
    assert ask.about(invoice) == ("hold", ["covered_by_credit"])

    refund(cashier, ada, "100")

    assert ask.about(invoice) == ("send", [])


def test_a_credit_that_a_charge_and_a_write_off_leave_alone_covers(cashier: Cashier, ask: Asking):
    ada = cashier.books.customer("Ada Both")
    invoice = cashier.books.invoice(ada, "100")
    cashier.books.credit(ada, "60")
    journal(cashier, ada, "30", "Debit")
    journal(cashier, ada, "70")

    assert ask.about(invoice) == ("hold", ["covered"])


def test_a_balance_that_quickbooks_does_not_say_is_unknown(cashier: Cashier, ask: Asking):
    ada = cashier.books.customer("Ada Silent")
    invoice = cashier.books.invoice(ada, "100")
    cashier.bench.sync(cashier.company)
    cashier.bench.db.execute("update peakflo.customer set balance = null where source_id = %s", [ada])

    assert ask.about(invoice) == ("unknown", ["unexplained_balance"])


def test_a_renamed_parent_makes_no_balance_doubtful(cashier: Cashier, ask: Asking):
    """Its name shows in those of its sub-customers, without a version of theirs."""
    parent = cashier.books.customer("Parent")
    child = cashier.books.customer("Child", ParentRef={"value": parent}, BillWithParent=True)
    invoice = cashier.books.invoice(child, "100")
    deposit(cashier, child, "10")
    cashier.bench.sandbox.advance_clock(3000)
    cashier.bench.sync(cashier.company)
    cashier.books.change("Customer", parent, DisplayName="Parent & Co")

    assert ask.about(invoice) == ("send", [])


def test_a_sub_customer_that_could_not_be_read_hides_no_deposit(cashier: Cashier, ask: Asking):
    """Its parent owes what it owes, and its invoices seem to be another one's."""
    together = {"ParentRef": {"value": cashier.books.customer("Parent")}, "BillWithParent": True}
    child, sibling = (cashier.books.customer(name, **together) for name in ("Child", "Sibling"))
    stranger = cashier.books.customer("Stranger")
    invoice = cashier.books.invoice(child, "100")
    cashier.books.invoice(stranger, "500")
    deposit(cashier, sibling, "100")
    cashier.bench.sync(cashier.company)
    assert ask.about(invoice) == ("hold", ["covered_by_other"])

    cashier.books.change("Customer", stranger, **together)
    cashier.bench.sandbox.poison(cashier.company.realm_id, "Customer", stranger)
    for _ in range(2):
        cashier.bench.sync(cashier.company)
        cashier.bench.sandbox.advance_clock(3000)

    assert ask.about(invoice) == ("unknown", ["unexplained_balance"])
