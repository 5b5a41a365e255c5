from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from include.quickbooks.calls import CallCounts
from include.quickbooks.entities import SYNCED
from include.receivables.company.run_context import RunContext
from include.receivables.company.runs import company_run
from include.receivables.inbound import jobs, staging
from tests.support import truth
from tests.support.workload import Workload

if TYPE_CHECKING:
    from include.receivables.company.companies import Company
    from tests.support.workbench import Workbench

SEEDS = (1, 2, 3)
EVENTS = 500
EMPTIED = ", ".join(f"peakflo.{table}" for table in truth.MERGED)
DAMAGES = (
    "update peakflo.account set balance = balance + 1 where source_id = '1'",
    "update peakflo.customer set parent_id = null where source_id = '11'",
    "update peakflo.invoice set amount_due = amount_due + 0.01 where status = 'sent'",
    "update peakflo.invoice set status = 'paid' where status = 'cancelled'",
    "update peakflo.invoice_line set total_amount = total_amount + 0.01",
    "update peakflo.credit_note set remaining_credit = 0",
    "update peakflo.payment set unapplied_amount = 0",
    "update peakflo.payment_allocation set amount = amount - 0.01",
    "delete from peakflo.payment_allocation where target_type = 'journal_entry'",
    "update peakflo.tax_code set rates = '[]'",
    "update peakflo.tax_rate set active = false",
    "update peakflo.customer set deleted_at = now(), status = 'deleted'",
)


def merge_again(bench: Workbench, company: Company) -> None:
    jobs.merge_again(bench.access.connect, company.company_id, bench.run_context())


@pytest.fixture(params=SEEDS)
def busy(bench: Workbench, request: pytest.FixtureRequest) -> Workload:
    """A company after 500 random events, synced in random chunks, with answers that came late or again."""
    work = Workload(bench, bench.imported(), request.param)
    for number, _ in enumerate(work.chunks(EVENTS, most=60)):
        if number % 2:
            work.keep_answers()
        bench.sync(work.company)
        work.replay(number % 4)
        assert truth.contradictions(bench.db, work.company) == []
    bench.sync(work.company)
    return work


@pytest.mark.intuit_changes
def test_peakflo_equals_the_books_after_random_events_and_late_answers(bench: Workbench, busy: Workload):
    assert truth.differences(bench.db, bench.sandbox, busy.company) == []

    before = truth.dump(bench.db)
    busy.stage(*reversed(busy.answers))
    assert truth.dump(bench.db) == before

    bench.db.execute(f"truncate {EMPTIED} cascade")
    merge_again(bench, busy.company)
    assert truth.dump(bench.db) == before

    bench.db.execute(f"truncate {EMPTIED}, mapping.record cascade")
    merge_again(bench, busy.company)
    assert truth.dump(bench.db) == before


@pytest.mark.intuit_changes
def test_a_second_sync_writes_no_record(bench: Workbench):
    work = Workload(bench, bench.imported(), 6)
    for _ in work.chunks(60, most=60):
        bench.sync(work.company)
    before = truth.versions(bench.db)
    outcome = bench.sync(work.company)
    assert truth.versions(bench.db) == before
    assert outcome.entities["invoice"]["read"] > 0
    assert {counts["changed"] for counts in outcome.entities.values()} == {0}


def test_staging_what_is_known_writes_nothing_to_disk(bench: Workbench):
    company = bench.imported()
    with bench.access.open_books(company.company_id) as books:
        pages = [books.quickbooks.query(entity) for entity in SYNCED]
    with (
        company_run(bench.db, company, RunContext("test", "again"), calls=CallCounts()) as run,
        bench.db.transaction(),
    ):
        for page in pages:
            staging.stage_page(bench.db, run, page)
        written = bench.db.execute("select pg_current_xact_id_if_assigned()").fetchone()
    assert sum(len(page.records) for page in pages) > 100
    # Whatever writes, even a lock on a row, takes a transaction id and goes to the write-ahead log.
    assert written == (None,)


def test_the_comparison_with_the_books_sees_damage(bench: Workbench):
    company = bench.imported()
    for damage in DAMAGES:
        with bench.db.transaction(force_rollback=True):
            assert bench.db.execute(damage).rowcount > 0, damage
            assert truth.differences(bench.db, bench.sandbox, company) != [], damage
    assert truth.differences(bench.db, bench.sandbox, company) == []
