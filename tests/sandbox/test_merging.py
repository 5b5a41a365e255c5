from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from sandbox.faults import Fault
from sandbox.merging import merge_customers
from sandbox.scribe import check_to, deposit_from, journal_of

if TYPE_CHECKING:
    from sandbox.sandbox import Sandbox
    from sandbox.scribe import Scribe
    from tests.sandbox.conftest import Api

SEVENTY_FIVE = Decimal(75)


def test_a_merged_customer_leaves_its_transactions_to_the_other(scribe: Scribe) -> None:
    loser, survivor = scribe.customer("Ada"), scribe.customer("Bob")
    invoice = scribe.invoice(loser, ("3", "1", "75"))
    payment = scribe.pay(loser, "100", ("Invoice", invoice, SEVENTY_FIVE))
    before = [scribe.read("Invoice", invoice), scribe.read("Payment", payment)]
    merge_customers(scribe, loser, survivor)
    after = [scribe.read("Invoice", invoice), scribe.read("Payment", payment)]
    assert [each["CustomerRef"] for each in after] == [{"value": survivor, "name": "Bob"}] * 2
    assert [int(each["SyncToken"]) for each in after] == [int(each["SyncToken"]) + 1 for each in before]
    assert scribe.read("Customer", survivor)["Balance"] == -25
    assert scribe.read("Customer", loser)["Active"] is False
    assert scribe.read("Customer", loser)["DisplayName"] == "Ada (deleted)"


@pytest.mark.parametrize("new_versions", [True, False])
def test_journals_deposits_checks_and_sub_customers_move_too(
    scribe: Scribe, state: Sandbox, *, new_versions: bool
) -> None:
    state.change_settings({"merge_versions": new_versions}, scribe.books.realm_id)
    loser, survivor = scribe.customer("Ada"), scribe.customer("Bob")
    child = scribe.customer("Ada's shop", ParentRef={"value": loser})
    moved = {
        "Invoice": scribe.invoice(loser, ("3", "1", "100")),
        "JournalEntry": journal_of(scribe, loser, Decimal(-30)),
        "Deposit": deposit_from(scribe, loser, Decimal(20)),
        "Purchase": check_to(scribe, loser, Decimal(5)),
    }
    below = scribe.invoice(child, ("3", "1", "40"))
    payment = scribe.pay(loser, "40", ("Invoice", below, Decimal(40)))
    zero = scribe.pay(
        loser,
        "0",
        ("Invoice", moved["Invoice"], Decimal(10)),
        ("JournalEntry", moved["JournalEntry"], Decimal(10)),
        ("Deposit", moved["Deposit"], Decimal(5)),
        ("Check", moved["Purchase"], Decimal(5)),
    )
    before = {entity: scribe.read(entity, record) for entity, record in moved.items()}
    merge_customers(scribe, loser, survivor)
    for entity, record in moved.items():
        after = scribe.read(entity, record)
        is_new = after["SyncToken"] != before[entity]["SyncToken"]
        assert (entity, is_new) == (entity, new_versions)
        assert (after["MetaData"] == before[entity]["MetaData"]) or new_versions
        assert f"'value': '{survivor}', 'name': 'Bob'" in str(after)
        assert "'name': 'Ada'" not in str(after)
    assert scribe.read("Customer", child)["ParentRef"] == {"value": survivor}
    assert scribe.read("Customer", child)["FullyQualifiedName"] == "Bob:Ada's shop"
    assert [scribe.read("Payment", each)["CustomerRef"]["value"] for each in (payment, zero)] == [
        survivor
    ] * 2
    assert scribe.read("Customer", loser)["BalanceWithJobs"] == 0
    assert scribe.read("Customer", survivor)["Balance"] == 100 - 30 - 20 + 5
    assert scribe.read("Customer", survivor)["BalanceWithJobs"] == 55
    scribe.drop("Payment", payment)
    assert scribe.balance(below) == 40
    scribe.drop("Payment", zero)
    assert scribe.balance(moved["Invoice"]) == 100
    assert scribe.read("Customer", survivor)["Balance"] == 100 - 30 - 20 + 5


def test_customers_that_cannot_be_merged_stay_as_they_are(scribe: Scribe) -> None:
    payer = scribe.customer("Ada")
    child, brother = (scribe.customer(name, ParentRef={"value": payer}) for name in ("Cid", "Dora"))
    other, foreign = scribe.customer("Bob"), scribe.customer("Eve", CurrencyRef={"value": "EUR"})
    invoice = scribe.invoice(child, ("3", "1", "75"))
    scribe.pay(payer, "75", ("Invoice", invoice, SEVENTY_FIVE))
    for loser, survivor in ((payer, child), (child, payer), (other, foreign), (other, other), (child, other)):
        with pytest.raises(Fault, match=r"^6000 "):
            merge_customers(scribe, loser, survivor)
    merge_customers(scribe, child, brother)
    assert scribe.read("Invoice", invoice)["CustomerRef"]["name"] == "Dora"


def test_customers_are_merged_from_outside(api: Api) -> None:
    loser, survivor = (api.write("Customer", {"DisplayName": name})["Id"] for name in ("Ada", "Bob"))
    api.control.merge(api.realm_id, loser, survivor)
    assert [each["Id"] for each in api.query("SELECT * FROM Customer")["Customer"]] == [survivor]
