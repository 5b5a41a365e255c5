"""A refusal proves nothing unless its code says so: what may have left is looked for before it is made again."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from include.errors import ConfigurationError, UnreachableError
from include.receivables.outbound import payloads
from include.receivables.views.deliveries import set_auto_sync
from tests.support import payment_steps
from tests.support.payment_steps import alive, settle

if TYPE_CHECKING:
    from uuid import UUID

    from tests.support.cashier import Cashier, Json

INTERNAL = {
    "code": "6000",
    "message": "A business validation error has occurred while processing your request",
    "detail": "Business Validation Error: Unexpected Internal Error. (-30003)",
}
# Refusals of which nobody knows whether something was written.
IN_DOUBT: dict[str, Any] = {
    "internal": INTERNAL,
    "no_phrase": INTERNAL | {"detail": "Une erreur de validation est survenue."},
    "unknown_code": INTERNAL | {"code": "9341", "detail": "Something went wrong."},
    "no_code": INTERNAL | {"code": "", "detail": "Something went wrong."},
    "system_fault": INTERNAL | {"code": "10000", "kind": "SystemFault", "detail": "System Failure Error"},
    "system_fault_of_a_known_code": INTERNAL | {"code": "2500", "kind": "SystemFault", "detail": "Oops"},
    "known_code_at_work": INTERNAL | {"code": "2010", "detail": "Unexpected Internal Error. (-30003)"},
}
BEYOND_OVERLAP = 900  # seconds; each sync reads the last ten minutes again
PATHS = {"payment": "payment", "journal_entry": "journalentry"}
ENTITIES = {"payment": "Payment", "journal_entry": "JournalEntry"}


def refuse(cashier: Cashier, document: str = "payment", fault: Any = "internal", count: int = 1) -> None:
    """Let QuickBooks carry out what it is asked for, and answer that it did not."""
    realm, path = cashier.company.realm_id, PATHS[document]
    cashier.bench.sandbox.add_fault(
        "refused_afterwards", realm=realm, path=path, method="POST", count=count, fault=fault
    )


def blind(cashier: Cashier) -> None:
    """Let nothing be found by asking for it."""
    cashier.bench.sandbox.change_settings(cashier.company.realm_id, requestid_mode="ignore")


def retry(cashier: Cashier, payment_id: UUID) -> None:
    """Press retry, if that can be pressed."""
    with suppress(ConfigurationError):
        payment_steps.retry(cashier, payment_id)


def taken(cashier: Cashier, **columns: Any) -> tuple[UUID, Json]:
    """Take a payment of 100 for an invoice of 300."""
    [invoice] = cashier.invoices(1, "300")
    return cashier.take(invoice, **columns), invoice


def check_once(cashier: Cashier, payment_id: UUID, invoice: Json) -> None:
    """Make sure that the payment is in the books once, known as Peakflo's, and that all agree on that."""
    settle(cashier)
    [record] = alive(cashier, payment_id)
    assert cashier.books.read("Invoice", invoice["source_id"])["Balance"] == 200
    assert cashier.invoice(invoice["source_id"])["amount_due"] == 200
    assert cashier.record(payment_id)["qbo_id"] == record["Id"]
    assert cashier.standing(payment_id) == ("agrees", "delivered")
    assert cashier.problems() == []
    own = cashier.rows("peakflo.payment", customer_id=invoice["customer_id"])
    assert [(row["id"], row["source_id"]) for row in own] == [(payment_id, record["Id"])]


@pytest.mark.parametrize("doubt", IN_DOUBT)
def test_a_payment_that_was_booked_and_refused_is_there_once_whoever_retries(cashier: Cashier, doubt: str):
    payment_id, invoice = taken(cashier)
    refuse(cashier, fault=IN_DOUBT[doubt])
    cashier.push()
    retry(cashier, payment_id)
    cashier.push()
    check_once(cashier, payment_id, invoice)


def refuse_unseen(cashier: Cashier, document: str = "payment", fault: Any = "internal") -> None:
    """Let QuickBooks carry out a request, refuse it, and then answer no question of what it has."""
    refuse(cashier, document, fault)
    cashier.bench.sandbox.add_fault("500", realm=cashier.company.realm_id, path="query")
    with pytest.raises(UnreachableError):
        cashier.push()
    cashier.bench.sandbox.clear_faults()


