from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest

from tests.support import repeated_job, truth
from tests.support.killing import PATIENCE, preloaded, when_free

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext as Processes

    from include.receivables.company.companies import Company
    from tests.support.other_process import Keys
    from tests.support.workbench import Workbench

MANY = {"customers": 60, "invoices": 2500, "payments": 1200}


@pytest.fixture(scope="module")
def processes() -> Processes:
    return preloaded("tests.support.repeated_job")


def kill_while(processes: Processes, keys: Keys, company: Company, job: str, seconds: float) -> None:
    """Start a job and kill -9 its process after a while."""
    here, there = processes.Pipe()
    process = processes.Process(target=repeated_job.repeat, args=(keys, company.company_id, job, there))
    process.start()
    try:
        assert here.poll(PATIENCE)
        time.sleep(seconds)
        assert process.is_alive()
    finally:
        process.kill()
        process.join(PATIENCE)
        here.close()
        there.close()


def has_progress(bench: Workbench) -> bool:
    return bench.db.execute("select 1 from staging.import_progress").rowcount > 0


def runs(bench: Workbench) -> dict[tuple[str, str | None], int]:
    statement = "select state, error_code, count(*) from sync.run where dag_id = 'killed' group by 1, 2"
    return {(state, code): count for state, code, count in bench.db.execute(statement)}


def test_a_sync_killed_at_any_instant_loses_nothing_and_repeats_nothing(
    bench: Workbench, keys: Keys, processes: Processes
):
    rng = random.Random(38)
    company = bench.imported("demo", company_id="acme")
    for number in range(38):
        bench.sandbox.events(company.realm_id, 6, seed=number)
        kill_while(processes, keys, company, "sync", rng.uniform(0, 0.15))
    when_free(lambda: bench.sync(company))
    assert truth.differences(bench.db, bench.sandbox, company) == []
    assert runs(bench).keys() <= {("success", None), ("failed", "killed")}
    assert runs(bench)["failed", "killed"] > 10


def test_an_import_killed_at_any_instant_goes_on_and_is_complete_in_the_end(
    bench: Workbench, keys: Keys, processes: Processes
):
    rng = random.Random(12)
    company = bench.connect(MANY, company_id="acme")
    midway = 0
    for number in range(12):
        bench.sandbox.events(company.realm_id, 6, seed=number)
        kill_while(processes, keys, company, "import_all", rng.uniform(0, 2))
        midway += has_progress(bench)
    when_free(lambda: bench.import_all(company))
    assert not has_progress(bench)
    assert truth.differences(bench.db, bench.sandbox, company) == []
    assert runs(bench).keys() <= {("success", None), ("failed", "killed")}
    assert min(runs(bench)["failed", "killed"], midway) > 3
