"""What a company allows of its payments, and what becomes of them when the ledger has moved meanwhile."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from include.errors import ConfigurationError
from include.receivables.outbound import decisions
from include.receivables.outbound.rules import read_rules, set_rules
from tests.support import two_sides
from tests.support.payment_steps import alive, remade, set_payment, settle

if TYPE_CHECKING:
    from tests.support.cashier import Cashier


def allow(cashier: Cashier, **rules: Any) -> None:
    set_rules(cashier.bench.db, cashier.company, **rules)


@pytest.fixture(autouse=True)
def usual_rules(cashier: Cashier) -> None:
    allow(cashier, rounding_limit=1)


@pytest.mark.parametrize(("rounding", "is_allowed"), [("1.00", True), ("1.01", False), ("-1.01", False)])
def test_no_more_is_written_off_than_the_company_allows(cashier: Cashier, rounding: str, is_allowed: bool):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice, str(100 - Decimal(rounding)), rounding_amount=rounding)
    cashier.push()
    assert cashier.problems() == ([] if is_allowed else ["rounding_too_large"])
    assert len(alive(cashier, payment_id)) == is_allowed


def test_a_share_of_a_large_invoice_may_be_more_than_the_limit(cashier: Cashier):
    [invoice] = cashier.invoices(1, "1000")
    payment_id = cashier.take(invoice, "995", rounding_amount="4.97")
    cashier.push()
    assert cashier.standing(payment_id) == ("agrees", "delivered")


def test_what_was_too_much_goes_by_itself_once_it_is_allowed(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice, "97", rounding_amount="3")
    cashier.push()
    assert cashier.problems() == ["rounding_too_large"]
    allow(cashier, rounding_limit=5)
    cashier.push()
    assert cashier.standing(payment_id) == ("agrees", "delivered")
    assert cashier.problems() == []


@pytest.mark.parametrize("rules", [{"rounding_limit": -1}, {"rounding_share": 2}, {"approval_above": "-5"}])
def test_a_rule_that_is_none_is_refused_and_changes_nothing(cashier: Cashier, rules: dict[str, Any]):
    before = read_rules(cashier.bench.db, cashier.company)
    with pytest.raises(ConfigurationError, match="nothing was changed"):
        allow(cashier, **rules)
    assert read_rules(cashier.bench.db, cashier.company) == before


def test_a_large_payment_waits_for_approval_and_once_more_when_it_is_changed(cashier: Cashier):
    allow(cashier, approval_above=99)
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    cashier.push()
    assert cashier.standing(payment_id) == ("waits", "approval_needed")
    set_payment(cashier, payment_id, note="approved by nobody")
    decisions.approve(cashier.bench.db, cashier.company, payment_id, by="ada")
    set_payment(cashier, payment_id, note="changed after that")
    cashier.push()
    assert cashier.standing(payment_id) == ("waits", "approval_needed")
    assert cashier.in_quickbooks() == {}
    decisions.approve(cashier.bench.db, cashier.company, payment_id, by="ada")
    cashier.push()
    assert cashier.standing(payment_id) == ("agrees", "delivered")
    with pytest.raises(ConfigurationError, match="nothing to approve"):
        decisions.approve(cashier.bench.db, cashier.company, payment_id, by="ada")


def test_payments_go_without_approval_again_once_there_is_no_limit(cashier: Cashier):
    allow(cashier, approval_above=99)
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    cashier.push()
    allow(cashier, approval_above="none")
    cashier.push()
    assert cashier.standing(payment_id) == ("agrees", "delivered")


def paid_by_hand(cashier: Cashier, amount: str) -> dict[str, Any]:
    """Write an invoice of 100 of which somebody enters a payment before Peakflo's is delivered."""
    [invoice] = cashier.invoices(1)
    customer = cashier.books.read("Invoice", invoice["source_id"])["CustomerRef"]["value"]
    cashier.books.pay(customer, amount, ("Invoice", invoice["source_id"], amount))
    cashier.bench.sync(cashier.company)
    return invoice


def test_what_an_invoice_no_longer_owes_holds_a_payment_until_it_owes_it_again(cashier: Cashier):
    payment_id = cashier.take(paid_by_hand(cashier, "60"))
    cashier.push()
    assert cashier.problems() == ["target_balance"]
    assert cashier.in_quickbooks() == {}
    [by_hand] = cashier.rows("peakflo.payment", company_id="acme", origin="quickbooks", amount=60)
    cashier.books.void("Payment", by_hand["source_id"])
    settle(cashier)
    assert cashier.standing(payment_id) == ("agrees", "delivered")


@pytest.mark.parametrize(("by_hand", "applied"), [("60", ["40"]), ("100", [])])
def test_what_an_invoice_no_longer_owes_is_left_unapplied_where_that_is_the_rule(
    cashier: Cashier, by_hand: str, applied: list[str]
):
    allow(cashier, leaves_excess=True)
    payment_id = cashier.take(paid_by_hand(cashier, by_hand))
    cashier.push()
    settle(cashier)
    [record] = alive(cashier, payment_id)
    assert [line["Amount"] for line in record["Line"] if line["Amount"]] == [
        Decimal(each) for each in applied
    ]
    assert record["UnappliedAmt"] == Decimal(by_hand)
    assert cashier.standing(payment_id) == ("agrees", "delivered")
    assert cashier.problems() == []


def test_a_payment_is_moved_to_the_invoice_that_took_the_place_of_its_own(cashier: Cashier):
    payment_id, [again] = remade(cashier)
    decisions.relink(cashier.bench.db, cashier.company, payment_id, by="ada")
    cashier.push()
    settle(cashier)
    [record] = alive(cashier, payment_id)
    assert [link["TxnId"] for line in record["Line"] for link in line["LinkedTxn"]] == [again]
    assert cashier.books.read("Invoice", again)["Balance"] == 0
    assert cashier.standing(payment_id) == ("agrees", "delivered")
    assert two_sides.disagreements(cashier) == []


def test_a_payment_is_not_moved_where_several_took_the_place(cashier: Cashier):
    payment_id, _ = remade(cashier, count=2)
    with pytest.raises(ConfigurationError, match="nothing to relink"):
        decisions.relink(cashier.bench.db, cashier.company, payment_id, by="ada")
