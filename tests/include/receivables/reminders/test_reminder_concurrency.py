from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from include.receivables.reminders.check import ReminderRequest
from include.receivables.reminders.refreshing import refresh_and_judge
from tests.support import truth
from tests.support.expected import peakflo_id
from tests.support.killing import wait_until
from tests.support.oracle import Expected, Oracle
from tests.support.quick_start import connect_as_imported

if TYPE_CHECKING:
    import psycopg

    from include.receivables.company.companies import Company
    from include.receivables.reminders.judgement import Judgement
    from sandbox.control import SandboxControl
    from tests.support.workbench import Workbench

COMPANIES = 5
RUNS_EACH = 4
DEADLINE_SECONDS = 60
PAUSE_SECONDS = 0.05
HANG_SECONDS = 6


@pytest.fixture(autouse=True)
def unthrottled(sandbox: SandboxControl) -> None:
    """Thirty threads of one process leave too little of a second to be on time for the limits."""
    sandbox.change_settings(throttle="off")


@pytest.fixture
def companies(bench: Workbench) -> list[Company]:
    connected = [connect_as_imported(bench, f"company-{number}") for number in range(COMPANIES)]
    for company in connected:
        bench.sandbox.events(company.realm_id, 100)
        bench.sync(company)
    return connected


def remind(bench: Workbench, company: Company, number: int) -> Judgement:
    """Ask about all open invoices, or about some by their ids."""
    oracle = Oracle(bench.sandbox, company.realm_id)
    some = sorted(oracle.open)[number:] if number % 2 else []
    ids = tuple(peakflo_id(company.realm_id, "invoice", each) for each in some)
    return refresh_and_judge(
        bench.access,
        ReminderRequest(company.company_id, ids),
        bench.run_context(),
        seconds=DEADLINE_SECONDS,
    )


def test_twenty_runs_at_once_beside_the_sync_are_all_right(bench: Workbench, companies: list[Company]):
    for company in companies:
        bench.sandbox.events(company.realm_id, 40, seed=2)

    with ThreadPoolExecutor(max_workers=30) as pool:
        syncs = [pool.submit(bench.sync, company) for company in companies]
        reminders = [
            (company, pool.submit(remind, bench, company, number))
            for number in range(RUNS_EACH)
            for company in companies
        ]

    assert [sync.result().calls for sync in syncs] >= [1] * COMPANIES
    for company, reminder in reminders:
        judgement = reminder.result()
        assert judgement.cause == ""
        oracle = Oracle(bench.sandbox, company.realm_id)
        ids = {peakflo_id(company.realm_id, "invoice", each): each for each in oracle.invoices}
        assert judgement.verdicts
        for verdict in judgement.verdicts:
            expected = oracle.expect(ids[verdict.invoice_id])
            assert verdict.verdict == expected.verdict
            if expected.amount_due is not None:
                assert Expected.of(verdict) == expected
        assert truth.contradictions(bench.db, company) == []
    states = bench.db.execute("select state, count(*) from sync.run group by 1").fetchall()
    assert states == [("success", COMPANIES * (RUNS_EACH + 2))]


def test_no_run_waits_for_one_that_waits_for_quickbooks(bench: Workbench):
    company = bench.imported()
    bench.sandbox.add_fault("slow", path="query", entity="Customer", seconds=HANG_SECONDS, count=1)

    with ThreadPoolExecutor(max_workers=1) as pool:
        first = pool.submit(remind, bench, company, 0)
        wait_until(lambda: [fault["hits"] for fault in bench.sandbox.faults()] == [1])
        second = remind(bench, company, 0)
        assert not first.done()

    said = [(verdict.invoice_id, verdict.verdict) for verdict in second.verdicts]
    assert {verdict for _, verdict in said} == {"send", "hold"}
    assert [(verdict.invoice_id, verdict.verdict) for verdict in first.result().verdicts] == said


def test_books_that_change_meanwhile_are_merged_without_a_lost_or_an_older_record(bench: Workbench):
    company = bench.imported()
    is_over = threading.Event()

    def keep_writing() -> int:
        seed = 0
        while not is_over.wait(PAUSE_SECONDS):
            seed += 1
            bench.sandbox.events(company.realm_id, 5, seed)
        return seed

    with ThreadPoolExecutor() as pool:
        writing = pool.submit(keep_writing)
        try:
            reminders = [pool.submit(remind, bench, company, 0) for _ in range(6)]
            for _ in range(4):
                bench.sync(company)
            assert {reminder.result().cause for reminder in reminders} == {""}
        finally:
            is_over.set()
        assert writing.result() > 1

    bench.sync(company)
    assert truth.differences(bench.db, bench.sandbox, company) == []


def test_a_running_reminder_run_is_not_taken_for_killed_by_a_sync(bench: Workbench):
    company = bench.imported()
    bench.sandbox.change_settings(company.realm_id, latency_ms=700)
    with ThreadPoolExecutor() as pool:
        reminder = pool.submit(remind, bench, company, 0)
        running = "select count(*) from sync.run where state = 'running'"
        while bench.db.execute(running).fetchone() == (0,):
            assert not reminder.done()
        bench.sync(company)
        assert reminder.result().cause == ""
    assert bench.db.execute("select count(*) from sync.run where error_code = 'killed'").fetchone() == (0,)


def test_a_killed_reminder_run_is_ended_in_the_log_by_a_later_sync(bench: Workbench, db: psycopg.Connection):
    company = bench.imported()
    db.execute(
        "insert into sync.run (company_id, realm_id, dag_id, dag_run_id, state, is_exclusive, started_at)"
        " values (%s, %s, 'refresh_before_reminder', 'killed', 'running', false, now() - interval '11 minutes')",
        [company.company_id, company.realm_id],
    )
    bench.sync(company)
    assert db.execute("select error_code from sync.run where dag_run_id = 'killed'").fetchone() == ("killed",)
