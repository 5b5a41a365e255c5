"""The three charts of a company's page: freshness, records per hour, and metered calls with their forecast."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from include.receivables.company import budget
from include.receivables.company.call_forecast import read_calls
from include.receivables.views import company_status
from include.web.charts import Area, Bar, Stack, draw_area, draw_bars

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from psycopg import Connection

    from include.receivables.company.budget import Budget
    from include.receivables.company.call_forecast import CallForecast
    from include.receivables.company.companies import Company
    from include.receivables.views.company_status import Slice

Json = dict[str, Any]

ENTITY_WORDS = {
    "account": "Accounts",
    "customer": "Customers",
    "invoice": "Invoices",
    "credit_memo": "Credit notes",
    "payment": "Payments",
}
# A chart of a healthy day has its line in the lower half, not at the ceiling.
LEAST_TOP = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Freshness:
    """
    How fresh one entity was over the last day.

    :param worst: the greatest age of the day in seconds; None when it was never read.
    :param hours: the greatest age of each hour, for the table.
    """

    entity: str
    label: str
    known_until: datetime | None
    worst: int | None
    area: Area
    hours: list[tuple[datetime, int | None]]


@dataclass(frozen=True, slots=True)
class Charts:
    """
    All that the page draws.

    :param freshness_top: the age in seconds at the upper edge.
    :param records_top: the count at the upper edge, as for ``calls_top``.
    :param calls_bars: the days of the month; series 1 is what is expected of a day to come.
    """

    freshness: list[Freshness]
    freshness_top: int
    hours: list[Json]
    records_bars: list[Bar]
    records_top: int
    calls: CallForecast
    budget: Budget
    calls_bars: list[Bar]
    calls_top: int


def draw(db: Connection, company: Company, cursors: Mapping[str, datetime]) -> Charts:
    """
    Draw a company's charts.

    :param cursors: up to which moment each entity is known.
    """
    freshness, freshness_top = _draw_freshness(company_status.list_freshness(db, company), cursors)
    hours = company_status.count_hourly(db, company)
    records_top = max(1, *(hour["inbound"] + hour["outbound"] for hour in hours))
    calls = read_calls(db, company.realm_id)
    stacks = _stack_days(calls)
    calls_top = max(1, *(sum(stack.values) for stack in stacks))
    return Charts(
        freshness=freshness,
        freshness_top=freshness_top,
        hours=hours,
        records_bars=draw_bars([_stack_hour(hour) for hour in hours], top=records_top),
        records_top=records_top,
        calls=calls,
        budget=budget.read(db),
        calls_bars=draw_bars(stacks, top=calls_top),
        calls_top=calls_top,
    )


def _draw_freshness(
    slices: Mapping[str, Sequence[Slice]], cursors: Mapping[str, datetime]
) -> tuple[list[Freshness], int]:
    ages = {entity: [each.seconds for each in parts] for entity, parts in slices.items()}
    known = [age for each in ages.values() for age in each if age is not None]
    top = max(LEAST_TOP // timedelta(seconds=1), *known, 0)
    drawn = [
        Freshness(
            entity=entity,
            label=label,
            known_until=cursors.get(entity),
            worst=max((age for age in ages[entity] if age is not None), default=None),
            area=draw_area(ages[entity], top=top),
            hours=_worst_hours(slices[entity]),
        )
        for entity, label in ENTITY_WORDS.items()
    ]
    return drawn, top


def _worst_hours(slices: Sequence[Slice]) -> list[tuple[datetime, int | None]]:
    per_hour = len(slices) // 24
    return [
        (
            slices[first].begins_at,
            max(
                (each.seconds for each in slices[first : first + per_hour] if each.seconds is not None),
                default=None,
            ),
        )
        for first in range(0, len(slices), per_hour)
    ]


def _stack_hour(hour: Json) -> Stack:
    begins_at: datetime = hour["begins_at"]
    title = f"{begins_at:%H:%M} UTC: {hour['inbound']:,} from QuickBooks, {hour['outbound']:,} to QuickBooks"
    return Stack(title, (hour["inbound"], hour["outbound"]))


def _stack_days(calls: CallForecast) -> list[Stack]:
    """Stack each day of the month: what was, and of today and the days to come what is expected."""
    *past, today = calls.days
    last = calendar.monthrange(today.day.year, today.day.month)[1]
    coming = [today.day + timedelta(days=ahead) for ahead in range(1, last - today.day.day + 1)]
    rest_of_today = max(0, calls.company_per_day - today.company)
    return [
        *(_stack_day(each.day, each.company, 0) for each in past),
        _stack_day(today.day, today.company, rest_of_today),
        *(_stack_day(day, 0, calls.company_per_day) for day in coming),
    ]


def _stack_day(day: date, made: int, expected: int) -> Stack:
    more = f", about {expected:,} more expected" if expected else ""
    return Stack(f"{day:%d %b}: {made:,} metered calls{more}", (made, expected))