def refuse_undone(cashier: Cashier, document: str = "payment") -> None:
    """Refuse a request in words that prove nothing, whenever it is repeated, and do not carry it out."""
    cashier.bench.sandbox.change_settings(cashier.company.realm_id, requestid_remembers_faults=True)
    refuse_unseen(cashier, document)
    [[record]] = cashier.in_quickbooks(ENTITIES[document]).values()
    cashier.books.delete(ENTITIES[document], record["Id"])


@pytest.mark.parametrize("is_synced", [False, True])
def test_what_could_not_be_looked_for_at_once_is_looked_for_later(cashier: Cashier, is_synced: bool):
    payment_id, invoice = taken(cashier)
    refuse_unseen(cashier)
    assert cashier.states(payment_id) == {"payment": ["unknown"]}
    retry(cashier, payment_id)
    if is_synced:
        cashier.bench.sync(cashier.company)
    blind(cashier)
    cashier.push()
    check_once(cashier, payment_id, invoice)


def test_what_is_refused_again_and_is_not_there_is_a_problem_until_it_is_retried(cashier: Cashier):
    payment_id, invoice = taken(cashier)
    refuse_undone(cashier)
    cashier.push()
    assert cashier.states(payment_id) == {"payment": ["refused"]}
    assert cashier.problems() == ["6000"]
    [problem] = cashier.rows("sync.problem", peakflo_id=payment_id)
    assert "internal error" in problem["message"]
    retry(cashier, payment_id)
    cashier.push()
    check_once(cashier, payment_id, invoice)
    assert cashier.states(payment_id) == {"payment": ["refused", "made"]}


def test_a_refusal_is_believed_only_once_the_request_is_over(cashier: Cashier):
    payment_id, invoice = taken(cashier)
    refuse_undone(cashier)
    for _ in range(2):
        cashier.push(settled_after=timedelta(minutes=2))
        assert cashier.standing(payment_id) == ("waits", "undecided")
    cashier.push()
    assert cashier.problems() == ["6000"]
    assert cashier.in_quickbooks() == {}
    retry(cashier, payment_id)
    cashier.push(settled_after=timedelta(minutes=2))
    check_once(cashier, payment_id, invoice)


def test_what_was_refused_for_sure_goes_at_once_when_it_is_retried(cashier: Cashier):
    payment_id, invoice = taken(cashier)
    cashier.books.change("Preferences", "1", AccountingInfoPrefs={"BookCloseDate": "2026-01-31"})
    cashier.push()
    assert cashier.states(payment_id) == {"payment": ["refused"]}
    assert cashier.problems() == ["6210"]
    cashier.books.change("Preferences", "1", AccountingInfoPrefs={"BookCloseDate": "2025-12-31"})
    retry(cashier, payment_id)
    cashier.push(settled_after=timedelta(minutes=2))
    check_once(cashier, payment_id, invoice)


def test_a_payment_that_turns_up_after_it_was_looked_for_in_vain_is_recognised(cashier: Cashier):
    """A retried payment waits to be sent anew when the sync meets what was made of it at first."""
    payment_id, invoice = taken(cashier)
    refuse_undone(cashier)
    cashier.push()
    set_auto_sync(cashier.bench.db, cashier.company, is_on=False)
    retry(cashier, payment_id)
    copy = copied(cashier, payment_id, invoice)
    cashier.bench.sync(cashier.company)
    set_auto_sync(cashier.bench.db, cashier.company, is_on=True)
    cashier.push()
    check_once(cashier, payment_id, invoice)
    assert cashier.record(payment_id)["qbo_id"] == copy


def copied(cashier: Cashier, payment_id: UUID, invoice: Json) -> str:
    """Enter a payment in QuickBooks once more, by hand or by a request that nobody remembers."""
    customer = cashier.books.read("Invoice", invoice["source_id"])["CustomerRef"]["value"]
    applied = ("Invoice", invoice["source_id"], "100")
    account = {"value": cashier.account("Checking")}
    note, day = payloads.marker(payment_id), cashier.today.isoformat()
    return cashier.books.pay(
        customer, "100", applied, PrivateNote=note, TxnDate=day, DepositToAccountRef=account
    )


