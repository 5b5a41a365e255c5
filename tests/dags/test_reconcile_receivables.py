from __future__ import annotations

from tests.support.quick_start import connect_as_imported, disconnect_in_quickbooks


def test_each_company_is_proved_in_a_task_of_its_own(run_dag, bench):
    bench.imported("demo", company_id="acme")
    bench.imported("empty", company_id="globex")
    connect_as_imported(bench, "never")
    bench.db.execute(
        "delete from staging.cursor where realm_id = (select realm_id from sync.connection "
        "where company_id = 'never')"
    )

    run = run_dag("reconcile_receivables")

    assert run.state == "success"
    assert {task for task in run.tasks if task.startswith("prove")} == {"prove acme", "prove globex"}
    proofs = bench.db.execute("select company_id, verdict from proof.proof order by 1").fetchall()
    assert proofs == [("acme", "explained"), ("globex", "equal")]


def test_a_proof_may_be_of_one_company_and_of_so_many_pages(run_dag, bench):
    company = bench.imported("demo", company_id="acme")
    bench.imported("empty", company_id="globex")
    bench.sandbox.reset_calls(company.realm_id)

    run = run_dag("reconcile_receivables", companies=["acme"], most_pages=1)

    assert run.state == "success"
    assert bench.db.execute("select company_id, calls from proof.proof").fetchall() == [("acme", 4)]
    assert bench.sandbox.calls(company.realm_id)["metered"] == 4


def test_one_company_that_cannot_be_read_fails_by_itself(run_dag, bench):
    broken = bench.imported("demo", company_id="acme")
    bench.imported("empty", company_id="globex")
    disconnect_in_quickbooks(bench, broken)

    run = run_dag("reconcile_receivables")

    assert run.state == "failed"
    assert run.tasks["prove globex"] == "success"
    verdicts = bench.db.execute("select company_id, verdict from proof.proof order by 1").fetchall()
    assert verdicts[-1] == ("globex", "equal")
    assert {verdict for company, verdict in verdicts if company == "acme"} == {"not_proved"}
