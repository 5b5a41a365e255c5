"""A bookkeeper unlinks a payment that Peakflo delivered from its invoice, voids or deletes it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.asking import Asking
from tests.support.payment_steps import ignore

if TYPE_CHECKING:
    from uuid import UUID

    from tests.support.cashier import Cashier


@pytest.fixture
def ask(cashier: Cashier) -> Asking:
    return Asking(cashier.bench, cashier.company)


def delivered(cashier: Cashier, invoice: dict[str, Any], amount: str = "100") -> tuple[UUID, str]:
    """Take a payment and deliver it; return its ids on both sides."""
    payment = cashier.take(invoice, amount)
    cashier.push()
    cashier.bench.sync(cashier.company)
    return payment, cashier.record(payment)["qbo_id"]


def test_one_that_was_taken_off_its_invoice_covers_it(cashier: Cashier, ask: Asking):
    [invoice] = cashier.invoices(1)
    payment, qbo_id = delivered(cashier, invoice)
    assert ask.about(invoice["source_id"]) == ("hold", ["paid"])

    cashier.books.allocate(qbo_id)

    [verdict] = ask.judgement(invoice["source_id"]).verdicts
    assert (verdict.verdict, verdict.reasons[0].code) == ("hold", "covered_by_payment")
    assert verdict.reasons[0].ids == (str(payment),)


@pytest.mark.parametrize("undo", ["void", "delete"])
def test_one_that_was_undone_counts_until_somebody_has_decided(cashier: Cashier, ask: Asking, undo: str):
    [invoice, other] = cashier.invoices(2)
    payment, qbo_id = delivered(cashier, invoice)

    getattr(cashier.books, undo)("Payment", qbo_id)

    assert ask.about(invoice["source_id"]) == ("hold", ["covered_by_payment"])
    assert ask.about(other["source_id"]) == ("send", [])
    cashier.cancel(payment)
    cashier.push()
    assert ask.about(invoice["source_id"]) == ("send", [])


@pytest.mark.parametrize("undo", ["void", "delete"])
def test_one_that_was_undone_and_let_go_of_is_as_quickbooks_says(cashier: Cashier, ask: Asking, undo: str):
    [invoice] = cashier.invoices(1)
    payment, qbo_id = delivered(cashier, invoice)
    getattr(cashier.books, undo)("Payment", qbo_id)
    cashier.bench.sync(cashier.company)
    cashier.push()

    ignore(cashier, payment)

    assert ask.about(invoice["source_id"]) == ("send", [])


def test_one_that_was_made_smaller_leaves_its_invoice_in_question(cashier: Cashier, ask: Asking):
    [invoice, other] = cashier.invoices(2)
    _payment, qbo_id = delivered(cashier, invoice)

    cashier.books.change(
        "Payment",
        qbo_id,
        TotalAmt="60",
        Line=[{"Amount": "60", "LinkedTxn": [{"TxnId": invoice["source_id"], "TxnType": "Invoice"}]}],
    )

    assert ask.about(invoice["source_id"]) == ("unknown", ["payment_in_question"])
    assert ask.about(other["source_id"]) == ("send", [])


def test_one_that_was_moved_to_another_invoice_leaves_its_own_in_question(cashier: Cashier, ask: Asking):
    [invoice, other] = cashier.invoices(2)
    _payment, qbo_id = delivered(cashier, invoice)

    cashier.books.allocate(qbo_id, ("Invoice", other["source_id"], "100"))

    assert ask.about(invoice["source_id"]) == ("unknown", ["payment_in_question"])
    assert ask.about(other["source_id"]) == ("hold", ["paid"])


@pytest.mark.parametrize("state", ["waiting", "held", "refused"])
@pytest.mark.parametrize("taken", ["100", "40"])
def test_one_that_quickbooks_does_not_have_counts_for_its_invoice_alone(
    cashier: Cashier, ask: Asking, state: str, taken: str
):
    [invoice, other] = cashier.invoices(2)
    cashier.take(invoice, taken)
    if state == "held":
        cashier.bench.db.execute(
            "insert into sync.company_setting values (%s, false) "
            "on conflict (company_id) do update set auto_sync = false",
            [cashier.company.company_id],
        )
        cashier.push()
    elif state == "refused":
        close_books(cashier, "2026-02-01")
        cashier.push()

    covered = {"100": ("hold", ["covered_by_payment"]), "40": ("send", [])}[taken]
    if state == "refused" and taken == "40":
        covered = ("unknown", ["payment_in_question"])
    assert ask.about(invoice["source_id"]) == covered
    assert ask.about(other["source_id"]) == ("send", [])


def test_what_is_more_than_its_invoice_owes_counts_for_the_customers_others(cashier: Cashier, ask: Asking):
    [invoice, other] = cashier.invoices(2)
    cashier.take(invoice, "100")
    cashier.books.pay(
        cashier.books.read("Invoice", invoice["source_id"])["CustomerRef"]["value"],
        "100",
        ("Invoice", invoice["source_id"], "100"),
    )

    assert ask.about(invoice["source_id"]) == ("hold", ["paid"])
    assert ask.about(other["source_id"]) == ("hold", ["covered_by_payment"])


def test_one_that_was_cancelled_counts_for_nothing(cashier: Cashier, ask: Asking):
    [invoice] = cashier.invoices(1)
    cashier.cancel(cashier.take(invoice))

    assert ask.about(invoice["source_id"]) == ("send", [])


def test_money_for_no_invoice_counts_for_all_of_its_customer(cashier: Cashier, ask: Asking):
    [invoice, other] = cashier.invoices(2)
    payment = cashier.take(invoice, "100")
    cashier.bench.db.execute("delete from peakflo.payment_allocation where payment_id = %s", [payment])

    assert ask.about(invoice["source_id"]) == ("hold", ["covered_by_payment"])
    assert ask.about(other["source_id"]) == ("hold", ["covered_by_payment"])


def close_books(cashier: Cashier, until: str) -> None:
    """Close the books without telling the sync, so that QuickBooks refuses what is dated before."""
    preferences = cashier.books.read("Preferences", "1")
    info = {**preferences["AccountingInfoPrefs"], "BookCloseDate": until}
    cashier.books.change("Preferences", "1", AccountingInfoPrefs=info)


def test_the_amount_stays_that_of_quickbooks(cashier: Cashier, ask: Asking):
    [invoice] = cashier.invoices(1)
    cashier.take(invoice, "40")

    [verdict] = ask.judgement(invoice["source_id"]).verdicts

    assert verdict.amount_due == Decimal(100)
