from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from include.receivables.company.call_forecast import DailyCalls, forecast, read_calls

if TYPE_CHECKING:
    import psycopg


def test_calls_are_counted_per_day_for_the_company_and_for_all(db: psycopg.Connection):
    today = datetime.now(UTC).date()
    for realm_id, kind, metered in (("111", "cdc", 5), ("111", "query", 2), ("222", "cdc", 10)):
        db.execute(
            "insert into sync.api_call (realm_id, day, kind, calls, metered) values (%s, %s, %s, 99, %s)",
            [realm_id, today, kind, metered],
        )
    calls = read_calls(db, "111")
    assert (calls.company_so_far, calls.app_so_far) == (7, 17)
    assert calls.days[-1] == DailyCalls(today, 7, 17)
    assert calls.days[0].day == today.replace(day=1)
    assert calls.app_forecast >= 17


def days(first: date, *counts: int) -> list[DailyCalls]:
    return [
        DailyCalls(first + timedelta(days=index), count, 10 * count) for index, count in enumerate(counts)
    ]


def test_the_forecast_goes_on_as_in_the_last_whole_days():
    # 1 to 10 November: nine whole days, of which the last seven count, and half of the tenth.
    calls = forecast(
        days(date(2026, 11, 1), 0, 0, 300, 300, 300, 300, 300, 300, 300, 150),
        now=datetime(2026, 11, 10, 12, tzinfo=UTC),
    )
    assert calls.company_so_far == 2250
    assert calls.company_forecast == 2250 + 150 + 20 * 300
    assert calls.app_forecast == 10 * calls.company_forecast


def test_the_forecast_on_the_first_of_a_month_knows_the_days_before():
    calls = forecast(days(date(2026, 10, 25), *[200] * 7, 20), now=datetime(2026, 11, 1, 1, tzinfo=UTC))
    assert [each.day for each in calls.days] == [date(2026, 11, 1)]
    assert (calls.company_so_far, calls.company_forecast) == (20, 30 * 200)


def test_the_forecast_of_a_first_day_draws_it_out():
    calls = forecast(days(date(2026, 11, 28), 0, 0, 60), now=datetime(2026, 11, 30, 6, tzinfo=UTC))
    assert (calls.company_per_day, calls.company_forecast) == (240, 240)


def test_a_month_without_calls_has_none_to_expect():
    assert forecast(days(date(2026, 11, 1), 0), now=datetime(2026, 11, 1, tzinfo=UTC)).app_forecast == 0
