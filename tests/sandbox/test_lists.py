from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sandbox.faults import Fault

if TYPE_CHECKING:
    from sandbox.sandbox import Sandbox
    from sandbox.scribe import Scribe


def test_a_name_may_be_used_once(scribe: Scribe) -> None:
    scribe.customer("Ada")
    with pytest.raises(Fault, match=r"6240 .*Another customer is already using this name"):
        scribe.customer("ADA")


def test_an_inactive_customer_is_marked_and_its_name_is_free(scribe: Scribe) -> None:
    first = scribe.customer("Ada")
    scribe.change("Customer", first, Active=False)
    gone = scribe.read("Customer", first)
    assert (gone["DisplayName"], gone["FullyQualifiedName"], gone["Active"]) == (
        "Ada (deleted)",
        "Ada (deleted)",
        False,
    )
    second = scribe.customer("Ada")
    scribe.change("Customer", second, Active=False)
    assert scribe.read("Customer", second)["DisplayName"] == "Ada (deleted 2)"
    scribe.change("Customer", first, Active=True)
    assert scribe.read("Customer", first)["DisplayName"] == "Ada"


def test_an_inactive_customer_cannot_be_used(scribe: Scribe) -> None:
    customer = scribe.customer("Ada")
    scribe.change("Customer", customer, Active=False)
    with pytest.raises(Fault, match=r"2500 .*made inactive"):
        scribe.invoice(customer, ("3", "1", "75"))


def test_a_customer_with_a_balance_stays_active(scribe: Scribe) -> None:
    customer = scribe.customer("Ada")
    scribe.invoice(customer, ("3", "1", "75"))
    with pytest.raises(Fault, match=r"6000 .*balance"):
        scribe.change("Customer", customer, Active=False)


def test_sub_customers_add_to_their_parents(scribe: Scribe, state: Sandbox) -> None:
    parent = scribe.customer("Ada")
    state.clock.offset_seconds = 50
    child = scribe.customer("Yard", ParentRef={"value": parent}, BillWithParent=True)
    grandchild = scribe.customer("Shed", ParentRef={"value": child})
    fields = scribe.read("Customer", grandchild)
    assert (fields["FullyQualifiedName"], fields["Level"], fields["Job"]) == ("Ada:Yard:Shed", 2, True)
    touched = scribe.read("Customer", parent)
    assert touched["MetaData"]["LastUpdatedTime"] == scribe.read("Customer", child)["MetaData"]["CreateTime"]
    assert touched["SyncToken"] == "0"
    scribe.invoice(grandchild, ("3", "1", "75"))
    assert (
        scribe.read("Customer", parent)["Balance"],
        scribe.read("Customer", parent)["BalanceWithJobs"],
    ) == (0, 75)


def test_a_sub_customer_that_moves_takes_its_balance_along(scribe: Scribe) -> None:
    first, second = scribe.customer("Ada"), scribe.customer("Bob")
    child = scribe.customer("Yard", ParentRef={"value": first})
    scribe.invoice(child, ("3", "1", "75"))
    scribe.change("Customer", child, ParentRef={"value": second})
    assert scribe.read("Customer", first)["BalanceWithJobs"] == 0
    assert scribe.read("Customer", second)["BalanceWithJobs"] == 75
    assert scribe.read("Customer", child)["FullyQualifiedName"] == "Bob:Yard"


def test_a_customer_cannot_be_its_own_ancestor(scribe: Scribe) -> None:
    parent = scribe.customer("Ada")
    child = scribe.customer("Yard", ParentRef={"value": parent})
    with pytest.raises(Fault, match=r"^6000 "):
        scribe.change("Customer", parent, ParentRef={"value": child})


def test_a_new_name_shows_everywhere_without_a_new_version(scribe: Scribe) -> None:
    parent = scribe.customer("Ada")
    child = scribe.customer("Yard", ParentRef={"value": parent})
    invoice = scribe.invoice(parent, ("3", "1", "75"))
    before = scribe.read("Invoice", invoice)
    scribe.change("Customer", parent, DisplayName="Ada & Co")
    after = scribe.read("Invoice", invoice)
    assert after["CustomerRef"]["name"] == "Ada & Co"
    assert (after["SyncToken"], after["MetaData"]) == (before["SyncToken"], before["MetaData"])
    assert scribe.read("Customer", child)["FullyQualifiedName"] == "Ada & Co:Yard"


