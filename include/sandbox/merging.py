"""Merges one customer into another, which users do on the web and the API cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from include.sandbox import faults, payments, settlement, unlinking
from include.sandbox.links import Target

if TYPE_CHECKING:
    from include.sandbox.books import Books, Record
    from include.sandbox.scribe import Scribe


def merge_customers(scribe: Scribe, loser: str, survivor: str) -> None:
    """
    Move everything of one customer to another and make the first inactive.

    :raises faults.Fault: when they have different currencies, or one has sub-customers or journal lines.
    """
    books = scribe.books
    _check(books, loser, survivor)
    books.begin(scribe.at)
    name = books.get("Customer", survivor).fields()["DisplayName"]
    ref = {"value": survivor, "name": name}
    mark = b'"CustomerRef":{"value":"%s"' % loser.encode()
    for entity in ("Invoice", "CreditMemo", "Payment"):
        for record in [each for each in books.all(entity) if mark in each.json]:
            _move(books, record, ref)
    scribe.change("Customer", loser, Active=False)


def _check(books: Books, loser: str, survivor: str) -> None:
    tree = books.index.trees["Customer"]
    currencies = books.index.customer_currency
    has_journals = any(f'"value":"{loser}"'.encode() in entry.json for entry in books.all("JournalEntry"))
    is_related = bool({loser, survivor} & {*tree.ancestors(loser), *tree.ancestors(survivor)})
    if loser == survivor or currencies[loser] != currencies[survivor]:
        raise faults.business("Only two customers of the same currency can be merged.")
    if tree.children(loser) or is_related or has_journals:
        raise faults.business("A customer with sub-customers or journal entries cannot be merged.")
    mark = b'"CustomerRef":{"value":"%s"' % loser.encode()
    if any(
        mark in record.json and _has_family_links(books, record, loser) for record in books.all("Payment")
    ):
        raise faults.business("A customer whose payments pay for others cannot be merged.")
    if any(
        mark in record.json and _is_paid_by_others(books, record, loser) for record in books.all("Invoice")
    ):
        raise faults.business("A customer whose invoices are paid by others cannot be merged.")


def _has_family_links(books: Books, payment: Record, customer: str) -> bool:
    return any(
        target.entity == "JournalEntry"
        or books.get(target.entity, target.id).fields()["CustomerRef"]["value"] != customer
        for target in books.links.of_payment(payment.id)
    )


def _is_paid_by_others(books: Books, invoice: Record, customer: str) -> bool:
    return any(
        books.get("Payment", payment).fields()["CustomerRef"]["value"] != customer
        for payment in books.links.of_target(Target(invoice.entity, invoice.id))
    )


def _move(books: Books, record: Record, ref: dict[str, Any]) -> None:
    books.revise(record, {**record.fields(), "CustomerRef": ref})
    if record.entity == "Payment":
        payments.enter_again(books, record.id)
        return
    target = Target(record.entity, record.id)
    settlement.enter_form(books, target)
    unlinking.refresh_payments(books, target)
