from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.faults import Fault
from sandbox.scribe import deposit_from

if TYPE_CHECKING:
    from sandbox.scribe import Scribe


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


def test_a_deposit_to_receivables_lowers_what_a_customer_owes_and_no_invoice(scribe: Scribe) -> None:
    customer = scribe.customer("Ada")
    invoice = scribe.invoice(customer, ("3", "1", "100"))
    payment = scribe.pay(customer, "30", ("Invoice", invoice, Decimal(30)))
    made = deposit_from(scribe, customer, Decimal(70))
    assert (scribe.read("Customer", customer)["Balance"], scribe.balance(invoice)) == (0, 70)
    assert scribe.read("Deposit", made)["Line"][0]["DepositLineDetail"]["Entity"] == {
        "value": customer,
        "name": "Ada",
        "type": "CUSTOMER",
    }
    both = {
        "Line": [
            {"LinkedTxn": [{"TxnId": payment, "TxnType": "Payment"}]},
            *scribe.read("Deposit", made)["Line"],
        ]
    }
    scribe.drop("Deposit", made)
    assert scribe.read("Customer", customer)["Balance"] == 70
    mixed = deposit_from(scribe, customer, Decimal(0), **both)
    assert (scribe.read("Deposit", mixed)["TotalAmt"], balance(scribe, "Checking")) == (100, 100)
    assert scribe.read("Customer", customer)["Balance"] == 0
    scribe.change("Customer", customer, DisplayName="Ada Ltd")
    assert scribe.read("Deposit", mixed)["Line"][1]["DepositLineDetail"]["Entity"]["name"] == "Ada Ltd"


def test_a_deposit_to_receivables_in_another_currency(scribe: Scribe) -> None:
    customer = scribe.customer("Eve", CurrencyRef={"value": "EUR"})
    deposit_from(scribe, customer, Decimal(10), ExchangeRate=Decimal(2))
    assert scribe.read("Customer", customer)["Balance"] == -10
    assert balance(scribe, "Checking") == 20
    with pytest.raises(Fault, match="currency of the transaction"):
        deposit_from(scribe, customer, Decimal(10), CurrencyRef={"value": "USD"})


def test_an_edited_deposit_keeps_its_payments_and_the_ids_of_its_lines(scribe: Scribe, payment: str) -> None:
    customer = scribe.customer("Bob")
    made = deposit_from(scribe, customer, Decimal(20))
    [line] = scribe.read("Deposit", made)["Line"]
    assert (line["Id"], line["LineNum"]) == ("1", 1)
    link = {"LinkedTxn": [{"TxnId": payment, "TxnType": "Payment"}]}
    new = {name: value for name, value in line.items() if name not in ("Id", "LineNum")}
    scribe.change("Deposit", made, Line=[link, {**new, "Amount": 10}, line])
    shown = scribe.read("Deposit", made)
    assert [each.get("Id") for each in shown["Line"]] == [None, "2", "1"]
    assert (shown["TotalAmt"], shown["SyncToken"]) == (105, "1")
    assert (balance(scribe, "Checking"), balance(scribe, "Undeposited Funds")) == (105, 0)
    scribe.change("Deposit", made, Line=shown["Line"][:2])
    assert scribe.read("Payment", payment)["LinkedTxn"] == [{"TxnId": made, "TxnType": "Deposit"}]
    assert scribe.read("Customer", customer)["Balance"] == -10
    scribe.change("Deposit", made, Line=shown["Line"][1:])
    assert "LinkedTxn" not in scribe.read("Payment", payment)
    assert (balance(scribe, "Checking"), balance(scribe, "Undeposited Funds")) == (30, 75)


def test_a_wrong_deposit_is_refused(scribe: Scribe, payment: str) -> None:
    with pytest.raises(Fault, match="select a different type of account"):
        deposit(scribe, payment, to="Services")
    with pytest.raises(Fault, match=r"^2500 "):
        deposit_from(scribe, "", Decimal(10))
    with pytest.raises(Fault, match="0 or greater"):
        deposit_from(scribe, scribe.customer("Bob"), Decimal(-10))
    with pytest.raises(Fault, match="amount of its payment"):
        deposit(scribe, payment, Amount=10)
    with pytest.raises(Fault, match=r"^610 "):
        deposit(scribe, "999")
    deposit(scribe, payment)
    with pytest.raises(Fault, match=r"^620 "):
        deposit(scribe, payment)
