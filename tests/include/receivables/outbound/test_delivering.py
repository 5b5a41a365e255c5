from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from include.errors import UnreachableError
from include.receivables.views.deliveries import set_auto_sync
from tests.support.payment_steps import delivered, lose_answer, push_later, undo

if TYPE_CHECKING:
    from tests.support.cashier import Cashier, Json


def pay_in_quickbooks(cashier: Cashier, invoice: Json) -> None:
    customer = cashier.books.read("Invoice", invoice["source_id"])["CustomerRef"]["value"]
    cashier.books.pay(customer, "100", ("Invoice", invoice["source_id"], "100"))


def fail_searches(cashier: Cashier, entity: str = "") -> None:
    cashier.bench.sandbox.add_fault("500", realm=cashier.company.realm_id, path="query", entity=entity)


def test_a_settled_payment_is_queued_delivered_and_its_echo_changes_nothing(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    assert (cashier.standing(payment_id), cashier.states(payment_id)) == (("waits", "queued"), {})
    cashier.push()
    assert cashier.standing(payment_id) == ("agrees", "delivered"), str(cashier.delivery(payment_id))
    [[record]] = cashier.in_quickbooks().values()
    [before] = cashier.rows("peakflo.payment", id=payment_id)
    assert before["source_id"] == record["Id"]
    cashier.bench.sync(cashier.company)
    assert cashier.rows("outbox.queue") == []
    [after] = cashier.rows("peakflo.payment", source_id=record["Id"])
    assert after == before
    assert cashier.invoice(invoice["source_id"])["status"] == "paid"
    assert cashier.problems() == []


def test_a_lost_answer_is_found_by_its_reference_and_adopted(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    lose_answer(cashier)
    cashier.push()
    assert cashier.states(payment_id) == {"payment": ["made"]}
    [records] = cashier.in_quickbooks().values()
    assert len(records) == 1
    moves = cashier.rows("outbox.move", record_id=cashier.record(payment_id)["record_id"])
    assert [move["to_state"] for move in moves] == ["sent", "unknown", "made"]
    assert moves[-1]["why"] == "It was found in QuickBooks."


def test_a_request_that_never_arrived_is_not_repeated_before_it_must_be_over(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    lose_answer(cashier, "reset")
    for _ in range(2):
        cashier.push(settled_after=timedelta(minutes=2))
        assert cashier.states(payment_id) == {"payment": ["unknown"]}
        assert cashier.standing(payment_id) == ("waits", "undecided")
    push_later(cashier)
    assert cashier.states(payment_id) == {"payment": ["made"]}
    [records] = cashier.in_quickbooks().values()
    assert len(records) == 1


def test_a_refusal_is_set_aside_with_the_cure_and_does_not_stop_the_others(cashier: Cashier):
    first, second = cashier.invoices(2)
    refused, other = cashier.take(first), cashier.take(second)
    pay_in_quickbooks(cashier, first)
    cashier.push()
    assert cashier.states(refused) == {"payment": ["refused"]}
    assert cashier.states(other) == {"payment": ["made"]}
    [problem] = cashier.rows("sync.problem", peakflo_id=refused)
    assert cashier.standing(refused) == ("differs", problem["code"])
    assert problem["actor"] == "bookkeeper"
    assert problem["cure"].endswith("then retry.")


def test_fees_go_before_the_payment_in_a_journal_entry(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice, "98.50", processing_fee="3.20", rounding_amount="1.50")
    cashier.push()
    assert cashier.states(payment_id) == {"payment": ["made"], "journal_entry": ["made"]}
    assert len(cashier.in_quickbooks("JournalEntry")[str(payment_id)]) == 1
    cashier.bench.sync(cashier.company)
    assert cashier.invoice(invoice["source_id"])["status"] == "paid"
    assert cashier.problems() == []


def test_a_lost_answer_to_a_journal_entry_is_resolved_likewise(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice, processing_fee="3.20")
    lose_answer(cashier, path="journalentry")
    cashier.push()
    assert cashier.states(payment_id) == {"payment": ["made"], "journal_entry": ["made"]}
    assert len(cashier.in_quickbooks("JournalEntry")[str(payment_id)]) == 1


@pytest.mark.parametrize("journal_versions", [False, True])
def test_a_cancelled_payment_is_voided_with_its_journal_entry(cashier: Cashier, journal_versions: bool):
    cashier.bench.sandbox.change_settings(cashier.company.realm_id, journal_versions=journal_versions)
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice, "99", processing_fee="3.20", rounding_amount="1")
    cashier.push()
    cashier.bench.sync(cashier.company)
    cashier.cancel(payment_id)
    cashier.push()
    assert cashier.states(payment_id) == {"payment": ["undone"], "journal_entry": ["undone"]}
    [[record]] = cashier.in_quickbooks().values()
    assert record["TotalAmt"] == 0
    assert cashier.in_quickbooks("JournalEntry") == {}
    cashier.bench.sync(cashier.company)
    assert cashier.rows("outbox.queue") == []
    assert cashier.invoice(invoice["source_id"])["status"] == "sent"
    assert cashier.problems() == []


def test_a_payment_changed_by_hand_is_not_voided(cashier: Cashier):
    payment_id = delivered(cashier)
    cashier.books.change("Payment", cashier.record(payment_id)["qbo_id"], TotalAmt="70", Line=[])
    cashier.bench.sync(cashier.company)
    cashier.push()
    assert cashier.problems() == ["edited_in_quickbooks"]
    cashier.cancel(payment_id)
    cashier.push()
    assert cashier.states(payment_id) == {"payment": ["made"]}
    assert cashier.problems() == ["changed_in_quickbooks"]
    [[record]] = cashier.in_quickbooks().values()
    assert record["TotalAmt"] == 70


def test_a_payment_that_the_sync_meets_before_its_answer_is_recorded_is_recognised(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    lose_answer(cashier)
    fail_searches(cashier)
    with pytest.raises(UnreachableError):
        cashier.push()
    cashier.bench.sandbox.clear_faults()
    assert cashier.states(payment_id) == {"payment": ["unknown"]}
    before = len(cashier.rows("peakflo.payment"))
    cashier.bench.sync(cashier.company)
    assert len(cashier.rows("peakflo.payment")) == before
    cashier.push()
    assert cashier.states(payment_id) == {"payment": ["made"]}
    assert cashier.problems() == []


def test_with_two_way_sync_off_payments_wait_and_go_once_it_is_on(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    set_auto_sync(cashier.bench.db, cashier.company, is_on=False)
    cashier.push()
    assert cashier.standing(payment_id) == ("waits", "auto_sync_off")
    assert cashier.states(payment_id) == {}
    set_auto_sync(cashier.bench.db, cashier.company, is_on=True)
    cashier.push()
    assert cashier.states(payment_id) == {"payment": ["made"]}


@pytest.mark.parametrize("how", ["void", "delete"])
def test_a_payment_undone_in_quickbooks_becomes_a_problem_and_stays_in_peakflo(cashier: Cashier, how: str):
    payment_id = delivered(cashier)
    [before] = cashier.rows("peakflo.payment", id=payment_id)
    undo(cashier, payment_id, how)
    [after] = cashier.rows("peakflo.payment", id=payment_id)
    assert (after | {"source_id": None}) == (before | {"source_id": None})
    assert cashier.states(payment_id) == {"payment": ["gone"]}
    assert cashier.problems() == [{"void": "voided_in_quickbooks", "delete": "deleted_in_quickbooks"}[how]]


def test_a_payment_that_nobody_foresaw_does_not_stop_the_others(cashier: Cashier):
    first, second = cashier.invoices(2)
    cashier.bench.db.execute("alter table peakflo.payment disable trigger take_payment")
    odd, plain = cashier.take(first, exchange_rate="NaN"), cashier.take(second)
    cashier.bench.db.execute("update peakflo.company set home_currency = 'EUR'")
    cashier.push()
    assert (cashier.standing(odd)[0], cashier.states(odd)) == ("differs", {})
    [problem] = cashier.rows("sync.problem", peakflo_id=odd)
    assert problem["actor"] == "data engineer"
    assert cashier.states(plain) == {"payment": ["made"]}


def test_a_payment_that_may_not_go_any_more_is_a_problem_when_its_journal_entry_is_delivered(
    cashier: Cashier,
):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice, processing_fee="3.20")
    lose_answer(cashier, "reset", "journalentry")
    cashier.push(settled_after=timedelta(minutes=2))
    pay_in_quickbooks(cashier, invoice)
    cashier.bench.sync(cashier.company)
    cashier.push(settled_after=timedelta(minutes=2))
    assert cashier.states(payment_id) == {"journal_entry": ["unknown"]}

    push_later(cashier)

    assert cashier.states(payment_id) == {"journal_entry": ["made"]}
    assert cashier.problems() == [cashier.delivery(payment_id)["code"]] == ["target_balance"]


def test_one_that_quickbooks_does_not_answer_about_does_not_stop_the_others(cashier: Cashier):
    first, second = cashier.invoices(2)
    troubled = cashier.take(first, processing_fee="3.20")
    lose_answer(cashier, path="journalentry")
    fail_searches(cashier, "JournalEntry")
    with pytest.raises(UnreachableError):
        cashier.push()
    other = cashier.take(second)

    with pytest.raises(UnreachableError):
        cashier.push()

    assert cashier.states(troubled) == {"journal_entry": ["unknown"]}
    assert cashier.states(other) == {"payment": ["made"]}
    cashier.bench.sandbox.clear_faults()
    cashier.push()
    assert cashier.states(troubled) == {"payment": ["made"], "journal_entry": ["made"]}
    assert cashier.problems() == []


def test_while_quickbooks_is_down_the_others_wait_instead_of_failing_one_by_one(cashier: Cashier):
    payments = [cashier.take(invoice) for invoice in cashier.invoices(5)]
    for path in ("payment", "query"):
        cashier.bench.sandbox.add_fault("500", realm=cashier.company.realm_id, path=path)

    for _ in range(2):
        with pytest.raises(UnreachableError):
            cashier.push()

    states = [cashier.states(payment_id) for payment_id in payments]
    assert states == [{"payment": ["unknown"]}] * 2 + [{}] * 3
    cashier.bench.sandbox.clear_faults()
    cashier.push()
    assert [cashier.states(payment_id) for payment_id in payments] == [{"payment": ["made"]}] * 5
    assert [len(records) for records in cashier.in_quickbooks().values()] == [1] * 5
