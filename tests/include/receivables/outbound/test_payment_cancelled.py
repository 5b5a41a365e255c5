"""Payments that are cancelled in Peakflo and count again, before, during and after their delivery."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from include.errors import ConfigurationError, UnreachableError
from include.receivables.outbound import deliveries
from include.receivables.views.delivery_choices import read_choices
from tests.support.payment_steps import alive, delivered, lose_answer, retry, settle, take_up, undo

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
        assert cashier.delivery(payment_id)["generation"] == generation
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


@pytest.mark.parametrize("kind", ["lost_answer", "reset"])
def test_a_payment_taken_up_again_while_it_is_being_voided_is_sent_anew_once_that_is_done(
    cashier: Cashier, kind: str
):
    payment_id = delivered(cashier)
    cashier.cancel(payment_id)
    cashier.bench.sandbox.add_fault(
        kind, realm=cashier.company.realm_id, path="payment", method="POST", count=1
    )
    cashier.bench.sandbox.add_fault("500", realm=cashier.company.realm_id, path="query")
    with pytest.raises(UnreachableError):
        cashier.push()
    cashier.bench.sandbox.clear_faults()
    assert cashier.states(payment_id)["payment void"] == "unknown"
    take_up(cashier, payment_id)
    assert cashier.states(payment_id)["payment void"] == "unknown"
    settle(cashier)
    assert len(alive(cashier, payment_id)) == 1
    assert cashier.problems() == []


def test_a_payment_cancelled_while_it_is_being_sent_is_voided_once_it_is_there(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    lose_answer(cashier, "reset")
    cashier.push(settled_after=timedelta(minutes=2))
    assert cashier.states(payment_id) == {"payment create": "unknown"}
    cashier.cancel(payment_id)
    settle(cashier)
    assert alive(cashier, payment_id) == []
    assert cashier.problems() == []


def test_a_payment_cancelled_while_it_is_being_sent_and_refused_is_withdrawn_without_a_problem(
    cashier: Cashier,
):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    customer = cashier.books.read("Invoice", invoice["source_id"])["CustomerRef"]["value"]
    lose_answer(cashier, "reset")
    cashier.push(settled_after=timedelta(minutes=2))
    cashier.books.pay(customer, "100", ("Invoice", invoice["source_id"], "100"))
    cashier.cancel(payment_id)
    settle(cashier)
    assert cashier.states(payment_id) == {"payment create": "withdrawn", "payment void": "withdrawn"}
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
    assert (cashier.states(payment_id), len(cashier.problems())) == ({"payment create": "rejected"}, 1)
    cashier.cancel(payment_id)
    assert (cashier.states(payment_id), cashier.problems()) == ({"payment create": "withdrawn"}, [])
    cashier.books.delete("Payment", other)
    cashier.bench.sync(cashier.company)
    take_up(cashier, payment_id)
    settle(cashier)
    assert len(alive(cashier, payment_id)) == 1
    assert cashier.problems() == []


def test_a_cancelled_payment_that_a_person_retries_is_not_sent(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    cashier.bench.db.execute("update outbox.delivery set state = 'possible_orphan', code = 'x'")
    cashier.cancel(payment_id)
    retry(cashier, payment_id)
    settle(cashier)
    assert cashier.states(payment_id)["payment create"] == "withdrawn"
    assert cashier.in_quickbooks() == {}


def test_a_payment_whose_void_was_refused_is_no_problem_once_it_is_taken_up_again(cashier: Cashier):
    payment_id = delivered(cashier)
    cashier.books.allocate(cashier.delivery(payment_id)["qbo_id"])
    cashier.bench.sync(cashier.company)
    cashier.cancel(payment_id)
    settle(cashier)
    assert sorted(cashier.problems()) == ["changed_in_quickbooks", "edited_in_quickbooks"]
    take_up(cashier, payment_id)
    assert cashier.problems() == ["edited_in_quickbooks"]


def test_a_payment_voided_by_hand_for_a_refused_void_and_taken_up_again_is_sent_anew(cashier: Cashier):
    payment_id = delivered(cashier)
    cashier.books.allocate(cashier.delivery(payment_id)["qbo_id"])
    cashier.bench.sync(cashier.company)
    cashier.cancel(payment_id)
    settle(cashier)
    undo(cashier, payment_id, "void")
    void = cashier.delivery(payment_id, operation="void")["delivery_id"]
    deliveries.ignore(cashier.bench.db, cashier.company, void)
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
    cashier.books.allocate(cashier.delivery(payment_id)["qbo_id"])
    cashier.books.delete("JournalEntry", cashier.delivery(payment_id, "adjustment")["qbo_id"])
    cashier.bench.sync(cashier.company)
    for _ in range(2):
        cashier.cancel(payment_id)
        take_up(cashier, payment_id)
    settle(cashier)
    assert sorted(cashier.problems()) == ["edited_in_quickbooks", "entry_deleted_in_quickbooks"]


def test_a_journal_entry_edited_while_it_was_being_undone_is_told_once_the_payment_is_taken_up_again(
    cashier: Cashier,
):
    payment_id = delivered(cashier, processing_fee="2")
    entry_id = cashier.delivery(payment_id, "adjustment")["qbo_id"]
    cashier.cancel(payment_id)
    cashier.bench.sandbox.add_fault(
        "reset", realm=cashier.company.realm_id, path="journalentry", method="POST", count=1
    )
    cashier.push(settled_after=timedelta(minutes=2))
    assert cashier.states(payment_id)["adjustment void"] == "unknown"
    lines = [{**line, "Amount": "4"} for line in cashier.books.read("JournalEntry", entry_id)["Line"]]
    cashier.books.change("JournalEntry", entry_id, Line=lines)
    # Read while the undoing is in the air: what differs may be its doing.
    cashier.bench.sync(cashier.company)
    take_up(cashier, payment_id)
    settle(cashier)
    settle(cashier)
    assert cashier.problems() == ["entry_edited_in_quickbooks"]


@pytest.mark.parametrize("is_revived", [True, False])
def test_a_journal_entry_that_waits_is_let_go_of_with_its_payment_and_goes_with_it(
    cashier: Cashier, is_revived: bool
):
    payment_id = delivered(cashier, processing_fee="2")
    qbo_id = cashier.delivery(payment_id)["qbo_id"]
    cashier.books.delete("JournalEntry", cashier.delivery(payment_id, "adjustment")["qbo_id"])
    undo(cashier, payment_id, "void")
    retry(cashier, payment_id, "adjustment")
    deliveries.ignore(cashier.bench.db, cashier.company, cashier.delivery(payment_id)["delivery_id"])
    settle(cashier)
    assert cashier.states(payment_id) == {"payment create": "ignored", "adjustment create": "withdrawn"}

    if is_revived:
        revive(cashier, payment_id, qbo_id)
    retry(cashier, payment_id)
    settle(cashier)

    assert cashier.states(payment_id) == {"payment create": "delivered", "adjustment create": "delivered"}
    assert (len(alive(cashier, payment_id)), len(alive(cashier, payment_id, "JournalEntry"))) == (1, 1)
    assert cashier.problems() == []


def test_a_journal_entry_that_waits_goes_with_its_payment_when_that_is_sent_anew(cashier: Cashier):
    payment_id = delivered(cashier, processing_fee="2")
    cashier.books.delete("JournalEntry", cashier.delivery(payment_id, "adjustment")["qbo_id"])
    undo(cashier, payment_id, "delete")
    retry(cashier, payment_id, "adjustment")
    retry(cashier, payment_id)
    assert cashier.states(payment_id) == {"payment create": "queued", "adjustment create": "withdrawn"}
    settle(cashier)
    assert cashier.states(payment_id) == {"payment create": "delivered", "adjustment create": "delivered"}
    assert (len(alive(cashier, payment_id)), len(alive(cashier, payment_id, "JournalEntry"))) == (1, 1)
    assert cashier.problems() == []


def test_there_is_nothing_to_ignore_about_a_payment_that_peakflo_took_back(cashier: Cashier):
    payment_id = delivered(cashier)
    cashier.cancel(payment_id)
    settle(cashier)
    delivery_id = cashier.delivery(payment_id)["delivery_id"]
    assert not read_choices(cashier.bench.db, cashier.company, delivery_id).may_ignore
    with pytest.raises(ConfigurationError, match="cannot be ignored"):
        deliveries.ignore(cashier.bench.db, cashier.company, delivery_id)
    revive(cashier, payment_id, cashier.delivery(payment_id)["qbo_id"])
    assert cashier.problems() == ["revived_in_quickbooks"]


@pytest.mark.parametrize("is_revived", [True, False])
def test_an_ignored_payment_that_was_cancelled_is_taken_back_once_somebody_cares_again(
    cashier: Cashier, is_revived: bool
):
    payment_id = delivered(cashier)
    qbo_id = cashier.delivery(payment_id)["qbo_id"]
    undo(cashier, payment_id, "void")
    deliveries.ignore(cashier.bench.db, cashier.company, cashier.delivery(payment_id)["delivery_id"])
    cashier.cancel(payment_id)
    if is_revived:
        revive(cashier, payment_id, qbo_id)
    settle(cashier)
    assert len(alive(cashier, payment_id)) == is_revived

    retry(cashier, payment_id)
    settle(cashier)

    assert alive(cashier, payment_id) == []
    assert cashier.problems() == []


@pytest.mark.parametrize("amount", ["100", "60"])
def test_an_ignored_payment_that_has_money_again_is_compared_once_somebody_cares_again(
    cashier: Cashier, amount: str
):
    payment_id = delivered(cashier)
    undo(cashier, payment_id, "void")
    delivery = cashier.delivery(payment_id)
    deliveries.ignore(cashier.bench.db, cashier.company, delivery["delivery_id"])
    revive(cashier, payment_id, delivery["qbo_id"], amount)

    retry(cashier, payment_id)
    settle(cashier)

    after = cashier.delivery(payment_id)
    assert (after["state"], after["generation"], after["qbo_id"]) == ("delivered", 0, delivery["qbo_id"])
    assert len(alive(cashier, payment_id)) == 1
    assert cashier.problems() == ([] if amount == "100" else ["edited_in_quickbooks"])


def test_an_ignored_journal_entry_that_is_still_gone_is_a_problem_again_once_somebody_cares_again(
    cashier: Cashier,
):
    payment_id = delivered(cashier, amount="97", processing_fee="2", rounding_amount="3")
    entry = cashier.delivery(payment_id, "adjustment")
    cashier.books.delete("JournalEntry", entry["qbo_id"])
    cashier.bench.sync(cashier.company)
    deliveries.ignore(cashier.bench.db, cashier.company, entry["delivery_id"])
    assert cashier.problems() == ["edited_in_quickbooks"]

    retry(cashier, payment_id, "adjustment")
    settle(cashier)

    assert sorted(cashier.problems()) == ["edited_in_quickbooks", "entry_deleted_in_quickbooks"]
    assert cashier.states(payment_id) == {"payment create": "delivered", "adjustment create": "delivered"}


def revive(cashier: Cashier, payment_id: UUID, qbo_id: str, amount: str = "100") -> None:
    """Give a voided payment its money again in QuickBooks by hand."""
    [allocation] = cashier.rows("peakflo.payment_allocation", payment_id=payment_id)
    cashier.books.allocate(qbo_id, ("Invoice", allocation["target_source_id"], amount), TotalAmt=amount)
    cashier.bench.sync(cashier.company)


def test_a_voided_payment_that_has_money_again_in_quickbooks_is_a_problem_until_it_has_none(cashier: Cashier):
    payment_id = delivered(cashier)
    cashier.cancel(payment_id)
    settle(cashier)
    qbo_id = cashier.delivery(payment_id)["qbo_id"]
    revive(cashier, payment_id, qbo_id)
    assert cashier.problems() == ["revived_in_quickbooks"]
    cashier.books.void("Payment", qbo_id)
    cashier.bench.sync(cashier.company)
    assert cashier.problems() == []


def test_a_payment_voided_by_hand_and_cancelled_that_has_money_again_is_a_problem_until_it_has_none(
    cashier: Cashier,
):
    payment_id = delivered(cashier)
    qbo_id = cashier.delivery(payment_id)["qbo_id"]
    undo(cashier, payment_id, "void")
    cashier.cancel(payment_id)
    settle(cashier)
    assert cashier.problems() == []
    revive(cashier, payment_id, qbo_id)
    assert cashier.problems() == ["revived_in_quickbooks"]
    cashier.books.void("Payment", qbo_id)
    cashier.bench.sync(cashier.company)
    assert cashier.problems() == []


def test_a_voided_payment_that_has_money_again_in_quickbooks_is_not_sent_anew_when_it_is_taken_up(
    cashier: Cashier,
):
    payment_id = delivered(cashier)
    cashier.cancel(payment_id)
    settle(cashier)
    revive(cashier, payment_id, cashier.delivery(payment_id)["qbo_id"])
    take_up(cashier, payment_id)
    settle(cashier)
    assert len(alive(cashier, payment_id)) == 1
    cashier.cancel(payment_id)
    settle(cashier)
    assert alive(cashier, payment_id) == []
    assert cashier.problems() == []


def test_a_former_payment_that_has_money_again_in_quickbooks_is_a_problem(cashier: Cashier):
    payment_id = delivered(cashier)
    first = cashier.delivery(payment_id)["qbo_id"]
    cashier.cancel(payment_id)
    settle(cashier)
    take_up(cashier, payment_id)
    settle(cashier)
    second = cashier.delivery(payment_id)["qbo_id"]
    cashier.books.allocate(second)
    revive(cashier, payment_id, first)
    assert sorted(cashier.problems()) == ["edited_in_quickbooks", "revived_in_quickbooks"]
    cashier.books.delete("Payment", first)
    cashier.bench.sync(cashier.company)
    assert cashier.problems() == ["edited_in_quickbooks"]


def test_one_of_several_former_payments_that_is_as_it_should_be_does_not_speak_for_the_other(
    cashier: Cashier,
):
    payment_id = delivered(cashier)
    first = cashier.delivery(payment_id)["qbo_id"]
    for step in (cashier.cancel, lambda key: take_up(cashier, key), cashier.cancel):
        step(payment_id)
        settle(cashier)
    revive(cashier, payment_id, cashier.delivery(payment_id)["qbo_id"])
    cashier.books.change("Payment", first, PaymentRefNum="cheque 7")
    cashier.bench.sync(cashier.company)
    assert cashier.problems() == ["revived_in_quickbooks"]
    cashier.books.delete("Payment", cashier.delivery(payment_id)["qbo_id"])
    cashier.bench.sync(cashier.company)
    assert cashier.problems() == []


@pytest.mark.parametrize("how", ["by Peakflo", "by hand"])
def test_a_former_payment_that_has_money_again_stays_a_problem_when_the_latest_is_undone(
    cashier: Cashier, how: str
):
    payment_id = delivered(cashier, amount="40")
    first = cashier.delivery(payment_id)["qbo_id"]
    cashier.cancel(payment_id)
    settle(cashier)
    take_up(cashier, payment_id)
    settle(cashier)
    if how == "by hand":
        cashier.books.void("Payment", cashier.delivery(payment_id)["qbo_id"])
    revive(cashier, payment_id, first, "40")
    cashier.cancel(payment_id)
    settle(cashier)
    assert [record["Id"] for record in alive(cashier, payment_id)] == [first]
    assert cashier.problems() == ["revived_in_quickbooks"]
    cashier.books.void("Payment", first)
    settle(cashier)
    assert cashier.problems() == []


def test_a_journal_entry_deleted_by_hand_is_told_when_its_payment_is_undone_and_sent_anew(cashier: Cashier):
    payment_id = delivered(cashier, processing_fee="2")
    cashier.cancel(payment_id)
    lose_answer(cashier, "reset")
    cashier.push(settled_after=timedelta(minutes=2))
    assert cashier.states(payment_id)["payment void"] == "unknown"
    cashier.books.delete("JournalEntry", cashier.delivery(payment_id, "adjustment")["qbo_id"])
    cashier.bench.sync(cashier.company)
    take_up(cashier, payment_id)
    settle(cashier)
    assert len(alive(cashier, payment_id)) == 1
    assert cashier.problems() == ["entry_deleted_in_quickbooks"]

    retry(cashier, payment_id, "adjustment")
    settle(cashier)

    assert len(alive(cashier, payment_id, "JournalEntry")) == 1
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
    cashier.books.delete("Payment", cashier.delivery(payment_id)["qbo_id"])
    cashier.cancel(payment_id)

    cashier.push()

    assert cashier.states(payment_id)["payment void"] == "delivered"
    settle(cashier)
    assert cashier.problems() == []


def test_a_payment_that_is_there_although_quickbooks_does_not_find_it_is_set_aside(cashier: Cashier):
    payment_id = delivered(cashier)
    cashier.cancel(payment_id)
    lose_answer(cashier, "reset")
    cashier.push(settled_after=timedelta(minutes=2))
    # As QuickBooks answers when an account of the payment is inactive.
    cashier.bench.db.execute(
        "update outbox.delivery set code = '610', reason = 'Object Not Found' where operation = 'void'"
    )

    cashier.push()

    assert cashier.states(payment_id)["payment void"] == "rejected"
    [problem] = cashier.rows("sync.problem", peakflo_id=payment_id)
    assert (problem["code"], problem["actor"]) == ("610", "bookkeeper")
    assert len(alive(cashier, payment_id)) == 1
