from __future__ import annotations

import itertools
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from include.errors import UnreachableError
from include.receivables.outbound import payloads
from tests.support import payment_steps
from tests.support.payment_steps import push_later, retry

if TYPE_CHECKING:
    from uuid import UUID

    from tests.support.cashier import Cashier, Json

NOTE = "as agreed on the phone"


def lose_request(cashier: Cashier, payment_id: UUID) -> None:
    """Let a request be lost on its way, so that nobody knows whether it arrived."""
    payment_steps.lose_answer(cashier, "reset")
    cashier.push(settled_after=timedelta(minutes=2))
    assert cashier.states(payment_id) == {"payment": ["unknown"]}


def lose_answer(cashier: Cashier, payment_id: UUID) -> str:
    """Let an answer be lost, and return the Id of what was created."""
    payment_steps.lose_answer(cashier)
    cashier.bench.sandbox.add_fault("500", realm=cashier.company.realm_id, path="query")
    with pytest.raises(UnreachableError):
        cashier.push()
    cashier.bench.sandbox.clear_faults()
    assert cashier.states(payment_id) == {"payment": ["unknown"]}
    [[record]] = cashier.in_quickbooks().values()
    return str(record["Id"])


def pay_by_hand(cashier: Cashier, invoice: Json, **fields: str) -> str:
    """Enter a payment in QuickBooks, and return its Id."""
    customer = cashier.books.read("Invoice", invoice["source_id"])["CustomerRef"]["value"]
    return cashier.books.pay(customer, "60", ("Invoice", invoice["source_id"], "60"), **fields)


@pytest.mark.parametrize("is_synced", [False, True])
def test_a_payment_by_hand_that_bears_the_same_reference_is_not_adopted(cashier: Cashier, is_synced: bool):
    [invoice] = cashier.invoices(1, "1000")
    payment_id = cashier.take(invoice)
    lose_request(cashier, payment_id)
    reference = payloads.reference_number(payment_id)
    copy = pay_by_hand(cashier, invoice, PaymentRefNum=reference, PrivateNote=NOTE)
    if is_synced:
        cashier.bench.sync(cashier.company)

    push_later(cashier)

    assert cashier.states(payment_id) == {"payment": ["unknown"]}
    assert cashier.standing(payment_id) == ("differs", "unmarked_found")
    assert cashier.problems() == ["unmarked_found"]
    assert cashier.in_quickbooks() == {}
    # A person finds out that it is another payment, and gives it another reference.
    cashier.books.change("Payment", copy, PaymentRefNum="1042")
    cashier.bench.sync(cashier.company)
    retry(cashier, payment_id)
    cashier.push()
    assert cashier.states(payment_id) == {"payment": ["made"]}
    [[record]] = cashier.in_quickbooks().values()
    assert record["Id"] != copy
    assert cashier.problems() == []


@pytest.mark.parametrize("is_synced", [False, True])
def test_ours_is_adopted_beside_a_copy_of_it(cashier: Cashier, is_synced: bool):
    [invoice] = cashier.invoices(1, "1000")
    payment_id = cashier.take(invoice)
    qbo_id = lose_answer(cashier, payment_id)
    pay_by_hand(cashier, invoice, PaymentRefNum=payloads.reference_number(payment_id), PrivateNote=NOTE)
    if is_synced:
        cashier.bench.sync(cashier.company)

    cashier.push()

    assert cashier.states(payment_id) == {"payment": ["made"]}
    assert cashier.record(payment_id)["qbo_id"] == qbo_id
    assert cashier.problems() == []


@pytest.mark.parametrize("is_synced", [False, True])
def test_what_was_given_another_reference_is_adopted_by_its_note(cashier: Cashier, is_synced: bool):
    cashier.bench.sandbox.change_settings(cashier.company.realm_id, requestid_mode="ignore")
    [invoice] = cashier.invoices(1, "1000")
    payment_id = cashier.take(invoice)
    qbo_id = lose_answer(cashier, payment_id)
    cashier.books.change("Payment", qbo_id, PaymentRefNum="cheque 1042")
    if is_synced:
        cashier.bench.sync(cashier.company)

    cashier.push()

    assert cashier.states(payment_id) == {"payment": ["made"]}
    assert [each["Id"] for [each] in cashier.in_quickbooks().values()] == [qbo_id]


