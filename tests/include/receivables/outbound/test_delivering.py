from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from include.errors import UnreachableError

if TYPE_CHECKING:
    from tests.support.cashier import Cashier, Json


def test_a_settled_payment_is_queued_delivered_and_its_echo_changes_nothing(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    assert cashier.states(payment_id) == {"payment create": "queued"}
    cashier.push()
    assert cashier.states(payment_id) == {"payment create": "delivered"}, str(cashier.delivery(payment_id))
    [[record]] = cashier.in_quickbooks().values()
    [before] = cashier.rows("peakflo.payment", id=payment_id)
    assert before["source_id"] == record["Id"]
    cashier.bench.sync(cashier.company)
    [after] = cashier.rows("peakflo.payment", source_id=record["Id"])
    assert after == before
    assert cashier.invoice(invoice["source_id"])["status"] == "paid"
    assert cashier.problems() == []


def lose_answers(
    cashier: Cashier, *, entity: str = "payment", count: int = 1, kind: str = "lost_answer"
) -> None:
    cashier.bench.sandbox.add_fault(
        kind, realm=cashier.company.realm_id, path=entity, method="POST", count=count
    )


def pay_in_quickbooks(cashier: Cashier, invoice: Json) -> None:
    customer = cashier.books.read("Invoice", invoice["source_id"])["CustomerRef"]["value"]
    cashier.books.pay(customer, "100", ("Invoice", invoice["source_id"], "100"))


def test_a_lost_answer_is_found_by_its_reference_and_adopted(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    lose_answers(cashier)
    cashier.push()
    assert cashier.states(payment_id) == {"payment create": "delivered"}
    [records] = cashier.in_quickbooks().values()
    assert len(records) == 1
    attempts = cashier.rows("outbox.attempt")
    assert [(each["action"], each["outcome"]) for each in attempts] == [
        ("send", "unknown"),
        ("search", "found"),
    ]


def test_a_request_that_never_arrived_is_not_repeated_before_it_must_be_over(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    lose_answers(cashier, kind="reset")
    cashier.push()
    assert cashier.states(payment_id) == {"payment create": "unknown"}
    cashier.push(settled_after=timedelta(minutes=2))
    assert cashier.states(payment_id) == {"payment create": "unknown"}
    cashier.push()
    assert cashier.states(payment_id) == {"payment create": "delivered"}
    [records] = cashier.in_quickbooks().values()
    assert len(records) == 1


def test_past_the_replay_window_a_person_decides_and_may_have_it_sent_anew(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    lose_answers(cashier, kind="reset")
    cashier.push()
    cashier.bench.db.execute("update outbox.delivery set first_sent_at = first_sent_at - interval '12 hours'")
    cashier.push()
    assert cashier.states(payment_id) == {"payment create": "possible_orphan"}
    assert cashier.problems() == ["possible_orphan"]
    assert cashier.in_quickbooks() == {}


def test_a_refusal_is_set_aside_with_the_cure_and_does_not_stop_the_others(cashier: Cashier):
    first, second = cashier.invoices(2)
    refused, delivered = cashier.take(first), cashier.take(second)
    pay_in_quickbooks(cashier, first)
    cashier.push()
    assert cashier.states(refused) == {"payment create": "rejected"}
    assert cashier.states(delivered) == {"payment create": "delivered"}
    [problem] = cashier.rows("sync.problem", peakflo_id=refused)
    assert problem["actor"] == "bookkeeper"
    assert problem["cure"].endswith("then retry the delivery.")


def test_fees_go_before_the_payment_in_a_journal_entry(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice, "98.50", processing_fee="3.20", rounding_amount="1.50")
    cashier.push()
    assert cashier.states(payment_id) == {"payment create": "delivered", "adjustment create": "delivered"}
    assert len(cashier.in_quickbooks("JournalEntry")[str(payment_id)]) == 1
    cashier.bench.sync(cashier.company)
    assert cashier.invoice(invoice["source_id"])["status"] == "paid"
    assert cashier.problems() == []


def test_a_lost_answer_to_a_journal_entry_is_resolved_likewise(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice, processing_fee="3.20")
    lose_answers(cashier, entity="journalentry")
    cashier.push()
    cashier.push()
    assert cashier.states(payment_id) == {"payment create": "delivered", "adjustment create": "delivered"}
    assert len(cashier.in_quickbooks("JournalEntry")[str(payment_id)]) == 1


def test_a_payment_cancelled_before_it_was_sent_is_withdrawn(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    cashier.cancel(payment_id)
    cashier.push()
    assert cashier.states(payment_id) == {"payment create": "withdrawn"}
    assert cashier.in_quickbooks() == {}


@pytest.mark.parametrize("journal_versions", [False, True])
def test_a_cancelled_payment_is_voided_with_its_journal_entry(cashier: Cashier, journal_versions: bool):
    cashier.bench.sandbox.change_settings(cashier.company.realm_id, journal_versions=journal_versions)
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice, "99", processing_fee="3.20", rounding_amount="1")
    cashier.push()
    cashier.bench.sync(cashier.company)
    cashier.cancel(payment_id)
    cashier.push()
    assert set(cashier.states(payment_id).values()) == {"delivered"}, cashier.states(payment_id)
    [[record]] = cashier.in_quickbooks().values()
    assert record["TotalAmt"] == 0
    assert cashier.in_quickbooks("JournalEntry") == {}
    cashier.bench.sync(cashier.company)
    assert cashier.invoice(invoice["source_id"])["status"] == "sent"
    assert cashier.problems() == []


def test_a_payment_changed_by_hand_is_not_voided(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    cashier.push()
    cashier.books.change("Payment", cashier.delivery(payment_id)["qbo_id"], TotalAmt="70", Line=[])
    cashier.bench.sync(cashier.company)
    assert cashier.problems() == ["edited_in_quickbooks"]
    cashier.cancel(payment_id)
    cashier.push()
    assert cashier.states(payment_id)["payment void"] == "rejected"
    assert sorted(cashier.problems()) == ["changed_in_quickbooks", "edited_in_quickbooks"]


def test_a_payment_that_the_sync_meets_before_its_answer_is_recorded_is_recognised(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    lose_answers(cashier, kind="lost_answer")
    cashier.bench.sandbox.add_fault("500", realm=cashier.company.realm_id, path="query")
    with pytest.raises(UnreachableError):
        cashier.push()
    cashier.bench.sandbox.clear_faults()
    assert cashier.states(payment_id) == {"payment create": "unknown"}
    before = len(cashier.rows("peakflo.payment"))
    cashier.bench.sync(cashier.company)
    assert len(cashier.rows("peakflo.payment")) == before
    cashier.push()
    assert cashier.states(payment_id) == {"payment create": "delivered"}
    assert cashier.problems() == []


def test_with_two_way_sync_off_payments_are_held_and_go_once_it_is_on(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    cashier.bench.db.execute(
        "insert into sync.company_setting (company_id, auto_sync) values ('acme', false)"
    )
    cashier.push()
    assert cashier.states(payment_id) == {"payment create": "held"}
    cashier.bench.db.execute("update sync.company_setting set auto_sync = true")
    cashier.push()
    assert cashier.states(payment_id) == {"payment create": "delivered"}


@pytest.mark.parametrize("undo", ["void", "delete"])
def test_a_payment_undone_in_quickbooks_becomes_a_problem_and_stays_in_peakflo(cashier: Cashier, undo: str):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    cashier.push()
    cashier.bench.sync(cashier.company)
    [before] = cashier.rows("peakflo.payment", id=payment_id)
    getattr(cashier.books, undo)("Payment", cashier.delivery(payment_id)["qbo_id"])
    cashier.bench.sync(cashier.company)
    assert cashier.rows("peakflo.payment", id=payment_id) == [before]
    assert cashier.problems() == [{"void": "voided_in_quickbooks", "delete": "deleted_in_quickbooks"}[undo]]


def test_a_payment_that_nobody_foresaw_does_not_stop_the_others(cashier: Cashier):
    first, second = cashier.invoices(2)
    cashier.bench.db.execute("alter table peakflo.payment disable trigger take_payment")
    odd, plain = cashier.take(first, exchange_rate="NaN"), cashier.take(second)
    cashier.bench.db.execute("update peakflo.company set home_currency = 'EUR'")
    cashier.push()
    assert cashier.states(odd) == {"payment create": "rejected"}
    [problem] = cashier.rows("sync.problem", peakflo_id=odd)
    assert problem["actor"] == "data engineer"
    assert cashier.states(plain) == {"payment create": "delivered"}


def test_a_refused_payment_stays_a_problem_when_its_journal_entry_is_delivered(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice, processing_fee="3.20")
    lose_answers(cashier, entity="journalentry", kind="reset")
    cashier.push(settled_after=timedelta(minutes=2))
    pay_in_quickbooks(cashier, invoice)
    cashier.bench.sync(cashier.company)
    cashier.push(settled_after=timedelta(minutes=2))
    assert cashier.states(payment_id) == {"payment create": "rejected", "adjustment create": "unknown"}

    cashier.push()

    assert cashier.states(payment_id) == {"payment create": "rejected", "adjustment create": "delivered"}
    assert cashier.problems() == [cashier.delivery(payment_id)["code"]]


def test_one_that_quickbooks_does_not_answer_about_does_not_stop_the_others(cashier: Cashier):
    first, second = cashier.invoices(2)
    troubled = cashier.take(first, processing_fee="3.20")
    lose_answers(cashier, entity="journalentry")
    cashier.bench.sandbox.add_fault(
        "500", realm=cashier.company.realm_id, path="query", entity="JournalEntry"
    )
    with pytest.raises(UnreachableError):
        cashier.push()
    other = cashier.take(second)

    with pytest.raises(UnreachableError):
        cashier.push()

    assert cashier.states(troubled) == {"payment create": "held", "adjustment create": "unknown"}
    assert cashier.states(other) == {"payment create": "delivered"}
    cashier.bench.sandbox.clear_faults()
    cashier.push()
    assert cashier.states(troubled) == {"payment create": "delivered", "adjustment create": "delivered"}
    assert cashier.problems() == []


def test_while_quickbooks_is_down_the_others_wait_instead_of_failing_one_by_one(cashier: Cashier):
    payments = [cashier.take(invoice) for invoice in cashier.invoices(5)]
    for path in ("payment", "query"):
        cashier.bench.sandbox.add_fault("500", realm=cashier.company.realm_id, path=path)

    for _ in range(2):
        with pytest.raises(UnreachableError):
            cashier.push()

    states = [cashier.states(payment_id)["payment create"] for payment_id in payments]
    assert states == ["unknown", "unknown", "queued", "queued", "queued"]
    cashier.bench.sandbox.clear_faults()
    cashier.push()
    assert {cashier.states(payment_id)["payment create"] for payment_id in payments} == {"delivered"}
    assert [len(records) for records in cashier.in_quickbooks().values()] == [1] * 5
