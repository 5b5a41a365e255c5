from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from include.errors import ConfigurationError
from include.quickbooks.entities import SYNCED
from include.receivables.company import budget, companies
from include.receivables.company.budget import CYCLE, MOST_PROVEN, MOST_UNPROVEN, Budget, Ledger, ReadLimit
from include.receivables.company.call_forecast import DailyCalls
from include.receivables.inbound import reference_data, webhook_sync
from include.receivables.inbound.syncing import REACH
from include.receivables.reminders.check import ReminderRequest
from include.receivables.reminders.refreshing import refresh_and_judge
from tests.support.quick_start import connect_as_imported
from tests.support.read_month import Month, quantile
from tests.support.virtual_clock import set_clock, virtual_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

    from include.receivables.company.companies import Company
    from local.embedded_postgres import EmbeddedPostgres
    from tests.support.bookkeeper import Bookkeeper
    from tests.support.workbench import Workbench

NOW = datetime(2026, 11, 16, tzinfo=UTC)  # half of the month is over
HALF_A_MONTH = 15 * 288
MINUTE = timedelta(minutes=1)


def ledger(proven: int, unproven: int, *, now: datetime = NOW, **calls: int) -> Ledger:
    """Tell of a month in which each day so far took the same."""
    first = now.date().replace(day=1)
    a_day = {"company": 0, "app": 0} | calls
    days = [DailyCalls(first + timedelta(days=day), **a_day) for day in range(now.day - 1)]
    return Ledger(now, [*days, DailyCalls(now.date(), 0, 0)], proven, unproven)


def cost(decided: Budget, told: Ledger) -> float:
    """Tell how many reads the rest of the month's cycles will take."""
    return HALF_A_MONTH * (
        told.proven / (decided.proven_every / CYCLE) + told.unproven / (decided.unproven_every / CYCLE)
    )


@pytest.mark.parametrize(
    ("given_tier", "given_reads", "limit"),
    [
        (None, None, ReadLimit("builder", 500_000, is_limit=False)),
        ("", "", ReadLimit("builder", 500_000, is_limit=False)),
        ("builder", None, ReadLimit("builder", 500_000, is_limit=True)),
        ("platinum", None, ReadLimit("platinum", 75_000_000, is_limit=True)),
        ("silver", 3_000_000, ReadLimit("silver", 3_000_000, is_limit=True)),
        (None, "250000", ReadLimit("builder", 250_000, is_limit=True)),
    ],
)
def test_a_tier_or_a_number_is_a_limit_and_nothing_is_none(
    given_tier: Any, given_reads: Any, limit: ReadLimit
):
    assert ReadLimit.of(given_tier, given_reads) == limit


@pytest.mark.parametrize("tier", ["bronze", "Builder", 5])
def test_a_tier_that_there_is_not_is_refused_with_those_that_there_are(tier: Any):
    with pytest.raises(
        ConfigurationError, match=f"'{tier}' is no tier of Intuit's: use builder, silver, gold"
    ):
        ReadLimit.of(tier)


@pytest.mark.parametrize("number", [0, -1, 1.5, "many", "٣", True, "1e6", 10**12])
def test_what_is_no_number_of_reads_is_refused(number: Any):
    with pytest.raises(ConfigurationError, match="is no number of reads a month: write a whole number"):
        ReadLimit.of("builder", number)


def test_without_a_limit_everybody_is_read_in_each_cycle_whatever_it_takes():
    decided = budget.plan(ReadLimit(), ledger(950, 50))
    assert (decided.proven_every, decided.unproven_every) == (CYCLE, CYCLE)
    assert not decided.is_saving
    assert decided.forecast == 1000 * HALF_A_MONTH > decided.quota


COMPANIES = st.integers(0, 5000)
A_DAY = st.integers(0, 60_000)