@pytest.mark.parametrize("is_retried", [False, True])
def test_a_fee_that_was_booked_and_refused_is_booked_once(cashier: Cashier, is_retried: bool):
    payment_id, invoice = taken(cashier, processing_fee="2")
    refuse_unseen(cashier, "journal_entry")
    if is_retried:
        retry(cashier, payment_id)
    blind(cashier)
    cashier.push()
    cashier.push()
    check_once(cashier, payment_id, invoice)
    assert len(alive(cashier, payment_id, "JournalEntry")) == 1


def test_a_fee_that_is_refused_again_and_is_not_there_is_booked_once_when_it_is_retried(cashier: Cashier):
    payment_id, invoice = taken(cashier, processing_fee="2")
    refuse_undone(cashier, "journal_entry")
    cashier.push()
    assert cashier.states(payment_id) == {"journal_entry": ["refused"]}
    retry(cashier, payment_id)
    cashier.push()
    cashier.push()
    check_once(cashier, payment_id, invoice)
    assert len(alive(cashier, payment_id, "JournalEntry")) == 1


@pytest.mark.parametrize("document", PATHS)
def test_an_undoing_that_was_carried_out_and_refused_is_done(cashier: Cashier, document: str):
    payment_id, _ = taken(cashier, processing_fee="2")
    cashier.push()
    cashier.cancel(payment_id)
    refuse(cashier, document)
    cashier.push()
    retry(cashier, payment_id)
    settle(cashier)
    assert alive(cashier, payment_id) == alive(cashier, payment_id, "JournalEntry") == []
    assert cashier.states(payment_id) == {"payment": ["undone"], "journal_entry": ["undone"]}
    assert cashier.problems() == []


def test_a_payment_taken_up_again_after_it_was_refused_in_doubt_is_looked_for(cashier: Cashier):
    payment_id, invoice = taken(cashier, processing_fee="2")
    refuse_undone(cashier)
    cashier.push()
    cashier.cancel(payment_id)
    copied(cashier, payment_id, invoice)
    payment_steps.take_up(cashier, payment_id)
    cashier.push()
    check_once(cashier, payment_id, invoice)


def test_a_payment_that_was_refused_in_doubt_and_cancelled_is_undone_once_it_is_met(cashier: Cashier):
    payment_id, invoice = taken(cashier)
    refuse_undone(cashier)
    cashier.push()
    cashier.cancel(payment_id)
    copied(cashier, payment_id, invoice)
    cashier.bench.sync(cashier.company)
    settle(cashier)
    assert alive(cashier, payment_id) == []
    assert cashier.states(payment_id) == {"payment": ["undone"]}
    assert cashier.problems() == []


def met_twice(cashier: Cashier, payment_id: UUID, copy: str) -> None:
    """Make sure that a copy is told of, and is no payment of the customer's in Peakflo."""
    cashier.push()
    [problem] = cashier.rows("sync.problem", peakflo_id=payment_id, state="open")
    assert problem["code"] == "twice_in_quickbooks"
    assert (problem["actor"], copy in problem["message"], copy in problem["cure"]) == (
        "bookkeeper",
        True,
        True,
    )
    [own] = cashier.rows("peakflo.payment", id=payment_id)
    listed = cashier.rows("peakflo.payment", customer_id=own["customer_id"])
    assert [row["id"] for row in listed] == [payment_id]


@pytest.mark.parametrize("when", ["same_cycle", "later_cycle", "import", "before_its_answer"])
def test_a_payment_that_is_there_twice_is_a_problem_whenever_it_is_met(cashier: Cashier, when: str):
    payment_id, invoice = taken(cashier)
    if when == "before_its_answer":
        refuse_unseen(cashier)
    else:
        cashier.push()
    if when == "later_cycle":
        cashier.bench.sync(cashier.company)
        cashier.bench.sandbox.advance_clock(BEYOND_OVERLAP)
    copy = copied(cashier, payment_id, invoice)
    if when == "import":
        cashier.bench.sandbox.advance_clock(31 * 86_400)
        cashier.bench.import_all(cashier.company)
    settle(cashier)
    assert cashier.invoice(invoice["source_id"])["amount_due"] == 100
    assert cashier.record(payment_id)["qbo_id"] != copy
    met_twice(cashier, payment_id, copy)


