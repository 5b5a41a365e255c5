"""Names of list records: unique, qualified by their parents, marked and free again when inactive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox import faults, validation

if TYPE_CHECKING:
    from sandbox.books import Books, Record

DELETED = " (deleted)"
CUSTOMER_REFERENCES = ("CustomerRef", "EntityRef", "Entity")


def check_unique(books: Books, entity: str, name: str, old: Record | None) -> None:
    """
    Check that a name is free.

    :raises faults.Fault: 6240 when another record has it.
    """
    other = books.index.named(entity, name)
    if other is not None and (old is None or other != old.id):
        raise faults.duplicate_name(entity.lower())


def marked(name: str, *, active: bool) -> str:
    """Return a name with or without the mark of inactive records."""
    bare = name.removesuffix(DELETED)
    return bare if active else bare + DELETED


def unique_mark(books: Books, entity: str, name: str, old: Record | None) -> str:
    """Return a marked name that no other inactive record has."""
    other = books.index.named(entity, name)
    if other is None or (old is not None and other == old.id):
        return name
    stem, number = name.removesuffix(")"), 2
    while books.index.named(entity, f"{stem} {number})"):
        number += 1
    return f"{stem} {number})"


def check_text(body: dict[str, Any], name: str, limit: int) -> None:
    """
    Check a name's form.

    :raises faults.Fault: 2020 without a name, 2050 when it is too long, 2010 with a colon in it.
    """
    validation.require(body, name)
    validation.check_lengths(body, {name: limit})
    if ":" in body[name] or "\t" in body[name] or "\n" in body[name]:
        raise faults.invalid_property(name)


def qualified(name: str, parent: Record | None) -> str:
    """Return "Parent:Child"."""
    return name if parent is None else f"{parent.fields()['FullyQualifiedName']}:{name}"


def parent_of(books: Books, entity: str, body: dict[str, Any], old: Record | None) -> Record | None:
    """
    Return the parent that a client refers to.

    :raises faults.Fault: 2500 when it is unknown or inactive, 6000 when it is the record itself or below it.
    """
    ref = body.get("ParentRef")
    if not ref:
        return None
    parent = validation.referenced(books, ref, entity)
    if old is not None and parent.id in books.index.trees[entity].family(old.id):
        raise faults.business("A record cannot be a part of itself.")
    return parent


def requalify(books: Books, entity: str, record: Record) -> None:
    """Carry a new name over to the full names of everything below; that makes no new version."""
    for child_id in books.index.trees[entity].children(record.id):
        child = books.get(entity, child_id)
        fields = child.fields()
        own = fields["DisplayName" if entity == "Customer" else "Name"]
        fields["FullyQualifiedName"] = qualified(own, record)
        requalify(books, entity, books.redraw(child, fields))


def rename_references(
    books: Books, properties: tuple[str, ...], record_id: str, old_name: str, new_name: str
) -> None:
    """
    Show a new name in all references.

    QuickBooks joins the name in when a record is read, so that neither SyncToken nor LastUpdatedTime move.

    :param properties: the references' names, such as CustomerRef.
    """
    old_ref = {"value": record_id, "name": old_name}
    for record in referring(books, record_id):
        fields = record.fields()
        if replace(fields, properties, old_ref, {"name": new_name}):
            books.redraw(record, fields)


def referring(books: Books, record_id: str) -> list[Record]:
    """Return the records with a reference to this Id, whatever it is the Id of."""
    mark = f'"value":"{record_id}","name"'.encode()
    return [
        record for table in books.tables.values() for record in table.records.values() if mark in record.json
    ]


def replace(
    value: Any, properties: tuple[str, ...], old_ref: dict[str, str], changes: dict[str, str]
) -> bool:
    """Change a reference wherever it stands, and tell whether it does."""
    if isinstance(value, list):
        return sum(replace(item, properties, old_ref, changes) for item in value) > 0
    if not isinstance(value, dict):
        return False
    found = False
    for key, item in value.items():
        if key in properties and isinstance(item, dict) and item.items() >= old_ref.items():
            value[key] = {**item, **changes}
            found = True
        else:
            found = replace(item, properties, old_ref, changes) or found
    return found
