"""Customers and sub-customers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox import chart, faults, names, receivables, validation
from sandbox.balances import customer_balances
from sandbox.json_text import ZERO

if TYPE_CHECKING:
    from sandbox.books import Books, Record

LIMITS = {
    "Title": 16,
    "GivenName": 100,
    "MiddleName": 100,
    "FamilyName": 100,
    "Suffix": 16,
    "CompanyName": 100,
    "PrintOnCheckName": 110,
    "Notes": 2000,
}
_ENUMERATIONS = {"PreferredDeliveryMethod": ("Print", "Email", "None")}
_NAME_PARTS = ("Title", "GivenName", "MiddleName", "FamilyName", "Suffix")


def create(books: Books, body: dict[str, Any]) -> Record:
    """
    Enter a customer; a new sub-customer touches its parent.

    :raises faults.Fault: when it breaks a rule.
    """
    fields = _build(books, body, None)
    record = books.add("Customer", {**fields, "Balance": ZERO, "BalanceWithJobs": ZERO})
    parent = fields.get("ParentRef")
    if parent:
        books.touch(books.get("Customer", parent["value"]), {})
    return books.get("Customer", record.id)


def update(books: Books, record: Record, body: dict[str, Any]) -> Record:
    """
    Replace a customer.

    :raises faults.Fault: when it breaks a rule, or becomes inactive with an open balance.
    """
    before = record.fields()
    fields = _build(books, body, record)
    if before["Active"] and not fields["Active"]:
        _check_may_rest(books, record)
    ancestors = set(books.index.trees["Customer"].ancestors(record.id))
    revised = books.revise(record, fields)
    revised = books.redraw(revised, {**fields, **customer_balances(books, record.id)})
    _rebalance(books, ancestors ^ set(books.index.trees["Customer"].ancestors(record.id)))
    if before["FullyQualifiedName"] != fields["FullyQualifiedName"]:
        names.requalify(books, "Customer", revised)
    if before["DisplayName"] != fields["DisplayName"]:
        old_name, new_name = before["DisplayName"], fields["DisplayName"]
        names.rename_references(books, names.CUSTOMER_REFERENCES, record.id, old_name, new_name)
    return books.get("Customer", record.id)


def _rebalance(books: Books, parents: set[str]) -> None:
    for parent in sorted(parents, key=int):
        books.touch(books.get("Customer", parent), customer_balances(books, parent))


def _check_may_rest(books: Books, record: Record) -> None:
    tree = books.index.trees["Customer"]
    if any(books.get("Customer", child).active for child in tree.children(record.id)):
        raise faults.business("You cannot make a customer inactive that has active sub-customers.")
    if books.ledger.customer_balance[record.id]:
        raise faults.business("You cannot make a customer inactive that has a balance.")


def _build(books: Books, body: dict[str, Any], old: Record | None) -> dict[str, Any]:
    fields = dict(body)
    if not fields.get("DisplayName"):
        fields["DisplayName"] = _full_name(fields)
    validation.check_lengths(fields, LIMITS)
    validation.check_enumerations(fields, _ENUMERATIONS)
    validation.check_email(fields.get("PrimaryEmailAddr"))
    fields["Active"] = bool(fields.get("Active", True))
    fields["DisplayName"] = names.marked(fields["DisplayName"], active=fields["Active"])
    names.check_text(fields, "DisplayName", 500)
    if fields["Active"]:
        names.check_unique(books, "Customer", fields["DisplayName"], old)
    else:
        fields["DisplayName"] = names.unique_mark(books, "Customer", fields["DisplayName"], old)
    parent = names.parent_of(books, "Customer", fields, old)
    _set_place(books, fields, parent)
    _set_currency(books, fields, old, parent)
    _set_defaults(books, fields)
    return fields


def _full_name(fields: dict[str, Any]) -> str:
    parts = (fields.get(name) for name in _NAME_PARTS)
    name = " ".join(part for part in parts if part) or fields.get("CompanyName", "")
    if not name:
        raise faults.missing("DisplayName")
    return str(name)


def _set_place(books: Books, fields: dict[str, Any], parent: Record | None) -> None:
    fields["Job"] = parent is not None
    fields["BillWithParent"] = bool(fields.get("BillWithParent", False)) and parent is not None
    fields["FullyQualifiedName"] = names.qualified(fields["DisplayName"], parent)
    fields.pop("Level", None)
    if parent is None:
        fields.pop("ParentRef", None)
    else:
        fields["ParentRef"] = {"value": parent.id}
        fields["Level"] = int(parent.fields().get("Level", 0)) + 1


def _set_currency(books: Books, fields: dict[str, Any], old: Record | None, parent: Record | None) -> None:
    inherited = books.home_currency if parent is None else parent.fields()["CurrencyRef"]["value"]
    currency = str(fields.get("CurrencyRef", {}).get("value", inherited))
    if old is not None and currency != old.fields()["CurrencyRef"]["value"]:
        raise faults.business("You cannot change the currency of a customer.")
    if parent is not None and currency != inherited:
        raise chart.wrong_currency()
    fields["CurrencyRef"] = receivables.open_currency(books, currency)


def _set_defaults(books: Books, fields: dict[str, Any]) -> None:
    validation.number_addresses(books, fields)
    fields.setdefault("Taxable", False)
    fields.setdefault("PreferredDeliveryMethod", "Print")
    fields.setdefault("PrintOnCheckName", fields.get("CompanyName") or fields["DisplayName"])
    for prop, entity in (("SalesTermRef", "Term"), ("PaymentMethodRef", "PaymentMethod")):
        if fields.get(prop):
            record = validation.referenced(books, fields[prop], entity)
            fields[prop] = {"value": record.id, "name": record.fields()["Name"]}
