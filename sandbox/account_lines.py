"""Lines of journal entries, deposits and checks that go to an account, which may be what a customer owes."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox import chart, faults, validation
from sandbox.balances import side
from sandbox.json_text import ZERO, amount, decimal_of
from sandbox.ledger import Posting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.books import Books

Line = dict[str, Any]
DETAILS = {
    "JournalEntry": "JournalEntryLineDetail",
    "Deposit": "DepositLineDetail",
    "Purchase": "AccountBasedExpenseLineDetail",
}


class AccountLine(NamedTuple):
    """
    What one line moves.

    :param id: the line's Id, empty when it has none.
    :param customer: the Id of the line's customer, empty when it has none.
    :param amount: in the transaction's currency, a debit positive.
    """

    id: str
    account: str
    customer: str
    amount: Decimal


def lines_of(entity: str, form: dict[str, Any]) -> Iterator[AccountLine]:
    """Yield the lines of a journal entry, a deposit or a check that go to an account."""
    for line in form["Line"]:
        if line.get("DetailType") == DETAILS[entity]:
            account = line[DETAILS[entity]]["AccountRef"]["value"]
            yield AccountLine(line["Id"], account, *_movement(entity, form, line))


def _movement(entity: str, form: dict[str, Any], line: Line) -> tuple[str, Decimal]:
    if entity == "JournalEntry":
        return customer_of(line), signed_amount(line)
    if entity == "Deposit":
        return str(line[DETAILS[entity]].get("Entity", {}).get("value", "")), -Decimal(line["Amount"])
    return str(form.get("EntityRef", {}).get("value", "")), Decimal(line["Amount"])


def signed_amount(line: Line) -> Decimal:
    """Return the amount of a journal entry's line, a debit positive."""
    sign = 1 if line["JournalEntryLineDetail"]["PostingType"] == "Debit" else -1
    return sign * Decimal(line["Amount"])


def customer_of(line: Line) -> str:
    """Return the Id of the customer of a journal entry's line, empty when it has none."""
    entity = line["JournalEntryLineDetail"].get("Entity", {})
    return str(entity.get("EntityRef", {}).get("value", "")) if entity.get("Type") == "Customer" else ""


def line_ids(lines: list[Line], first: int) -> list[str]:
    """Keep the Ids that lines have, and count on from the first for new ones."""
    used = {str(line["Id"]) for line in lines if "Id" in line}
    free = (str(number) for number in itertools.count(first) if str(number) not in used)
    return [str(line["Id"]) if "Id" in line else next(free) for line in lines]


def number(lines: list[Line]) -> None:
    """Give the lines of a deposit or a check their Ids and numbers; recorded: those of payments have none."""
    own = [line for line in lines if "LinkedTxn" not in line]
    for place, (line, line_id) in enumerate(zip(own, line_ids(own, 1), strict=True), 1):
        line |= {"Id": line_id, "LineNum": place}


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


def total_of(lines: list[Line]) -> Decimal:
    """
    Return the TotalAmt of a deposit or a check.

    :raises faults.Fault: 6000 when it is below zero.
    """
    total = sum((line["Amount"] for line in lines), ZERO)
    if total < ZERO:
        raise faults.business("Transaction amount must be 0 or greater.")
    return amount(total)


def customer_ref(books: Books, ref: dict[str, Any], kind: str) -> dict[str, Any]:
    """
    Return the reference to a customer that says what it refers to.

    :raises faults.Fault: 2500 when there is no such customer.
    """
    customer = validation.referenced(books, ref, "Customer")
    return {"value": customer.id, "name": customer.fields()["DisplayName"], "type": kind}


def bank_postings(books: Books, bank: str, rate: Decimal, lines: list[AccountLine]) -> list[Posting]:
    """Return the entry of a deposit or a check."""
    entry = [side(books, line.account, line.amount, rate, line.customer) for line in lines]
    home = -sum((posting.home for posting in entry), ZERO)
    is_foreign = books.index.accounts[bank].currency != books.home_currency
    value = -sum((line.amount for line in lines), ZERO)
    return [Posting(bank, "", value if is_foreign else home, home), *entry]
