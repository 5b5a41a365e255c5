from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from include.errors import BusyError, DiskFullError, ReceivablesError, UnreachableError
from include.quickbooks.calls import CallCounts
from include.receivables.company.run_context import RunContext
from include.receivables.company.runs import company_run, end_concurrent_run, start_concurrent_run
from include.receivables.inbound import jobs
from tests.support.other_process import Keys, die_in_mid_run, run_elsewhere
from tests.support.quick_start import connect_as_imported, held

if TYPE_CHECKING:
    from include.receivables.company.companies import Company
    from include.receivables.company.runs import Run
    from tests.support.workbench import Workbench


def test_a_company_at_which_another_process_is_at_work_is_busy(bench: Workbench):
    connect_as_imported(bench, "acme")

    with (
        held(bench, "acme"),
        pytest.raises(BusyError, match="Company 'acme' is being synced by another process"),
    ):
        jobs.sync(bench.access, "acme", bench.run_context())

    assert bench.db.execute("select count(*) from sync.run").fetchone() == (0,)


def test_the_company_is_free_again_after_a_failure(bench: Workbench):
    company = connect_as_imported(bench, "acme")
    bench.sandbox.add_fault("403_3100", realm=company.realm_id, count=1)
    with pytest.raises(ReceivablesError):
        bench.sync(company)

    assert bench.sync(company).calls == 1


def test_the_company_is_free_again_although_the_connection_stays_open(bench: Workbench):
    company = connect_as_imported(bench, "acme")
    with company_run(bench.db, company, RunContext("dag", "run"), calls=CallCounts()):
        pass

    assert not bench.db.closed
    assert bench.sync(company).calls == 1


def test_the_company_is_free_again_after_a_kill(bench: Workbench, keys: Keys):
    company = connect_as_imported(bench, "acme")
    assert run_elsewhere(die_in_mid_run, keys, company.company_id) == -signal.SIGKILL

    assert bench.sync(company).calls == 1


def test_a_run_is_logged_with_its_counts_and_calls(bench: Workbench):
    company = bench.connect("demo", company_id="acme")
    bench.sandbox.reset_calls(company.realm_id)

    outcome = jobs.import_all(bench.access, "acme", RunContext("import_company", "manual__1", try_number=3))

    row = bench.db.execute(
        "select dag_id, dag_run_id, try_number, state, ended_at >= started_at, counts, calls, error_code, error"
        " from sync.run"
    ).fetchone()
    assert row == (
        "import_company", "manual__1", 3, "success", True, outcome.entities, outcome.calls, None, None,
    )  # fmt: skip
    assert outcome.calls == bench.sandbox.calls(company.realm_id)["metered"]
    assert outcome.entities["invoice"]["merged"] > 0


def test_a_run_is_logged_as_running_while_it_runs(bench: Workbench):
    company = connect_as_imported(bench, "acme")

    with (
        company_run(bench.db, company, RunContext("dag", "run"), calls=CallCounts()),
        bench.access.connect() as db,
    ):
        assert db.execute("select state, ended_at from sync.run").fetchone() == ("running", None)


def test_a_failed_run_is_logged_with_the_code_and_the_text_of_its_error(bench: Workbench):
    company = connect_as_imported(bench, "acme")
    bench.sandbox.add_fault("403_3100", realm=company.realm_id, path="cdc")

    with pytest.raises(ReceivablesError) as failure:
        bench.sync(company)

    state, code, error = bench.db.execute("select state, error_code, error from sync.run").fetchone()
    assert (state, code) == ("failed", failure.value.code)
    assert error == f"{type(failure.value).__name__}: {failure.value}"
    assert failure.value.intuit_tid in error