@given(
    proven=COMPANIES, unproven=COMPANIES, a_day=A_DAY, share=st.floats(0, 1), quota=st.integers(1, 20_000_000)
)
@example(proven=75, unproven=0, a_day=24_014, share=0.0, quota=786_788)
@settings(max_examples=500)
def test_companies_wait_just_as_long_as_it_takes_for_the_reads_to_last(
    proven: int, unproven: int, a_day: int, share: float, quota: int
):
    """Those with a webhook first; the others only when these wait as long as they may."""
    told = ledger(proven, unproven, app=a_day, cycles=round(share * a_day))
    decided = budget.plan(ReadLimit.of("builder", quota), told)
    others = 15 * (a_day - round(share * a_day))
    room = quota - 15 * a_day - 0.02 * quota - others

    assert CYCLE <= decided.proven_every <= MOST_PROVEN
    assert CYCLE <= decided.unproven_every <= MOST_UNPROVEN
    is_at_the_end = decided.proven_every == MOST_PROVEN and decided.unproven_every == MOST_UNPROVEN
    assert cost(decided, told) <= max(0, room) * 1.01 + 1 or is_at_the_end
    if HALF_A_MONTH * (proven + unproven) <= room * 0.9:
        assert (decided.proven_every, decided.unproven_every) == (CYCLE, CYCLE)
    if decided.unproven_every > CYCLE and proven:
        assert decided.proven_every == MOST_PROVEN
    if CYCLE < decided.proven_every < MOST_PROVEN and proven:
        sooner = proven / (decided.proven_every / CYCLE - 1)
        assert HALF_A_MONTH * (sooner + unproven) > room * 0.99 - 1


def test_what_reminders_will_take_comes_first():
    """What is left of the month is theirs once it is no more than they need."""
    calls = {"app": 1000, "reminders": 400}
    assert budget.plan(ReadLimit.of("builder", 22_600), ledger(10, 0, **calls)).is_reserved is False
    assert budget.plan(ReadLimit.of("builder", 22_500), ledger(10, 0, **calls)).is_reserved is True
    assert budget.plan(ReadLimit(quota=22_500), ledger(10, 0, **calls)).is_reserved is False


@pytest.mark.parametrize(
    ("decided", "sentence"),
    [
        (Budget(), ""),
        (
            Budget(proven_every=40 * MINUTE, forecast=1_200_000),
            "Idle companies with a proven webhook wait up to 40 minutes, because the month's 500,000 reads would not "
            "last (forecast 1,200,000).",
        ),
        (
            Budget(proven_every=360 * MINUTE, unproven_every=25 * MINUTE, forecast=1_200_000),
            "Idle companies with a proven webhook wait up to 6 hours, the others up to 25 minutes, because the month's "
            "500,000 reads would not last (forecast 1,200,000).",
        ),
        (
            Budget(is_reserved=True, used=499_000),
            "What is left of the month's 500,000 reads (1,000) is kept for reminders: one company an hour is read.",
        ),
    ],
)
def test_who_waits_and_why_is_one_sentence(decided: Budget, sentence: str):
    assert decided.sentence == sentence


@pytest.fixture(scope="module")
def clocked(embedded_postgres: EmbeddedPostgres) -> Iterator[psycopg.Connection]:
    """A database with a clock of its own."""
    with virtual_database(embedded_postgres, "budget") as db:
        yield db


@pytest.fixture
def vdb(clocked: psycopg.Connection) -> psycopg.Connection:
    """The same, with two companies that were read just now: the webhook of the first is proven."""
    set_clock(clocked, NOW)
    clocked.execute(
        "truncate peakflo.company, sync.connection, staging.cursor, sync.run, sync.webhook_proof, sync.webhook_event,"
        " sync.read_budget, sync.api_call"
    )
    for name in ("proven", "unproven"):
        clocked.execute(
            "insert into peakflo.company (company_id, realm_id, name) values (%(c)s, %(c)s, %(c)s)",
            {"c": name},
        )
        clocked.execute(
            "insert into sync.connection (company_id, realm_id, status) values (%(c)s, %(c)s, 'connected')",
            {"c": name},
        )
        read(clocked, name)
    clocked.execute("insert into sync.webhook_proof values ('proven', now(), now(), now())")
    return clocked


def read(db: psycopg.Connection, company_id: str, state: str = "success") -> None:
    """Let a company be read now."""
    db.execute(
        "insert into staging.cursor select %s, entity, now() from unnest(%s::text[]) as entity"
        " on conflict (realm_id, entity) do update set changed_since = now()",
        [company_id, [entity.table for entity in SYNCED]],
    )
    db.execute(
        "insert into sync.run (company_id, realm_id, dag_id, dag_run_id, state, ended_at)"
        " values (%(c)s, %(c)s, 'quickbooks_to_peakflo', now()::text, %(state)s, now())",
        {"c": company_id, "state": state},
    )


def let_wait(db: psycopg.Connection, *, proven: int, unproven: int, is_reserved: bool = False) -> None:
    """Let companies wait so many minutes from now on."""
    db.execute(
        "insert into sync.read_budget (tier, quota, is_limit, forecast, proven_every, unproven_every, is_reserved)"
        " values ('builder', 500000, true, 0, %s, %s, %s)",
        [proven * MINUTE, unproven * MINUTE, is_reserved],
    )


