"""Money on accounts receivable that is neither a payment nor a credit memo; each returns QuickBooks' Id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.cashier import Cashier

RECEIVABLE = "Accounts Receivable (A/R)"


def journal(cashier: Cashier, customer: str, amount: str, side: str = "Credit") -> str:
    """Post to accounts receivable of a customer, against a bank account."""
    entity = {"Type": "Customer", "EntityRef": {"value": customer}}
    against = "Debit" if side == "Credit" else "Credit"
    return _write(
        cashier,
        "JournalEntry",
        [
            _line(cashier, amount, "JournalEntryLineDetail", RECEIVABLE, PostingType=side, Entity=entity),
            _line(cashier, amount, "JournalEntryLineDetail", "Checking", PostingType=against),
        ],
    )


def deposit(cashier: Cashier, customer: str, amount: str) -> str:
    """Enter money at the bank that came from a customer."""
    entity = {"value": customer, "type": "CUSTOMER"}
    line = _line(cashier, amount, "DepositLineDetail", RECEIVABLE, Entity=entity)
    return _write(cashier, "Deposit", [line], DepositToAccountRef=_account(cashier, "Checking"))


def check(cashier: Cashier, customer: str, amount: str) -> str:
    """Pay a credit out."""
    return _write(
        cashier,
        "Purchase",
        [_line(cashier, amount, "AccountBasedExpenseLineDetail", RECEIVABLE)],
        PaymentType="Check",
        AccountRef=_account(cashier, "Checking"),
        EntityRef={"value": customer, "type": "Customer"},
    )


def _account(cashier: Cashier, name: str) -> dict[str, str]:
    return {"value": cashier.account(name)}


def _line(cashier: Cashier, amount: str, kind: str, account: str, **detail: Any) -> dict[str, Any]:
    return {
        "Amount": amount,
        "DetailType": kind,
        kind: {"AccountRef": _account(cashier, account), **detail},
    }


def _write(cashier: Cashier, entity: str, lines: list[dict[str, Any]], **fields: Any) -> str:
    return str(cashier.books.write(entity, Line=lines, **fields)["Id"])
