from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

import psycopg
import pytest

from include.receivables.company.rate_limit import MOST, PERIOD, SharedRateLimiter
from include.receivables.company.side_connection import SideConnection
from include.sql import load
from tests.support.other_process import Keys, count_accounts, run_at_once
from tests.support.quick_start import connect_as_imported

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Barrier

    from sandbox.control import SandboxControl
    from tests.support.workbench import Workbench

# How exactly a moment is known as a double.
CLOCK_SECONDS = 0.001


@pytest.fixture(autouse=True)
def unlimited() -> None:
    """Leave the limits in force."""


@pytest.fixture
def sandbox(sandbox: SandboxControl) -> SandboxControl:
    """The sandbox with QuickBooks' own limits."""
    sandbox.change_settings(throttle="on")
    return sandbox


def reserve(start: Barrier, db_url: str, realm_id: str, times: int) -> list[float]:
    """Wait for a number of requests in a row, and return when each might leave."""
    side = SideConnection(lambda: psycopg.connect(db_url, autocommit=True))
    pace = SharedRateLimiter(realm_id, side=side)
    start.wait(30)
    moments = []
    for _ in range(times):
        pace.acquire()
        moments.append(time.time())
    side.close()
    return moments


@pytest.fixture
def planned(db: psycopg.Connection) -> Callable[[], list[float]]:
    """All moments that were given to requests, in order."""
    db.execute(
        """
        create table planned (moment double precision);
        create function note() returns trigger language plpgsql as $$
        begin
            insert into planned values (extract(epoch from new.planned_at[cardinality(new.planned_at)]));
            return null;
        end $$;
        create trigger note after insert or update on sync.rate_limit for each row execute function note();
        """
    )
    return lambda: [moment for (moment,) in db.execute("select moment from planned order by moment")]


def test_of_all_processes_together_at_most_eight_requests_leave_in_any_second(
    db_url: str, planned: Callable[[], list[float]]
):
    left = sorted(itertools.chain.from_iterable(run_at_once(reserve, 4, db_url, "1", 8)))

    moments = planned()
    assert len(moments) == len(left) == 32
    shortest = min(later - earlier for earlier, later in zip(moments, moments[MOST:], strict=False))
    assert shortest > PERIOD.total_seconds() - CLOCK_SECONDS
    assert all(actual > moment - CLOCK_SECONDS for actual, moment in zip(left, moments, strict=True))


def test_eight_requests_leave_without_waiting(db: psycopg.Connection, db_url: str):
    waits = [wait_of_one_more(db) for _ in range(MOST)]

    assert max(waits) <= 0


def test_the_ninth_request_waits_for_the_second_to_pass(db: psycopg.Connection, db_url: str):
    for _ in range(MOST):
        wait_of_one_more(db)

    assert 0.5 < wait_of_one_more(db) <= PERIOD.total_seconds()


def test_companies_do_not_wait_for_each_other(db: psycopg.Connection):
    for _ in range(MOST):
        wait_of_one_more(db, "1")

    assert wait_of_one_more(db, "2") <= 0


def test_a_pause_gives_no_right_to_more_than_eight_at_once(db: psycopg.Connection):
    for _ in range(MOST):
        wait_of_one_more(db)
    db.execute(
        "update sync.rate_limit set planned_at = array(select p - interval '1 hour' from unnest(planned_at) p)"
    )

    waits = [wait_of_one_more(db) for _ in range(MOST + 1)]

    assert max(waits[:MOST]) <= 0
    assert waits[MOST] > 0


def test_quickbooks_never_answers_429_to_two_processes_at_full_speed(bench: Workbench, keys: Keys):
    company = connect_as_imported(bench, "acme")
    bench.sandbox.change_settings(throttle="on")
    bench.sandbox.reset_calls(company.realm_id)

    counts = run_at_once(count_accounts, 2, keys, company.company_id, 16)

    assert [len(each) for each in counts] == [16, 16]
    assert bench.sandbox.calls(company.realm_id)["by_status"] == {"200": 32}


def wait_of_one_more(db: psycopg.Connection, realm_id: str = "1") -> float:
    """Reserve a request and return how long it has to wait, without waiting."""
    keys = {"realm_id": realm_id, "most": MOST, "period": PERIOD}
    row = db.execute(load("sync/reserve_request"), keys).fetchone()
    return 0.0 if row is None else float(row[0])