def due(db: psycopg.Connection, after: float = 0, *chosen: str) -> list[str]:
    """Tell who is due so many minutes later."""
    set_clock(db, NOW + after * MINUTE)
    found = companies.list_due_companies(db, reach=REACH, chosen=chosen, at_intervals=True)
    return [company.company_id for company in found]


def test_everybody_is_due_until_something_is_decided_and_while_nobody_waits(vdb: psycopg.Connection):
    assert due(vdb) == ["proven", "unproven"]
    let_wait(vdb, proven=5, unproven=5)
    assert due(vdb) == ["proven", "unproven"]


def test_each_is_due_in_the_cycle_in_which_its_time_has_come(vdb: psycopg.Connection):
    let_wait(vdb, proven=40, unproven=25)
    assert due(vdb, 20) == []
    assert due(vdb, 24.9) == ["unproven"]
    assert due(vdb, 35) == ["unproven"]
    assert due(vdb, 39.9) == ["proven", "unproven"]


def test_who_is_asked_for_is_due_and_so_is_who_has_unread_events_or_failed(vdb: psycopg.Connection):
    let_wait(vdb, proven=40, unproven=25)
    assert due(vdb, 5) == []
    assert due(vdb, 5, "proven") == ["proven"]
    read(vdb, "unproven", "failed")
    assert due(vdb, 10) == ["unproven"]
    vdb.execute("insert into sync.webhook_event values ('1', 'proven', 'invoice', '1', 'update')")
    assert due(vdb, 10) == ["proven", "unproven"]


def test_who_cannot_be_reached_by_change_data_capture_any_more_is_due(vdb: psycopg.Connection):
    let_wait(vdb, proven=360, unproven=25)
    vdb.execute(
        "update staging.cursor set changed_since = now() - %s where realm_id = 'proven'", [REACH + MINUTE]
    )
    [company] = companies.list_due_companies(vdb, reach=REACH, at_intervals=True)
    assert (company.company_id, company.is_import_due) == ("proven", True)


def test_reads_after_webhooks_do_not_wait(vdb: psycopg.Connection):
    let_wait(vdb, proven=360, unproven=25)
    set_clock(vdb, NOW + 5 * MINUTE)
    vdb.execute("insert into sync.webhook_event values ('1', 'proven', 'invoice', '1', 'update')")
    assert [each.company_id for each in webhook_sync.list_due(vdb, dag_id="read_webhook_events")] == [
        "proven"
    ]


def test_what_is_kept_for_reminders_is_read_by_nobody_else_but_one_an_hour(vdb: psycopg.Connection):
    let_wait(vdb, proven=5, unproven=5, is_reserved=True)
    assert due(vdb, 59) == []
    assert due(vdb, 59, "proven") == ["proven"]
    assert due(vdb, 60) == ["proven"]
    read(vdb, "proven")
    assert due(vdb, 119) == []
    assert due(vdb, 120) == ["unproven"]


@pytest.mark.parametrize(
    ("changed", "announced", "received", "is_proven"),
    [
        (0, 0, 3, True),
        (0, 0, 11, False),  # it came too late to be of use
        (0, -30, -30, False),  # what happened since was not told
        (0, 30, 31, True),
        (0, -0.5, 1, True),  # the record was stamped once more by what it is part of
        (None, 0, 3, True),
        (0, None, None, False),
    ],
)
def test_a_webhook_is_proven_while_the_last_change_was_announced_within_minutes(
    vdb: psycopg.Connection, changed: Any, announced: Any, received: Any, is_proven: bool
):
    moments = [
        None if minutes is None else NOW + minutes * MINUTE for minutes in (changed, announced, received)
    ]
    vdb.execute("insert into sync.webhook_proof values ('unproven', %s, %s, %s)", moments)
    [found] = vdb.execute(
        "select has_webhook from sync.read_interval where realm_id = 'unproven'"
    ).fetchone() or [None]
    assert found is is_proven


