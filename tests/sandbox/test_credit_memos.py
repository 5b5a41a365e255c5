from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from sandbox.faults import Fault
from sandbox.scribe import sales_line

if TYPE_CHECKING:
    from sandbox.scribe import Scribe


def test_a_credit_memo_lowers_the_customers_balance(scribe: Scribe) -> None:
    customer = scribe.customer("Ada")
    memo = scribe.read("CreditMemo", scribe.credit(customer, ("3", "1", "75")))
    assert memo["TotalAmt"] == memo["RemainingCredit"] == memo["Balance"] == 75
    assert "LinkedTxn" not in memo
    assert "DueDate" not in memo
    assert scribe.read("Customer", customer)["Balance"] == -75


def test_deleting_an_applied_credit_memo_reopens_the_invoice(scribe: Scribe) -> None:
    customer = scribe.customer("Ada")
    invoice = scribe.invoice(customer, ("3", "1", "75"))
    memo = scribe.credit(customer, ("3", "1", "75"))
    scribe.pay(customer, "0", ("Invoice", invoice, Decimal(75)), ("CreditMemo", memo, Decimal(75)))
    assert scribe.balance(invoice) == 0
    scribe.drop("CreditMemo", memo)
    assert scribe.balance(invoice) == 75
    assert scribe.read("Customer", customer)["Balance"] == 75


def test_an_applied_credit_memo_cannot_shrink_below_what_is_applied(scribe: Scribe) -> None:
    customer = scribe.customer("Ada")
    invoice = scribe.invoice(customer, ("3", "1", "75"))
    memo = scribe.credit(customer, ("3", "1", "75"))
    scribe.pay(customer, "0", ("Invoice", invoice, Decimal(50)), ("CreditMemo", memo, Decimal(50)))
    scribe.change("CreditMemo", memo, Line=[sales_line("3", "1", "60")])
    assert scribe.read("CreditMemo", memo)["RemainingCredit"] == 10
    with pytest.raises(Fault, match=r"^6000 "):
        scribe.change("CreditMemo", memo, Line=[sales_line("3", "1", "40")])


def test_a_credit_memo_has_no_void(scribe: Scribe) -> None:
    memo = scribe.credit(scribe.customer("Ada"), ("3", "1", "75"))
    with pytest.raises(Fault, match=r"^500 "):
        scribe.drop("CreditMemo", memo, "void")


def test_deleting_a_credit_memo_cuts_what_its_payment_can_still_pay(scribe: Scribe) -> None:
    customer = scribe.customer("Ada")
    first, second = (scribe.invoice(customer, ("3", "1", "75")) for _ in range(2))
    memo = scribe.credit(customer, ("3", "1", "90"))
    applied = (("Invoice", first, Decimal(75)), ("Invoice", second, Decimal(75)))
    payment = scribe.pay(customer, "60", *applied, ("CreditMemo", memo, Decimal(90)))
    scribe.drop("CreditMemo", memo)
    assert (scribe.balance(first), scribe.balance(second)) == (15, 75)
    assert scribe.read("Payment", payment)["UnappliedAmt"] == 0
    assert scribe.read("Customer", customer)["Balance"] == 90


def test_a_line_that_linked_both_keeps_its_invoice_only_as_far_as_there_is_money(scribe: Scribe) -> None:
    customer = scribe.customer("Ada")
    invoice = scribe.invoice(customer, ("3", "1", "75"))
    memo = scribe.credit(customer, ("3", "1", "20"))
    links = [{"TxnId": invoice, "TxnType": "Invoice"}, {"TxnId": memo, "TxnType": "CreditMemo"}]
    payment = scribe.write(
        "Payment",
        {"CustomerRef": {"value": customer}, "TotalAmt": 5, "Line": [{"Amount": 20, "LinkedTxn": links}]},
    )
    scribe.drop("CreditMemo", memo)
    assert scribe.balance(invoice) == 70
    assert scribe.read("Payment", payment)["UnappliedAmt"] == 0
