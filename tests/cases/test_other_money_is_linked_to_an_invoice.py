"""A bookkeeper links a deposit or a check with an invoice or a credit memo: by a payment of zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.asking import Asking
from tests.support.other_money import check, deposit
from tests.support.truth import differences

if TYPE_CHECKING:
    from tests.support.cashier import Cashier


@pytest.fixture
def ask(cashier: Cashier) -> Asking:
    return Asking(cashier.bench, cashier.company)


def allocations(cashier: Cashier, payment: str) -> list[tuple]:
    statement = """
        select allocation.target_type, allocation.target_id is null, allocation.target_source_id, allocation.amount
        from peakflo.payment_allocation as allocation
        join peakflo.payment as payment on payment.id = allocation.payment_id
        where payment.source_id = %s
        order by allocation.position
    """
    return cashier.bench.db.execute(statement, [payment]).fetchall()


def test_a_deposit_counts_for_the_invoice_that_it_is_linked_to(cashier: Cashier, ask: Asking):
    ada = cashier.books.customer("Ada Deposited")
    first, second = cashier.books.invoice(ada, "100"), cashier.books.invoice(ada, "100")
    money = deposit(cashier, ada, "130")
    cashier.bench.sync(cashier.company)
    assert ask.about(first) == ask.about(second) == ("hold", ["covered_by_other"])

    payment = cashier.books.pay(ada, "0", ("Invoice", first, "100"), ("Deposit", money, "100"))

    assert (ask.about(first), ask.about(second)) == (("hold", ["paid"]), ("send", []))
    assert allocations(cashier, payment) == [
        ("invoice", False, first, 100),
        ("deposit", True, money, 100),
    ]
    cashier.books.delete("Deposit", money)
    assert ask.about(first) == ask.about(second) == ("send", [])
    assert allocations(cashier, payment) == []
    assert differences(cashier.bench.db, cashier.bench.sandbox, cashier.company) == []


def test_a_credit_that_a_check_is_linked_to_covers_nothing_any_more(cashier: Cashier, ask: Asking):
    ada = cashier.books.customer("Ada Paid Out")
    invoice = cashier.books.invoice(ada, "100")
    credit = cashier.books.credit(ada, "100")
    cashier.bench.sync(cashier.company)
    assert ask.about(invoice) == ("hold", ["covered_by_credit"])

    refund = check(cashier, ada, "100")
    payment = cashier.books.pay(ada, "0", ("CreditMemo", credit, "100"), ("Check", refund, "100"))

    assert ask.about(invoice) == ("send", [])
    assert allocations(cashier, payment)[1] == ("check", True, refund, 100)
    cashier.books.void("Payment", payment)
    assert ask.about(invoice) == ("send", [])
    cashier.books.delete("Purchase", refund)
    assert ask.about(invoice) == ("hold", ["covered_by_credit"])
