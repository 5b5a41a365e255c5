from __future__ import annotations

import calendar
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.staged import Staged, staged_company

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

Json = dict[str, Any]

ISSUED = date(2026, 1, 10)
INVOICE: Json = {
    "CustomerRef": {"value": "1"},
    "TotalAmt": 5,
    "Balance": 5,
    "Line": [],
    "TxnDate": str(ISSUED),
}
TERMS = st.one_of(
    st.builds(lambda days: {"Type": "STANDARD", "DueDays": days}, st.integers(0, 999)),
    st.fixed_dictionaries(
        {"Type": st.just("DATE_DRIVEN"), "DayOfMonthDue": st.integers(1, 31)},
        optional={"DueNextMonthDays": st.integers(0, 31)},
    ),
)


@pytest.fixture
def books(db: psycopg.Connection) -> Iterator[Staged]:
    with staged_company(db) as books:
        yield books


def term(qbo_id: str, **facts: Any) -> Json:
    return {"Id": qbo_id, "Name": f"Term {qbo_id}", "Active": True, **facts}


def due(books: Staged) -> dict[str, tuple[date | None, str | None]]:
    rows = books.rows("select source_id, due_date, due_date_basis from peakflo.invoice")
    return {qbo_id: (due_date, basis) for qbo_id, due_date, basis in rows}


def expected(issued: date, facts: Json) -> date:
    """Count the days from one to the next: the first day that the terms allow."""
    if "DueDays" in facts:
        return issued + timedelta(days=facts["DueDays"])
    day = issued
    while True:
        last = calendar.monthrange(day.year, day.month)[1]
        is_this_month = (day.year, day.month) == (issued.year, issued.month)
        is_too_close = is_this_month and (day - issued).days <= facts.get("DueNextMonthDays", 0)
        if day.day == min(facts["DayOfMonthDue"], last) and not is_too_close:
            return day
        day += timedelta(days=1)


def test_an_invoice_without_a_due_date_is_due_by_its_terms_or_else_on_the_day_of_issue(books: Staged):
    books.merge("Term", term("3", DueDays=15), term("4", Type="DATE_DRIVEN", DayOfMonthDue=31), term("5"))
    ref = {"SalesTermRef": {"value": "3"}}
    cases: list[tuple[Json, tuple[date | None, str | None]]] = [
        ({"DueDate": "2026-01-12", **ref}, (date(2026, 1, 12), "quickbooks")),
        (ref, (date(2026, 1, 25), "terms")),
        ({"DueDate": None, **ref}, (date(2026, 1, 25), "terms")),
        ({"DueDate": "", **ref}, (date(2026, 1, 25), "terms")),
        ({"SalesTermRef": {"value": "4"}}, (date(2026, 1, 31), "terms")),
        ({"SalesTermRef": {"value": "5"}}, (ISSUED, "issue_date")),
        ({"SalesTermRef": {"value": "404"}}, (ISSUED, "issue_date")),
        ({"SalesTermRef": None}, (ISSUED, "issue_date")),
        ({}, (ISSUED, "issue_date")),
        ({"TxnDate": None}, (None, None)),
    ]
    books.merge(
        "Invoice", *(INVOICE | given | {"Id": str(number)} for number, (given, _) in enumerate(cases))
    )
    assert books.problems() == {}
    assert due(books) == {str(number): right for number, (_, right) in enumerate(cases)}


def test_a_term_that_comes_or_changes_later_moves_what_leans_on_it(books: Staged):
    ref = {"SalesTermRef": {"value": "3"}}
    books.merge("Invoice", INVOICE | {"Id": "5"} | ref, INVOICE | {"Id": "6", "DueDate": "2026-01-12"} | ref)
    for days in (30, 60):
        books.merge("Term", term("3", DueDays=days))
        assert due(books) == {
            "5": (ISSUED + timedelta(days=days), "terms"),
            "6": (date(2026, 1, 12), "quickbooks"),
        }
        assert books.rows("select 1 from staging.unmerged") == []
    books.merge("Invoice", INVOICE | {"Id": "5", "DueDate": "2026-01-11"} | ref)
    books.merge("Term", term("3", DueDays=90))
    assert due(books)["5"] == (date(2026, 1, 11), "quickbooks")


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.dates(date(2020, 1, 1), date(2032, 12, 31)), TERMS), min_size=1, max_size=30))
def test_terms_are_counted_as_on_a_calendar(books: Staged, cases: list[tuple[date, Json]]):
    books.merge("Term", *(term(str(number), **facts) for number, (_, facts) in enumerate(cases)))
    books.merge(
        "Invoice",
        *(
            INVOICE | {"Id": str(number), "TxnDate": str(issued), "SalesTermRef": {"value": str(number)}}
            for number, (issued, _) in enumerate(cases)
        ),
    )
    found = due(books)
    for number, (issued, facts) in enumerate(cases):
        assert found[str(number)] == (expected(issued, facts), "terms"), (issued, facts)


def test_several_addresses_in_one_text_are_split(books: Staged):
    cases: list[tuple[Any, list[str] | None]] = [
        ("ada@example.com", ["ada@example.com"]),
        ("ada@example.com,bob@example.com", ["ada@example.com", "bob@example.com"]),
        (" ada@example.com ;bob@example.com; ", ["ada@example.com", "bob@example.com"]),
        ("ada@example.com bob@example.com", ["ada@example.com", "bob@example.com"]),
        ('Ada <ada@example.com>, "Lovelace, Bob" <bob@example.com>', ["ada@example.com", "bob@example.com"]),
        ("Ada O'Brien <o'brien+ap@mail.example.co.uk>", ["o'brien+ap@mail.example.co.uk"]),
        ("mailto:ada@example.com (at work)", ["ada@example.com"]),
        ("地址@例え.jp", ["地址@例え.jp"]),
        ("by post", None),
        ("", None),
        (None, None),
    ]
    for number, (text, _) in enumerate(cases):
        books.merge("Invoice", INVOICE | {"Id": str(number), "BillEmail": {"Address": text}})
    books.merge("Invoice", INVOICE | {"Id": "900"}, INVOICE | {"Id": "901", "BillEmail": None})
    found = dict(books.rows("select source_id, emailed_to from peakflo.invoice"))
    right = {str(number): addresses for number, (_, addresses) in enumerate(cases)}
    assert found == right | {"900": None, "901": None}
    both = {"PrimaryEmailAddr": {"Address": "ada@example.com; bob@example.com"}}
    books.merge("Customer", {"Id": "1", "DisplayName": "Ada", **both})
    assert books.rows("select email from peakflo.customer") == [("ada@example.com",)]
