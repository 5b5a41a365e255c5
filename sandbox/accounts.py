"""Accounts; QuickBooks makes them inactive, it does not delete them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox import chart, faults, names, validation
from sandbox.balances import account_balances
from sandbox.json_text import ZERO

if TYPE_CHECKING:
    from sandbox.books import Books, Record

_REFERENCES = ("AccountRef", "IncomeAccountRef", "DiscountAccountRef")
DEFAULT_SUB_TYPES = {
    "Bank": "Checking",
    chart.RECEIVABLE: "AccountsReceivable",
    "Other Current Asset": "OtherCurrentAssets",
    "Fixed Asset": "OtherFixedAssets",
    "Other Asset": "OtherLongTermAssets",
    chart.PAYABLE: "AccountsPayable",
    "Credit Card": "CreditCard",
    "Other Current Liability": "OtherCurrentLiabilities",
    "Long Term Liability": "OtherLongTermLiabilities",
    "Equity": "OpeningBalanceEquity",
    "Income": "SalesOfProductIncome",
    "Other Income": "OtherMiscellaneousIncome",
    "Cost of Goods Sold": "SuppliesMaterialsCogs",
    "Expense": "OtherMiscellaneousServiceCost",
    "Other Expense": "OtherMiscellaneousExpense",
}


def create(books: Books, body: dict[str, Any]) -> Record:
    """
    Enter an account.

    :raises faults.Fault: when it breaks a rule.
    """
    fields = _build(books, body, None)
    return books.add("Account", {**fields, "CurrentBalance": ZERO, "CurrentBalanceWithSubAccounts": ZERO})


def update(books: Books, record: Record, body: dict[str, Any]) -> Record:
    """
    Replace an account.

    :raises faults.Fault: when it breaks a rule.
    """
    before = record.fields()
    fields = _build(books, body, record)
    revised = books.revise(record, {**before, **fields})
    revised = books.redraw(revised, {**fields, **account_balances(books, record.id)})
    if before["FullyQualifiedName"] != fields["FullyQualifiedName"]:
        names.requalify(books, "Account", revised)
        old_name, new_name = before["FullyQualifiedName"], fields["FullyQualifiedName"]
        names.rename_references(books, _REFERENCES, record.id, old_name, new_name)
    return books.get("Account", record.id)


def _build(books: Books, body: dict[str, Any], old: Record | None) -> dict[str, Any]:
    fields = dict(body)
    fields["Active"] = bool(fields.get("Active", True))
    fields["Name"] = names.marked(
        str(fields.get("Name") or ""), active=fields["Active"] or not fields.get("Name")
    )
    names.check_text(fields, "Name", 100)
    validation.check_lengths(fields, {"Description": 4000, "AcctNum": 20})
    _set_type(fields, old)
    parent = names.parent_of(books, "Account", fields, old)
    if parent is not None and parent.fields()["AccountType"] != fields["AccountType"]:
        raise faults.business("The account type must be the same as the parent account type.")
    fields["SubAccount"] = parent is not None
    if parent is not None:
        fields["ParentRef"] = {"value": parent.id}
    else:
        fields.pop("ParentRef", None)
    fields["FullyQualifiedName"] = names.qualified(fields["Name"], parent)
    if fields["Active"]:
        names.check_unique(books, "Account", fields["FullyQualifiedName"], old)
    _set_currency(books, fields, old)
    return fields


def _set_type(fields: dict[str, Any], old: Record | None) -> None:
    if "AccountType" not in fields:
        validation.require(fields, "AccountSubType")
        raise faults.missing("AccountType")
    validation.check_enumerations(fields, {"AccountType": chart.CLASSIFICATIONS})
    fields.setdefault("AccountSubType", DEFAULT_SUB_TYPES[fields["AccountType"]])
    fields["Classification"] = chart.CLASSIFICATIONS[fields["AccountType"]]
    if old is not None and old.fields()["AccountType"] != fields["AccountType"]:
        raise faults.business("You cannot change the type of an account that has transactions.")


def _set_currency(books: Books, fields: dict[str, Any], old: Record | None) -> None:
    currency = str(fields.get("CurrencyRef", {}).get("value", books.home_currency))
    if currency != books.home_currency and not books.multicurrency:
        raise chart.wrong_currency()
    if old is not None and old.fields()["CurrencyRef"]["value"] != currency:
        raise faults.business("You cannot change the currency of an account.")
    fields["CurrencyRef"] = chart.currency_ref(currency)
