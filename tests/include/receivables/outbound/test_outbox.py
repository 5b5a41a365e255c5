from __future__ import annotations

import time
import uuid
from datetime import timedelta
from threading import Thread
from typing import TYPE_CHECKING

import psycopg
import pytest

from include.errors import BusyError
from include.receivables.outbound import deliveries, outbox, payloads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.cashier import Cashier


@pytest.fixture
def notified(db_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(db_url, autocommit=True) as db:
        db.execute("listen outbox_delivery")
        yield db


def heard(db: psycopg.Connection) -> list[str]:
    return [each.payload for each in db.notifies(timeout=0.2)]


def orphan(cashier: Cashier, payment_id: uuid.UUID) -> None:
    """Let a payment be sent, get lost, and be looked for too late."""
    realm = cashier.company.realm_id
    cashier.bench.sandbox.add_fault("reset", realm=realm, path="payment", method="POST", count=1)
    cashier.push()
    cashier.bench.db.execute("update outbox.delivery set first_sent_at = first_sent_at - interval '12 hours'")
    cashier.push()
    assert cashier.states(payment_id) == {"payment create": "possible_orphan"}


def test_the_database_and_the_program_give_the_same_request_ids(db: psycopg.Connection):
    payment_id = uuid.uuid4()
    for leg in ("payment", "adjustment"):
        for operation in ("create", "void"):
            for generation in (0, 12):
                [(there,)] = db.execute(
                    "select outbox.request_id(%s, %s, %s, %s)", [leg, operation, payment_id, generation]
                ).fetchall()
                assert there == payloads.request_id(payment_id, leg, operation, generation)
                assert len(there) <= 50


def test_a_payment_is_queued_when_it_is_settled_and_only_then(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice, settled_at=None)
    assert cashier.states(payment_id) == {}
    cashier.bench.db.execute("update peakflo.payment set settled_at = now() where id = %s", [payment_id])
    assert cashier.states(payment_id) == {"payment create": "queued"}


def test_a_payment_that_is_rolled_back_leaves_nothing(cashier: Cashier, notified: psycopg.Connection):
    [invoice] = cashier.invoices(1)
    with cashier.bench.db.transaction(force_rollback=True):
        payment_id = cashier.take(invoice)
        assert cashier.states(payment_id) == {"payment create": "queued"}
    assert cashier.states(payment_id) == {}
    assert heard(notified) == []


def test_a_queued_payment_is_announced_once(cashier: Cashier, notified: psycopg.Connection):
    [invoice] = cashier.invoices(1)
    cashier.take(invoice)
    assert heard(notified) == ["acme"]
    cashier.push()
    assert heard(notified) == []


def test_a_payment_that_came_from_quickbooks_is_never_queued(cashier: Cashier):
    assert cashier.rows("peakflo.payment", origin="quickbooks")
    assert cashier.rows("outbox.delivery") == []


def test_a_payment_cancelled_and_taken_up_again_before_it_was_sent_is_sent(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    cashier.cancel(payment_id)
    assert cashier.states(payment_id) == {"payment create": "withdrawn"}
    cashier.bench.db.execute("update peakflo.payment set status = 'active' where id = %s", [payment_id])
    cashier.push()
    assert cashier.states(payment_id) == {"payment create": "delivered"}


def test_an_edit_before_sending_is_sent_and_one_after_it_is_a_problem(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    cashier.bench.db.execute("update peakflo.payment set note = 'by card' where id = %s", [payment_id])
    cashier.push()
    [[record]] = cashier.in_quickbooks().values()
    assert record["PrivateNote"].startswith("by card")
    assert cashier.problems() == []
    cashier.bench.db.execute(
        "update peakflo.payment_allocation set amount = 90 where payment_id = %s", [payment_id]
    )
    assert cashier.problems() == ["edited_after_sending"]


def test_an_edit_waits_while_the_payment_is_being_read_to_be_sent(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    delivery_id = cashier.delivery(payment_id)["delivery_id"]
    with cashier.bench.access.connect() as other:
        other.execute("set lock_timeout = '200ms'")
        with cashier.bench.db.transaction():
            outbox.lock(cashier.bench.db, delivery_id)
            for table, key in (("payment", "id"), ("payment_allocation", "payment_id")):
                with pytest.raises(psycopg.errors.LockNotAvailable):
                    other.execute(f"update peakflo.{table} set amount = 90 where {key} = %s", [payment_id])


def test_one_process_delivers_for_a_company_at_a_time(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    cashier.take(invoice)
    assert outbox.list_due_companies(cashier.bench.db) == ["acme"]
    with cashier.bench.access.connect() as other, outbox.delivery_lock(other, cashier.company):
        assert outbox.list_due_companies(cashier.bench.db) == []
        with pytest.raises(BusyError):
            cashier.push()
    cashier.push()
    assert outbox.list_due_companies(cashier.bench.db) == []


def test_an_orphan_that_a_person_retries_is_looked_for_and_sent_under_a_new_id(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    orphan(cashier, payment_id)
    deliveries.retry(cashier.bench.db, cashier.company, cashier.delivery(payment_id)["delivery_id"])
    cashier.push(settled_after=timedelta(minutes=2))
    assert cashier.delivery(payment_id)["request_id"].endswith("-g1")
    assert cashier.states(payment_id) == {"payment create": "delivered"}
    assert cashier.problems() == []
    [records] = cashier.in_quickbooks().values()
    assert len(records) == 1


def test_of_several_that_could_be_it_none_is_chosen(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    reference = payloads.reference_number(payment_id)
    customer = cashier.books.read("Invoice", invoice["source_id"])["CustomerRef"]["value"]
    realm = cashier.company.realm_id
    cashier.bench.sandbox.add_fault("reset", realm=realm, path="payment", method="POST", count=1)
    cashier.push()
    note = payloads.marker(payment_id)
    copies = [cashier.books.pay(customer, "10", PaymentRefNum=reference, PrivateNote=note) for _ in range(2)]
    cashier.push()
    assert cashier.problems() == ["several_found"]
    for copy in copies:
        cashier.books.delete("Payment", copy)
    deliveries.retry(cashier.bench.db, cashier.company, cashier.delivery(payment_id)["delivery_id"])
    cashier.push()
    assert cashier.states(payment_id) == {"payment create": "delivered"}


def test_an_answer_that_is_not_what_was_asked_for_is_a_problem(cashier: Cashier):
    cashier.bench.sandbox.change_settings(cashier.company.realm_id, over_application="cap")
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    customer = cashier.books.read("Invoice", invoice["source_id"])["CustomerRef"]["value"]
    cashier.books.pay(customer, "60", ("Invoice", invoice["source_id"], "60"))
    cashier.push()
    assert cashier.states(payment_id) == {"payment create": "delivered"}
    [problem] = cashier.rows("sync.problem", peakflo_id=payment_id)
    assert problem["code"] == "answer_differs"
    assert "40.00 instead of" in problem["message"]


def test_a_cancelled_payment_in_a_deposit_cannot_be_voided_and_says_why(cashier: Cashier):
    funds = cashier.account("Undeposited Funds")
    cashier.bench.db.execute("update sync.account_mapping set account_qbo_id = %s", [funds])
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    cashier.push()
    cashier.books.write(
        "Deposit",
        DepositToAccountRef={"value": cashier.account("Checking")},
        Line=[
            {
                "Amount": 100,
                "LinkedTxn": [
                    {"TxnId": cashier.delivery(payment_id)["qbo_id"], "TxnType": "Payment", "TxnLineId": "0"}
                ],
            }
        ],
    )
    cashier.cancel(payment_id)
    cashier.push()
    assert cashier.states(payment_id)["payment void"] == "rejected"
    assert cashier.problems() == ["6540"]


def test_a_lost_answer_to_a_void_is_resolved_by_looking(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    cashier.push()
    cashier.cancel(payment_id)
    for kind in ("lost_answer", "reset"):
        realm = cashier.company.realm_id
        cashier.bench.sandbox.add_fault(kind, realm=realm, path="payment", method="POST", count=1)
        cashier.push()
    cashier.push()
    assert cashier.states(payment_id) == {"payment create": "delivered", "payment void": "delivered"}
    [[record]] = cashier.in_quickbooks().values()
    assert record["TotalAmt"] == 0


def test_lineage_leads_from_a_payment_to_its_attempts_runs_and_versions(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    cashier.push()
    cashier.bench.sync(cashier.company)
    cashier.books.change("Payment", cashier.delivery(payment_id)["qbo_id"], TotalAmt="70", Line=[])
    cashier.bench.sync(cashier.company)
    [row] = cashier.rows("outbox.lineage", payment_id=payment_id)
    assert (row["action"], row["outcome"], row["dag_id"]) == ("send", "delivered", "test")
    assert row["intuit_tid"]
    assert [version["sync_token"] for version in row["staged_versions"]] == [0, 1]
    assert row["delivered_sync_token"] == 0


def test_a_note_changed_in_quickbooks_is_no_problem_and_the_payment_can_still_be_cancelled(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    cashier.push()
    cashier.books.change("Payment", cashier.delivery(payment_id)["qbo_id"], PaymentRefNum="cheque 7")
    cashier.bench.sync(cashier.company)
    assert cashier.problems() == []
    assert cashier.delivery(payment_id)["sync_token"] == 1
    cashier.cancel(payment_id)
    cashier.push()
    assert cashier.states(payment_id)["payment void"] == "delivered"


def test_what_was_changed_back_in_quickbooks_is_no_problem_any_more(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    cashier.push()
    qbo_id = cashier.delivery(payment_id)["qbo_id"]
    cashier.books.allocate(qbo_id, ("Invoice", invoice["source_id"], "70"))
    cashier.bench.sync(cashier.company)
    assert cashier.problems() == ["edited_in_quickbooks"]
    cashier.books.allocate(qbo_id, ("Invoice", invoice["source_id"], "100"))
    cashier.bench.sync(cashier.company)
    assert cashier.problems() == []


def test_a_round_that_only_finds_held_payments_leaves_no_trace_in_the_log(cashier: Cashier):
    cashier.bench.db.execute("delete from sync.account_mapping")
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    before = cashier.rows("sync.run")
    cashier.push()
    assert cashier.states(payment_id) == {"payment create": "held"}
    assert cashier.rows("sync.run") == before


def test_a_cancellation_while_the_answer_is_recorded_is_not_refused(cashier: Cashier):
    """Both lock the payment before its delivery: one waits for the other, and neither for ever."""
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    cashier.push()
    cashier.bench.db.execute("update outbox.delivery set state = 'unknown'")
    with cashier.bench.access.connect() as other:
        with other.transaction():
            other.execute("select 1 from peakflo.payment where id = %s for no key update", [payment_id])
            pushing = Thread(target=cashier.push)
            pushing.start()
            wait_until_blocked(cashier, other)
            other.execute("update peakflo.payment set status = 'voided' where id = %s", [payment_id])
        pushing.join()
    assert cashier.states(payment_id)["payment create"] == "delivered"
    cashier.push()
    assert cashier.states(payment_id)["payment void"] == "delivered"


def wait_until_blocked(cashier: Cashier, by: psycopg.Connection) -> None:
    statement = "select 1 from pg_stat_activity where %s = any(pg_blocking_pids(pid))"
    deadline = time.monotonic() + 20
    while cashier.bench.db.execute(statement, [by.info.backend_pid]).fetchone() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_retried_payment_that_the_sync_met_in_the_meantime_is_adopted(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    cashier.push()
    cashier.bench.sync(cashier.company)
    delivery_id = cashier.delivery(payment_id)["delivery_id"]
    cashier.books.change("Payment", cashier.delivery(payment_id)["qbo_id"], PaymentRefNum="cheque 7")
    cashier.bench.sync(cashier.company)
    cashier.bench.db.execute("update outbox.delivery set state = 'rejected', qbo_id = null, response = null")
    deliveries.retry(cashier.bench.db, cashier.company, delivery_id)
    cashier.push()
    assert cashier.states(payment_id) == {"payment create": "delivered"}
    assert cashier.problems() == []
    [records] = cashier.in_quickbooks().values()
    assert len(records) == 1


def test_an_orphan_retried_while_two_way_sync_is_off_waits(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    orphan(cashier, payment_id)
    deliveries.set_auto_sync(cashier.bench.db, cashier.company, is_on=False)
    deliveries.retry(cashier.bench.db, cashier.company, cashier.delivery(payment_id)["delivery_id"])
    cashier.push()
    assert cashier.states(payment_id) == {"payment create": "unknown"}
    assert "may be in QuickBooks" in cashier.delivery(payment_id)["reason"]
    assert cashier.in_quickbooks() == {}