@pytest.mark.parametrize(
    ("kind", "code", "calls"),
    # An answer that fails as a whole is asked for in parts, once a count has told that QuickBooks answers at all.
    [("500", "10000", 1), ("429", "throttled", 0), ("malformed_json", "unrenderable", 26)],
)
def test_every_kind_of_failure_has_its_code_and_its_metered_calls(
    bench: Workbench, kind: str, code: str, calls: int
):
    company = connect_as_imported(bench, "acme")
    bench.sandbox.add_fault(kind, realm=company.realm_id, path="cdc")

    with pytest.raises(ReceivablesError):
        bench.sync(company)

    assert bench.db.execute("select error_code, calls from sync.run").fetchone() == (code, calls)
    assert bench.db.execute("select code, actor, state from sync.problem").fetchone() == (
        code,
        "nobody",
        "open",
    )


def test_a_run_whose_process_was_killed_is_ended_by_the_next_one(bench: Workbench, keys: Keys):
    company = connect_as_imported(bench, "acme")
    run_elsewhere(die_in_mid_run, keys, company.company_id)
    assert bench.db.execute("select state from sync.run").fetchall() == [("running",)]

    bench.sync(company)

    first, second = bench.db.execute(
        "select state, error_code, error from sync.run order by run_id"
    ).fetchall()
    assert first == (
        "failed",
        "killed",
        "The process ended before the run did; what it had committed is kept, and the next run goes on from there.",
    )
    assert second == ("success", None, None)


def test_a_success_closes_the_problem_of_the_failure_before(bench: Workbench):
    company = connect_as_imported(bench, "acme")
    bench.sandbox.add_fault("500", realm=company.realm_id, path="cdc")
    for _ in range(2):
        with pytest.raises(UnreachableError):
            bench.sync(company)
    assert bench.db.execute("select state, attempts from sync.problem").fetchall() == [("open", 2)]

    bench.sandbox.clear_faults()
    bench.sync(company)

    assert bench.db.execute("select state from sync.problem").fetchall() == [("resolved",)]


def test_what_does_not_read_the_company_whole_closes_no_problem_of_it(
    bench: Workbench, subtests: pytest.Subtests
):
    company = connect_as_imported(bench, "acme")
    bench.sandbox.add_fault("500", realm=company.realm_id, path="cdc")
    with pytest.raises(UnreachableError):
        bench.sync(company)
    others = {
        "refresh": lambda: jobs.refresh(bench.access, "acme", bench.run_context(), groups=["accounts"]),
        "merge again": lambda: jobs.merge_again(bench.access.connect, "acme", bench.run_context()),
        "beside": lambda: end_concurrent_run(bench.db, start_beside_of(bench, company), CallCounts(), None),
    }
    for name, work in others.items():
        with subtests.test(name):
            work()
            assert bench.db.execute("select state from sync.problem").fetchall() == [("open",)]


def start_beside_of(bench: Workbench, company: Company) -> Run:
    return start_concurrent_run(bench.db, company, RunContext("dag", "run"))


def test_a_database_that_goes_away_is_an_error_worth_a_retry(bench: Workbench):
    company = connect_as_imported(bench, "acme")

    with pytest.raises(UnreachableError, match="The receivables database went away"):
        lose_the_database(bench, company)

    assert bench.sync(company).calls == 1


def test_a_full_disk_says_who_makes_room(bench: Workbench):
    company = connect_as_imported(bench, "acme")
    full = "do $$ begin raise 'No space left on device' using errcode = 'disk_full'; end $$"

    with (
        pytest.raises(DiskFullError, match="has no room left \\(No space left on device"),
        bench.access.connect() as db,
        company_run(db, company, RunContext("dag", "run"), calls=CallCounts()),
    ):
        db.execute(full)

    assert bench.db.execute("select code, actor from sync.problem").fetchall() == [
        ("disk_full", "data engineer")
    ]


def lose_the_database(bench: Workbench, company: Company) -> None:
    """Lose the connection to the database in the middle of a run."""
    with (
        bench.access.connect() as db,
        company_run(db, company, RunContext("dag", "run"), calls=CallCounts()),
    ):
        bench.db.execute("select pg_terminate_backend(%s)", [db.info.backend_pid])
        db.execute("select 1")
