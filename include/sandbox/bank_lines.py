"""Lines of deposits and checks that go to an account, which may be what a customer owes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from include.sandbox import chart, faults, validation
from include.sandbox.balances import side
from include.sandbox.json_text import ZERO, amount, decimal_of
from include.sandbox.ledger import Posting

if TYPE_CHECKING:
    from decimal import Decimal

    from include.sandbox.books import Books

Line = dict[str, Any]


class BankLine(NamedTuple):
    """
    What one line moves.

    :param customer: the Id of the line's customer, empty when it has none.
    :param value: in the transaction's currency; what the bank gets is positive.
    """

    account: str
    customer: str
    value: Decimal


def bank_account(books: Books, ref: dict[str, Any], types: tuple[str, ...], currency: str) -> str:
    """
    Return the Id of the account that money goes to or comes from.

    :raises faults.Fault: when its type or its currency does not fit.
    """
    account = chart.referenced_account(books, ref)
    facts = books.index.accounts[account]
    if facts.type not in types:
        raise faults.business("You need to select a different type of account for this transaction.")
    if facts.currency not in (currency, books.home_currency):
        raise chart.wrong_currency()
    return account


def complete(books: Books, line: Line, detail_type: str, customer: str, currency: str) -> Line:
    """
    Return a line as QuickBooks stores it.

    :raises faults.Fault: when its account, its customer and the currency do not fit.
    """
    detail = dict(line.get(detail_type, {}))
    validation.require({**line, "AccountRef": detail.get("AccountRef")}, "Amount", "AccountRef")
    account = chart.referenced_account(books, detail["AccountRef"])
    chart.check_customer(books, account, customer, currency)
    detail["AccountRef"] = chart.account_ref(books, account)
    return {
        **line,
        "Amount": amount(decimal_of(line["Amount"])),
        "DetailType": detail_type,
        detail_type: detail,
    }


def numbered(lines: list[Line]) -> list[Line]:
    """Return the lines with their Ids and numbers."""
    return [{**line, "Id": str(number), "LineNum": number} for number, line in enumerate(lines, 1)]


def customer_ref(books: Books, ref: dict[str, Any], kind: str) -> dict[str, Any]:
    """
    Return the reference to a customer that says what it refers to.

    :raises faults.Fault: 2500 when there is no such customer.
    """
    customer = validation.referenced(books, ref, "Customer")
    return {"value": customer.id, "name": customer.fields()["DisplayName"], "type": kind}


def postings(books: Books, bank: str, rate: Decimal, lines: list[BankLine]) -> list[Posting]:
    """Return the entry of a deposit or a check."""
    entry = [side(books, line.account, -line.value, rate, line.customer) for line in lines]
    home = -sum((posting.home for posting in entry), ZERO)
    is_foreign = books.index.accounts[bank].currency != books.home_currency
    value = sum((line.value for line in lines), ZERO)
    return [Posting(bank, "", value if is_foreign else home, home), *entry]
