"""The metered calls of a month: those so far, of one company and of all, and how many it will have been by its end."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from psycopg.rows import class_row

from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection

# What a day takes is told from so many whole days.
DAYS_TO_JUDGE_BY = 7

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class DailyCalls:
    """
    The metered calls of a day.

    :param company: those of the one company.
    :param app: those of all companies, which share the quota.
    :param cycles: of these, the one call per company and 5-minute cycle.
    :param reminders: of these, those before reminders.
    """

    day: date
    company: int
    app: int
    cycles: int = 0
    reminders: int = 0


@dataclass(frozen=True, slots=True)
class CallForecast:
    """
    The metered calls of a month so far, and how many it will have been by its end at this pace.

    :param days: the month's days so far, with their calls.
    :param company_per_day: what is expected of a whole day.
    """

    days: list[DailyCalls]
    company_so_far: int
    company_per_day: int
    company_forecast: int
    app_so_far: int
    app_forecast: int


def read_calls(db: Connection, realm_id: str | None = None) -> CallForecast:
    """
    Count the metered calls per day of this month, and tell how many there will be by its end.

    :param realm_id: of the company whose are counted beside those of all companies.
    """
    return forecast(list_daily_calls(db, realm_id), now=datetime.now(UTC))


def list_daily_calls(db: Connection, realm_id: str | None = None) -> list[DailyCalls]:
    """List the days of this month, and those before it that tell what a day takes, without gaps up to today."""
    keys = {"realm_id": realm_id, "days": DAYS_TO_JUDGE_BY}
    with db.cursor(row_factory=class_row(DailyCalls)) as cursor:
        return cursor.execute(load("sync/count_daily_calls"), keys).fetchall()


def forecast(days: Sequence[DailyCalls], *, now: datetime) -> CallForecast:
    """
    Tell from the days so far how many metered calls the month will have had.

    :param days: without gaps up to today; may begin before the month.
    """
    month = [each for each in days if each.day >= now.date().replace(day=1)]
    company = [(each.day, each.company) for each in days]
    app = [(each.day, each.app) for each in days]
    return CallForecast(
        days=month,
        company_so_far=sum(each.company for each in month),
        company_per_day=round(per_day(company, now)),
        company_forecast=sum(each.company for each in month) + to_come(company, now),
        app_so_far=sum(each.app for each in month),
        app_forecast=sum(each.app for each in month) + to_come(app, now),
    )


def to_come(calls: Sequence[tuple[date, int]], now: datetime) -> int:
    """Tell how many calls of a kind the rest of the month will have: of today, and of the days after it."""
    today = now.date()
    of_a_day = per_day(calls, now)
    today_so_far = sum(count for day, count in calls if day == today)
    days_left = calendar.monthrange(today.year, today.month)[1] - today.day
    return round(max(0.0, of_a_day - today_so_far) + of_a_day * days_left)


def per_day(calls: Sequence[tuple[date, int]], now: datetime) -> float:
    """Average the last whole days from the first with a call on, or draw today out to its end if there is none."""
    whole_days = [count for day, count in calls if day < now.date()]
    first = next((index for index, count in enumerate(whole_days) if count), len(whole_days))
    used = whole_days[first:][-DAYS_TO_JUDGE_BY:]
    if used:
        return sum(used) / len(used)
    elapsed = now - now.replace(hour=0, minute=0, second=0, microsecond=0)
    return sum(count for day, count in calls if day == now.date()) * (DAY / max(elapsed, timedelta(hours=1)))
