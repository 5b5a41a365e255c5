from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from sandbox.chart import by_sub_type
from sandbox.faults import Fault
from sandbox.scribe import check_to

if TYPE_CHECKING:
    from sandbox.scribe import Scribe


def test_a_check_pays_a_credit_out(scribe: Scribe) -> None:
    customer = scribe.customer("Ada")
    scribe.credit(customer, ("3", "1", "75"))
    check = check_to(scribe, customer, Decimal(75))
    assert scribe.read("Customer", customer)["Balance"] == 0
    bank = by_sub_type(scribe.books, "Checking")
    assert scribe.read("Account", bank)["CurrentBalance"] == -75
    shown = scribe.read("Purchase", check)
    assert (shown["TotalAmt"], shown["PaymentType"]) == (75, "Check")
    assert shown["EntityRef"] == {"value": customer, "name": "Ada", "type": "Customer"}
    assert (shown["Line"][0]["Id"], shown["Line"][0]["DetailType"]) == ("1", "AccountBasedExpenseLineDetail")
    scribe.drop("Purchase", check)
    assert scribe.read("Customer", customer)["Balance"] == -75
    assert scribe.read("Account", bank)["CurrentBalance"] == 0


def test_an_edited_check_pays_out_what_it_says_by_now(scribe: Scribe) -> None:
    customer = scribe.customer("Ada")
    check = check_to(scribe, customer, Decimal(75))
    [line] = scribe.read("Purchase", check)["Line"]
    scribe.change("Purchase", check, Line=[{**line, "Amount": 50}])
    assert scribe.read("Customer", customer)["Balance"] == 50
    assert scribe.read("Account", by_sub_type(scribe.books, "Checking"))["CurrentBalance"] == -50
    assert (scribe.read("Purchase", check)["TotalAmt"], scribe.read("Purchase", check)["SyncToken"]) == (
        50,
        "1",
    )


def test_a_check_in_another_currency(scribe: Scribe) -> None:
    customer = scribe.customer("Eve", CurrencyRef={"value": "EUR"})
    check = check_to(scribe, customer, Decimal(10), ExchangeRate=Decimal(2))
    assert scribe.read("Customer", customer)["Balance"] == 10
    assert scribe.read("Account", by_sub_type(scribe.books, "Checking"))["CurrentBalance"] == -20
    assert scribe.read("Purchase", check)["CurrencyRef"]["value"] == "EUR"


def test_a_wrong_check_is_refused(scribe: Scribe) -> None:
    ada = scribe.customer("Ada")
    with pytest.raises(Fault, match="must choose a customer"):
        check_to(scribe, ada, Decimal(10), EntityRef={"value": "1", "type": "Vendor"})
    with pytest.raises(Fault, match="different type of account"):
        check_to(scribe, ada, Decimal(10), PaymentType="CreditCard")
    with pytest.raises(Fault, match="0 or greater"):
        check_to(scribe, ada, Decimal(-10))
    with pytest.raises(Fault, match=r"^2500 "):
        check_to(scribe, "99", Decimal(10))
