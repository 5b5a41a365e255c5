"""What people see of one company: its connection, sync log, problems, freshness, and what its calls will cost."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row, dict_row

from include.errors import ConfigurationError
from include.quickbooks.entities import SYNCED
from include.receivables.company.quota import MONTHLY_QUOTA
from include.receivables.outbound.decisions import DOUBTS
from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection

    from include.receivables.company.companies import Company

Json = dict[str, Any]

# What a day takes is told from so many whole days.
DAYS_TO_JUDGE_BY = 7

DAY = timedelta(days=1)
SLICES = 96
# The DAGs that read all that changed of an entity. Others read single records and say nothing about the rest; the early
# reads after a webhook do both, and are left out.
WHOLE_READS = ("quickbooks_to_peakflo", "import_company")

COMMAND_LINE = "bin/receivables"
LOGGED = (
    "quickbooks_to_peakflo",
    "read_webhook_events",
    "peakflo_to_quickbooks",
    "refresh_before_reminder",
    "refresh_reference_data",
    "import_company",
    "reconcile_receivables",
    COMMAND_LINE,
)
RUN_STATES = ("running", "success", "failed")
PROBLEM_STATES = ("open", "ignored", "resolved")
PAGE = 25


@dataclass(frozen=True, slots=True)
class RunFilter:
    """
    Which runs of the sync log to list; without a value, all.

    :param entity: a staging table that the run read or merged.
    :param day: on which it started, in UTC.
    :param before: go on after this run, the last of the page before.
    """

    dag_id: str | None = None
    state: str | None = None
    entity: str | None = None
    day: date | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """
    A bounded part of a list.

    :param has_more: whether the list goes on.
    """

    rows: list[Json]
    has_more: bool


@dataclass(frozen=True, slots=True)
class ProblemCounts:
    """
    How many problems there are.

    :param states: of each state.
    :param actors: of the open ones, for each who has to act.
    """

    states: dict[str, int]
    actors: dict[str, int]


@dataclass(frozen=True, slots=True)
class Slice:
    """
    How old an entity was at worst in a part of the last day.

    :param seconds: None where it had not been read at all yet.
    """

    entity: str
    begins_at: datetime
    seconds: int | None


@dataclass(frozen=True, slots=True)
class DailyCalls:
    """
    The metered calls of a day.

    :param company: those of the one company.
    :param app: those of all companies, which share the quota.
    """

    day: date
    company: int
    app: int


@dataclass(frozen=True, slots=True)
class CallForecast:
    """
    The metered calls of a month so far, and how many it will have been by its end.

    :param days: the month's days so far, with their calls.
    :param company_per_day: what is expected of a whole day.
    """

    days: list[DailyCalls]
    company_so_far: int
    company_per_day: int
    company_forecast: int
    app_so_far: int
    app_forecast: int
    quota: int = MONTHLY_QUOTA


def read_status(db: Connection, company: Company) -> Json:
    """Read a company and its connection, without its tokens."""
    with db.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(load("sync/read_status"), {"company_id": company.company_id}).fetchone()
    if row is None:
        raise ConfigurationError(f"Company {company.company_id!r} was removed meanwhile.")
    return row


def read_cursors(db: Connection, company: Company) -> dict[str, datetime]:
    """Read up to which moment of QuickBooks' clock each entity is known."""
    return dict(db.execute(load("sync/list_cursors"), {"realm_id": company.realm_id}).fetchall())


def list_runs(db: Connection, company: Company, chosen: RunFilter | None = None, *, most: int = PAGE) -> Page:
    """List a company's runs with their counts, the newest first."""
    chosen = chosen or RunFilter()
    keys = {
        "dag_id": chosen.dag_id,
        "state": chosen.state,
        "entity": chosen.entity,
        "day": chosen.day,
        "before": chosen.before,
    }
    return _page(db, "sync/list_runs", _keys(company) | keys, most)


def list_problems(
    db: Connection, company: Company, *, state: str = "open", skipped: int = 0, most: int = PAGE
) -> Page:
    """
    List a company's problems of one state with cure and who acts, the latest first.

    An outbound problem names the payment that it is about by its ``delivery_id``, and with ``doubt`` why a retry of it
    is to be weighed there first.
    """
    page = _page(db, "sync/list_problems", _keys(company) | {"state": state, "skipped": skipped}, most)
    for row in page.rows:
        row["doubt"] = DOUBTS.get(row["code"]) if row["direction"] == "outbound" else None
    return page


