from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from include.sandbox.faults import Fault

if TYPE_CHECKING:
    from include.sandbox.scribe import Scribe


def account(scribe: Scribe, name: str) -> str:
    return scribe.books.index.named("Account", name) or ""


def deposit(scribe: Scribe, *payments: str, to: str = "Checking", **more: Any) -> str:
    lines = [{"LinkedTxn": [{"TxnId": payment, "TxnType": "Payment"}], **more} for payment in payments]
    return scribe.write("Deposit", {"DepositToAccountRef": {"value": account(scribe, to)}, "Line": lines})


@pytest.fixture
def payment(scribe: Scribe) -> str:
    return scribe.pay(scribe.customer("Ada"), "75", PaymentRefNum="CHQ-1", PaymentMethodRef={"value": "2"})


def balance(scribe: Scribe, name: str) -> Decimal:
    return scribe.read("Account", account(scribe, name))["CurrentBalance"]


def test_a_deposit_moves_the_money_and_shows_in_the_payment_without_a_new_version(
    scribe: Scribe, payment: str
) -> None:
    before = scribe.read("Payment", payment)
    made = deposit(scribe, payment)
    assert (balance(scribe, "Checking"), balance(scribe, "Undeposited Funds")) == (75, 0)
    after = scribe.read("Payment", payment)
    assert after.pop("LinkedTxn") == [{"TxnId": made, "TxnType": "Deposit"}]
    assert after == before
    assert scribe.read("Deposit", made)["Line"] == [
        {
            "Amount": 75,
            "LinkedTxn": [{"TxnId": payment, "TxnType": "Payment", "TxnLineId": "0"}],
            "DepositLineDetail": {"PaymentMethodRef": {"value": "2"}, "CheckNum": "CHQ-1"},
        }
    ]


def test_a_deposited_payment_cannot_be_changed_until_the_deposit_is_gone(
    scribe: Scribe, payment: str
) -> None:
    made = deposit(scribe, payment)
    for operation in ("void", "delete"):
        with pytest.raises(Fault, match=r"^6540 "):
            scribe.drop("Payment", payment, operation)
    with pytest.raises(Fault, match=r"^6540 "):
        scribe.change("Payment", payment, TotalAmt=80)
    scribe.drop("Deposit", made)
    assert "LinkedTxn" not in scribe.read("Payment", payment)
    scribe.drop("Payment", payment, "void")
    assert (balance(scribe, "Checking"), balance(scribe, "Undeposited Funds")) == (0, 0)


def test_a_deposited_payment_stays_deposited_when_its_invoice_is_deleted(scribe: Scribe) -> None:
    customer = scribe.customer("Ada")
    invoice = scribe.invoice(customer, ("3", "1", "75"))
    payment = scribe.pay(customer, "75", ("Invoice", invoice, Decimal(75)))
    made = deposit(scribe, payment)
    scribe.drop("Invoice", invoice)
    left = scribe.read("Payment", payment)
    assert (left["UnappliedAmt"], left["LinkedTxn"][0]["TxnId"]) == (75, made)


def test_a_wrong_deposit_is_refused(scribe: Scribe, payment: str) -> None:
    with pytest.raises(Fault, match="select a different type of account"):
        deposit(scribe, payment, to="Services")
    with pytest.raises(Fault, match="amount of its payment"):
        deposit(scribe, payment, Amount=10)
    with pytest.raises(Fault, match=r"^610 "):
        deposit(scribe, "999")
    deposit(scribe, payment)
    with pytest.raises(Fault, match=r"^620 "):
        deposit(scribe, payment)
