"""What happens to payments when the transactions that they settle change or go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox import faults, open_items, payments, settlement
from sandbox.balances import enter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sandbox.books import Books, Record
    from sandbox.links import Target


def check_covered(books: Books, record: Record, form: dict[str, Any], target: Target) -> None:
    """
    Check that a changed form still fits its payments.

    :raises faults.Fault: 6000 when it is worth less than is applied, or has another customer.
    """
    applied = books.links.applied(target)
    if not applied:
        return
    if abs(open_items.item_in(books, form, target).amount) < applied:
        raise faults.business("The transaction amount cannot be less than the payments applied to it.")
    if form["CustomerRef"]["value"] != record.fields()["CustomerRef"]["value"]:
        raise faults.business("You cannot change the customer while payments are applied.")


def replace(
    books: Books, record: Record, form: dict[str, Any], enter_again: Callable[[Books, Record], None]
) -> Record:
    """
    Enter a new version of a journal entry, a deposit or a check; payments of lines that it no longer has are unlinked.

    :param enter_again: enters it into the ledger.
    """
    targets = open_items.targets_of(books, record)
    _withdraw(books, {target for target in targets if not _is_kept(books, form, target)})
    revised = books.revise(books.get(record.entity, record.id), form)
    enter_again(books, revised)
    refresh_payments(books, *targets)
    return revised


def _is_kept(books: Books, form: dict[str, Any], target: Target) -> bool:
    """Tell whether a changed form still has a line for its payments: of the same customer, and worth enough."""
    old, new = open_items.item_of(books, target), open_items.item_in(books, form, target)
    is_same = (old.account, old.customer, old.amount > 0) == (new.account, new.customer, new.amount > 0)
    return is_same and abs(new.amount) >= books.links.applied(target)


def remove(books: Books, record: Record) -> None:
    """
    Delete a transaction and take it out of its payments.

    :raises faults.Fault: 6000 when the sandbox is set to refuse that.
    """
    _withdraw(books, open_items.targets_of(books, record))
    enter(books, (record.entity, record.id), ())
    books.remove(books.get(record.entity, record.id))


def _withdraw(books: Books, targets: set[Target]) -> None:
    linked = _payments_of(books, targets)
    if linked and books.settings.delete_linked == "refuse":
        raise faults.business("You cannot delete this transaction because it is linked to others.")
    for payment in linked:
        payments.withdraw(books, books.get("Payment", payment), targets)


def refresh_payments(books: Books, *targets: Target) -> None:
    """Carry a changed amount or exchange rate over to the payments; it makes no new version of them."""
    for payment in _payments_of(books, targets):
        settlement.redraw(books, books.get("Payment", payment))
        payments.enter_again(books, payment)


def _payments_of(books: Books, targets: Iterable[Target]) -> list[str]:
    return sorted({payment for target in targets for payment in books.links.of_target(target)}, key=int)
