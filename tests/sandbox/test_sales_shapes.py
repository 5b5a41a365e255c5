"""Forms that are made up in other ways: prices with tax, bundles, deposits, lines without a subtotal."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.chart import by_sub_type
from sandbox.faults import Fault
from sandbox.sandbox import Sandbox
from sandbox.scribe import Scribe, sales_line

if TYPE_CHECKING:
    from tests.sandbox.conftest import Api


def inclusive(scribe: Scribe, customer: str, *lines: Any, **more: Any) -> dict[str, Any]:
    body = {
        "CustomerRef": {"value": customer},
        "GlobalTaxCalculation": "TaxInclusive",
        "Line": list(lines),
        "TxnTaxDetail": {"TxnTaxCodeRef": {"value": "1"}},
    }
    return scribe.read("Invoice", scribe.write("Invoice", {**body, **more}))


def bundle(*members: dict[str, Any]) -> dict[str, Any]:
    return {
        "DetailType": "GroupLineDetail",
        "Description": "A set",
        "GroupLineDetail": {"Quantity": 1, "Line": list(members)},
    }


def test_prices_with_tax_are_answered_without_it(scribe: Scribe) -> None:
    line = sales_line("4", "2", "54", tax="TAX")
    invoice = inclusive(scribe, scribe.customer("Ada"), line, bundle(sales_line("3", "1", "10")))
    first = invoice["Line"][0]
    assert (first["Amount"], first["SalesItemLineDetail"]["TaxInclusiveAmt"]) == (100, 108)
    assert first["SalesItemLineDetail"]["UnitPrice"] == 50
    assert (invoice["TxnTaxDetail"]["TotalTax"], invoice["TotalAmt"]) == (8, 118)
    assert [each["Amount"] for each in invoice["Line"][1:]] == [10, 110]
    scribe.change("Invoice", invoice["Id"], PrivateNote="x")
    again = scribe.read("Invoice", invoice["Id"])
    assert (again["Line"], again["TotalAmt"]) == (invoice["Line"], invoice["TotalAmt"])


@given(st.lists(st.integers(1, 99_999), min_size=1, max_size=5))
def test_prices_with_tax_add_up_to_the_total(cents: list[int]) -> None:
    scribe = new_scribe()
    prices = [Decimal(each) / 100 for each in cents]
    lines = [sales_line("4", "1", str(price), tax="TAX") for price in prices]
    invoice = inclusive(scribe, scribe.customer("Ada"), *lines)
    net = sum(line["Amount"] for line in invoice["Line"][:-1])
    tax = invoice["TxnTaxDetail"]["TotalTax"]
    assert invoice["TotalAmt"] == sum(prices) == net + tax
    assert tax == sum(line["Amount"] for line in invoice["TxnTaxDetail"]["TaxLine"])


def new_scribe() -> Scribe:
    company = Sandbox(seed=7).open_company("Ada", realm_id="1", multicurrency=True)
    return Scribe(company.books)


def test_a_deposit_on_an_invoice_lowers_what_is_open_of_it(scribe: Scribe) -> None:
    customer = scribe.customer("Eve", CurrencyRef={"value": "EUR"})
    body = {"Deposit": Decimal(30), "ExchangeRate": Decimal("1.333333")}
    invoice = scribe.invoice(customer, ("3", "1", "100"), **body)
    shown = scribe.read("Invoice", invoice)
    assert (shown["TotalAmt"], shown["Deposit"], shown["Balance"]) == (100, 30, 70)
    assert scribe.read("Customer", customer)["Balance"] == 70
    funds = by_sub_type(scribe.books, "UndepositedFunds")
    assert scribe.read("Account", funds)["CurrentBalance"] == 40
    with pytest.raises(Fault, match="more than the open balance"):
        scribe.pay(customer, "80", ("Invoice", invoice, Decimal(80)))
    payment = scribe.pay(customer, "70", ("Invoice", invoice, Decimal(70)))
    assert (scribe.balance(invoice), scribe.read("Customer", customer)["Balance"]) == (0, 0)
    with pytest.raises(Fault, match="less than the payments"):
        scribe.change("Invoice", invoice, Deposit=Decimal(40))
    with pytest.raises(Fault, match="deposit must be"):
        scribe.change("Invoice", invoice, Deposit=Decimal(101))
    scribe.drop("Payment", payment)
    scribe.drop("Invoice", invoice, "void")
    voided = scribe.read("Invoice", invoice)
    assert (voided["Deposit"], voided["Balance"]) == (0, 0)
    assert (
        scribe.read("Customer", customer)["Balance"] == scribe.read("Account", funds)["CurrentBalance"] == 0
    )


def test_other_shapes_are_answered_and_not_kept(api: Api) -> None:
    customer = api.write("Customer", {"DisplayName": "Ada", "BillAddr": {"Line1": "1", "Country": "US"}})[
        "Id"
    ]
    member = {**sales_line("3", "1", "1"), "Amount": 10, "SalesItemLineDetail": {"ItemRef": {"value": "3"}}}
    body = {"CustomerRef": {"value": customer}, "Line": [bundle(member)]}
    as_is = api.write("Invoice", body)
    assert [line["DetailType"] for line in as_is["Line"]] == ["GroupLineDetail", "SubTotalLineDetail"]
    api.control.change_settings(api.realm_id, subtotal_lines=False, bundle_members=False, countries="alpha_3")
    (shown,) = api.query("SELECT * FROM Invoice")["Invoice"]
    assert shown == api.read("Invoice", as_is["Id"])
    assert [line["DetailType"] for line in shown["Line"]] == ["GroupLineDetail"]
    assert (shown["Line"][0]["Amount"], shown["Line"][0]["GroupLineDetail"]) == (10, {"Quantity": 1})
    assert shown["BillAddr"]["Country"] == api.read("Customer", customer)["BillAddr"]["Country"] == "USA"
    assert api.call("GET", "companyinfo/1").json()["CompanyInfo"]["Country"] == "USA"
    (truth,) = api.control.truth(api.realm_id, records=True)["records"]["Invoice"]
    assert truth == as_is


def test_a_profile_sets_everything_at_once(api: Api) -> None:
    changed = api.control.change_settings(api.realm_id, profile="intuit_changes", order_by_id="ignore")
    assert (changed["order_by_id"], changed["order_by"]) == ("ignore", "ignore")
    assert (changed["countries"], changed["throttle"]) == ("alpha_3", "off")
    assert api.call("GET", "preferences").status_code == 200
