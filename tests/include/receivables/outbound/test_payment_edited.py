"""Payments that are edited or entered in pieces, and orphans that are met after all."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from include.errors import ThrottledError, UnreachableError
from tests.support.payment_steps import (
    alive,
    delivered,
    forget_requests,
    ignore,
    lose_answer,
    set_payment,
    settle,
    take_up,
)

if TYPE_CHECKING:
    from uuid import UUID

    from tests.support.cashier import Cashier, Json


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("amount", "100.5", "edited_after_sending"),
        ("payment_date", "2026-01-04", "edited_after_sending"),
        ("wallet", "PayNow", "edited_after_sending"),
        ("processing_fee", "0.5", "entry_missing"),
    ],
)
def test_an_edit_after_the_delivery_is_a_problem_until_it_is_taken_back(
    cashier: Cashier, column: str, value: str, code: str
):
    payment_id = delivered(cashier)
    [before] = cashier.rows("peakflo.payment", id=payment_id)
    set_payment(cashier, payment_id, **{column: value})
    for _ in range(2):
        settle(cashier)
        assert cashier.problems() == [code]
    set_payment(cashier, payment_id, **{column: before[column]})
    cashier.push()
    assert cashier.problems() == []


def test_an_edit_while_it_is_being_sent_is_a_problem_also_when_it_is_delivered(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice, processing_fee="2")
    lose_answer(cashier, "reset")
    cashier.push(settled_after=timedelta(minutes=2))
    assert cashier.standing(payment_id) == ("waits", "undecided")
    set_payment(cashier, payment_id, amount="120")
    settle(cashier)
    [record] = alive(cashier, payment_id)
    assert record["TotalAmt"] == 100
    assert cashier.problems() == ["edited_after_sending"]


@pytest.mark.parametrize("peakflo_first", [True, False])
def test_an_edit_made_on_both_sides_alike_is_no_problem(cashier: Cashier, peakflo_first: bool):
    payment_id = delivered(cashier)
    [allocation] = cashier.rows("peakflo.payment_allocation", payment_id=payment_id)

    def in_peakflo() -> None:
        with cashier.bench.db.transaction():
            set_payment(cashier, payment_id, amount="80")
            cashier.bench.db.execute(
                "update peakflo.payment_allocation set amount = 70 where payment_id = %s", [payment_id]
            )

    def in_quickbooks() -> None:
        qbo_id, invoice = cashier.record(payment_id)["qbo_id"], allocation["target_source_id"]
        cashier.books.allocate(qbo_id, ("Invoice", invoice, "70"), TotalAmt="80")
        cashier.bench.sync(cashier.company)

    first, second = (in_peakflo, in_quickbooks) if peakflo_first else (in_quickbooks, in_peakflo)
    first()
    cashier.push()
    assert cashier.problems() == ["edited_after_sending" if peakflo_first else "edited_in_quickbooks"]
    second()
    cashier.push()
    assert cashier.problems() == []


def test_an_edited_payment_is_sent_as_it_is_now_when_it_is_sent_anew(cashier: Cashier):
    payment_id = delivered(cashier)
    set_payment(cashier, payment_id, amount="120")
    cashier.cancel(payment_id)
    settle(cashier)
    take_up(cashier, payment_id)
    settle(cashier)
    [record] = alive(cashier, payment_id)
    assert record["TotalAmt"] == 120
    assert cashier.problems() == []


def orphan(cashier: Cashier, *, path: str = "payment", **columns: Any) -> UUID:
    """Take a payment whose answer is lost, and which is looked for too late and while QuickBooks hides it."""
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice, **columns)
    realm = cashier.company.realm_id
    cashier.bench.sandbox.add_fault("lost_answer", realm=realm, path=path, method="POST", count=1)
    cashier.bench.sandbox.add_fault("500", realm=realm, path="query")
    with pytest.raises(UnreachableError):
        cashier.push()
    cashier.bench.sandbox.clear_faults()
    cashier.bench.db.execute("select outbox.move(record_id, 'absent', 1, 'Too late.') from outbox.record")
    forget_requests(cashier)
    cashier.push()
    assert cashier.problems() == ["possible_orphan"]
    return payment_id


def test_an_orphan_that_the_sync_meets_is_delivered(cashier: Cashier):
    payment_id = orphan(cashier)
    before = len(cashier.rows("peakflo.payment"))
    settle(cashier)
    assert cashier.states(payment_id) == {"payment": ["made"]}
    assert len(alive(cashier, payment_id)) == 1
    assert len(cashier.rows("peakflo.payment")) == before
    assert cashier.problems() == []


def test_an_orphan_that_a_person_let_go_of_and_the_sync_meets_is_delivered_and_can_be_cancelled(
    cashier: Cashier,
):
    payment_id = orphan(cashier)
    ignore(cashier, payment_id)
    settle(cashier)
    assert cashier.states(payment_id) == {"payment": ["made"]}
    assert cashier.standing(payment_id) == ("agrees", "delivered")
    cashier.cancel(payment_id)
    settle(cashier)
    assert alive(cashier, payment_id) == []
    assert cashier.problems() == []


def test_an_orphaned_entry_that_the_sync_meets_is_delivered_and_its_payment_follows(cashier: Cashier):
    payment_id = orphan(cashier, path="journalentry", processing_fee="2")
    settle(cashier)
    assert cashier.states(payment_id) == {"payment": ["made"], "journal_entry": ["made"]}
    assert (len(alive(cashier, payment_id)), len(alive(cashier, payment_id, "JournalEntry"))) == (1, 1)
    assert cashier.problems() == []


def test_an_orphan_that_was_cancelled_and_is_met_is_voided(cashier: Cashier):
    payment_id = orphan(cashier)
    cashier.cancel(payment_id)
    settle(cashier)
    assert cashier.states(payment_id) == {"payment": ["undone"]}
    assert alive(cashier, payment_id) == []
    assert cashier.problems() == []


def test_the_problem_of_a_payment_that_was_removed_from_peakflo_is_closed(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice, "120")
    cashier.push()
    assert cashier.problems() == ["target_balance"]
    cashier.bench.db.execute("delete from peakflo.payment where id = %s", [payment_id])
    cashier.push()
    assert cashier.problems() == []
    assert cashier.standing(payment_id) == ("agrees", "payment_unknown")


def test_a_payment_that_may_be_in_quickbooks_cannot_be_removed_from_peakflo(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    cashier.push()
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        cashier.bench.db.execute("delete from peakflo.payment where id = %s", [payment_id])


def test_a_payment_whose_allocation_comes_later_is_sent_with_it(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    cashier.bench.db.execute(
        "update peakflo.payment_allocation set amount = 40 where payment_id = %s", [payment_id]
    )
    add_allocation(cashier, payment_id, invoice, "60")
    settle(cashier)
    [record] = alive(cashier, payment_id)
    assert (record["TotalAmt"], record["UnappliedAmt"]) == (100, 0)
    assert cashier.problems() == []


def test_a_payment_whose_allocation_comes_after_its_delivery_says_that_quickbooks_has_it_unapplied(
    cashier: Cashier,
):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    cashier.bench.db.execute("delete from peakflo.payment_allocation where payment_id = %s", [payment_id])
    settle(cashier)
    [record] = alive(cashier, payment_id)
    assert record["UnappliedAmt"] == 100
    add_allocation(cashier, payment_id, invoice, "100")
    cashier.push()
    assert cashier.problems() == ["edited_after_sending"]
    cashier.books.allocate(record["Id"], ("Invoice", invoice["source_id"], "100"))
    settle(cashier)
    assert cashier.problems() == []


def add_allocation(cashier: Cashier, payment_id: UUID, invoice: Json, amount: str) -> None:
    cashier.bench.db.execute(
        "insert into peakflo.payment_allocation (company_id, payment_id, position, target_type, target_id, amount) "
        "values (%s, %s, 2, 'invoice', %s, %s)",
        [cashier.company.company_id, payment_id, invoice["id"], amount],
    )


def test_a_payment_without_a_currency_is_refused_at_once(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    with pytest.raises(
        psycopg.errors.CheckViolation, match="names no currency: give it the currency of its customer, USD"
    ):
        cashier.take(invoice, currency=None)
    assert cashier.rows("outbox.delivery") == []


@pytest.mark.parametrize("odd", [{"TotalAmt": "much"}, {"Line": "none"}, {"ExchangeRate": []}])
def test_an_edit_that_cannot_be_read_fails_no_sync_and_is_told(cashier: Cashier, odd: Json):
    payment_id = delivered(cashier)
    set_payment(cashier, payment_id, amount="120")
    qbo_id = cashier.record(payment_id)["qbo_id"]
    cashier.bench.sandbox.serve(cashier.company.realm_id, "Payment", qbo_id, odd)
    cashier.books.change("Payment", qbo_id, PaymentRefNum="seen")
    settle(cashier)
    assert sorted(cashier.problems()) == ["edited_after_sending", "edited_in_quickbooks"]
    cashier.bench.sandbox.serve_truth(cashier.company.realm_id)
    cashier.books.change("Payment", qbo_id, TotalAmt="120")
    settle(cashier)
    assert cashier.problems() == []


def test_a_fee_that_is_edited_after_its_entry_was_sent_keeps_the_payment_back_until_it_is_taken_back(
    cashier: Cashier,
):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice, processing_fee="2")
    realm = cashier.company.realm_id
    cashier.bench.sandbox.add_fault("429", realm=realm, path="payment", method="POST", count=1)
    with pytest.raises(ThrottledError):
        cashier.push()
    set_payment(cashier, payment_id, processing_fee="3")
    cashier.push()
    assert cashier.problems() == ["adjustment_outdated"]
    set_payment(cashier, payment_id, processing_fee="2")
    cashier.push()
    assert cashier.states(payment_id) == {"payment": ["made"], "journal_entry": ["made"]}
    assert cashier.problems() == []
