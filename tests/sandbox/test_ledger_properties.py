"""What must hold in the books after any sequence of business events."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.account_lines import customer_of, signed_amount
from sandbox.balances import account_balances
from sandbox.links import Target
from sandbox.random_events import Events
from sandbox.sandbox import Sandbox
from sandbox.scribe import Scribe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.books import Books

OTHER_MONEY = {"deposit": 6, "check": 4, "journal": 6, "merge": 4}
OTHER_MONEY |= {"settle_other": 12, "edit_other": 3, "delete_other": 3}


def new_books(*, multicurrency: bool) -> Books:
    state = Sandbox(seed=1)
    company = state.open_company(
        "Property", realm_id="1", country="US", home_currency="USD", multicurrency=multicurrency
    )
    for number in range(3):
        Scribe(company.books).customer(f"Customer {number}")
    return company.books


def is_balanced(books: Books) -> bool:
    balances = books.ledger.trial_balance()
    posted = sum((posting.home for entry in books.ledger.entries.values() for posting in entry), Decimal(0))
    return sum(balances.values(), Decimal(0)) == 0 and posted == 0


def check_invoices(books: Books) -> None:
    for record in books.all("Invoice"):
        invoice = record.fields()
        applied = books.links.applied(Target("Invoice", record.id))
        assert invoice["Balance"] == invoice["TotalAmt"] - applied
        assert 0 <= invoice["Balance"] <= max(invoice["TotalAmt"], 0)
        payers = {link["TxnId"] for link in invoice["LinkedTxn"]}
        assert payers == set(books.links.of_target(Target("Invoice", record.id)))
        for payer in payers:
            assert books.find("Payment", payer) is not None


def check_payments(books: Books) -> None:
    for record in books.all("Payment"):
        payment = record.fields()
        from_lines: dict[str, Decimal] = defaultdict(Decimal)
        for line in payment["Line"]:
            for link in line["LinkedTxn"]:
                from_lines[link["TxnId"]] += line["Amount"]
        applied: dict[str, Decimal] = defaultdict(Decimal)
        for target, value in books.links.of_payment(record.id).items():
            applied[target.id] += value
        assert from_lines == applied
        assert payment["UnappliedAmt"] >= 0


def check_customers(books: Books) -> None:
    expected: dict[str, Decimal] = defaultdict(Decimal)
    for entity, sign, open_property in (
        ("Invoice", 1, "Balance"),
        ("CreditMemo", -1, "RemainingCredit"),
        ("Payment", -1, "UnappliedAmt"),
    ):
        for record in books.all(entity):
            fields = record.fields()
            expected[fields["CustomerRef"]["value"]] += sign * fields[open_property]
    for target, customer, value in other_money(books):
        applied = books.links.applied(target)
        assert 0 <= applied <= abs(value)
        expected[customer] += value - applied if value > 0 else value + applied
    tree = books.index.trees["Customer"]
    for record in books.all("Customer"):
        customer = record.fields()
        assert customer["Balance"] == expected[record.id], customer["DisplayName"]
        assert customer["BalanceWithJobs"] == sum(expected[each] for each in tree.family(record.id))


def other_money(books: Books) -> Iterator[tuple[Target, str, Decimal]]:
    """Yield the lines by which journal entries and checks raise, and these and deposits lower what customers owe."""
    for record in books.all("JournalEntry"):
        for line in record.fields()["Line"]:
            customer = customer_of(line)
            if customer and is_receivable(books, line["JournalEntryLineDetail"]):
                yield Target("JournalEntry", record.id, line["Id"]), customer, signed_amount(line)
    for record in books.all("Deposit"):
        for line in record.fields()["Line"]:
            customer = line["DepositLineDetail"]["Entity"]["value"]
            yield Target("Deposit", record.id, line["Id"]), customer, -line["Amount"]
    for record in books.all("Purchase"):
        form = record.fields()
        for line in form["Line"]:
            yield Target("Purchase", record.id, line["Id"]), form["EntityRef"]["value"], line["Amount"]


def is_receivable(books: Books, detail: dict[str, Any]) -> bool:
    return books.index.accounts[detail["AccountRef"]["value"]].type == "Accounts Receivable"


def check_accounts(books: Books) -> None:
    for record in books.all("Account"):
        account = record.fields()
        assert account_balances(books, record.id).items() <= account.items()
    receivable: dict[str, Decimal] = defaultdict(Decimal)
    for record in books.all("Customer"):
        customer = record.fields()
        receivable[customer["CurrencyRef"]["value"]] += customer["Balance"]
    for record in books.all("Account"):
        account = record.fields()
        if account["AccountType"] == "Accounts Receivable":
            assert account["CurrentBalance"] == receivable[account["CurrencyRef"]["value"]]


def check_home_receivable(books: Books) -> None:
    """What the A/R account of a currency holds at home is what the open transactions are worth."""
    home: dict[str, Decimal] = defaultdict(Decimal)
    for entity, sign in (("Invoice", 1), ("CreditMemo", -1)):
        for record in books.all(entity):
            fields = record.fields()
            home[fields["CurrencyRef"]["value"]] += sign * fields["HomeBalance"]
    for record in books.all("Payment"):
        fields = record.fields()
        worth = at_home(fields["UnappliedAmt"], Decimal(fields["ExchangeRate"]))
        home[fields["CurrencyRef"]["value"]] -= worth
    for target, _customer, value in other_money(books):
        fields = books.get(target.entity, target.id).fields()
        rate, parts = Decimal(fields["ExchangeRate"]), books.links.of_target(target).values()
        left = at_home(value, rate) - sum(at_home(part.copy_sign(value), rate) for part in parts)
        home[fields["CurrencyRef"]["value"]] += left
    for account, facts in books.index.accounts.items():
        if facts.type == "Accounts Receivable" and facts.currency != "USD":
            assert books.ledger.home_balance[account] == home[facts.currency]


def at_home(amount: Decimal, rate: Decimal) -> Decimal:
    return (amount * rate).quantize(Decimal("0.01"), "ROUND_HALF_UP")


CHECKS = (check_invoices, check_payments, check_customers, check_accounts)


@pytest.mark.parametrize("multicurrency", [False, True])
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_books_add_up_after_any_sequence_of_events(*, multicurrency: bool, seed: int) -> None:
    books = new_books(multicurrency=multicurrency)
    for number in range(60):
        Events(Scribe(books), seed * 1000 + number, OTHER_MONEY).run(1)
        assert is_balanced(books)
    for check in CHECKS:
        check(books)
    if multicurrency:
        check_home_receivable(books)


def test_the_books_add_up_after_each_of_many_events() -> None:
    books = new_books(multicurrency=True)
    kinds: set[str] = set()
    for number in range(300):
        kinds |= set(Events(Scribe(books), number, OTHER_MONEY).run(1))
        assert is_balanced(books)
        if number % 10 == 0:
            for check in CHECKS:
                check(books)
    assert len(kinds) >= 20, kinds
    assert kinds >= {*OTHER_MONEY}


def test_events_are_repeatable_from_the_seed() -> None:
    first, second = new_books(multicurrency=True), new_books(multicurrency=True)
    assert Events(Scribe(first), 5).run(80) == Events(Scribe(second), 5).run(80)
    for name, table in first.tables.items():
        other = second.tables[name]
        assert list(table.records) == list(other.records)
        assert list(table.deleted) == list(other.deleted)
        for record_id, record in table.records.items():
            mine, theirs = record.fields(), other.records[record_id].fields()
            mine.pop("MetaData")
            theirs.pop("MetaData")
            assert mine == theirs
