"""Changes to the books right after an answer, to test readers whose pages move under them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from sandbox import random_events, writes
from sandbox.entities import ENTITIES

if TYPE_CHECKING:
    from sandbox.company import Company


class Hook(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """
    What happens after the n-th answer of a kind, once.

    :param after: the kind of the answer, such as query:Invoice or cdc.
    :param nth: which answer, counted from when the hook was added.
    :param writes: writes as in a batch: operation and one entity each.
    :param delete_ids: the Ids of records to delete, by entity.
    :param count: how many random events to run.
    """

    realm: str
    after: str
    nth: int = 1
    writes: list[dict[str, Any]] = []
    delete_ids: dict[str, list[str]] = {}
    count: int = 0
    seed: int = 1
    id: str = ""


class Hooks:
    """The hooks that wait for their answer."""

    def __init__(self) -> None:
        self.waiting: list[Hook] = []
        self._number = 0

    def add(self, values: dict[str, Any]) -> Hook:
        """
        Add a hook.

        :raises msgspec.ValidationError: when a name or a value is unknown.
        """
        hook = msgspec.convert(values, Hook)
        self._number += 1
        hook.id = str(self._number)
        self.waiting.append(hook)
        return hook

    def clear(self) -> None:
        """Drop all hooks."""
        self.waiting.clear()

    def answered(self, company: Company, kind: str) -> None:
        """Run the hooks whose answer was just given."""
        for hook in list(self.waiting):
            if hook.realm == company.realm_id and hook.after == kind:
                hook.nth -= 1
                if hook.nth <= 0:
                    self.waiting.remove(hook)
                    _run(company, hook)


def _run(company: Company, hook: Hook) -> None:
    books = company.books
    for item in hook.writes:
        name = next(key for key in item if key in ENTITIES)
        operation = item.get("operation")
        asked = operation if operation in ("delete", "void") else None
        writes.write(books, ENTITIES[name], item[name], asked)
    for name, ids in hook.delete_ids.items():
        for record_id in ids:
            record = books.get(name, record_id)
            writes.write(
                books, ENTITIES[name], {"Id": record_id, "SyncToken": str(record.sync_token)}, "delete"
            )
    if hook.count:
        random_events.run(books, hook.count, hook.seed)
