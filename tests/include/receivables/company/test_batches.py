from __future__ import annotations

import dataclasses
import threading
from typing import TYPE_CHECKING

import pytest

from include.errors import BatchError, ConfigurationError, UnreachableError
from include.receivables.company import batches
from include.receivables.company.batches import Outcome
from include.receivables.company.run_context import RunContext
from include.receivables.inbound import jobs
from tests.support.quick_start import connect_as_imported, held

if TYPE_CHECKING:
    from tests.support.workbench import Workbench

RETRIED = RunContext("quickbooks_to_peakflo", "scheduled__1")


def due(count: int) -> list[str]:
    return [f"c{number}" for number in range(count)]


def test_a_few_companies_get_a_task_each():
    assert batches.split(due(3)) == [["c0"], ["c1"], ["c2"]]


def test_no_company_needs_no_task():
    assert batches.split([]) == []


@pytest.mark.parametrize("count", [50, 51, 137, 10_000])
def test_many_companies_share_a_bounded_number_of_tasks_evenly(count: int):
    dealt = batches.split(due(count))

    assert len(dealt) == batches.MOST_TASKS
    assert sorted(company for batch in dealt for company in batch) == sorted(f"c{n}" for n in range(count))
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 1


def test_one_failing_company_does_not_stop_the_others_of_its_batch():
    done = []

    def job(company_id: str) -> Outcome:
        if company_id == "bad":
            raise UnreachableError("QuickBooks gave no answer.")
        done.append(company_id)
        return Outcome(company_id)

    with pytest.raises(BatchError) as failure:
        batches.run_batch(["a", "bad", "b"], job)

    assert sorted(done) == ["a", "b"]
    assert str(failure.value) == "Failed companies (1): bad: QuickBooks gave no answer."


def test_the_error_of_a_batch_names_each_company_that_failed():
    def job(company_id: str) -> Outcome:
        raise ConfigurationError(f"{company_id} is wrong.")

    with pytest.raises(BatchError) as failure:
        batches.run_batch(["a", "b"], job)

    assert {company: str(error) for company, error in failure.value.failures.items()} == {
        "a": "a is wrong.",
        "b": "b is wrong.",
    }


def test_a_company_alone_fails_with_its_own_error_which_decides_on_retries():
    def job(company_id: str) -> Outcome:
        raise ConfigurationError("A setting is wrong.")

    with pytest.raises(ConfigurationError, match="A setting is wrong"):
        batches.run_batch(["a"], job)


def test_a_bug_in_one_company_does_not_stop_the_others_either():
    def job(company_id: str) -> Outcome:
        if company_id == "bad":
            raise ZeroDivisionError
        return Outcome(company_id)

    with pytest.raises(BatchError) as failure:
        batches.run_batch(["a", "bad"], job)

    assert list(failure.value.failures) == ["bad"]


def test_companies_of_a_batch_are_worked_on_at_once():
    met = threading.Barrier(3, timeout=10)

    outcomes = batches.run_batch(["a", "b", "c"], lambda company_id: met.wait() >= 0 and Outcome(company_id))

    assert [outcome.company_id for outcome in outcomes] == ["a", "b", "c"]


def test_a_batch_leaves_a_company_to_the_process_that_is_at_work_on_it(bench: Workbench):
    for company_id in ("acme", "globex"):
        connect_as_imported(bench, company_id)
    run_context = bench.run_context()

    with held(bench, "acme"):
        outcomes = batches.run_batch(
            ["acme", "globex"], lambda company_id: jobs.sync(bench.access, company_id, run_context)
        )

    assert [outcome.company_id for outcome in outcomes] == ["globex"]


def test_a_cleared_run_reads_a_company_again_that_went_through(bench: Workbench):
    company = connect_as_imported(bench, "acme")
    jobs.sync(bench.access, "acme", RETRIED)
    bench.sandbox.reset_calls(company.realm_id)
    cleared = dataclasses.replace(RETRIED, try_number=2, clear_number=1)

    outcome = jobs.sync(bench.access, "acme", cleared)
    retried = jobs.sync(bench.access, "acme", dataclasses.replace(cleared, try_number=3))

    assert (outcome.calls, retried.calls) == (1, 0)
    assert bench.sandbox.calls(company.realm_id)["metered"] == 1


def test_a_summary_holds_counts_by_company_and_nothing_else():
    outcome = Outcome("a", calls=1, seconds=0.5, entities={"invoice": {"read": 2}})

    assert batches.summarize([outcome]) == {
        "a": {"company_id": "a", "calls": 1, "seconds": 0.5, "entities": {"invoice": {"read": 2}}}
    }


def test_a_retry_does_not_read_a_company_again_that_went_through(bench: Workbench):
    company = connect_as_imported(bench, "acme")
    jobs.sync(bench.access, "acme", RETRIED)
    bench.sandbox.reset_calls(company.realm_id)

    outcome = jobs.sync(bench.access, "acme", RunContext(RETRIED.dag_id, RETRIED.dag_run_id, try_number=2))

    assert outcome == Outcome("acme")
    assert bench.sandbox.calls(company.realm_id)["metered"] == 0


def test_a_retry_reads_the_companies_that_failed(bench: Workbench):
    good, bad = (connect_as_imported(bench, company_id) for company_id in ("good", "bad"))
    bench.sandbox.add_fault("403_3100", realm=bad.realm_id, path="cdc", count=1)
    with pytest.raises(BatchError):
        batches.run_batch(["good", "bad"], lambda company_id: jobs.sync(bench.access, company_id, RETRIED))
    for company in (good, bad):
        bench.sandbox.reset_calls(company.realm_id)

    again = RunContext(RETRIED.dag_id, RETRIED.dag_run_id, try_number=2)
    batches.run_batch(["good", "bad"], lambda company_id: jobs.sync(bench.access, company_id, again))

    assert bench.sandbox.calls(good.realm_id)["metered"] == 0
    assert bench.sandbox.calls(bad.realm_id)["metered"] == 1
    assert bench.db.execute(
        "select company_id, try_number, state from sync.run order by company_id, run_id"
    ).fetchall() == [("bad", 1, "failed"), ("bad", 2, "success"), ("good", 1, "success")]


def test_the_next_dag_run_reads_the_company_again(bench: Workbench):
    connect_as_imported(bench, "acme")
    jobs.sync(bench.access, "acme", RETRIED)

    assert jobs.sync(bench.access, "acme", RunContext(RETRIED.dag_id, "scheduled__2")).calls == 1