@pytest.mark.parametrize("how", ["delete", "void"])
def test_a_second_payment_that_is_taken_away_is_no_problem_any_more(cashier: Cashier, how: str):
    payment_id, invoice = taken(cashier)
    cashier.push()
    copy = copied(cashier, payment_id, invoice)
    cashier.bench.sync(cashier.company)
    met_twice(cashier, payment_id, copy)
    getattr(cashier.books, how)("Payment", copy)
    check_once(cashier, payment_id, invoice)


def test_a_second_payment_is_the_customers_once_a_person_takes_the_mark_away(cashier: Cashier):
    payment_id, invoice = taken(cashier)
    cashier.push()
    copy = copied(cashier, payment_id, invoice)
    cashier.bench.sync(cashier.company)
    met_twice(cashier, payment_id, copy)
    cashier.books.change("Payment", copy, PrivateNote="paid once more")
    settle(cashier)
    assert cashier.problems() == []
    listed = cashier.rows("peakflo.payment", customer_id=invoice["customer_id"])
    assert {(row["origin"], row["source_id"]) for row in listed} == {
        ("peakflo", cashier.record(payment_id)["qbo_id"]),
        ("quickbooks", copy),
    }


def test_of_two_the_second_is_the_payment_once_the_first_is_deleted(cashier: Cashier):
    payment_id, invoice = taken(cashier)
    cashier.push()
    copy = copied(cashier, payment_id, invoice)
    cashier.bench.sync(cashier.company)
    met_twice(cashier, payment_id, copy)
    cashier.books.delete("Payment", cashier.record(payment_id)["qbo_id"])
    cashier.bench.sync(cashier.company)
    check_once(cashier, payment_id, invoice)
    assert cashier.record(payment_id)["qbo_id"] == copy
    assert cashier.states(payment_id) == {"payment": ["gone", "made"]}


def test_a_second_payment_stays_a_problem_when_the_first_is_cancelled(cashier: Cashier):
    payment_id, invoice = taken(cashier)
    cashier.push()
    copy = copied(cashier, payment_id, invoice)
    cashier.bench.sync(cashier.company)
    cashier.cancel(payment_id)
    settle(cashier)
    assert [record["Id"] for record in alive(cashier, payment_id)] == [copy]
    assert cashier.problems() == ["copied_in_quickbooks"]
    cashier.books.delete("Payment", copy)
    settle(cashier)
    assert cashier.problems() == []


@pytest.mark.parametrize("is_adopted", [False, True])
def test_a_fee_that_is_there_twice_is_a_problem_until_one_is_deleted(cashier: Cashier, is_adopted: bool):
    payment_id, invoice = taken(cashier, processing_fee="2")
    cashier.push()
    if is_adopted:
        cashier.bench.sync(cashier.company)
        cashier.bench.sandbox.advance_clock(BEYOND_OVERLAP)
    entry = cashier.books.read("JournalEntry", cashier.record(payment_id, "journal_entry")["qbo_id"])
    made = {name: entry[name] for name in ("Line", "PrivateNote", "TxnDate")}
    copy = cashier.books.write("JournalEntry", **made)["Id"]
    cashier.bench.sync(cashier.company)
    met_twice(cashier, payment_id, copy)
    cashier.books.delete("JournalEntry", copy)
    check_once(cashier, payment_id, invoice)


def test_two_of_which_one_was_voided_are_no_obstacle(cashier: Cashier):
    payment_id, invoice = taken(cashier)
    refuse_undone(cashier)
    copies = [copied(cashier, payment_id, invoice) for _ in range(2)]
    cashier.push()
    assert cashier.standing(payment_id) == ("waits", "undecided")
    settle(cashier)
    assert cashier.problems() == ["several_found"]
    cashier.books.void("Payment", copies[0])
    settle(cashier)
    check_once(cashier, payment_id, invoice)
    assert cashier.record(payment_id)["qbo_id"] == copies[1]
