"""
What customers owe, piece by piece, as payments settle it.

A piece is an invoice, a credit memo, or a line of a journal entry, a deposit or a check on accounts receivable.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox import account_lines, chart, sales
from sandbox.account_lines import AccountLine
from sandbox.json_text import ZERO
from sandbox.links import Target

if TYPE_CHECKING:
    from sandbox.books import Books, Record

_SIGNS = {"Invoice": 1, "CreditMemo": -1}


def items_of(books: Books, entity: str, form: dict[str, Any]) -> list[AccountLine]:
    """Return what a transaction posts to receivables; of an invoice or a credit memo one item without an Id."""
    if entity in _SIGNS:
        owed = Decimal(form["TotalAmt"]) - sales.deposit_of(form)
        customer = form["CustomerRef"]["value"]
        return [AccountLine("", sales.receivable_of(books, form), customer, _SIGNS[entity] * owed)]
    if entity not in account_lines.DETAILS:
        return []
    accounts = books.index.accounts
    lines = account_lines.lines_of(entity, form)
    return [line for line in lines if accounts[line.account].type == chart.RECEIVABLE]


def targets_of(books: Books, record: Record) -> set[Target]:
    """Return what payments can settle of a transaction."""
    return {
        Target(record.entity, record.id, item.id) for item in items_of(books, record.entity, record.fields())
    }


def item_in(books: Books, form: dict[str, Any], target: Target) -> AccountLine:
    """Return the item that a target means in a form; one without a customer and an amount when it is gone."""
    items = items_of(books, target.entity, form)
    return next((item for item in items if item.id == target.line), AccountLine(target.line, "", "", ZERO))


def item_of(books: Books, target: Target) -> AccountLine:
    """Return the item that a target means in the books."""
    return item_in(books, books.get(target.entity, target.id).fields(), target)


def open_amount(books: Books, target: Target, payment_id: str = "") -> Decimal:
    """Return what is open of an item, without regard to one payment."""
    own = books.links.of_target(target).get(payment_id, ZERO)
    return abs(item_of(books, target).amount) - books.links.applied(target) + own


def is_charge(books: Books, target: Target) -> bool:
    """Tell whether the customer owes an item; else it is owed to the customer."""
    return item_of(books, target).amount > ZERO
