"""Merges one customer into another, which users do on the web and the API cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox import deposits, faults, journals, names, open_items, payments, purchases, settlement, unlinking
from sandbox.links import Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.books import Books, Record
    from sandbox.scribe import Scribe

_ENTER_AGAIN: dict[str, Callable[[Books, Record], None]] = {
    "Invoice": lambda books, record: settlement.enter_form(books, Target("Invoice", record.id)),
    "CreditMemo": lambda books, record: settlement.enter_form(books, Target("CreditMemo", record.id)),
    "JournalEntry": journals.enter_again,
    "Payment": lambda books, record: payments.enter_again(books, record.id),
    "Deposit": deposits.enter_again,
    "Purchase": purchases.enter_again,
}


def merge_customers(scribe: Scribe, loser: str, survivor: str) -> None:
    """
    Move everything of one customer to another, its sub-customers too, and make the first inactive.

    :raises faults.Fault: when they have different currencies, one is above the other, or somebody above the
        first has paid for it who is not above the other.
    """
    books = scribe.books
    _check(books, loser, survivor)
    for child in books.index.trees["Customer"].children(loser):
        scribe.change("Customer", child, ParentRef={"value": survivor})
    books.begin(scribe.at)
    old_ref, new_ref = _ref(books, loser), _ref(books, survivor)
    for record in names.referring(books, loser):
        if record.entity in _ENTER_AGAIN:
            _move(books, record, old_ref, new_ref)
    scribe.change("Customer", loser, Active=False)
    books.note("Customer", survivor, "Merge", loser)


def _check(books: Books, loser: str, survivor: str) -> None:
    tree, currencies = books.index.trees["Customer"], books.index.customer_currency
    above, above_survivor = set(tree.ancestors(loser)), set(tree.ancestors(survivor))
    if loser == survivor or currencies[loser] != currencies[survivor]:
        raise faults.business("Only two customers of the same currency can be merged.")
    if loser in above_survivor or survivor in above:
        raise faults.business("A customer cannot be merged with one above it.")
    moving = set(tree.family(loser))
    for payer in above - above_survivor:
        for payment in names.referring(books, payer):
            if payment.entity == "Payment" and _customers_paid(books, payment) & moving:
                raise faults.business("A customer whose transactions are paid by others cannot be merged.")


def _customers_paid(books: Books, payment: Record) -> set[str]:
    return {open_items.item_of(books, target).customer for target in books.links.of_payment(payment.id)}


def _ref(books: Books, customer: str) -> dict[str, Any]:
    return {"value": customer, "name": books.get("Customer", customer).fields()["DisplayName"]}


def _move(books: Books, record: Record, old_ref: dict[str, Any], new_ref: dict[str, Any]) -> None:
    fields = record.fields()
    if not names.replace(fields, names.CUSTOMER_REFERENCES, old_ref, new_ref):
        return
    enter_version = books.revise if books.settings.merge_versions else books.redraw
    moved = enter_version(record, fields)
    _ENTER_AGAIN[record.entity](books, moved)
    unlinking.refresh_payments(books, *open_items.targets_of(books, moved))
