"""Enters transactions into the ledger and carries the balances over to accounts and customers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.chart import BALANCE_SHEET, RECEIVABLE, to_home
from sandbox.json_text import ZERO, amount
from sandbox.ledger import Posting

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from sandbox.books import Books
    from sandbox.ledger import TxnKey


def enter(books: Books, key: TxnKey, postings: Iterable[Posting]) -> None:
    """Enter a transaction; accounts and customers whose balance changes get its time, not a new version."""
    touched = books.post(key, postings)
    for account in sorted(_with_ancestors(books, "Account", touched.accounts), key=int):
        books.touch(books.get("Account", account), account_balances(books, account))
    for customer in sorted(_with_ancestors(books, "Customer", touched.customers), key=int):
        books.touch(books.get("Customer", customer), customer_balances(books, customer))


def side(books: Books, account: str, value: Decimal, rate: Decimal, customer: str) -> Posting:
    """Return one side of an entry, a debit positive; the customer counts on a receivables account only."""
    facts = books.index.accounts[account]
    home = to_home(value, rate)
    own = home if facts.currency == books.home_currency else value
    return Posting(account, customer if facts.type == RECEIVABLE else "", own, home)


def _with_ancestors(books: Books, entity: str, ids: Iterable[str]) -> set[str]:
    tree = books.index.trees[entity]
    return {record for each in ids for record in (each, *tree.ancestors(each))}


def account_balances(books: Books, account: str) -> dict[str, Any]:
    """Return the balance properties of an account, in its own currency."""
    family = books.index.trees["Account"].family(account)
    return {
        "CurrentBalance": amount(_shown(books, account)),
        "CurrentBalanceWithSubAccounts": amount(sum((_shown(books, each) for each in family), ZERO)),
    }


def _shown(books: Books, account: str) -> Decimal:
    facts = books.index.accounts[account]
    if facts.type not in BALANCE_SHEET:
        return ZERO
    balance = books.ledger.account_balance[account]
    # Recorded in Intuit's demo company: liabilities are negative, what a credit card owes is positive.
    return -balance if facts.type == "Credit Card" else balance


def customer_balances(books: Books, customer: str) -> dict[str, Any]:
    """Return the balance properties of a customer, in its own currency."""
    own = books.ledger.customer_balance
    family = books.index.trees["Customer"].family(customer)
    return {
        "Balance": amount(own[customer]),
        "BalanceWithJobs": amount(sum((own[each] for each in family), ZERO)),
    }
