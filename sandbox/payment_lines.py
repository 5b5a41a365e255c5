"""Reads the lines of a payment: what it settles, and whether it may."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox import chart, faults, validation
from sandbox.json_text import ZERO, amount, decimal_of
from sandbox.links import Target, target_of
from sandbox.open_items import is_charge, items_of, open_amount

if TYPE_CHECKING:
    from sandbox.books import Books

Line = dict[str, Any]
# What QuickBooks calls the entities in a link.
LINKABLE = {
    "Invoice": "Invoice",
    "CreditMemo": "CreditMemo",
    "JournalEntry": "JournalEntry",
    "Deposit": "Deposit",
    "Check": "Purchase",
    "Expense": "Purchase",
}
_UNSUPPORTED_LINKS = ("CreditCardCredit", "Charge")


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

    def room(target: Target) -> Decimal:
        return open_amount(books, target, payment_id) - applied[target]

    stored = []
    family = books.index.trees["Customer"].family(customer)
    for line in lines:
        links, chosen = [], []
        for link in _links_of(line):
            targets = _targets(books, link, family, currency)
            target = next((each for each in targets if room(each) > ZERO), targets[0])
            links.append(dict(link) if len(targets) == 1 else {**link, "TxnLineId": target.line})
            chosen.append(target)
        value = _applicable(books, min(room(target) for target in chosen), _amount_of(line))
        if value:
            stored.append({"Amount": amount(value), "LinkedTxn": links})
        for target in chosen:
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


def _targets(books: Books, link: dict[str, Any], family: list[str], currency: str) -> list[Target]:
    """Return what a link may mean; more than one if it names no line of a transaction with several."""
    validation.require(link, "TxnId", "TxnType")
    kind, txn_id = str(link["TxnType"]), str(link["TxnId"])
    if kind in _UNSUPPORTED_LINKS:
        raise faults.cannot_link(txn_id)
    validation.check_enumerations({"TxnType": kind}, {"TxnType": LINKABLE})
    form = books.get(LINKABLE[kind], txn_id).fields()
    if kind != txn_type(LINKABLE[kind], form):
        raise faults.not_found()
    if form["CurrencyRef"]["value"] != currency:
        raise chart.wrong_currency()
    items = [item for item in items_of(books, LINKABLE[kind], form) if item.customer in family]
    targets = [Target(LINKABLE[kind], txn_id, item.id) for item in items]
    targets = [target for target in targets if target.is_meant_by(link)]
    if not targets:
        raise faults.cannot_link(txn_id)
    return targets


def txn_type(entity: str, form: dict[str, Any]) -> str:
    """Return what QuickBooks calls a transaction in a link: what is paid by cash or card is an Expense."""
    if entity == "Purchase":
        return "Check" if form["PaymentType"] == "Check" else "Expense"
    return entity


def _applicable(books: Books, room: Decimal, asked: Decimal) -> Decimal:
    if asked <= room:
        return asked
    if books.settings.over_application == "cap":
        return max(room, ZERO)
    raise faults.business("The amount applied cannot be more than the open balance of the transaction.")


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
    kept = [
        {
            **line,
            "LinkedTxn": [
                link for link in line["LinkedTxn"] if not any(target.is_meant_by(link) for target in gone)
            ],
        }
        for line in lines
    ]
    return [line for line in kept if line["LinkedTxn"]]


def within_means(
    books: Books, total: Decimal, lines: list[Line], applied: dict[Target, Decimal]
) -> tuple[list[Line], dict[Target, Decimal]]:
    """Cut what a payment pays, from its last line on, until the money and the credits that are left suffice."""
    kept, rest = [], dict(applied)
    for line in reversed(lines):
        targets = [target_of(link, applied) for link in line["LinkedTxn"]]
        missing = max(-_left(books, total, rest), ZERO)
        cut = min(missing, line["Amount"]) if all(is_charge(books, target) for target in targets) else ZERO
        for target in targets:
            rest[target] -= cut
        if line["Amount"] > cut:
            kept.append({**line, "Amount": amount(line["Amount"] - cut)})
    return kept[::-1], {target: value for target, value in rest.items() if value}
