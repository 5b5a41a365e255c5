"""Draws what random events are about."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox.json_text import ZERO
from sandbox.links import Target
from sandbox.open_items import items_of, open_amount
from sandbox.payment_lines import txn_type

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.account_lines import AccountLine
    from sandbox.scribe import Scribe

Fields = dict[str, Any]
ATTEMPTS = 40
_FIRST = (
    "Amber",
    "Blue",
    "Cedar",
    "Delta",
    "Évora",
    "Fjord",
    "Granite",
    "Harbour",
    "Ivory",
    "Juniper",
    "Kōri",
    "Łódź",
)
_SECOND = ("Bakery", "Clinic", "Design", "Foods", "Gardens", "Hotels", "Imports", "Labs", "Motors", "Studio")


class NothingSuitableError(Exception):
    """The books have no record for this kind of event."""


class Draws:
    """
    Draws records, amounts and names, repeatably.

    :param scribe: writes what comes of it.
    """

    def __init__(self, scribe: Scribe, seed: int) -> None:
        self._scribe = scribe
        self._books = scribe.books
        self._random = random.Random(seed)  # noqa: S311  (repeatable, not secret)

    def _pick(self, entity: str, suits: Callable[[Fields], bool]) -> Fields:
        ids = list(self._books.tables[entity].records)
        for _ in range(ATTEMPTS if ids else 0):
            fields = self._scribe.read(entity, self._random.choice(ids))
            if suits(fields):
                return fields
        raise NothingSuitableError(entity)

    def _open_item(
        self, entity: str, suits: Callable[[AccountLine], bool]
    ) -> tuple[tuple[str, str], AccountLine]:
        """Return how a payment links a transaction, and an item of it, with the amount that is open."""
        form = self._pick(entity, lambda form: bool(self._open_items(entity, form, suits)))
        return (txn_type(entity, form), form["Id"]), self._open_items(entity, form, suits)[0]

    def _open_items(
        self, entity: str, form: Fields, suits: Callable[[AccountLine], bool]
    ) -> list[AccountLine]:
        items = [item for item in items_of(self._books, entity, form) if suits(item)]
        left = [open_amount(self._books, Target(entity, form["Id"], item.id)) for item in items]
        return [
            item._replace(amount=amount) for item, amount in zip(items, left, strict=True) if amount > ZERO
        ]

    def _amount(self, low: int = 5, high: int = 900) -> str:
        return str(Decimal(self._random.randint(low * 100, high * 100)) / 100)

    def _name(self) -> str:
        words = (
            self._random.choice(_FIRST),
            self._random.choice(_SECOND),
            str(self._random.randint(1, 99_999)),
        )
        return " ".join(words)

    def _lines(self) -> list[tuple[str, str, str]]:
        items = [record.id for record in self._books.all("Item") if record.active]
        return [
            (self._random.choice(items), str(self._random.randint(1, 6)), self._amount())
            for _ in range(self._random.randint(1, 4))
        ]
