"""Reports tell what the ledger holds, after any events and for any day."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox import reports
from sandbox.open_on_day import open_items
from sandbox.random_events import Events
from sandbox.scribe import Scribe
from tests.sandbox.reading_reports import owed, total
from tests.sandbox.test_ledger_properties import OTHER_MONEY, new_books

if TYPE_CHECKING:
    from sandbox.books import Books

NAMES = ("AgedReceivables", "AgedReceivableDetail", "CustomerBalance", "CustomerBalanceDetail")
DAY = 86_400


def ledger_at(books: Books, day: date) -> dict[str, Decimal]:
    """What each customer owed at the end of a day, in the home currency."""
    owed_then: dict[str, Decimal] = defaultdict(Decimal)
    for key, entry in books.ledger.entries.items():
        if books.get(*key).fields()["TxnDate"] <= day.isoformat():
            for posting in entry:
                if posting.customer:
                    owed_then[posting.customer] += posting.home
    return {customer: value for customer, value in owed_then.items() if value}


def receivable(books: Books) -> Decimal:
    """What all receivables accounts hold, in the home currency."""
    accounts = (each for each, facts in books.index.accounts.items() if facts.type == "Accounts Receivable")
    return sum((books.ledger.home_balance[account] for account in accounts), Decimal(0))


def check_forms(books: Books) -> None:
    """What is open of an invoice or a credit memo is what it says of itself."""
    left = {(item.entity, item.id): item.left for item in open_items(books, date.max)}
    for entity, sign in (("Invoice", 1), ("CreditMemo", -1)):
        for record in books.all(entity):
            fields = record.fields()
            balance = sign * fields.get("HomeBalance", fields["Balance"])
            assert left.get((entity, record.id), 0) == balance


@pytest.mark.parametrize("multicurrency", [False, True])
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), days_ago=st.integers(0, 20))
def test_each_report_tells_what_the_ledger_holds(*, multicurrency: bool, seed: int, days_ago: int) -> None:
    books = new_books(multicurrency=multicurrency)
    now = books.clock.now()
    for number in range(60):
        scribe = Scribe(books, at=now - (60 - number) // 3 * DAY)
        Events(scribe, seed * 1000 + number, OTHER_MONEY).run(1)
    then = books.clock.today() - timedelta(days=days_ago)
    for name in NAMES:
        report = json.loads(reports.run(books, name, {"report_date": then.isoformat()}))
        expected = ledger_at(books, then)
        assert owed(report) == expected
        assert total(report) == sum(expected.values())
        of_today = json.loads(reports.run(books, name, {}))
        assert total(of_today) == receivable(books)
    check_forms(books)
