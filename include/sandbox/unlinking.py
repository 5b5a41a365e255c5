"""What happens to payments when the transactions that they settle change or go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from include.sandbox import faults, payments, settlement
from include.sandbox.balances import enter
from include.sandbox.line_extension import total_of
from include.sandbox.links import Target

if TYPE_CHECKING:
    from include.sandbox.books import Books, Record


def check_covered(books: Books, record: Record, form: dict[str, Any], target: Target) -> None:
    """
    Check that a changed form still fits its payments.

    :raises faults.Fault: 6000 when it is worth less than is applied, or has another customer.
    """
    applied = books.links.applied(target)
    if not applied:
        return
    if total_of(form, target) < applied:
        raise faults.business("The transaction amount cannot be less than the payments applied to it.")
    if form["CustomerRef"]["value"] != record.fields()["CustomerRef"]["value"]:
        raise faults.business("You cannot change the customer while payments are applied.")


def remove(books: Books, record: Record, lines: tuple[Target, ...] = ()) -> None:
    """
    Delete a transaction and take it out of its payments.

    :param lines: the lines of a journal entry that payments settle.
    :raises faults.Fault: 6000 when the sandbox is set to refuse that.
    """
    targets = set(lines) if lines else _own_target(record)
    withdraw(books, targets)
    enter(books, (record.entity, record.id), ())
    books.remove(books.get(record.entity, record.id))


def withdraw(books: Books, targets: set[Target]) -> None:
    """
    Take transactions out of all payments.

    :raises faults.Fault: 6000 when the sandbox is set to refuse that.
    """
    linked = {payment for target in targets for payment in books.links.of_target(target)}
    if linked and books.settings.delete_linked == "refuse":
        raise faults.business("You cannot delete this transaction because it is linked to others.")
    for payment in sorted(linked, key=int):
        payments.withdraw(books, books.get("Payment", payment), targets)


def _own_target(record: Record) -> set[Target]:
    return {Target(record.entity, record.id)}


def refresh_payments(books: Books, *targets: Target) -> None:
    """Carry a changed amount or exchange rate over to the payments; it makes no new version of them."""
    for payment in sorted(
        {payment for target in targets for payment in books.links.of_target(target)}, key=int
    ):
        settlement.redraw(books, books.get("Payment", payment))
        payments.enter_again(books, payment)
