from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.quickbooks import query
from include.quickbooks.entities import CUSTOMER, INVOICE, PREFERENCES

MOMENT = datetime(2026, 11, 23, 8, 30, 15, 987654, tzinfo=UTC)


def test_a_page_is_ordered_by_id_and_as_large_as_quickbooks_allows():
    assert query.select(INVOICE) == "SELECT * FROM Invoice STARTPOSITION 1 MAXRESULTS 1000"


def test_a_page_takes_its_condition_order_and_rows():
    statement = query.select(INVOICE, where="Balance > '0'", order_by="TxnDate DESC", start=101, size=100)

    assert statement == (
        "SELECT * FROM Invoice WHERE Balance > '0' ORDERBY TxnDate DESC STARTPOSITION 101 MAXRESULTS 100"
    )


def test_a_page_without_an_order_leaves_it_to_quickbooks():
    assert query.select(INVOICE, order_by="", size=1) == "SELECT * FROM Invoice STARTPOSITION 1 MAXRESULTS 1"


def test_a_list_is_asked_for_its_inactive_records_too():
    assert query.select(CUSTOMER, where="Id > '5'").startswith(
        "SELECT * FROM Customer WHERE Id > '5' AND Active IN (true, false) STARTPOSITION"
    )
    assert query.select(CUSTOMER).startswith(
        "SELECT * FROM Customer WHERE Active IN (true, false) STARTPOSITION"
    )


def test_what_a_company_has_once_is_neither_ordered_nor_paged():
    assert query.select(PREFERENCES) == "SELECT * FROM Preferences"


@pytest.mark.parametrize("size", [0, -1, 1001])
def test_a_page_size_that_quickbooks_refuses_is_refused_before_it_is_sent(size):
    with pytest.raises(ValueError, match=f"size {size} is not between 1 and 1000"):
        query.select(INVOICE, size=size)


def test_rows_are_counted_from_one():
    with pytest.raises(ValueError, match="start 0 is no row number"):
        query.select(INVOICE, start=0)


def test_a_count_includes_inactive_records_of_a_list():
    assert query.select_count(INVOICE, where="Balance > '0'") == (
        "SELECT count(*) FROM Invoice WHERE Balance > '0'"
    )
    assert query.select_count(CUSTOMER) == "SELECT count(*) FROM Customer WHERE Active IN (true, false)"


def test_a_quote_and_a_backslash_are_escaped_with_a_backslash():
    assert query.quote("Adam's Candy") == r"'Adam\'s Candy'"
    assert query.quote("a\\") == r"'a\\'"


@given(st.text())
def test_no_text_ends_its_literal_early(text):
    literal = query.quote(text)

    inside = literal[1:-1].replace("\\\\", "").replace("\\'", "")
    assert literal[0] == literal[-1] == "'"
    assert "'" not in inside
    assert "\\" not in inside


def test_a_timestamp_is_in_utc_to_the_second():
    pacific = timezone(timedelta(hours=-8))

    assert query.timestamp(MOMENT) == "2026-11-23T08:30:15Z"
    assert query.timestamp(MOMENT.astimezone(pacific)) == "2026-11-23T08:30:15Z"


def test_a_timestamp_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="has no time zone"):
        query.timestamp(MOMENT.replace(tzinfo=None))


def test_a_window_includes_both_ends():
    later = MOMENT + timedelta(minutes=5)

    assert query.window(MOMENT, later) == (
        "MetaData.LastUpdatedTime >= '2026-11-23T08:30:15Z'"
        " AND MetaData.LastUpdatedTime <= '2026-11-23T08:35:15Z'"
    )


def test_a_window_may_be_open_at_either_end():
    assert query.window(since=MOMENT) == "MetaData.LastUpdatedTime >= '2026-11-23T08:30:15Z'"
    assert query.window(until=MOMENT) == "MetaData.LastUpdatedTime <= '2026-11-23T08:30:15Z'"
    assert query.window() == ""


def test_ids_are_asked_for_as_literals():
    assert query.with_ids(["130", "x' OR"]) == r"Id IN ('130', 'x\' OR')"


def test_no_ids_are_no_condition():
    with pytest.raises(ValueError, match="no id to ask for"):
        query.with_ids([])
