"""Finds the accounts that postings need, and the currencies and rates of amounts."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox import faults
from sandbox.json_text import ZERO, cents, decimal_of, plain

if TYPE_CHECKING:
    from sandbox.books import Books

RECEIVABLE = "Accounts Receivable"
PAYABLE = "Accounts Payable"
CURRENCY_NAMES = {
    "USD": "United States Dollar",
    "EUR": "Euro",
    "GBP": "British Pound Sterling",
    "SGD": "Singapore Dollar",
    "JPY": "Japanese Yen",
    "CAD": "Canadian Dollar",
    "AUD": "Australian Dollar",
    "INR": "Indian Rupee",
    "IDR": "Indonesian Rupiah",
    "MYR": "Malaysian Ringgit",
}
_DOLLARS = {
    "USD": Decimal(1),
    "EUR": Decimal("1.09"),
    "GBP": Decimal("1.27"),
    "SGD": Decimal("0.74"),
    "JPY": Decimal("0.0067"),
    "CAD": Decimal("0.73"),
    "AUD": Decimal("0.66"),
    "INR": Decimal("0.0119"),
    "IDR": Decimal("0.000062"),
    "MYR": Decimal("0.23"),
}
# Accounts whose balance QuickBooks shows; income and expenses have none.
BALANCE_SHEET = frozenset(
    {
        "Bank",
        RECEIVABLE,
        "Other Current Asset",
        "Fixed Asset",
        "Other Asset",
        PAYABLE,
        "Credit Card",
        "Other Current Liability",
        "Long Term Liability",
        "Equity",
    }
)
CLASSIFICATIONS = {
    "Bank": "Asset",
    RECEIVABLE: "Asset",
    "Other Current Asset": "Asset",
    "Fixed Asset": "Asset",
    "Other Asset": "Asset",
    PAYABLE: "Liability",
    "Credit Card": "Liability",
    "Other Current Liability": "Liability",
    "Long Term Liability": "Liability",
    "Equity": "Equity",
    "Income": "Revenue",
    "Other Income": "Revenue",
    "Cost of Goods Sold": "Expense",
    "Expense": "Expense",
    "Other Expense": "Expense",
}


def currency_ref(code: str) -> dict[str, str]:
    """Return a CurrencyRef."""
    return {"value": code, "name": CURRENCY_NAMES.get(code, code)}


def rate_of_day(books: Books, currency: str) -> Decimal:
    """Return QuickBooks' own rate: home units for one unit of a currency."""
    if currency == books.home_currency:
        return Decimal(1)
    rate = _DOLLARS.get(currency, Decimal(1)) / _DOLLARS.get(books.home_currency, Decimal(1))
    return plain(rate.quantize(Decimal("0.000001")))


def exchange_rate(books: Books, body: dict[str, Any], currency: str) -> Decimal:
    """
    Return the rate of a transaction.

    :raises faults.Fault: 6000 when the rate is not above zero.
    """
    if currency == books.home_currency:
        return Decimal(1)
    rate = decimal_of(body.get("ExchangeRate", rate_of_day(books, currency)))
    if rate <= ZERO:
        raise faults.business("The exchange rate must be greater than zero.")
    return rate


def transaction_currency(body: dict[str, Any], customer_currency: str) -> str:
    """
    Return the currency of a customer's transaction, which is the customer's own.

    :raises faults.Fault: 6000 when the client names another one.
    """
    currency = body.get("CurrencyRef", {}).get("value", customer_currency)
    if currency != customer_currency:
        raise wrong_currency()
    return str(currency)


def wrong_currency() -> faults.Fault:
    """6000: a transaction's currency does not fit its customer or account."""
    return faults.business("The currency of the transaction is invalid for customer / vendor / account.")


def check_customer(books: Books, account: str, customer: str, currency: str) -> None:
    """
    Check that a line's account, customer and currency belong together.

    :raises faults.Fault: 6000 when they do not.
    """
    facts = books.index.accounts[account]
    if facts.type == RECEIVABLE and not customer:
        raise faults.business(
            "When you use Accounts Receivable, you must choose a customer in the Name field."
        )
    if facts.currency not in (currency, books.home_currency):
        raise wrong_currency()
    if facts.type == RECEIVABLE and not (
        facts.currency == currency == books.index.customer_currency[customer]
    ):
        raise wrong_currency()


def home_fields(books: Books, rate: Decimal) -> dict[str, Any]:
    """Return the ExchangeRate, which only multicurrency companies have (XSD)."""
    return {"ExchangeRate": plain(rate)} if books.multicurrency else {}


def to_home(amount: Decimal, rate: Decimal) -> Decimal:
    """Convert an amount into the home currency."""
    return cents(amount * rate)


def by_sub_type(books: Books, *sub_types: str) -> str:
    """
    Return the first active account of one of the sub types.

    :raises faults.Fault: 6000 when the company has none.
    """
    for sub_type in sub_types:
        for account_id, facts in books.index.accounts.items():
            if facts.sub_type == sub_type and facts.active:
                return account_id
    raise faults.business(f"The company has no account of type {sub_types[0]}.")


def receivable_account(books: Books, currency: str) -> str:
    """
    Return the account on which customers owe in a currency.

    :raises faults.Fault: 6000 when the company has none.
    """
    for account, facts in books.index.accounts.items():
        if facts.type == RECEIVABLE and facts.currency == currency and facts.active:
            return account
    raise wrong_currency()


def account_ref(books: Books, account_id: str) -> dict[str, str]:
    """Return a reference with the account's full name, as QuickBooks writes it."""
    return {"value": account_id, "name": books.get("Account", account_id).fields()["FullyQualifiedName"]}


def referenced_account(books: Books, ref: dict[str, Any]) -> str:
    """
    Return the Id of an account that a client refers to.

    :raises faults.Fault: 2500 when it is unknown or inactive.
    """
    account_id = str(ref.get("value", ""))
    facts = books.index.accounts.get(account_id)
    if facts is None:
        raise faults.invalid_reference("Accounts", account_id)
    if not facts.active:
        raise faults.inactive_reference()
    return account_id
