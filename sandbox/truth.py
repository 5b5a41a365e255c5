"""Tells what the books really hold, for tests to compare with."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from sandbox.json_text import ZERO, cents, encode

if TYPE_CHECKING:
    from sandbox.books import Books, Table

_OPEN = {
    "Invoice": "Balance",
    "Payment": "UnappliedAmt",
    "CreditMemo": "RemainingCredit",
    "Customer": "Balance",
}


class _Currency(msgspec.Struct):
    value: str


class _Money(msgspec.Struct):
    """The amounts of a record; reading only these is several times faster."""

    CurrencyRef: _Currency
    TotalAmt: Decimal = ZERO
    Balance: Decimal = ZERO
    UnappliedAmt: Decimal = ZERO
    RemainingCredit: Decimal = ZERO


_money = msgspec.json.Decoder(_Money)


def of(books: Books) -> dict[str, Any]:
    """Return counts and sums of every entity, the trial balance and who owes what; money is text."""
    return {
        "realm_id": books.realm_id,
        "entities": {name: _entity(table) for name, table in books.tables.items()},
        "deleted": {name: sorted(table.deleted, key=int) for name, table in books.tables.items()},
        "trial_balance": _trial_balance(books),
        "receivables": _receivables(books),
    }


def json_of(books: Books, *, with_records: bool) -> bytes:
    """
    Return the truth as JSON text.

    :param with_records: also all records as they are served, inactive ones included.
    """
    text = encode(of(books))
    if not with_records:
        return text
    tables = (
        b'"%s":[%s]' % (name.encode(), b",".join(record.json for record in table.records.values()))
        for name, table in books.tables.items()
    )
    return b'%s,"records":{%s}}' % (text[:-1], b",".join(tables))


def _entity(table: Table) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "live": len(table.records),
        "inactive": sum(not record.active for record in table.records.values()),
        "deleted": len(table.deleted),
    }
    if table.name in _OPEN:
        facts |= _sums(table)
    return facts


def _sums(table: Table) -> dict[str, Any]:
    totals: dict[str, Decimal] = defaultdict(Decimal)
    balances: dict[str, Decimal] = defaultdict(Decimal)
    for record in table.records.values():
        money = _money.decode(record.json)
        totals[money.CurrencyRef.value] += money.TotalAmt
        balances[money.CurrencyRef.value] += getattr(money, _OPEN[table.name])
    sums: dict[str, Any] = {
        "balance": str(cents(sum(balances.values(), ZERO))),
        "balance_by_currency": _texts(balances),
    }
    if table.name != "Customer":
        sums |= {"total": str(cents(sum(totals.values(), ZERO))), "total_by_currency": _texts(totals)}
    return sums


def _trial_balance(books: Books) -> dict[str, Any]:
    balances = books.ledger.trial_balance()
    debit_sum = sum((home for home in balances.values() if home > 0), ZERO)
    credit_sum = -sum((home for home in balances.values() if home < 0), ZERO)
    return {
        "debits": str(cents(debit_sum)),
        "credits": str(cents(credit_sum)),
        "accounts": {
            account: {
                "name": books.get("Account", account).fields()["FullyQualifiedName"],
                "home": str(cents(home)),
                "amount": str(cents(books.ledger.account_balance[account])),
            }
            for account, home in sorted(balances.items(), key=lambda item: int(item[0]))
        },
    }


def _receivables(books: Books) -> dict[str, str]:
    """Return what each customer owes on all receivables accounts, in its own currency."""
    balances = books.ledger.customer_balance
    return {customer: str(cents(owed)) for customer, owed in sorted(balances.items()) if owed}


def _texts(sums: dict[str, Decimal]) -> dict[str, str]:
    return {currency: str(cents(value)) for currency, value in sorted(sums.items())}