def test_a_payment_that_may_be_there_and_cannot_be_read_is_not_sent_again(cashier: Cashier):
    realm = cashier.company.realm_id
    cashier.bench.sandbox.change_settings(realm, requestid_mode="ignore")
    [invoice] = cashier.invoices(1, "1000")
    payment_id = cashier.take(invoice)
    qbo_id = lose_answer(cashier, payment_id)
    cashier.bench.sandbox.serve(realm, "Payment", qbo_id, {"SyncToken": "seven"})
    push_later(cashier)
    record = cashier.record(payment_id)
    assert (record["state"], record["sends"]) == ("unknown", 1)
    assert cashier.standing(payment_id) == ("waits", "undecided")
    assert f"Payment {qbo_id} cannot be read" in record["reason"]
    cashier.bench.sandbox.serve_truth(realm)
    push_later(cashier, minutes=5)
    assert cashier.record(payment_id)["qbo_id"] == qbo_id


KEYS = ("requestid", "reference", "note")


@pytest.mark.parametrize("lost", [set(each) for each in itertools.combinations(KEYS, 2)])
def test_any_one_of_the_three_keys_keeps_a_payment_from_being_there_twice(cashier: Cashier, lost: set[str]):
    if "requestid" in lost:
        cashier.bench.sandbox.change_settings(cashier.company.realm_id, requestid_mode="ignore")
    [invoice] = cashier.invoices(1, "1000")
    payment_id = cashier.take(invoice)
    qbo_id = lose_answer(cashier, payment_id)
    fields = {"reference": {"PaymentRefNum": "1042"}, "note": {"PrivateNote": NOTE}}
    for key in lost & fields.keys():
        cashier.books.change("Payment", qbo_id, **fields[key])

    cashier.push()

    records = cashier.bench.sandbox.truth(cashier.company.realm_id, records=True)["records"]["Payment"]
    assert len([record for record in records if is_for(invoice, record)]) == 1
    if "requestid" in lost and "note" in lost:
        assert cashier.standing(payment_id) == ("differs", "unmarked_found")
    else:
        assert cashier.record(payment_id)["qbo_id"] == qbo_id


def is_for(invoice: Json, record: Json) -> bool:
    """Tell whether a payment is applied to an invoice."""
    return any(
        (link["TxnType"], link["TxnId"]) == ("Invoice", invoice["source_id"])
        for line in record["Line"]
        for link in line["LinkedTxn"]
    )


def test_a_journal_entry_by_hand_that_bears_the_same_number_is_not_adopted(cashier: Cashier):
    [invoice] = cashier.invoices(1, "1000")
    payment_id = cashier.take(invoice, processing_fee="2")
    payment_steps.lose_answer(cashier, "reset", "journalentry")
    cashier.push(settled_after=timedelta(minutes=2))
    number = payloads.reference_number(payment_id)
    cashier.books.write("JournalEntry", DocNumber=number, PrivateNote=NOTE, Line=entry_lines(cashier))

    push_later(cashier)

    assert cashier.states(payment_id) == {"journal_entry": ["unknown"]}
    assert cashier.standing(payment_id) == ("differs", "unmarked_found")
    assert cashier.in_quickbooks("JournalEntry") == {}


def entry_lines(cashier: Cashier) -> list[Json]:
    sides = (("Debit", "Bank Charges"), ("Credit", "Checking"))
    return [
        {
            "Amount": "5",
            "DetailType": "JournalEntryLineDetail",
            "JournalEntryLineDetail": {
                "PostingType": side,
                "AccountRef": {"value": cashier.account(name)},
            },
        }
        for side, name in sides
    ]


@pytest.mark.parametrize("document", ["payment", "journal_entry"])
def test_an_undoing_that_may_still_be_at_work_is_not_repeated(cashier: Cashier, document: str):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice, processing_fee="2")
    cashier.push()
    cashier.cancel(payment_id)
    payment_steps.lose_answer(cashier, "reset", document.replace("_", ""))
    for _ in range(2):
        cashier.push(settled_after=timedelta(minutes=2))
        record = cashier.record(payment_id, document)
        assert (record["state"], record["sends"]) == ("undoing", 1)
    assert cashier.standing(payment_id) == ("waits", "undecided")

    push_later(cashier)

    assert cashier.states(payment_id) == {"payment": ["undone"], "journal_entry": ["undone"]}
    assert cashier.problems() == []