@pytest.mark.parametrize("changed_elsewhere", [2, 3])
def test_when_changes_at_three_companies_were_not_told_of_the_webhook_is_silent_for_all(
    vdb: psycopg.Connection, changed_elsewhere: int
):
    vdb.execute(
        "insert into sync.webhook_proof"
        " select 'other-' || number, now() + interval '20 minutes', now() - interval '1 day', now() - interval '1 day'"
        " from generate_series(1, %s) as number",
        [changed_elsewhere],
    )
    let_wait(vdb, proven=360, unproven=25)
    assert due(vdb, 29) == ["unproven"]
    is_silent = changed_elsewhere == 3
    assert due(vdb, 31) == (["proven", "unproven"] if is_silent else ["unproven"])
    # The first event that comes again ends it.
    vdb.execute(
        "update sync.webhook_proof set announced_at = now(), received_at = now() where realm_id = 'other-1'"
    )
    assert due(vdb, 31) == ["unproven"]


def test_what_is_late_is_told_by_how_long_a_company_may_wait(vdb: psycopg.Connection):
    late = "select realm_id, late_after from sync.read_interval order by 1"
    assert dict(vdb.execute(late).fetchall()) == {"proven": 15 * MINUTE, "unproven": 15 * MINUTE}
    let_wait(vdb, proven=40, unproven=25)
    assert dict(vdb.execute(late).fetchall()) == {"proven": 50 * MINUTE, "unproven": 35 * MINUTE}


def test_a_reminder_run_reads_whatever_is_kept_or_saved(
    bench: Workbench, keep_books: Callable[[Company], Bookkeeper]
):
    company = connect_as_imported(bench, "acme")
    books = keep_books(company)
    books.invoice(books.customer("Ada"), "100")
    bench.sync(company)
    let_wait(bench.db, proven=360, unproven=25, is_reserved=True)

    judged = refresh_and_judge(bench.access, ReminderRequest("acme"), bench.run_context(), seconds=10)

    assert [verdict.verdict for verdict in judged.verdicts] == ["send"]


def test_reference_data_is_refreshed_weekly_while_reads_are_saved(vdb: psycopg.Connection):
    every_list = [entity.table for group in reference_data.GROUPS.values() for entity in group]
    vdb.execute(
        "insert into sync.run (company_id, realm_id, dag_id, dag_run_id, state, ended_at, counts)"
        " select id, id, 'refresh_reference_data', '', 'success', now(), jsonb_object_agg(entity, '{}'::jsonb)"
        " from (values ('proven', %(all)s::text[]), ('unproven', array['account'])) as run (id, entities)"
        " cross join unnest(entities) as entity group by id",
        {"all": every_list},
    )
    set_clock(vdb, NOW + timedelta(days=1))
    assert reference_data.list_due(vdb, reach=REACH) == ["proven", "unproven"]
    let_wait(vdb, proven=40, unproven=5)
    assert reference_data.list_due(vdb, reach=REACH) == ["unproven"]  # only its accounts were refreshed
    set_clock(vdb, NOW + timedelta(days=7))
    assert reference_data.list_due(vdb, reach=REACH) == ["proven", "unproven"]


def test_what_was_decided_is_what_is_read(vdb: psycopg.Connection):
    assert budget.read(vdb) == Budget(companies=2)
    vdb.execute(
        "insert into sync.api_call (realm_id, day, kind, calls, metered, dag_id) values"
        " ('proven', '2026-11-15', 'query', 400, 400, 'refresh_before_reminder'),"
        " ('proven', '2026-11-15', 'cdc', 90, 90, 'quickbooks_to_peakflo'), ('x', '2026-10-31', 'cdc', 9, 9, '')"
    )
    decided = budget.decide(vdb, ReadLimit.of("silver", 7_000))
    assert (decided.used, decided.companies, decided.is_saving) == (490, 2, True)
    assert budget.read(vdb) == decided
    assert budget.decide(vdb, ReadLimit()) == budget.read(vdb) != decided


def test_a_few_days_of_fifty_companies_keep_within_their_reads(embedded_postgres: EmbeddedPostgres):
    """The end of a month, the busiest days; the whole month is a benchmark."""
    first = datetime(2026, 9, 29, tzinfo=UTC)
    quota = 2_800
    with virtual_database(embedded_postgres, "month") as db:
        month = Month(
            db, ReadLimit.of("builder", quota), count=50, first=first, days=2, outage=(first, first)
        )
        for decided in month.live():
            assert decided.is_saving
        recorded = db.execute("select sum(metered) from sync.api_call").fetchone()

    figures = month.figures
    assert recorded == (figures.total,)
    assert 0.7 * quota < figures.total <= quota
    assert figures.unread[False] <= timedelta(minutes=30)
    assert figures.unread[True] <= MOST_PROVEN + CYCLE
    assert max(figures.delays[False]) <= timedelta(minutes=30)
    assert quantile(figures.delays[True], 0.95) <= timedelta(minutes=5)