def count_problems(db: Connection, company: Company) -> ProblemCounts:
    """Count a company's problems."""
    states = dict.fromkeys(PROBLEM_STATES, 0)
    actors: dict[str, int] = {}
    for state, actor, count in db.execute(load("sync/count_problems"), _keys(company)):
        states[state] += count
        if state == "open":
            actors[actor] = count
    return ProblemCounts(states, actors)


def count_deliveries(db: Connection, company: Company) -> dict[str, int]:
    """Count a company's payments for QuickBooks by where they stand."""
    return dict(db.execute(load("outbox/count_kinds"), {"company_id": company.company_id}).fetchall())


def list_freshness(db: Connection, company: Company) -> dict[str, list[Slice]]:
    """
    List how old each entity was at worst, per quarter of an hour of the last day.

    The source is the sync log: a successful run of :data:`WHOLE_READS` knows all that changed up to its start, and
    from its end on Peakflo has it. That is older by the duration of a run than what ``staging.cursor`` says, which
    knows no past.
    """
    keys = {
        "entities": [entity.table for entity in SYNCED],
        "dag_ids": list(WHOLE_READS),
        "period": DAY,
        "slices": SLICES,
    }
    freshness: dict[str, list[Slice]] = {}
    with db.cursor(row_factory=class_row(Slice)) as cursor:
        for each in cursor.execute(load("sync/list_freshness"), _keys(company) | keys):
            freshness.setdefault(each.entity, []).append(each)
    return freshness


def count_hourly(db: Connection, company: Company) -> list[Json]:
    """Count the records that changed in Peakflo (inbound) and in QuickBooks (outbound), per hour of the last day."""
    with db.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(load("sync/count_hourly"), _keys(company)).fetchall()


def read_calls(db: Connection, company: Company | None = None) -> CallForecast:
    """
    Count the metered calls per day of this month, and tell how many there will be by its end.

    :param company: whose are counted beside those of all companies.
    """
    keys = {"realm_id": company.realm_id if company else None, "days": DAYS_TO_JUDGE_BY}
    with db.cursor(row_factory=class_row(DailyCalls)) as cursor:
        days = cursor.execute(load("sync/count_daily_calls"), keys).fetchall()
    return forecast(days, now=datetime.now(UTC))


def forecast(days: Sequence[DailyCalls], *, now: datetime) -> CallForecast:
    """
    Tell from the days so far how many metered calls the month will have had.

    :param days: without gaps up to today; may begin before the month.
    """
    today = now.date()
    month = [each for each in days if each.day >= today.replace(day=1)]
    company = [(each.day, each.company) for each in days]
    app = [(each.day, each.app) for each in days]
    company_per_day, app_per_day = _per_day(company, now), _per_day(app, now)
    return CallForecast(
        days=month,
        company_so_far=sum(each.company for each in month),
        company_per_day=round(company_per_day),
        company_forecast=_forecast(company, company_per_day, now),
        app_so_far=sum(each.app for each in month),
        app_forecast=_forecast(app, app_per_day, now),
    )


def _forecast(calls: Sequence[tuple[date, int]], per_day: float, now: datetime) -> int:
    today = now.date()
    so_far = sum(count for day, count in calls if day >= today.replace(day=1))
    today_so_far = sum(count for day, count in calls if day == today)
    days_left = calendar.monthrange(today.year, today.month)[1] - today.day
    return round(so_far + max(0.0, per_day - today_so_far) + per_day * days_left)


def _per_day(calls: Sequence[tuple[date, int]], now: datetime) -> float:
    """Average the last whole days from the first with a call on, or draw today out to its end if there is none."""
    whole_days = [count for day, count in calls if day < now.date()]
    first = next((index for index, count in enumerate(whole_days) if count), len(whole_days))
    used = whole_days[first:][-DAYS_TO_JUDGE_BY:]
    if used:
        return sum(used) / len(used)
    elapsed = now - now.replace(hour=0, minute=0, second=0, microsecond=0)
    return sum(count for day, count in calls if day == now.date()) * (DAY / max(elapsed, timedelta(hours=1)))


def _page(db: Connection, statement: str, keys: Json, most: int) -> Page:
    with db.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(load(statement), keys | {"most": most + 1}).fetchall()
    return Page(rows[:most], has_more=len(rows) > most)


def _keys(company: Company) -> Json:
    return {"company_id": company.company_id, "realm_id": company.realm_id}
