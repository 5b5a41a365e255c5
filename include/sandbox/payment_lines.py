"""Reads the lines of a payment: what it settles, and whether it may."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from include.sandbox import chart, faults, validation
from include.sandbox.journal_lines import customer_of, receivable_amount, receivable_lines
from include.sandbox.json_text import ZERO, amount, decimal_of
from include.sandbox.line_extension import total_of
from include.sandbox.links import Target

if TYPE_CHECKING:
    from include.sandbox.books import Books

Line = dict[str, Any]
LINKABLE = ("Invoice", "CreditMemo", "JournalEntry")
_UNSUPPORTED_LINKS = ("Expense", "Check", "Deposit", "CreditCardCredit", "Charge")


class Applications:
    """
    What a payment is applied to.

    :param lines: the lines as they are stored.
    :param applied: the amount per target.
    """

    def __init__(self, lines: list[Line], applied: dict[Target, Decimal]) -> None:
        self.lines = lines
        self.applied = applied


def read_lines(
    books: Books, payment_id: str, customer: str, currency: str, lines: list[Line]
) -> Applications:
    """
    Check the lines of a payment.

    :param payment_id: the payment whose earlier applications these replace, empty for a new one.
    :raises faults.Fault: when a target cannot be paid by this customer, or not so much.
    """
    applied: dict[Target, Decimal] = defaultdict(Decimal)
    stored = []
    for line in lines:
        targets = [_target(books, link, customer, currency) for link in _links_of(line)]
        value = _applicable(books, payment_id, applied, targets, _amount_of(line))
        if value:
            stored.append({"Amount": amount(value), "LinkedTxn": [dict(link) for link in line["LinkedTxn"]]})
        for target in targets:
            applied[target] += value
    return Applications(stored, {target: value for target, value in applied.items() if value})


def _links_of(line: Line) -> list[dict[str, Any]]:
    if not line.get("LinkedTxn"):
        raise faults.missing("Line.LinkedTxn")
    links: list[dict[str, Any]] = line["LinkedTxn"]
    return links


def _amount_of(line: Line) -> Decimal:
    if "Amount" not in line:
        raise faults.missing("Line.Amount")
    value = decimal_of(line["Amount"])
    if value < ZERO:
        raise faults.business("The amount of a payment line must be 0 or greater.")
    return value


def _target(books: Books, link: dict[str, Any], customer: str, currency: str) -> Target:
    validation.require(link, "TxnId", "TxnType")
    entity, txn_id = str(link["TxnType"]), str(link["TxnId"])
    if entity in _UNSUPPORTED_LINKS:
        raise faults.cannot_link(txn_id)
    validation.check_enumerations({"TxnType": entity}, {"TxnType": LINKABLE})
    form = books.get(entity, txn_id).fields()
    if form["CurrencyRef"]["value"] != currency:
        raise chart.wrong_currency()
    family = books.index.trees["Customer"].family(customer)
    if entity == "JournalEntry":
        return _journal_target(books, form, family, str(link.get("TxnLineId", "")))
    if form["CustomerRef"]["value"] not in family:
        raise faults.cannot_link(txn_id)
    return Target(entity, txn_id)


def _journal_target(books: Books, entry: dict[str, Any], family: list[str], line_id: str) -> Target:
    candidates = [line for line in receivable_lines(books, entry) if customer_of(line) in family]
    if line_id:
        candidates = [line for line in candidates if line["Id"] == line_id]
    targets = [Target("JournalEntry", entry["Id"], line["Id"]) for line in candidates]
    if not targets:
        raise faults.cannot_link(entry["Id"])
    is_open = (target for target in targets if total_of(entry, target) > books.links.applied(target))
    return next(is_open, targets[0])


def _applicable(
    books: Books, payment_id: str, applied: dict[Target, Decimal], targets: list[Target], asked: Decimal
) -> Decimal:
    room = min(open_amount(books, target, payment_id) - applied.get(target, ZERO) for target in targets)
    if asked <= room:
        return asked
    if books.settings.over_application == "cap":
        return max(room, ZERO)
    raise faults.business("The amount applied cannot be more than the open balance of the transaction.")


def open_amount(books: Books, target: Target, payment_id: str = "") -> Decimal:
    """Return what is open of a transaction, without regard to one payment."""
    form = books.get(target.entity, target.id).fields()
    own = books.links.of_target(target).get(payment_id, ZERO)
    return total_of(form, target) - books.links.applied(target) + own


def is_charge(books: Books, target: Target) -> bool:
    """Tell whether a target takes money; a credit memo or a credit line of a journal gives it."""
    if target.entity == "JournalEntry":
        return receivable_amount(books.get(target.entity, target.id).fields(), target.line) > ZERO
    return target.entity == "Invoice"


def unapplied(books: Books, total: Decimal, applied: dict[Target, Decimal]) -> Decimal:
    """
    Return what is left of a payment and of the credits that it uses.

    :raises faults.Fault: 6000 when more is applied than there is.
    """
    left = _left(books, total, applied)
    if left < ZERO:
        raise faults.business("Amount applied is greater than payment or refund amount.")
    return left


def _left(books: Books, total: Decimal, applied: dict[Target, Decimal]) -> Decimal:
    used = (value if is_charge(books, target) else -value for target, value in applied.items())
    return total - sum(used, ZERO)


def without(lines: list[Line], gone: set[Target]) -> list[Line]:
    """Return the lines without their links to some transactions."""
    ids = {(target.entity, target.id) for target in gone}
    kept = [
        {
            **line,
            "LinkedTxn": [link for link in line["LinkedTxn"] if (link["TxnType"], link["TxnId"]) not in ids],
        }
        for line in lines
    ]
    return [line for line in kept if line["LinkedTxn"]]


def within_means(
    books: Books, total: Decimal, lines: list[Line], applied: dict[Target, Decimal]
) -> tuple[list[Line], dict[Target, Decimal]]:
    """Cut what a payment pays, from its last line on, until the money and the credits that are left suffice."""
    by_id = {(target.entity, target.id): target for target in applied}
    kept, rest = [], dict(applied)
    for line in reversed(lines):
        targets = [by_id[link["TxnType"], link["TxnId"]] for link in line["LinkedTxn"]]
        missing = max(-_left(books, total, rest), ZERO)
        cut = min(missing, line["Amount"]) if all(is_charge(books, target) for target in targets) else ZERO
        for target in targets:
            rest[target] -= cut
        if line["Amount"] > cut:
            kept.append({**line, "Amount": amount(line["Amount"] - cut)})
    return kept[::-1], {target: value for target, value in rest.items() if value}
