"""Payments that somebody undoes in QuickBooks: sent once more, or left so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from include.errors import ConfigurationError, UnreachableError
from tests.support.payment_steps import alive, delivered, ignore, lose_answer, retry, settle, undo

if TYPE_CHECKING:
    from tests.support.cashier import Cashier


@pytest.mark.parametrize("how", ["void", "delete"])
def test_a_payment_undone_in_quickbooks_is_sent_once_more_when_a_person_retries_it(
    cashier: Cashier, how: str
):
    payment_id = delivered(cashier)
    undo(cashier, payment_id, how)
    assert cashier.problems() == [f"{how.removesuffix('e')}ed_in_quickbooks"]
    retry(cashier, payment_id)
    settle(cashier)
    first, second = cashier.records(payment_id)
    assert (first["state"], second["state"]) == ("gone", "made")
    assert second["request_id"] == f"{first['request_id']}-g1"
    [record] = alive(cashier, payment_id)
    assert record["Id"] == second["qbo_id"] != first["qbo_id"]
    [payment] = cashier.rows("peakflo.payment", id=payment_id)
    assert (payment["source_id"], payment["status"]) == (record["Id"], "active")
    assert cashier.problems() == []
    own = cashier.rows("peakflo.payment", amount=100, customer_id=payment["customer_id"])
    assert [row["id"] for row in own] == [payment_id]


@pytest.mark.parametrize("how", ["void", "delete"])
def test_a_payment_sent_once_more_is_adopted_when_its_answer_is_lost(cashier: Cashier, how: str):
    payment_id = delivered(cashier)
    undo(cashier, payment_id, how)
    retry(cashier, payment_id)
    lose_answer(cashier)
    settle(cashier)
    [record] = alive(cashier, payment_id)
    assert cashier.record(payment_id)["qbo_id"] == record["Id"]
    assert cashier.problems() == []


@pytest.mark.parametrize("how", ["void", "delete"])
def test_a_payment_sent_once_more_is_recognised_before_its_answer_is_recorded(cashier: Cashier, how: str):
    payment_id = delivered(cashier)
    undo(cashier, payment_id, how)
    retry(cashier, payment_id)
    lose_answer(cashier)
    cashier.bench.sandbox.add_fault("500", realm=cashier.company.realm_id, path="query")
    with pytest.raises(UnreachableError):
        cashier.push()
    cashier.bench.sandbox.clear_faults()
    before = len(cashier.rows("peakflo.payment"))
    cashier.bench.sync(cashier.company)
    assert len(cashier.rows("peakflo.payment")) == before
    settle(cashier)
    [record] = alive(cashier, payment_id)
    assert cashier.record(payment_id)["qbo_id"] == record["Id"]
    assert cashier.problems() == []


@pytest.mark.parametrize("how", ["void", "delete"])
def test_a_payment_undone_in_quickbooks_may_be_left_so(cashier: Cashier, how: str):
    payment_id = delivered(cashier)
    undo(cashier, payment_id, how)
    ignore(cashier, payment_id)
    settle(cashier)
    assert cashier.states(payment_id) == {"payment": ["gone"]}
    assert cashier.delivery(payment_id)["kind"] == "ignored"
    assert alive(cashier, payment_id) == []
    assert cashier.problems() == []


def test_a_payment_left_undone_may_still_be_sent_once_more(cashier: Cashier):
    payment_id = delivered(cashier)
    undo(cashier, payment_id, "delete")
    ignore(cashier, payment_id)
    retry(cashier, payment_id)
    settle(cashier)
    assert len(alive(cashier, payment_id)) == 1


def test_a_payment_that_is_in_quickbooks_can_be_neither_retried_nor_ignored(cashier: Cashier):
    payment_id = delivered(cashier, processing_fee="2")
    cashier.push()
    for decide in (retry, ignore):
        with pytest.raises(ConfigurationError, match="agrees with QuickBooks: there is nothing to"):
            decide(cashier, payment_id)


def test_a_payment_whose_entry_was_deleted_with_it_is_sent_once_more_with_another(cashier: Cashier):
    payment_id = delivered(cashier, amount="97", processing_fee="2", rounding_amount="3")
    entry = cashier.record(payment_id, "journal_entry")["qbo_id"]
    cashier.books.delete("JournalEntry", entry)
    undo(cashier, payment_id, "delete")
    retry(cashier, payment_id)
    settle(cashier)
    [record], [made] = alive(cashier, payment_id), alive(cashier, payment_id, "JournalEntry")
    assert {"TxnId": made["Id"], "TxnType": "JournalEntry"} in [
        link for line in record["Line"] for link in line["LinkedTxn"]
    ]
    assert cashier.problems() == []


def test_a_payment_whose_entry_is_still_there_is_sent_once_more_with_the_same(cashier: Cashier):
    payment_id = delivered(cashier, amount="97", processing_fee="2", rounding_amount="3")
    entry = cashier.record(payment_id, "journal_entry")["qbo_id"]
    undo(cashier, payment_id, "delete")
    retry(cashier, payment_id)
    settle(cashier)
    [made] = alive(cashier, payment_id, "JournalEntry")
    assert (made["Id"], len(alive(cashier, payment_id))) == (entry, 1)
    assert cashier.problems() == []


@pytest.mark.parametrize("how", ["void", "delete"])
def test_a_payment_undone_in_quickbooks_and_cancelled_in_peakflo_is_no_problem_any_more(
    cashier: Cashier, how: str
):
    payment_id = delivered(cashier, processing_fee="2")
    undo(cashier, payment_id, how)
    cashier.cancel(payment_id)
    settle(cashier)
    assert alive(cashier, payment_id) == []
    assert alive(cashier, payment_id, "JournalEntry") == []
    assert cashier.problems() == []
    cashier.bench.db.execute(
        "insert into staging.unmerged select realm_id, entity, qbo_id from staging.payment"
    )
    settle(cashier)
    assert cashier.problems() == []


def test_a_payment_that_was_sent_twice_survives_a_merge_of_everything(cashier: Cashier):
    payment_id = delivered(cashier)
    undo(cashier, payment_id, "delete")
    retry(cashier, payment_id)
    settle(cashier)
    before = cashier.rows("peakflo.payment")
    cashier.bench.db.execute("delete from mapping.record where entity = 'payment' and origin = 'peakflo'")
    cashier.bench.db.execute(
        "insert into staging.unmerged select realm_id, entity, qbo_id from staging.payment"
    )
    settle(cashier)
    assert cashier.rows("peakflo.payment") == before
    assert cashier.problems() == []
    mapped = cashier.rows("mapping.payment", peakflo_id=payment_id)
    assert [row["qbo_id"] for row in mapped] == [cashier.record(payment_id)["qbo_id"]]
