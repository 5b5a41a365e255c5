from __future__ import annotations

import pytest

from include.errors import ReceivablesError
from include.receivables.company import companies
from include.receivables.company.run_context import RunContext
from include.receivables.inbound import jobs
from include.receivables.views.import_status import STEPS, read_import
from tests.support.quick_start import held


@pytest.fixture
def company(bench):
    return bench.connect("demo", company_id="acme")


def status(bench):
    return read_import(bench.db, companies.get_company(bench.db, "acme"))


def run_import(bench, dag_run_id="first"):
    return jobs.import_all(bench.access, "acme", RunContext("import_company", dag_run_id))


def test_an_import_that_nobody_has_started_waits(bench, company):
    found = status(bench)
    assert (found.state, found.is_due, found.finished, found.run_id) == ("waiting", True, 0, None)
    assert {each.records for each in found.entities} == {0}


def test_an_import_that_went_through_tells_its_counts(bench, company):
    run_import(bench)
    found = status(bench)
    assert (found.state, found.is_due, found.finished, found.dag_run_id) == ("done", False, STEPS, "first")
    assert found.sentence.startswith("Connected.")
    counts = {each.entity: each.records for each in found.entities}
    [staged] = bench.db.execute("select count(*) from staging.customer where deleted_at is null").fetchone()
    assert counts["customer"] == staged > 0
    assert all(each.state == "Done" for each in found.entities)


def test_an_import_that_failed_says_why_and_how_far_it_came(bench, company):
    bench.sandbox.add_fault("503_html", realm=company.realm_id, path="query", entity="Invoice")
    with pytest.raises(ReceivablesError):
        run_import(bench)

    found = status(bench)

    assert (found.state, found.is_due) == ("failed", True)
    assert found.sentence.startswith("The import failed. QuickBooks")
    done = {each.entity for each in found.entities if each.state == "Done"}
    assert "customer" in done
    assert "invoice" not in done
    assert 0 < found.finished < STEPS
    bench.sandbox.clear_faults()
    run_import(bench, "second")
    assert status(bench).state == "done"


def begin(bench, company):
    bench.db.execute(
        "insert into sync.run (company_id, realm_id, dag_id, dag_run_id, state) "
        "values ('acme', %s, 'import_company', 'killed', 'running')",
        [company.realm_id],
    )


def test_an_import_at_work_is_told_from_one_whose_process_died(bench, company):
    begin(bench, company)
    assert status(bench).state == "interrupted"
    with held(bench, "acme"):
        found = status(bench)
        assert (found.state, found.sentence) == ("running", "Reading payment terms from QuickBooks.")


def test_an_import_from_before_the_last_consent_is_another_one(bench, company):
    run_import(bench)
    bench.db.execute("update sync.connection set connected_at = now()")
    assert status(bench).state == "done"
    bench.db.execute("delete from staging.cursor")
    assert status(bench).state == "waiting"


def test_a_company_that_is_not_connected_does_not_wait_for_its_import(bench, company):
    companies.set_paused(bench.db, company, is_paused=True)
    found = status(bench)
    assert found.state == "stopped"
    assert "is paused" in found.sentence
