from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from include.receivables.connecting import connections
from tests.support.staged import TOKENS, Staged, staged_company

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

Json = dict[str, Any]

INFO: Json = {"Id": "1", "CompanyName": "Acme Ltd", "Country": "GB", "DefaultTimeZone": "Europe/London"}
CURRENCY = {"MultiCurrencyEnabled": False, "HomeCurrency": {"value": "GBP"}}
CLOSED = {"FirstMonthOfFiscalYear": "April", "BookCloseDate": "2026-03-31"}
PREFERENCES: Json = {"Id": "1", "CurrencyPrefs": CURRENCY, "AccountingInfoPrefs": CLOSED}
KNOWN = ("Acme Ltd", "GB", "Europe/London", "GBP", "2026-03-31")
OPEN = (*KNOWN[:-1], None)


@pytest.fixture
def books(db: psycopg.Connection) -> Iterator[Staged]:
    with staged_company(db) as books:
        books.merge("CompanyInfo", INFO)
        books.merge("Preferences", PREFERENCES)
        assert facts(books) == KNOWN
        yield books


def facts(books: Staged) -> tuple[str | None, ...]:
    [row] = books.rows(
        "select source_name, country, time_zone, home_currency, book_close_date::text from peakflo.company"
    )
    return row


def test_preferences_that_leave_something_out_keep_what_is_known(books: Staged):
    for gap in (
        {},
        {"CurrencyPrefs": {"MultiCurrencyEnabled": False}},
        {"CurrencyPrefs": None, "AccountingInfoPrefs": None},
        {"CurrencyPrefs": {"HomeCurrency": None}},
        {"CurrencyPrefs": {"HomeCurrency": {}}},
        {"CurrencyPrefs": {"HomeCurrency": {"value": None, "name": "British Pound"}}},
        {"CurrencyPrefs": {"HomeCurrency": {"value": ""}}},
        {"CurrencyPrefs": {"HomeCurrency": {"value": {}}}},
        {"CurrencyPrefs": [], "AccountingInfoPrefs": ""},
        {"CurrencyPrefs": "USD", "AccountingInfoPrefs": []},
    ):
        books.merge("Preferences", {"Id": "1"} | gap)
        assert (facts(books), books.problems()) == (KNOWN, {}), gap


@pytest.mark.parametrize(
    "given", [{}, {"BookCloseDate": None}, {"BookCloseDate": ""}, {"BookCloseDate": " "}]
)
def test_books_that_are_opened_again_are_open(books: Staged, given: Json):
    opened = {"FirstMonthOfFiscalYear": "April"} | given
    books.merge("Preferences", PREFERENCES | {"AccountingInfoPrefs": opened})
    assert (facts(books), books.problems()) == (OPEN, {})
    books.merge("Preferences", {"Id": "1", "AccountingInfoPrefs": CLOSED | {"BookCloseDate": "2026-04-30"}})
    assert facts(books) == (*KNOWN[:-1], "2026-04-30")


def test_a_date_that_is_none_is_a_problem_of_the_preferences_alone(books: Staged):
    for odd in ("0000-00-00", "soon", {}, ["2026-03-31"]):
        books.merge("Preferences", PREFERENCES | {"AccountingInfoPrefs": {"BookCloseDate": odd}})
        books.merge("CompanyInfo", INFO | {"CompanyName": f"Acme {odd}"})
        assert list(books.problems()) == [("preferences", "1")]
        assert facts(books) == (f"Acme {odd}", *KNOWN[1:])


def test_company_info_that_leaves_something_out_keeps_what_is_known(books: Staged):
    for gap in (
        {},
        dict.fromkeys(("CompanyName", "Country", "DefaultTimeZone")),
        dict.fromkeys(("CompanyName", "Country", "DefaultTimeZone"), ""),
        {"CompanyName": {"value": "odd"}, "Country": ["GB"], "DefaultTimeZone": {}},
        {"DefaultTimeZone": "Mars/Olympus"},
    ):
        books.merge("CompanyInfo", {"Id": "1"} | gap)
        assert (facts(books), books.problems()) == (KNOWN, {}), gap


def test_the_facts_of_other_books_are_not_those_of_the_books_before(books: Staged):
    other = {"company_id": "acme", "name": "Acme", "realm_id": "9130000000000002", "connected_by": "test"}
    connections.record_connection(books.db, **other, tokens=TOKENS)
    assert facts(books) == (None, None, "America/Los_Angeles", None, None)
    books.db.execute(
        "update staging.record set payload = jsonb_set(payload, '{AccountingInfoPrefs,BookCloseDate}', '\"odd\"') "
        "where entity = 'preferences'"
    )
    connections.record_connection(books.db, **other | {"realm_id": books.run.company.realm_id}, tokens=TOKENS)
    assert facts(books) == (*KNOWN[:3], None, None)
