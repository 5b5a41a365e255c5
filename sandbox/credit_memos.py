"""Credit memos; QuickBooks' API can delete but not void them."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from sandbox import auto_apply, sales, settlement, unlinking, validation
from sandbox.links import Target

if TYPE_CHECKING:
    from sandbox.books import Books, Record


def create(books: Books, body: dict[str, Any]) -> Record:
    """
    Enter a credit memo.

    :raises faults.Fault: when it breaks a rule.
    """
    form = sales.build(books, "CreditMemo", body, None)
    record = books.add("CreditMemo", settlement.with_balance(books, form, Target("CreditMemo", "")))
    settlement.enter_form(books, Target("CreditMemo", record.id))
    auto_apply.credit_memo_to_invoices(books, record.id)
    return books.get("CreditMemo", record.id)


def update(books: Books, record: Record, body: dict[str, Any]) -> Record:
    """
    Replace a credit memo; its applications stay.

    :raises faults.Fault: when it breaks a rule, or no longer covers what is applied.
    """
    form = sales.build(books, "CreditMemo", body, record)
    target = Target("CreditMemo", record.id)
    unlinking.check_covered(books, record, form, target)
    books.revise(record, settlement.with_balance(books, form, target))
    settlement.enter_form(books, target)
    unlinking.refresh_payments(books, target)
    return books.get("CreditMemo", record.id)


def delete(books: Books, record: Record) -> None:
    """
    Delete a credit memo; what it paid is open again.

    :raises faults.Fault: when the period is closed.
    """
    validation.check_open_period(books, date.fromisoformat(record.fields()["TxnDate"]))
    unlinking.remove(books, record)
