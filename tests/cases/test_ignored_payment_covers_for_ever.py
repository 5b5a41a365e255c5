"""A delivery is refused, the bookkeeper enters the payment by hand and lets go of the delivery, as he is told to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.asking import Asking
from tests.support.payment_steps import ignore

if TYPE_CHECKING:
    from uuid import UUID

    from tests.support.cashier import Cashier


@pytest.fixture
def ask(cashier: Cashier) -> Asking:
    return Asking(cashier.bench, cashier.company)


def let_go(cashier: Cashier, payment: UUID) -> None:
    ignore(cashier, payment)


def enter_by_hand(cashier: Cashier, invoice: dict[str, Any], amount: str) -> None:
    customer = cashier.books.read("Invoice", invoice["source_id"])["CustomerRef"]["value"]
    cashier.books.pay(customer, amount, ("Invoice", invoice["source_id"], amount))


@pytest.mark.parametrize("is_entered_first", [True, False])
def test_a_later_invoice_is_not_covered(cashier: Cashier, ask: Asking, is_entered_first: bool):
    [old, new] = cashier.invoices(2)
    payment = cashier.take(old)
    if is_entered_first:
        enter_by_hand(cashier, old, "100")
    let_go(cashier, payment)
    if not is_entered_first:
        enter_by_hand(cashier, old, "100")

    assert ask.about(old["source_id"]) == ("hold", ["paid"])
    assert ask.about(new["source_id"]) == ("send", [])


def test_its_own_invoice_is_covered_until_the_bookkeeper_has_entered_it(cashier: Cashier, ask: Asking):
    [invoice] = cashier.invoices(1)
    payment = cashier.take(invoice)
    let_go(cashier, payment)

    assert ask.about(invoice["source_id"]) == ("hold", ["covered_by_payment"])


@pytest.mark.parametrize(("entered", "expected"), [("100", "send"), ("60", "send"), ("10", "send")])
def test_the_rest_of_a_larger_invoice_is_owed(cashier: Cashier, ask: Asking, entered: str, expected: str):
    [invoice] = cashier.invoices(1, "250")
    let_go(cashier, cashier.take(invoice, "100"))
    enter_by_hand(cashier, invoice, entered)

    assert ask.about(invoice["source_id"])[0] == expected


def test_what_was_paid_before_is_not_taken_for_what_was_entered_by_hand(cashier: Cashier, ask: Asking):
    [invoice] = cashier.invoices(1, "200")
    enter_by_hand(cashier, invoice, "100")
    cashier.bench.sync(cashier.company)
    payment = cashier.take(invoice, "100")
    let_go(cashier, payment)

    assert ask.about(invoice["source_id"]) == ("hold", ["covered_by_payment"])


def test_two_of_one_invoice_are_told_apart_by_their_amounts(cashier: Cashier, ask: Asking):
    [invoice] = cashier.invoices(1, "150")
    for payment in (cashier.take(invoice, "50"), cashier.take(invoice, "50")):
        let_go(cashier, payment)
    enter_by_hand(cashier, invoice, "100")

    assert ask.about(invoice["source_id"]) == ("send", [])
