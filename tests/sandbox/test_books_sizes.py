"""The books that a company can be opened with."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec
import pytest

from sandbox import bulk_books, demo_books, truth

if TYPE_CHECKING:
    from sandbox.books import Books
    from sandbox.sandbox import Sandbox


@pytest.fixture
def demo(state: Sandbox) -> Books:
    books = state.open_company("Demo", realm_id="3", multicurrency=True, age_days=demo_books.AGE_DAYS).books
    demo_books.fill(books, seed=7)
    return books


def test_the_demo_company_has_one_of_everything_that_makes_a_sync_hard(demo: Books) -> None:
    customers = [record.fields() for record in demo.all("Customer")]
    invoices = [record.fields() for record in demo.all("Invoice")]
    payments = [record.fields() for record in demo.all("Payment")]
    credits_ = [record.fields() for record in demo.all("CreditMemo")]
    today, now = demo.clock.today().isoformat(), demo.clock.now()
    assert any(each.get("Level") == 2 for each in customers)
    assert any(not each["Active"] and each["DisplayName"].endswith(" (deleted)") for each in customers)
    assert any(not each["DisplayName"].isascii() for each in customers)
    assert {"USD", "EUR", "SGD", "JPY"} <= {each["CurrencyRef"]["value"] for each in invoices}
    assert any(0 < each["Balance"] < each["TotalAmt"] for each in invoices)
    assert any(str(each.get("PrivateNote", "")).startswith("Voided") for each in invoices)
    assert any(each["TxnTaxDetail"]["TotalTax"] for each in invoices)
    assert any(each["UnappliedAmt"] and each["Line"] for each in payments)
    assert any(each["UnappliedAmt"] and not each["Line"] for each in payments)
    assert any(each["TxnDate"] > today for each in payments)
    assert any(str(each.get("PrivateNote", "")).startswith("Voided") for each in payments)
    assert any(each["RemainingCredit"] == each["TotalAmt"] for each in credits_)
    assert any(each["RemainingCredit"] < each["TotalAmt"] for each in credits_)
    assert list(demo.all("JournalEntry"))
    for entity in ("Invoice", "Payment", "CreditMemo"):
        assert demo.tables[entity].deleted
    assert any(record.updated > now + 86_400 for record in demo.all("Account"))
    updated = [record.updated for record in demo.all("Invoice")]
    assert len(set(updated)) < len(updated)


def test_bulk_books_are_whole(books: Books) -> None:
    bulk_books.fill(books, bulk_books.Size(customers=50, invoices=1000, payments=400), seed=1)
    found = truth.of(books)
    entities = found["entities"]
    assert [entities[name]["live"] for name in ("Customer", "Invoice", "Payment")] == [50, 1000, 400]
    assert entities["Customer"]["balance"] == entities["Invoice"]["balance"]
    assert Decimal(entities["Invoice"]["total"]) - Decimal(entities["Payment"]["total"]) == Decimal(
        entities["Invoice"]["balance"]
    )
    assert found["trial_balance"]["debits"] == found["trial_balance"]["credits"]
    assert (
        len({record.id for record in books.all("Invoice")} | {record.id for record in books.all("Payment")})
        == 1400
    )


def test_bulk_books_go_on_like_others(books: Books) -> None:
    from sandbox.random_events import run

    bulk_books.fill(books, bulk_books.Size(customers=20, invoices=100, payments=50), seed=1)
    assert sum(run(books, 50, seed=2).values()) == 50
    balance = truth.of(books)["trial_balance"]
    assert balance["debits"] == balance["credits"]


def test_twenty_thousand_invoices_take_moments(books: Books) -> None:
    began = time.process_time()
    bulk_books.fill(books, bulk_books.Size(customers=1000, invoices=20_000, payments=10_000), seed=1)
    assert time.process_time() - began < 4


def test_a_size_must_make_sense(books: Books) -> None:
    with pytest.raises(msgspec.ValidationError):
        bulk_books.fill(books, bulk_books.Size(customers=1, invoices=1, payments=2), seed=1)
