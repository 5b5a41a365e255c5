from __future__ import annotations

import time
from datetime import timedelta
from threading import Thread
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.types.json import Jsonb

from include.errors import BusyError, ConfigurationError
from include.receivables.outbound import payloads, work
from include.receivables.views.deliveries import set_auto_sync
from include.sql import load
from tests.support.payment_steps import (
    delivered,
    ignore,
    lose_answer,
    push_later,
    retry,
    set_payment,
    take_up,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from tests.support.cashier import Cashier, Json


@pytest.fixture
def notified(db_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(db_url, autocommit=True) as db:
        db.execute("listen outbox_delivery")
        yield db


def heard(db: psycopg.Connection) -> list[str]:
    return [each.payload for each in db.notifies(timeout=0.2)]


def queued(cashier: Cashier) -> list[UUID]:
    return [row["payment_id"] for row in cashier.rows("outbox.queue")]


def lose_request(cashier: Cashier) -> UUID:
    """Take a payment, and let its request be lost on its way."""
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    lose_answer(cashier, "reset")
    cashier.push(settled_after=timedelta(minutes=2))
    assert cashier.standing(payment_id) == ("waits", "undecided")
    return payment_id


def orphan(cashier: Cashier) -> UUID:
    """Let a payment be sent, get lost, and be looked for too late."""
    payment_id = lose_request(cashier)
    push_later(cashier, minutes=12 * 60)
    assert cashier.states(payment_id) == {"payment": ["absent"]}
    assert cashier.problems() == ["possible_orphan"]
    return payment_id


def enter_by_hand(cashier: Cashier, payment_id: UUID, **fields: str) -> str:
    """Have QuickBooks carry out what was sent for a payment after all, and return its Id."""
    written = cashier.books.write("Payment", **{**cashier.record(payment_id)["payload"], **fields})
    return str(written["Id"])


def test_a_payment_waits_until_it_is_settled(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice, settled_at=None)
    cashier.push()
    assert cashier.standing(payment_id) == ("waits", "not_settled")
    assert cashier.states(payment_id) == {}
    set_payment(cashier, payment_id, settled_at="2026-01-05T10:00:00Z")
    assert queued(cashier) == [payment_id]
    cashier.push()
    assert cashier.standing(payment_id) == ("agrees", "delivered")


def test_a_payment_that_is_rolled_back_leaves_nothing(cashier: Cashier, notified: psycopg.Connection):
    [invoice] = cashier.invoices(1)
    with cashier.bench.db.transaction(force_rollback=True):
        payment_id = cashier.take(invoice)
        assert cashier.standing(payment_id) == ("waits", "queued")
    assert cashier.rows("outbox.delivery") == queued(cashier) == []
    assert heard(notified) == []


def test_a_queued_payment_is_announced_once(cashier: Cashier, notified: psycopg.Connection):
    [invoice] = cashier.invoices(1)
    cashier.take(invoice)
    assert heard(notified) == ["acme"]
    cashier.push()
    assert heard(notified) == []


def test_a_payment_that_came_from_quickbooks_is_never_queued(cashier: Cashier):
    assert cashier.rows("peakflo.payment", origin="quickbooks")
    assert cashier.rows("outbox.delivery") == queued(cashier) == []


def test_a_payment_cancelled_and_taken_up_again_before_it_was_sent_is_sent(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    cashier.cancel(payment_id)
    cashier.push()
    assert cashier.standing(payment_id) == ("agrees", "cancelled")
    assert (cashier.states(payment_id), cashier.in_quickbooks()) == ({}, {})
    take_up(cashier, payment_id)
    cashier.push()
    assert cashier.states(payment_id) == {"payment": ["made"]}


def test_an_edit_before_sending_is_sent_and_one_after_it_is_a_problem(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    set_payment(cashier, payment_id, note="by card")
    cashier.push()
    [[record]] = cashier.in_quickbooks().values()
    assert record["PrivateNote"].startswith("by card")
    assert cashier.problems() == []
    cashier.bench.db.execute(
        "update peakflo.payment_allocation set amount = 90 where payment_id = %s", [payment_id]
    )
    cashier.push()
    assert cashier.problems() == ["edited_after_sending"]


def test_an_edit_waits_while_it_is_decided_about_the_payment(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    keys = {"company_id": cashier.company.company_id, "payment_id": payment_id}
    with cashier.bench.access.connect() as other:
        other.execute("set lock_timeout = '200ms'")
        with cashier.bench.db.transaction():
            cashier.bench.db.execute(load("outbox/lock_payment"), keys)
            for table, key in (("payment", "id"), ("payment_allocation", "payment_id")):
                with pytest.raises(psycopg.errors.LockNotAvailable):
                    other.execute(f"update peakflo.{table} set amount = 90 where {key} = %s", [payment_id])


def test_one_process_delivers_for_a_company_at_a_time(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    cashier.take(invoice)
    assert work.list_due_companies(cashier.bench.db) == ["acme"]
    with cashier.bench.access.connect() as other, work.delivery_lock(other, cashier.company):
        assert work.list_due_companies(cashier.bench.db) == []
        with pytest.raises(BusyError):
            cashier.push()
    cashier.push()
    assert work.list_due_companies(cashier.bench.db) == []


def test_an_orphan_that_a_person_retries_is_sent_under_a_new_id(cashier: Cashier):
    payment_id = orphan(cashier)
    retry(cashier, payment_id)
    cashier.push(settled_after=timedelta(minutes=2))
    assert cashier.record(payment_id)["request_id"].endswith("-g1")
    assert cashier.states(payment_id) == {"payment": ["absent", "made"]}
    assert cashier.problems() == []
    [records] = cashier.in_quickbooks().values()
    assert len(records) == 1


@pytest.mark.parametrize("is_synced", [False, True])
def test_an_orphan_that_is_in_quickbooks_after_all_is_adopted(cashier: Cashier, is_synced: bool):
    payment_id = orphan(cashier)
    # Its request was only slow.
    qbo_id = enter_by_hand(cashier, payment_id, PaymentRefNum="cheque 7")
    if is_synced:
        cashier.bench.sync(cashier.company)
    else:
        retry(cashier, payment_id)
    cashier.push()
    assert cashier.states(payment_id) == {"payment": ["made"]}
    assert [each["Id"] for [each] in cashier.in_quickbooks().values()] == [qbo_id]
    assert cashier.problems() == []


def test_a_refused_payment_that_is_in_quickbooks_after_all_is_adopted(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    customer = cashier.books.read("Invoice", invoice["source_id"])["CustomerRef"]["value"]
    other = cashier.books.pay(customer, "100", ("Invoice", invoice["source_id"], "100"))
    cashier.push()
    assert cashier.states(payment_id) == {"payment": ["refused"]}
    cashier.books.delete("Payment", other)
    enter_by_hand(cashier, payment_id)
    cashier.bench.sync(cashier.company)
    cashier.push()
    assert cashier.states(payment_id) == {"payment": ["made"]}
    assert cashier.problems() == []
    [records] = cashier.in_quickbooks().values()
    assert len(records) == 1


def test_of_several_that_could_be_it_none_is_chosen(cashier: Cashier):
    payment_id = lose_request(cashier)
    copies = [enter_by_hand(cashier, payment_id, TotalAmt="10", Line=[]) for _ in range(2)]
    push_later(cashier)
    assert cashier.states(payment_id) == {"payment": ["unknown"]}
    assert "several" in cashier.record(payment_id)["reason"]
    cashier.bench.sync(cashier.company)
    push_later(cashier)
    assert cashier.states(payment_id) == {"payment": ["unknown"]}
    assert cashier.problems() == ["several_found"]
    for copy in copies:
        cashier.books.delete("Payment", copy)
    cashier.bench.sync(cashier.company)
    push_later(cashier)
    assert cashier.states(payment_id) == {"payment": ["made"]}
    assert cashier.problems() == []


def test_an_answer_that_is_not_what_was_asked_for_is_a_problem(cashier: Cashier):
    cashier.bench.sandbox.change_settings(cashier.company.realm_id, over_application="cap")
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    customer = cashier.books.read("Invoice", invoice["source_id"])["CustomerRef"]["value"]
    cashier.books.pay(customer, "60", ("Invoice", invoice["source_id"], "60"))
    cashier.push()
    assert cashier.states(payment_id) == {"payment": ["made"]}
    [problem] = cashier.rows("sync.problem", peakflo_id=payment_id)
    assert problem["code"] == "answer_differs"
    assert "40.00 instead of" in problem["message"]


def test_a_cancelled_payment_in_a_deposit_cannot_be_voided_and_says_why(cashier: Cashier):
    funds = cashier.account("Undeposited Funds")
    cashier.bench.db.execute("update sync.account_mapping set account_qbo_id = %s", [funds])
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    cashier.push()
    linked = {"TxnId": cashier.record(payment_id)["qbo_id"], "TxnType": "Payment", "TxnLineId": "0"}
    cashier.books.write(
        "Deposit",
        DepositToAccountRef={"value": cashier.account("Checking")},
        Line=[{"Amount": 100, "LinkedTxn": [linked]}],
    )
    cashier.cancel(payment_id)
    cashier.push()
    assert cashier.standing(payment_id) == ("differs", "6540")
    assert cashier.states(payment_id) == {"payment": ["made"]}
    assert cashier.problems() == ["6540"]


@pytest.mark.parametrize("kind", ["lost_answer", "reset"])
def test_a_lost_answer_to_a_void_is_resolved_by_looking(cashier: Cashier, kind: str):
    payment_id = delivered(cashier)
    cashier.cancel(payment_id)
    lose_answer(cashier, kind)
    cashier.push()
    assert cashier.states(payment_id) == {"payment": ["undone"]}
    [[record]] = cashier.in_quickbooks().values()
    assert record["TotalAmt"] == 0


def test_lineage_leads_from_a_payment_to_its_moves_runs_and_versions(cashier: Cashier):
    payment_id = delivered(cashier)
    cashier.books.change("Payment", cashier.record(payment_id)["qbo_id"], TotalAmt="70", Line=[])
    cashier.bench.sync(cashier.company)
    rows = cashier.rows("outbox.lineage", payment_id=payment_id)
    sent, made = sorted(rows, key=lambda row: row["move_id"])
    assert (sent["to_state"], made["to_state"], made["dag_id"]) == ("sent", "made", "test")
    assert (sent["request_id"], bool(made["intuit_tid"])) == (
        payloads.request_id(payment_id, "payment"),
        True,
    )
    assert [version["sync_token"] for version in made["versions"]] == [0, 1]
    assert made["sync_token"] == 0


def test_a_reference_changed_in_quickbooks_is_no_problem_and_the_payment_can_still_be_cancelled(
    cashier: Cashier,
):
    payment_id = delivered(cashier)
    cashier.books.change("Payment", cashier.record(payment_id)["qbo_id"], PaymentRefNum="cheque 7")
    cashier.bench.sync(cashier.company)
    cashier.push()
    assert cashier.standing(payment_id) == ("agrees", "delivered")
    assert cashier.problems() == []
    cashier.cancel(payment_id)
    cashier.push()
    assert cashier.states(payment_id) == {"payment": ["undone"]}


def test_what_was_changed_back_in_quickbooks_is_no_problem_any_more(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    cashier.push()
    for amount, problems in (("70", ["edited_in_quickbooks"]), ("100", [])):
        qbo_id = cashier.record(payment_id)["qbo_id"]
        cashier.books.allocate(qbo_id, ("Invoice", invoice["source_id"], amount))
        cashier.bench.sync(cashier.company)
        cashier.push()
        assert cashier.problems() == problems


def test_a_round_that_only_finds_payments_that_wait_leaves_no_trace_in_the_log(cashier: Cashier):
    cashier.bench.db.execute("delete from sync.account_mapping")
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    before = cashier.rows("sync.run")
    cashier.push()
    assert cashier.standing(payment_id) == ("waits", "account_unmapped")
    assert cashier.rows("sync.run") == before


def test_a_cancellation_while_the_answer_is_recorded_is_not_refused(cashier: Cashier):
    """One waits for the other, and neither for ever."""
    payment_id = lose_request(cashier)
    entered: Json = cashier.books.write("Payment", **cashier.record(payment_id)["payload"])
    record_id = cashier.record(payment_id)["record_id"]
    facts = Jsonb({"qbo_id": entered["Id"], "sync_token": 0, "response": entered})
    with cashier.bench.access.connect() as other, cashier.bench.access.connect() as deliverer:
        with other.transaction():
            other.execute("select 1 from peakflo.payment where id = %s for no key update", [payment_id])
            statement = "select outbox.move(%s, 'made', 0, 'It was found.', %s)"
            recording = Thread(target=deliverer.execute, args=[statement, [record_id, facts]])
            recording.start()
            wait_until_blocked(cashier, other)
            other.execute("update peakflo.payment set status = 'voided' where id = %s", [payment_id])
        recording.join()
    assert cashier.states(payment_id) == {"payment": ["made"]}
    cashier.push()
    assert cashier.states(payment_id) == {"payment": ["undone"]}


def wait_until_blocked(cashier: Cashier, by: psycopg.Connection) -> None:
    statement = "select 1 from pg_stat_activity where %s = any(pg_blocking_pids(pid))"
    deadline = time.monotonic() + 20
    while cashier.bench.db.execute(statement, [by.info.backend_pid]).fetchone() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_orphan_retried_while_two_way_sync_is_off_waits(cashier: Cashier):
    payment_id = orphan(cashier)
    set_auto_sync(cashier.bench.db, cashier.company, is_on=False)
    retry(cashier, payment_id)
    cashier.push()
    assert cashier.standing(payment_id) == ("waits", "auto_sync_off")
    assert cashier.in_quickbooks() == {}
    set_auto_sync(cashier.bench.db, cashier.company, is_on=True)
    cashier.push()
    assert cashier.states(payment_id) == {"payment": ["absent", "made"]}


def test_what_may_be_in_quickbooks_cannot_be_let_go_of_although_two_way_sync_is_off(cashier: Cashier):
    payment_id = lose_request(cashier)
    set_auto_sync(cashier.bench.db, cashier.company, is_on=False)
    push_later(cashier)
    assert cashier.standing(payment_id) == ("waits", "undecided")
    assert "Two-way payment sync is off" in cashier.delivery(payment_id)["sentence"]
    with pytest.raises(ConfigurationError, match="nothing to ignore"):
        ignore(cashier, payment_id)
    assert cashier.in_quickbooks() == {}
