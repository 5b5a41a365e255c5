"""The double-entry ledger of one company, in memory; every entry balances in the home currency."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from sandbox.json_text import ZERO

if TYPE_CHECKING:
    from collections.abc import Iterable

TxnKey = tuple[str, str]


class Posting(NamedTuple):
    """
    One side of an entry; a debit is positive.

    :param account: the account's Id.
    :param customer: the customer's Id on a receivables account, else empty.
    :param amount: in the account's currency.
    :param home: in the home currency.
    """

    account: str
    customer: str
    amount: Decimal
    home: Decimal


class UnbalancedEntryError(Exception):
    """The debits and credits of an entry differ, which is a bug of the sandbox."""


class Touched(NamedTuple):
    """The accounts and customers whose balance an entry has changed."""

    accounts: frozenset[str]
    customers: frozenset[str]


class Ledger:
    """The postings of every transaction and the balances that they add up to."""

    def __init__(self) -> None:
        self.entries: dict[TxnKey, tuple[Posting, ...]] = {}
        self.account_balance: dict[str, Decimal] = defaultdict(Decimal)
        self.home_balance: dict[str, Decimal] = defaultdict(Decimal)
        self.customer_balance: dict[str, Decimal] = defaultdict(Decimal)

    def post(self, key: TxnKey, postings: Iterable[Posting]) -> Touched:
        """
        Enter a transaction, or enter it anew; no postings take it out.

        :raises UnbalancedEntryError: when the postings do not add up to zero.
        """
        entry = tuple(posting for posting in postings if posting.amount or posting.home)
        if sum((posting.home for posting in entry), ZERO):
            raise UnbalancedEntryError(f"{key[0]} {key[1]}: {entry}")
        before = self.entries.pop(key, ())
        if entry:
            self.entries[key] = entry
        return self._apply(before, entry)

    def _apply(self, before: tuple[Posting, ...], after: tuple[Posting, ...]) -> Touched:
        accounts: dict[str, Decimal] = defaultdict(Decimal)
        customers: dict[str, Decimal] = defaultdict(Decimal)
        for sign, entry in ((-1, before), (1, after)):
            for posting in entry:
                accounts[posting.account] += sign * posting.amount
                self.home_balance[posting.account] += sign * posting.home
                if posting.customer:
                    customers[posting.customer] += sign * posting.amount
        for account, change in accounts.items():
            self.account_balance[account] += change
        for customer, change in customers.items():
            self.customer_balance[customer] += change
        return Touched(
            frozenset(account for account, change in accounts.items() if change),
            frozenset(customer for customer, change in customers.items() if change),
        )

    def trial_balance(self) -> dict[str, Decimal]:
        """Return each account's balance in the home currency, debits positive."""
        return {account: home for account, home in self.home_balance.items() if home}
