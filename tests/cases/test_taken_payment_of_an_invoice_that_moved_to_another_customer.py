"""What Peakflo took goes to the customer whose the invoice is by now, or a sentence says what keeps it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from include.errors import ThrottledError, UnreachableError
from include.receivables.inbound import webhook_events, webhooks
from tests.support.payment_steps import alive, settle

if TYPE_CHECKING:
    from uuid import UUID

    from tests.support.cashier import Cashier, Json


@pytest.fixture(params=[True, False], ids=["with_versions", "without_versions"])
def merging(request: pytest.FixtureRequest, cashier: Cashier) -> Cashier:
    """A cashier in whose books a merge of customers gives what it moves new versions, or not."""
    cashier.bench.sandbox.change_settings(cashier.company.realm_id, merge_versions=request.param)
    return cashier


def owner(cashier: Cashier, invoice: Json) -> str:
    """Return whose an invoice is in QuickBooks."""
    return str(cashier.books.read("Invoice", invoice["source_id"])["CustomerRef"]["value"])


def merge(cashier: Cashier, loser: str, survivor: str = "") -> str:
    """Merge a customer into another one, and return that one."""
    survivor = survivor or cashier.books.customer("Winner")
    cashier.bench.sandbox.merge(cashier.company.realm_id, loser, survivor)
    return survivor


def check_delivered(cashier: Cashier, payment_id: UUID, customer: str) -> None:
    """Make sure that a payment is in the books once, under a customer, and nobody is told anything."""
    settle(cashier)
    [record] = alive(cashier, payment_id)
    assert record["CustomerRef"]["value"] == customer
    assert cashier.standing(payment_id) == ("agrees", "delivered")
    assert cashier.problems() == []


def waiting(cashier: Cashier, payment_id: UUID) -> tuple[str, str]:
    """Return why a payment is not delivered: a code and a sentence."""
    cashier.push()
    delivery = cashier.delivery(payment_id)
    assert alive(cashier, payment_id) == []
    return delivery["code"], delivery["sentence"]


def test_a_payment_goes_to_the_one_into_whom_its_customer_was_merged(merging: Cashier):
    [invoice] = merging.invoices(1, "300")
    payment_id = merging.take(invoice, "80")
    survivor = merge(merging, owner(merging, invoice))
    merging.bench.sync(merging.company)
    check_delivered(merging, payment_id, survivor)
    assert merging.invoice(invoice["source_id"])["amount_due"] == 220


def test_a_payment_for_no_invoice_goes_to_the_survivor_too(merging: Cashier):
    [invoice] = merging.invoices(1, "300")
    payment_id = merging.take(invoice, "80")
    merging.bench.db.execute("delete from peakflo.payment_allocation where payment_id = %s", [payment_id])
    survivor = merge(merging, owner(merging, invoice))
    merging.bench.sync(merging.company)
    check_delivered(merging, payment_id, survivor)


def test_a_payment_whose_customer_is_merged_twice_goes_to_the_last(merging: Cashier):
    [invoice] = merging.invoices(1, "300")
    payment_id = merging.take(invoice, "80")
    first = merge(merging, owner(merging, invoice))
    merging.bench.sync(merging.company)
    last = merge(merging, first, merging.books.customer("Last"))
    merging.bench.sync(merging.company)
    check_delivered(merging, payment_id, last)


def test_a_delivered_payment_that_goes_over_with_its_customer_was_not_edited(merging: Cashier):
    [invoice] = merging.invoices(1, "300")
    payment_id = merging.take(invoice, "99", rounding_amount="1")
    merging.push()
    merging.bench.sync(merging.company)
    survivor = merge(merging, owner(merging, invoice))
    merging.bench.sync(merging.company)
    check_delivered(merging, payment_id, survivor)
    merging.cancel(payment_id)
    settle(merging)
    assert alive(merging, payment_id) == alive(merging, payment_id, "JournalEntry") == []
    assert merging.problems() == []


def test_a_payment_whose_answer_was_lost_is_recognised_under_the_survivor(merging: Cashier):
    [invoice] = merging.invoices(1, "300")
    payment_id = merging.take(invoice, "80")
    realm = merging.company.realm_id
    merging.bench.sandbox.add_fault("lost_answer", realm=realm, path="payment", method="POST", count=1)
    merging.bench.sandbox.add_fault("500", realm=realm, path="query")
    with pytest.raises(UnreachableError):
        merging.push()
    merging.bench.sandbox.clear_faults()
    survivor = merge(merging, owner(merging, invoice))
    merging.bench.sync(merging.company)
    check_delivered(merging, payment_id, survivor)


def test_a_payment_follows_its_journal_entry_to_the_survivor(merging: Cashier):
    [invoice] = merging.invoices(1, "300")
    payment_id = merging.take(invoice, "99", rounding_amount="1")
    merging.bench.sandbox.add_fault("429", realm=merging.company.realm_id, path="payment", count=1)
    with pytest.raises(ThrottledError):
        merging.push()
    assert merging.states(payment_id)["journal_entry"] == ["made"]
    survivor = merge(merging, owner(merging, invoice))
    merging.bench.sync(merging.company)
    check_delivered(merging, payment_id, survivor)
    assert merging.invoice(invoice["source_id"])["amount_due"] == 200


def test_a_customer_that_had_nothing_is_followed_where_quickbooks_tells_of_the_merge(merging: Cashier):
    loser, survivor = merging.books.customer("Loser"), merging.books.customer("Winner")
    merging.bench.sync(merging.company)
    payment_id = prepaid(merging, loser)
    merge(merging, loser, survivor)
    merging.bench.sync(merging.company)
    code, reason = waiting(merging, payment_id)
    assert code == "customer_merged"
    assert "merged" in reason
    assert "active" not in reason
    tell(merging, loser, survivor)
    merging.bench.sync(merging.company)
    check_delivered(merging, payment_id, survivor)


def prepaid(cashier: Cashier, customer: str) -> UUID:
    """Take a payment for no invoice, of a customer who has none."""
    [other] = cashier.invoices(1)
    [row] = cashier.rows("peakflo.customer", source_id=customer)
    payment_id = cashier.take(other | {"customer_id": row["id"]}, "80")
    cashier.bench.db.execute("delete from peakflo.payment_allocation where payment_id = %s", [payment_id])
    return payment_id


def tell(cashier: Cashier, loser: str, survivor: str) -> None:
    """Let Intuit tell of a merge."""
    event = {
        "specversion": "1.0",
        "id": "5b1a4b0e",
        "type": "qbo.customer.merged.v1",
        "time": "2026-01-05T10:00:00Z",
        "intuitentityid": survivor,
        "intuitaccountid": cashier.company.realm_id,
        "data": {"deletedid": loser},
    }
    webhook_events.store(cashier.bench.db, webhooks.parse(json.dumps([event]).encode()))


def test_a_payment_of_a_customer_that_was_made_inactive_says_so(cashier: Cashier):
    [paid, invoice] = cashier.invoices(2, "300")
    customer = owner(cashier, invoice)
    cashier.books.pay(customer, "300", ("Invoice", paid["source_id"], "300"))
    payment_id = cashier.take(invoice, "80")
    cashier.books.delete("Invoice", invoice["source_id"])
    cashier.books.change("Customer", customer, Active=False)
    cashier.bench.sync(cashier.company)
    assert waiting(cashier, payment_id)[0] == "customer_inactive"
    cashier.books.change("Customer", customer, Active=True)
    cashier.bench.sync(cashier.company)
    assert waiting(cashier, payment_id)[0] == "target_cancelled"


def test_a_payment_for_an_invoice_that_was_given_to_another_customer_says_so_and_waits(cashier: Cashier):
    [invoice] = cashier.invoices(1, "300")
    payment_id = cashier.take(invoice, "80")
    payer, other = owner(cashier, invoice), cashier.books.customer("Other")
    cashier.books.change("Invoice", invoice["source_id"], CustomerRef={"value": other})
    cashier.bench.sync(cashier.company)
    code, reason = waiting(cashier, payment_id)
    assert code == "target_of_other_customer"
    assert "Other" in reason
    assert cashier.problems() == ["target_of_other_customer"]
    cashier.books.change("Invoice", invoice["source_id"], CustomerRef={"value": payer})
    cashier.bench.sync(cashier.company)
    check_delivered(cashier, payment_id, payer)


def test_an_invoice_says_whose_a_payment_is_whose_customer_went_to_several(cashier: Cashier):
    """Its invoices were shared out before it was made inactive, so nobody can say that it was merged."""
    first, second = cashier.invoices(2, "300")
    payment_id = cashier.take(first, "80")
    loser, heirs = owner(cashier, first), [cashier.books.customer(name) for name in ("One", "Two")]
    for invoice, heir in zip((first, second), heirs, strict=True):
        cashier.books.change("Invoice", invoice["source_id"], CustomerRef={"value": heir})
    cashier.books.change("Customer", loser, Active=False)
    cashier.bench.sync(cashier.company)
    assert cashier.rows("mapping.merged_customer") == []
    check_delivered(cashier, payment_id, heirs[0])