def test_a_customers_currency_never_changes(scribe: Scribe) -> None:
    customer = scribe.customer("Zoë", CurrencyRef={"value": "EUR"})
    assert scribe.books.index.named("Account", "Accounts Receivable (A/R) - EUR")
    with pytest.raises(Fault, match=r"6000 .*currency"):
        scribe.change("Customer", customer, CurrencyRef={"value": "USD"})
    with pytest.raises(Fault, match="The currency of the transaction is invalid"):
        scribe.invoice(customer, ("3", "1", "75"), CurrencyRef={"value": "USD"})


def test_a_single_currency_company_refuses_others(state: Sandbox) -> None:
    from sandbox.scribe import Scribe

    company = state.open_company("One", realm_id="2", country="US", home_currency="USD", multicurrency=False)
    with pytest.raises(Fault, match=r"^6000 "):
        Scribe(company.books).customer("Zoë", CurrencyRef={"value": "EUR"})


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "2020"),
        ({"DisplayName": "a:b"}, "2010"),
        ({"DisplayName": "Ada", "PrimaryEmailAddr": {"Address": "ada"}}, "2210"),
        ({"DisplayName": "Ada", "Colour": "blue"}, "2010"),
        ({"DisplayName": "Ada", "SalesTermRef": {"value": "77"}}, "2500"),
        ({"DisplayName": "Ada", "ParentRef": {"value": "77"}}, "2500"),
        ({"DisplayName": "Ada", "PreferredDeliveryMethod": "Pigeon"}, "2170"),
    ],
)
def test_a_wrong_customer_is_refused(scribe: Scribe, body: dict[str, Any], code: str) -> None:
    with pytest.raises(Fault) as refused:
        scribe.write("Customer", body)
    assert refused.value.code == code


def test_a_person_without_a_display_name_gets_one(scribe: Scribe) -> None:
    customer = scribe.write("Customer", {"GivenName": "Ada", "FamilyName": "Lovelace"})
    assert scribe.read("Customer", customer)["DisplayName"] == "Ada Lovelace"


def test_accounts_have_a_classification_and_a_full_name(scribe: Scribe) -> None:
    parent = scribe.write("Account", {"Name": "Banks", "AccountType": "Bank"})
    child = scribe.write("Account", {"Name": "DBS", "AccountType": "Bank", "ParentRef": {"value": parent}})
    account = scribe.read("Account", child)
    assert (account["Classification"], account["FullyQualifiedName"], account["SubAccount"]) == (
        "Asset",
        "Banks:DBS",
        True,
    )
    scribe.pay(scribe.customer("Ada"), "10", DepositToAccountRef={"value": child})
    above = scribe.read("Account", parent)
    assert (above["CurrentBalance"], above["CurrentBalanceWithSubAccounts"]) == (0, 10)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"AccountType": "Bank"}, "2020"),
        ({"Name": "x"}, "2020"),
        ({"Name": "x", "AccountType": "Piggy Bank"}, "2170"),
        ({"Name": "Checking", "AccountType": "Bank"}, "6240"),
    ],
)
def test_a_wrong_account_is_refused(scribe: Scribe, body: dict[str, Any], code: str) -> None:
    with pytest.raises(Fault) as refused:
        scribe.write("Account", body)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("entity", "body"),
    [
        ("Item", {"Name": "Rake", "IncomeAccountRef": {"value": "12"}}),
        ("PaymentMethod", {"Name": "GIRO"}),
        ("Term", {"Name": "Net 7", "DueDays": 7}),
    ],
)
def test_small_lists_can_be_created_changed_and_set_aside(
    scribe: Scribe, entity: str, body: dict[str, Any]
) -> None:
    record = scribe.write(entity, body)
    scribe.change(entity, record, Name="Renamed")
    assert scribe.read(entity, record)["Name"] == "Renamed"
    scribe.change(entity, record, Active=False)
    assert scribe.read(entity, record)["Name"] == "Renamed (deleted)"
    with pytest.raises(Fault, match=r"^500 "):
        scribe.drop(entity, record)


@pytest.mark.parametrize("entity", ["TaxCode", "TaxRate"])
def test_taxes_are_read_only(scribe: Scribe, entity: str) -> None:
    with pytest.raises(Fault, match=r"^500 "):
        scribe.write(entity, {"Name": "VAT"})
