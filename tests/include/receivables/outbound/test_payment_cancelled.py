"""Payments that are cancelled in Peakflo and count again, before, during and after their delivery."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from include.errors import ConfigurationError, ThrottledError, UnreachableError
from include.receivables.outbound import decisions
from include.receivables.views.deliveries import read_choices
from tests.support.payment_steps import (
    alive,
    delivered,
    ignore,
    lose_answer,
    push_later,
    retry,
    settle,
    take_up,
    undo,
)

if TYPE_CHECKING:
    from uuid import UUID

    from tests.support.cashier import Cashier


@pytest.mark.parametrize("extra", [{}, {"amount": "97", "processing_fee": "2", "rounding_amount": "3"}])
def test_a_payment_taken_up_again_after_it_was_voided_is_sent_anew_and_can_be_taken_back_again(
    cashier: Cashier, extra: dict[str, str]
):
    payment_id = delivered(cashier, **extra)
    for generation in (1, 2):
        cashier.cancel(payment_id)
        settle(cashier)
        assert (alive(cashier, payment_id), alive(cashier, payment_id, "JournalEntry")) == ([], [])
        take_up(cashier, payment_id)
        settle(cashier)
        assert cashier.record(payment_id)["generation"] == generation
        [record] = alive(cashier, payment_id)
        assert cashier.rows("peakflo.payment", id=payment_id)[0]["source_id"] == record["Id"]
        assert len(alive(cashier, payment_id, "JournalEntry")) == len(extra) // 2
    assert cashier.problems() == []


def test_a_payment_taken_up_again_before_it_was_voided_stays_as_it_is(cashier: Cashier):
    payment_id = delivered(cashier, processing_fee="2")
    before = cashier.in_quickbooks(), cashier.in_quickbooks("JournalEntry")
    cashier.cancel(payment_id)
    take_up(cashier, payment_id)
    settle(cashier)
    assert (cashier.in_quickbooks(), cashier.in_quickbooks("JournalEntry")) == before
    cashier.cancel(payment_id)
    settle(cashier)
    assert (alive(cashier, payment_id), alive(cashier, payment_id, "JournalEntry")) == ([], [])
    assert cashier.problems() == []


def push_blindly(cashier: Cashier, kind: str) -> None:
    """Deliver while an answer is lost, and nothing can be asked."""
    lose_answer(cashier, kind)
    cashier.bench.sandbox.add_fault("500", realm=cashier.company.realm_id, path="query")
    with pytest.raises(UnreachableError):
        cashier.push()
    cashier.bench.sandbox.clear_faults()


@pytest.mark.parametrize("kind", ["lost_answer", "reset"])
def test_a_payment_taken_up_again_while_it_is_being_voided_is_sent_anew_once_that_is_done(
    cashier: Cashier, kind: str
):
    payment_id = delivered(cashier)
    cashier.cancel(payment_id)
    push_blindly(cashier, kind)
    assert cashier.states(payment_id) == {"payment": ["undoing"]}
    take_up(cashier, payment_id)
    settle(cashier)
    assert cashier.states(payment_id) == {"payment": ["undone", "made"]}
    assert len(alive(cashier, payment_id)) == 1
    assert cashier.problems() == []


@pytest.mark.parametrize("kind", ["lost_answer", "reset"])
def test_a_payment_cancelled_while_it_is_being_sent_is_undone_if_it_is_there_and_not_sent_until_taken_up_again(
    cashier: Cashier, kind: str
):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    push_blindly(cashier, kind)
    assert cashier.states(payment_id) == {"payment": ["unknown"]}
    cashier.cancel(payment_id)
    settle(cashier)
    assert cashier.states(payment_id) == {"payment": [{"lost_answer": "undone", "reset": "absent"}[kind]]}
    assert cashier.standing(payment_id) == ("agrees", "cancelled")
    assert (alive(cashier, payment_id), cashier.problems()) == ([], [])
    take_up(cashier, payment_id)
    settle(cashier)
    assert (len(alive(cashier, payment_id)), cashier.problems()) == (1, [])


def test_a_payment_that_never_left_is_sent_when_it_is_taken_up_again(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    lose_answer(cashier, "429")
    with pytest.raises(ThrottledError):
        cashier.push()
    assert cashier.states(payment_id) == {"payment": ["intended"]}
    cashier.cancel(payment_id)
    cashier.push()
    assert cashier.states(payment_id) == {"payment": ["absent"]}
    take_up(cashier, payment_id)
    cashier.push()
    assert cashier.states(payment_id) == {"payment": ["absent", "made"]}
    assert cashier.problems() == []


def test_a_refused_payment_that_is_cancelled_is_no_problem_and_taken_up_again_is_asked_about_anew(
    cashier: Cashier,
):
    cashier.bench.sandbox.change_settings(cashier.company.realm_id, requestid_remembers_faults=True)
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    customer = cashier.books.read("Invoice", invoice["source_id"])["CustomerRef"]["value"]
    other = cashier.books.pay(customer, "100", ("Invoice", invoice["source_id"], "100"))
    cashier.push()
    assert (cashier.states(payment_id), len(cashier.problems())) == ({"payment": ["refused"]}, 1)
    cashier.cancel(payment_id)
    cashier.push()
    assert (cashier.standing(payment_id), cashier.problems()) == (("agrees", "cancelled"), [])
    cashier.books.delete("Payment", other)
    cashier.bench.sync(cashier.company)
    take_up(cashier, payment_id)
    settle(cashier)
    assert len(alive(cashier, payment_id)) == 1
    assert cashier.problems() == []


def test_an_orphan_that_is_cancelled_is_not_sent_although_a_person_retried_it(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    lose_answer(cashier, "reset")
    cashier.push(settled_after=timedelta(minutes=2))
    push_later(cashier, minutes=12 * 60)
    assert cashier.problems() == ["possible_orphan"]
    retry(cashier, payment_id)
    cashier.cancel(payment_id)
    settle(cashier)
    assert cashier.standing(payment_id) == ("agrees", "cancelled")
    assert cashier.in_quickbooks() == {}
    with pytest.raises(ConfigurationError, match="nothing to retry"):
        retry(cashier, payment_id)


def test_a_payment_whose_void_was_refused_is_no_problem_once_it_is_taken_up_again(cashier: Cashier):
    payment_id = delivered(cashier)
    cashier.books.allocate(cashier.record(payment_id)["qbo_id"])
    cashier.bench.sync(cashier.company)
    cashier.cancel(payment_id)
    settle(cashier)
    assert cashier.problems() == ["changed_in_quickbooks"]
    take_up(cashier, payment_id)
    cashier.push()
    assert cashier.problems() == ["edited_in_quickbooks"]


def test_a_payment_voided_by_hand_for_a_refused_void_and_taken_up_again_is_sent_anew(cashier: Cashier):
    payment_id = delivered(cashier)
    cashier.books.allocate(cashier.record(payment_id)["qbo_id"])
    cashier.bench.sync(cashier.company)
    cashier.cancel(payment_id)
    settle(cashier)
    assert cashier.problems() == ["changed_in_quickbooks"]
    undo(cashier, payment_id, "void")
    assert cashier.standing(payment_id) == ("agrees", "cancelled")
    take_up(cashier, payment_id)
    settle(cashier)
    assert len(alive(cashier, payment_id)) == 1
    cashier.cancel(payment_id)
    settle(cashier)
    assert alive(cashier, payment_id) == []
    assert cashier.problems() == []


def test_what_was_done_to_a_payment_by_hand_is_told_however_often_it_is_cancelled_and_taken_up_again(
    cashier: Cashier,
):
    payment_id = delivered(cashier, processing_fee="2")
    cashier.books.allocate(cashier.record(payment_id)["qbo_id"])
    cashier.books.delete("JournalEntry", cashier.record(payment_id, "journal_entry")["qbo_id"])
    cashier.bench.sync(cashier.company)
    for _ in range(2):
        cashier.cancel(payment_id)
        take_up(cashier, payment_id)
    settle(cashier)
    assert sorted(cashier.problems()) == ["deleted_in_quickbooks", "edited_in_quickbooks"]


def test_a_journal_entry_edited_while_it_was_being_undone_is_told_once_the_payment_is_taken_up_again(
    cashier: Cashier,
):
    payment_id = delivered(cashier, processing_fee="2")
    entry_id = cashier.record(payment_id, "journal_entry")["qbo_id"]
    cashier.cancel(payment_id)
    lose_answer(cashier, "reset", "journalentry")
    cashier.push(settled_after=timedelta(minutes=2))
    assert cashier.states(payment_id) == {"payment": ["undone"], "journal_entry": ["undoing"]}
    lines = [{**line, "Amount": "4"} for line in cashier.books.read("JournalEntry", entry_id)["Line"]]
    cashier.books.change("JournalEntry", entry_id, Line=lines)
    # Read while the undoing is in the air: what differs may be its doing.
    cashier.bench.sync(cashier.company)
    take_up(cashier, payment_id)
    settle(cashier)
    [problem] = cashier.rows("sync.problem", peakflo_id=payment_id)
    assert problem["code"] == "edited_in_quickbooks"
    assert problem["message"].startswith(f"JournalEntry {entry_id}")


@pytest.mark.parametrize("meanwhile", ["nothing", "ignored", "revived"])
def test_a_payment_and_its_journal_entry_that_were_undone_by_hand_are_sent_anew_by_one_retry(
    cashier: Cashier, meanwhile: str
):
    payment_id = delivered(cashier, processing_fee="2")
    qbo_id = cashier.record(payment_id)["qbo_id"]
    cashier.books.delete("JournalEntry", cashier.record(payment_id, "journal_entry")["qbo_id"])
    undo(cashier, payment_id, "void")
    assert cashier.states(payment_id) == {"payment": ["gone"], "journal_entry": ["gone"]}
    assert sorted(cashier.problems()) == ["deleted_in_quickbooks", "voided_in_quickbooks"]
    if meanwhile != "nothing":
        ignore(cashier, payment_id)
        if meanwhile == "revived":
            revive(cashier, payment_id, qbo_id)
        settle(cashier)
        assert (cashier.standing(payment_id)[0], cashier.problems()) == ("ignored", [])

    retry(cashier, payment_id)
    settle(cashier)

    payments = ["made"] if meanwhile == "revived" else ["gone", "made"]
    assert cashier.states(payment_id) == {"payment": payments, "journal_entry": ["gone", "made"]}
    assert (len(alive(cashier, payment_id)), len(alive(cashier, payment_id, "JournalEntry"))) == (1, 1)
    assert cashier.problems() == []


def test_there_is_nothing_to_ignore_about_a_payment_that_peakflo_took_back(cashier: Cashier):
    payment_id = delivered(cashier)
    cashier.cancel(payment_id)
    settle(cashier)
    assert not read_choices(cashier.bench.db, cashier.company, payment_id).may_ignore
    with pytest.raises(ConfigurationError, match="nothing to ignore"):
        ignore(cashier, payment_id)
    revive(cashier, payment_id, cashier.record(payment_id)["qbo_id"])
    cashier.push()
    assert cashier.problems() == ["revived_in_quickbooks"]


@pytest.mark.parametrize("amount", ["100", "60"])
def test_an_ignored_payment_that_has_money_again_is_compared_again(cashier: Cashier, amount: str):
    payment_id = delivered(cashier)
    undo(cashier, payment_id, "void")
    ignore(cashier, payment_id)
    revive(cashier, payment_id, cashier.record(payment_id)["qbo_id"], amount)
    cashier.push()
    assert cashier.states(payment_id) == {"payment": ["made"]}
    assert len(alive(cashier, payment_id)) == 1
    assert cashier.problems() == ([] if amount == "100" else ["edited_in_quickbooks"])


def test_a_deleted_journal_entry_that_is_ignored_leaves_the_payment_that_linked_it_a_problem(
    cashier: Cashier,
):
    payment_id = delivered(cashier, amount="97", processing_fee="2", rounding_amount="3")
    cashier.books.delete("JournalEntry", cashier.record(payment_id, "journal_entry")["qbo_id"])
    cashier.bench.sync(cashier.company)
    cashier.push()
    assert sorted(cashier.problems()) == ["deleted_in_quickbooks", "edited_in_quickbooks"]
    decisions.ignore(
        cashier.bench.db, cashier.company, payment_id, by="test", codes=["deleted_in_quickbooks"]
    )
    settle(cashier)
    assert cashier.problems() == ["edited_in_quickbooks"]
    assert cashier.states(payment_id) == {"payment": ["made"], "journal_entry": ["gone"]}


def revive(cashier: Cashier, payment_id: UUID, qbo_id: str, amount: str = "100") -> None:
    """Give a voided payment its money again in QuickBooks by hand."""
    [allocation] = cashier.rows("peakflo.payment_allocation", payment_id=payment_id)
    cashier.books.allocate(qbo_id, ("Invoice", allocation["target_source_id"], amount), TotalAmt=amount)
    cashier.bench.sync(cashier.company)


@pytest.mark.parametrize("how", ["by Peakflo", "by hand", "by hand and ignored"])
def test_a_voided_payment_that_has_money_again_in_quickbooks_is_a_problem_until_it_has_none(
    cashier: Cashier, how: str
):
    payment_id = delivered(cashier)
    qbo_id = cashier.record(payment_id)["qbo_id"]
    if how != "by Peakflo":
        undo(cashier, payment_id, "void")
    if how == "by hand and ignored":
        ignore(cashier, payment_id)
    cashier.cancel(payment_id)
    settle(cashier)
    assert cashier.standing(payment_id) == ("agrees", "cancelled")
    assert cashier.problems() == []
    revive(cashier, payment_id, qbo_id)
    cashier.push()
    assert cashier.problems() == ["revived_in_quickbooks"]
    cashier.books.void("Payment", qbo_id)
    cashier.bench.sync(cashier.company)
    cashier.push()
    assert cashier.problems() == []


def test_a_voided_payment_that_has_money_again_in_quickbooks_is_not_sent_anew_when_it_is_taken_up(
    cashier: Cashier,
):
    payment_id = delivered(cashier)
    cashier.cancel(payment_id)
    settle(cashier)
    revive(cashier, payment_id, cashier.record(payment_id)["qbo_id"])
    take_up(cashier, payment_id)
    settle(cashier)
    assert len(alive(cashier, payment_id)) == 1
    cashier.cancel(payment_id)
    settle(cashier)
    assert alive(cashier, payment_id) == []
    assert cashier.problems() == []


def test_a_former_payment_that_has_money_again_in_quickbooks_is_a_problem(cashier: Cashier):
    payment_id = delivered(cashier)
    first = cashier.record(payment_id)["qbo_id"]
    cashier.cancel(payment_id)
    settle(cashier)
    take_up(cashier, payment_id)
    settle(cashier)
    second = cashier.record(payment_id)["qbo_id"]
    cashier.books.allocate(second)
    revive(cashier, payment_id, first)
    cashier.push()
    assert sorted(cashier.problems()) == ["edited_in_quickbooks", "revived_in_quickbooks"]
    cashier.books.delete("Payment", first)
    cashier.bench.sync(cashier.company)
    cashier.push()
    assert cashier.problems() == ["edited_in_quickbooks"]


def test_one_of_several_former_payments_that_is_as_it_should_be_does_not_speak_for_the_other(
    cashier: Cashier,
):
    payment_id = delivered(cashier)
    first = cashier.record(payment_id)["qbo_id"]
    for step in (cashier.cancel, lambda key: take_up(cashier, key), cashier.cancel):
        step(payment_id)
        settle(cashier)
    revive(cashier, payment_id, cashier.record(payment_id)["qbo_id"])
    cashier.books.change("Payment", first, PaymentRefNum="cheque 7")
    cashier.bench.sync(cashier.company)
    cashier.push()
    assert cashier.problems() == ["revived_in_quickbooks"]
    cashier.books.delete("Payment", cashier.record(payment_id)["qbo_id"])
    cashier.bench.sync(cashier.company)
    cashier.push()
    assert cashier.problems() == []


@pytest.mark.parametrize("how", ["by Peakflo", "by hand"])
def test_a_former_payment_that_has_money_again_stays_a_problem_when_the_latest_is_undone(
    cashier: Cashier, how: str
):
    payment_id = delivered(cashier, amount="40")
    first = cashier.record(payment_id)["qbo_id"]
    cashier.cancel(payment_id)
    settle(cashier)
    take_up(cashier, payment_id)
    settle(cashier)
    if how == "by hand":
        cashier.books.void("Payment", cashier.record(payment_id)["qbo_id"])
    revive(cashier, payment_id, first, "40")
    cashier.cancel(payment_id)
    settle(cashier)
    assert [record["Id"] for record in alive(cashier, payment_id)] == [first]
    assert cashier.problems() == ["revived_in_quickbooks"]
    cashier.books.void("Payment", first)
    cashier.bench.sync(cashier.company)
    cashier.push()
    assert cashier.problems() == []


def test_a_journal_entry_deleted_by_hand_is_told_when_its_payment_is_undone_and_sent_anew(cashier: Cashier):
    payment_id = delivered(cashier, processing_fee="2")
    cashier.cancel(payment_id)
    lose_answer(cashier, "reset")
    cashier.push(settled_after=timedelta(minutes=2))
    assert cashier.states(payment_id) == {"payment": ["undoing"], "journal_entry": ["made"]}
    cashier.books.delete("JournalEntry", cashier.record(payment_id, "journal_entry")["qbo_id"])
    cashier.bench.sync(cashier.company)
    take_up(cashier, payment_id)
    push_later(cashier)
    assert cashier.states(payment_id) == {"payment": ["undone"], "journal_entry": ["gone"]}
    assert cashier.problems() == ["deleted_in_quickbooks"]

    retry(cashier, payment_id)
    settle(cashier)

    assert cashier.states(payment_id) == {"payment": ["undone", "made"], "journal_entry": ["gone", "made"]}
    assert cashier.problems() == []


def trial_balance(cashier: Cashier) -> dict[str, tuple[str, str]]:
    """Return what every account holds that holds anything."""
    trial = cashier.bench.sandbox.truth(cashier.company.realm_id)["trial_balance"]
    assert trial["debits"] == trial["credits"]
    return {
        account["name"]: (account["home"], account["amount"])
        for account in trial["accounts"].values()
        if Decimal(account["home"])
    }


def test_every_account_is_as_before_when_a_payment_is_undone_and_as_then_when_it_is_sent_anew(
    cashier: Cashier,
):
    [invoice] = cashier.invoices(1)
    before = trial_balance(cashier)
    payment_id = cashier.take(invoice, "97", processing_fee="2", rounding_amount="3")
    settle(cashier)
    then = trial_balance(cashier)
    assert then != before
    cashier.cancel(payment_id)
    settle(cashier)
    assert trial_balance(cashier) == before
    take_up(cashier, payment_id)
    settle(cashier)
    assert trial_balance(cashier) == then


def test_a_payment_entered_anew_for_a_cancelled_one_goes_before_the_void_was_read_back(cashier: Cashier):
    payment_id = delivered(cashier)
    [allocation] = cashier.rows("peakflo.payment_allocation", payment_id=payment_id)
    invoice = cashier.invoice(allocation["target_source_id"])
    cashier.cancel(payment_id)
    again = cashier.take(invoice)
    cashier.push()
    assert (alive(cashier, payment_id), len(alive(cashier, again))) == ([], 1)
    settle(cashier)
    assert cashier.problems() == []


def test_a_payment_taken_up_again_goes_before_its_void_was_read_back(cashier: Cashier):
    payment_id = delivered(cashier)
    cashier.cancel(payment_id)
    cashier.push()
    take_up(cashier, payment_id)
    cashier.push()
    assert len(alive(cashier, payment_id)) == 1
    settle(cashier)
    assert cashier.problems() == []


def test_a_cancelled_payment_that_was_just_deleted_in_quickbooks_is_undone_already(cashier: Cashier):
    payment_id = delivered(cashier)
    cashier.books.delete("Payment", cashier.record(payment_id)["qbo_id"])
    cashier.cancel(payment_id)

    cashier.push()

    assert cashier.states(payment_id) == {"payment": ["undone"]}
    settle(cashier)
    assert cashier.problems() == []


def test_a_payment_that_is_there_although_quickbooks_does_not_find_it_is_set_aside(cashier: Cashier):
    payment_id = delivered(cashier)
    cashier.cancel(payment_id)
    lose_answer(cashier, "reset")
    cashier.push(settled_after=timedelta(minutes=2))
    # As QuickBooks answers each time when an account of the payment is inactive.
    cashier.bench.db.execute("update outbox.record set sends = 2, code = '610', reason = 'Object Not Found'")

    push_later(cashier)

    assert cashier.states(payment_id) == {"payment": ["made"]}
    [problem] = cashier.rows("sync.problem", peakflo_id=payment_id)
    assert (problem["code"], problem["actor"]) == ("610", "bookkeeper")
    assert len(alive(cashier, payment_id)) == 1
