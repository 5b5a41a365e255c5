"""Opens the receivables account of a foreign currency when the first customer needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox import accounts, chart, faults

if TYPE_CHECKING:
    from sandbox.books import Books


def open_currency(books: Books, currency: str) -> dict[str, str]:
    """
    Make sure that customers can owe in a currency, and return its reference.

    :raises faults.Fault: 6000 when the company has only its home currency, 2500 when there is no such currency.
    """
    if currency != books.home_currency:
        if not books.multicurrency:
            raise chart.wrong_currency()
        if currency not in chart.CURRENCY_NAMES:
            raise faults.invalid_reference("Currency", currency)
        _open_account(books, currency)
    return chart.currency_ref(currency)


def _open_account(books: Books, currency: str) -> None:
    for facts in books.index.accounts.values():
        if facts.type == chart.RECEIVABLE and facts.currency == currency:
            return
    accounts.create(
        books,
        {
            "Name": f"Accounts Receivable (A/R) - {currency}",
            "AccountType": chart.RECEIVABLE,
            "AccountSubType": "AccountsReceivable",
            "CurrencyRef": {"value": currency},
        },
    )
