"""What must be found without reading every record: names, document numbers, parents, accounts, currencies."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Key = tuple[str, str]
NAME_PROPERTY = {
    "Customer": "DisplayName",
    "Account": "FullyQualifiedName",
    "Item": "FullyQualifiedName",
    "PaymentMethod": "Name",
    "Term": "Name",
    "TaxCode": "Name",
    "TaxRate": "Name",
}


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """What decides how an account may be posted to."""

    type: str
    sub_type: str
    currency: str
    active: bool


class Tree:
    """Parents and children of one entity."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}
        self._children: dict[str, set[str]] = defaultdict(set)

    def put(self, child: str, parent: str | None) -> None:
        """Hang a record below another, or make it a root."""
        before = self._parent.pop(child, None)
        if before is not None:
            self._children[before].discard(child)
        if parent is not None:
            self._parent[child] = parent
            self._children[parent].add(child)

    def ancestors(self, child: str) -> Iterator[str]:
        """Return the parent, its parent and so on."""
        while child in self._parent:
            child = self._parent[child]
            yield child

    def children(self, parent: str) -> list[str]:
        """Return the direct children."""
        return sorted(self._children.get(parent, ()), key=int)

    def family(self, root: str) -> list[str]:
        """Return a record and everything below it."""
        return [root, *(below for child in self.children(root) for below in self.family(child))]


class Index:
    """The look-ups of one company, kept in step by the books."""

    def __init__(self) -> None:
        self._names: dict[Key, str] = {}
        self._name_of: dict[Key, str] = {}
        self._numbers: dict[Key, list[str]] = defaultdict(list)
        self._number_of: dict[Key, str] = {}
        self.trees = {"Customer": Tree(), "Account": Tree(), "Item": Tree()}
        self.accounts: dict[str, AccountFacts] = {}
        self.customer_currency: dict[str, str] = {}

    def put(self, entity: str, record_id: str, fields: dict[str, Any]) -> None:
        """Take in a new version of a record."""
        if entity in NAME_PROPERTY:
            self._put_name(entity, record_id, str(fields.get(NAME_PROPERTY[entity], "")).lower())
        if entity in self.trees:
            self.trees[entity].put(record_id, fields.get("ParentRef", {}).get("value"))
        if "DocNumber" in fields:
            self.put_number(entity, record_id, fields["DocNumber"])
        if entity == "Account":
            self.accounts[record_id] = _account_facts(fields)
        if entity == "Customer":
            self.customer_currency[record_id] = fields["CurrencyRef"]["value"]

    def drop(self, entity: str, record_id: str) -> None:
        """Forget a record."""
        self.put_number(entity, record_id, "")
        name = self._name_of.pop((entity, record_id), None)
        if name is not None and self._names.get((entity, name)) == record_id:
            del self._names[entity, name]
        if entity in self.trees:
            self.trees[entity].put(record_id, None)
        if entity == "Account":
            self.accounts.pop(record_id, None)

    def put_number(self, entity: str, record_id: str, number: str) -> None:
        """Take in the document number of a transaction."""
        before = self._number_of.pop((entity, record_id), "")
        if before:
            self._numbers[entity, before].remove(record_id)
        if number:
            self._number_of[entity, record_id] = number
            self._numbers[entity, number].append(record_id)

    def _put_name(self, entity: str, record_id: str, name: str) -> None:
        before = self._name_of.get((entity, record_id))
        if before == name:
            return
        if before is not None and self._names.get((entity, before)) == record_id:
            del self._names[entity, before]
        self._name_of[entity, record_id] = name
        self._names[entity, name] = record_id

    def named(self, entity: str, name: str) -> str | None:
        """Return the Id of the record that has a name, in whatever case."""
        return self._names.get((entity, name.lower()))

    def numbered(self, entity: str, number: str) -> list[str]:
        """Return the transactions of an entity that have a document number."""
        return self._numbers.get((entity, number), [])


def _account_facts(fields: dict[str, Any]) -> AccountFacts:
    return AccountFacts(
        type=fields["AccountType"],
        sub_type=fields["AccountSubType"],
        currency=fields["CurrencyRef"]["value"],
        active=fields["Active"],
    )
