"""Payments that are edited or entered in pieces, and orphans that are met after all."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from include.errors import UnreachableError
from include.receivables.outbound import deliveries
from tests.support.payment_steps import alive, delivered, lose_answer, set_payment, settle, take_up

if TYPE_CHECKING:
    from uuid import UUID

    from tests.support.cashier import Cashier, Json


@pytest.mark.parametrize("column", ["amount", "processing_fee", "payment_date"])
def test_an_edit_after_the_delivery_is_a_problem_until_it_is_taken_back(cashier: Cashier, column: str):
    payment_id = delivered(cashier)
    [before] = cashier.rows("peakflo.payment", id=payment_id)
    value = "2026-01-04" if column == "payment_date" else before[column] + Decimal("0.5")
    set_payment(cashier, payment_id, **{column: value})
    assert cashier.problems() == ["edited_after_sending"]
    cashier.bench.sync(cashier.company)
    assert cashier.problems() == ["edited_after_sending"]
    set_payment(cashier, payment_id, **{column: before[column]})
    assert cashier.problems() == []


def test_an_edit_while_it_is_being_sent_is_a_problem_also_when_it_is_delivered(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice, processing_fee="2")
    lose_answer(cashier, "reset")
    cashier.push(settled_after=timedelta(minutes=2))
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
        qbo_id, invoice = cashier.delivery(payment_id)["qbo_id"], allocation["target_source_id"]
        cashier.books.allocate(qbo_id, ("Invoice", invoice, "70"), TotalAmt="80")
        cashier.bench.sync(cashier.company)

    first, second = (in_peakflo, in_quickbooks) if peakflo_first else (in_quickbooks, in_peakflo)
    first()
    assert len(cashier.problems()) == 1
    second()
    cashier.bench.sync(cashier.company)
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


def orphan(cashier: Cashier, *, kind: str = "lost_answer", path: str = "payment", **columns: Any) -> UUID:
    """Take a payment whose answer is lost, and which is looked for too late and while QuickBooks hides it."""
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice, **columns)
    realm = cashier.company.realm_id
    cashier.bench.sandbox.add_fault(kind, realm=realm, path=path, method="POST", count=1)
    cashier.bench.sandbox.add_fault("500", realm=realm, path="query")
    with pytest.raises(UnreachableError):
        cashier.push()
    cashier.bench.sandbox.clear_faults()
    leg = "payment" if path == "payment" else "adjustment"
    of_leg = "where leg = %s and operation = 'create'"
    cashier.bench.db.execute(
        f"update outbox.delivery set state = 'possible_orphan', code = 'possible_orphan' {of_leg}",
        [leg],
    )
    return payment_id


def test_an_orphan_that_the_sync_meets_is_delivered(cashier: Cashier):
    payment_id = orphan(cashier)
    before = len(cashier.rows("peakflo.payment"))
    settle(cashier)
    settle(cashier)
    assert cashier.states(payment_id) == {"payment create": "delivered"}
    assert len(alive(cashier, payment_id)) == 1
    assert len(cashier.rows("peakflo.payment")) == before
    assert cashier.problems() == []


def test_an_orphan_that_a_person_let_go_of_and_the_sync_meets_is_delivered_and_can_be_cancelled(
    cashier: Cashier,
):
    payment_id = orphan(cashier)
    deliveries.ignore(cashier.bench.db, cashier.company, cashier.delivery(payment_id)["delivery_id"])
    settle(cashier)
    settle(cashier)
    assert cashier.states(payment_id) == {"payment create": "delivered"}
    cashier.cancel(payment_id)
    settle(cashier)
    assert alive(cashier, payment_id) == []
    assert cashier.problems() == []


def test_an_orphaned_entry_that_the_sync_meets_is_delivered_and_its_payment_follows(cashier: Cashier):
    payment_id = orphan(cashier, path="journalentry", processing_fee="2")
    settle(cashier)
    settle(cashier)
    assert set(cashier.states(payment_id).values()) == {"delivered"}
    assert (len(alive(cashier, payment_id)), len(alive(cashier, payment_id, "JournalEntry"))) == (1, 1)
    assert cashier.problems() == []


def test_an_orphan_that_was_cancelled_and_is_met_is_voided(cashier: Cashier):
    payment_id = orphan(cashier)
    cashier.cancel(payment_id)
    for _ in range(3):
        settle(cashier)
    assert alive(cashier, payment_id) == []
    assert cashier.problems() == []


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
    assert cashier.problems() == ["edited_after_sending"]
    cashier.books.allocate(record["Id"], ("Invoice", invoice["source_id"], "100"))
    cashier.bench.sync(cashier.company)
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


@pytest.mark.parametrize("odd", [{"TotalAmt": "much"}, {"Line": None}, {"ExchangeRate": []}])
def test_an_edit_that_cannot_be_read_fails_no_sync(cashier: Cashier, odd: Json):
    payment_id = delivered(cashier)
    set_payment(cashier, payment_id, amount="120")
    qbo_id = cashier.delivery(payment_id)["qbo_id"]
    cashier.bench.sandbox.serve(cashier.company.realm_id, "Payment", qbo_id, odd)
    cashier.books.change("Payment", qbo_id, PaymentRefNum="seen")
    cashier.bench.sync(cashier.company)
    assert cashier.problems() == ["edited_after_sending"]
    [problem] = cashier.rows("sync.problem", direction="inbound", state="open")
    assert (problem["qbo_id"], problem["code"]) == (qbo_id, "unmergeable")
    cashier.bench.sandbox.serve_truth(cashier.company.realm_id)
    cashier.books.change("Payment", qbo_id, TotalAmt="120")
    cashier.bench.sync(cashier.company)
    assert cashier.problems() == []
