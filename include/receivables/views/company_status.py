"""What people see of one company: its connection, sync log, problems and freshness."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row, dict_row

from include.errors import ConfigurationError
from include.quickbooks.entities import SYNCED
from include.receivables.outbound.decisions import DOUBTS
from include.sql import load

if TYPE_CHECKING:
    from psycopg import Connection

    from include.receivables.company.companies import Company

Json = dict[str, Any]

DAY = timedelta(days=1)
SLICES = 96
# The DAGs that read all that changed of an entity. Others read single records and say nothing about the rest; the early
# reads after a webhook do both, and are left out.
WHOLE_READS = ("quickbooks_to_peakflo", "import_company", "reconcile_receivables")

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


def _page(db: Connection, statement: str, keys: Json, most: int) -> Page:
    with db.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(load(statement), keys | {"most": most + 1}).fetchall()
    return Page(rows[:most], has_more=len(rows) > most)


def _keys(company: Company) -> Json:
    return {"company_id": company.company_id, "realm_id": company.realm_id}
