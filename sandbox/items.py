"""Products and services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox import chart, names, validation

if TYPE_CHECKING:
    from sandbox.books import Books, Record

_TYPES = ("Service", "NonInventory", "Inventory", "Group", "Category")


def create(books: Books, body: dict[str, Any]) -> Record:
    """
    Enter an item.

    :raises faults.Fault: when it breaks a rule.
    """
    return books.add("Item", _build(books, body, None))


def update(books: Books, record: Record, body: dict[str, Any]) -> Record:
    """
    Replace an item.

    :raises faults.Fault: when it breaks a rule.
    """
    before = record.fields()
    fields = _build(books, body, record)
    revised = books.revise(record, fields)
    if before["FullyQualifiedName"] != fields["FullyQualifiedName"]:
        names.requalify(books, "Item", revised)
        old_name, new_name = before["FullyQualifiedName"], fields["FullyQualifiedName"]
        names.rename_references(books, ("ItemRef",), record.id, old_name, new_name)
    return books.get("Item", record.id)


def _build(books: Books, body: dict[str, Any], old: Record | None) -> dict[str, Any]:
    fields = {"Type": "Service", "Taxable": False, "UnitPrice": 0, "TrackQtyOnHand": False, **body}
    fields["Active"] = bool(fields.get("Active", True))
    fields["Name"] = names.marked(
        str(fields.get("Name") or ""), active=fields["Active"] or not fields.get("Name")
    )
    names.check_text(fields, "Name", 100)
    validation.check_lengths(fields, {"Description": 4000, "Sku": 100})
    validation.check_enumerations(fields, {"Type": _TYPES})
    parent = names.parent_of(books, "Item", fields, old)
    fields["FullyQualifiedName"] = names.qualified(fields["Name"], parent)
    if fields["Active"]:
        names.check_unique(books, "Item", fields["FullyQualifiedName"], old)
    if fields["Type"] in ("Service", "NonInventory", "Inventory"):
        validation.require(fields, "IncomeAccountRef")
        account = chart.referenced_account(books, fields["IncomeAccountRef"])
        fields["IncomeAccountRef"] = chart.account_ref(books, account)
    return fields
