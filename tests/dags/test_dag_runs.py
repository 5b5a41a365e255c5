from __future__ import annotations

from datetime import UTC, datetime

import pytest
from airflow.sdk.exceptions import ParamValidationError

from tests.support.quick_start import connect_as_imported, disconnect_in_quickbooks


def test_an_import_brings_all_records_of_a_company_into_peakflo(run_dag, bench):
    company = bench.connect("demo", company_id="acme")

    run = run_dag("import_company", company_id="acme")

    assert run.state == "success"
    truth = bench.sandbox.truth(company.realm_id)["entities"]
    for table, entity in (("customer", "Customer"), ("invoice", "Invoice"), ("payment", "Payment")):
        [count] = bench.db.execute(
            f"select count(*) from peakflo.{table} where company_id = 'acme' and deleted_at is null"
        ).fetchone()
        assert count == truth[entity]["live"] > 0
    assert log_of(bench.db) == [("acme", "import_company", run.run_id, "success", None)]


def test_a_cycle_in_which_nothing_changed_costs_one_call_and_merges_nothing(run_dag, bench):
    company = bench.imported(company_id="acme")
    bench.sync(company)
    bench.sandbox.reset_calls(company.realm_id)

    run = run_dag("quickbooks_to_peakflo")

    assert run.tasks == {
        "plan": "success", "sync acme": "success",
        "plan_imports": "success", "start_import": "skipped",
        "plan_reconnects": "success", "needs_reconnect": "skipped",
    }  # fmt: skip
    assert bench.sandbox.calls(company.realm_id)["metered"] == 1
    counts, calls = bench.db.execute(
        "select counts, calls from sync.run where dag_run_id = %s", [run.run_id]
    ).fetchone()
    assert calls == 1
    assert all(count["merged"] == count["deleted"] == 0 for count in counts.values())


def test_a_cycle_merges_what_changed(run_dag, bench):
    company = bench.imported(company_id="acme")
    bench.sandbox.events(company.realm_id, 40, seed=3)

    run = run_dag("quickbooks_to_peakflo")

    assert run.tasks["sync acme"] == "success"
    [counts] = bench.db.execute("select counts from sync.run where dag_run_id = %s", [run.run_id]).fetchone()
    assert counts["payment"]["merged"] > 0
    [balance] = bench.db.execute(
        "select sum(amount_due) from peakflo.invoice where company_id = 'acme' and currency = 'USD'"
    ).fetchone()
    truth = bench.sandbox.truth(company.realm_id)["entities"]["Invoice"]
    assert f"{balance:.2f}" == truth["balance_by_currency"]["USD"]


def test_each_company_has_a_task_of_its_own_under_its_name(run_dag, bench):
    connect_as_imported(bench, "acme")
    connect_as_imported(bench, "globex")

    run = run_dag("quickbooks_to_peakflo")

    assert {task for task in run.tasks if task.startswith("sync")} == {"sync acme", "sync globex"}


def test_idle_companies_wait_where_the_reads_of_the_month_would_not_last(run_dag, bench, set_budget, caplog):
    caplog.set_level("INFO")
    for company_id in ("acme", "globex", "initech"):
        company = connect_as_imported(bench, company_id)
        bench.sync(company)
    bench.db.execute(
        "insert into sync.webhook_proof select realm_id, now(), now(), now() from sync.connection"
    )
    bench.db.execute(
        "update sync.webhook_proof set announced_at = null where realm_id = %s", [company.realm_id]
    )
    bench.db.execute(
        "update staging.cursor set changed_since = now() - interval '25 minutes' where realm_id = %s",
        [company.realm_id],
    )
    # Three are used already, so that the rest does not last on the last day of a month either.
    set_budget(monthly_reads=4)

    run = run_dag("quickbooks_to_peakflo")

    assert {task for task in run.tasks if task.startswith("sync")} == {"sync initech"}
    assert (
        "1 of 3 companies are read. Idle companies with a proven webhook wait up to 6 hours, the others"
        in run.log
    )
    assert "because the month's 4 reads would not last (forecast " in run.log
    asked_for = run_dag("quickbooks_to_peakflo", companies=["acme"])
    assert {task for task in asked_for.tasks if task.startswith("sync")} == {"sync acme"}


def test_everybody_is_read_while_the_reads_of_the_month_last(run_dag, bench, set_budget, caplog):
    caplog.set_level("INFO")
    bench.sync(connect_as_imported(bench, "acme"))
    bench.db.execute(
        "insert into sync.webhook_proof select realm_id, now(), now(), now() from sync.connection"
    )
    set_budget(tier="builder")

    run = run_dag("quickbooks_to_peakflo")

    assert run.tasks["sync acme"] == "success"
    assert "companies are read" not in run.log


def test_a_budget_that_makes_no_sense_fails_the_run_and_says_so(run_dag, bench, set_budget):
    connect_as_imported(bench, "acme")
    set_budget(tier="bronze")

    run = run_dag("quickbooks_to_peakflo")

    assert run.tasks["plan"] == "failed"
    assert "'bronze' is no tier of Intuit's: use builder, silver, gold, platinum." in run.log


def test_a_sync_may_be_for_one_company_only(run_dag, bench):
    connect_as_imported(bench, "acme")
    connect_as_imported(bench, "globex")

    run = run_dag("quickbooks_to_peakflo", companies=["globex"])

    assert {task for task in run.tasks if task.startswith("sync")} == {"sync globex"}
    assert log_of(bench.db) == [("globex", "quickbooks_to_peakflo", run.run_id, "success", None)]


@pytest.mark.parametrize(
    ("company_id", "reason"),
    [("acme", "is paused, so QuickBooks is not asked"), ("typo", "no company 'typo'")],
)
def test_a_sync_for_a_company_that_cannot_be_asked_fails_and_says_why(run_dag, bench, company_id, reason):
    connect_as_imported(bench, "acme")
    bench.db.execute("update sync.connection set status = 'paused'")

    run = run_dag("quickbooks_to_peakflo", companies=[company_id])

    assert run.tasks["plan"] == "failed"
    assert reason in run.log
    assert log_of(bench.db) == []


def test_a_company_that_fails_fails_alone_and_with_its_reason(run_dag, bench):
    connect_as_imported(bench, "acme")
    globex = connect_as_imported(bench, "globex")
    disconnect_in_quickbooks(bench, globex)

    run = run_dag("quickbooks_to_peakflo")

    assert run.state == "failed"
    assert run.tasks["sync acme"] == "success"
    assert run.tasks["sync globex"] == "failed"
    assert "Company globex: not done. QuickBooks" in run.log
    assert sorted(row for row in log_of(bench.db) if row[2] == run.run_id) == [
        ("acme", "quickbooks_to_peakflo", run.run_id, "success", None),
        ("globex", "quickbooks_to_peakflo", run.run_id, "failed", "invalid_grant"),
    ]
    [problem] = bench.db.execute(
        "select company_id, direction, code, actor from sync.problem where state = 'open'"
    ).fetchall()
    assert problem == ("globex", "connection", "invalid_grant", "admin")


def test_a_company_that_has_to_be_connected_again_is_skipped_by_name_and_not_asked_for(run_dag, bench):
    connect_as_imported(bench, "acme")
    globex = connect_as_imported(bench, "globex")
    disconnect_in_quickbooks(bench, globex)
    failed = run_dag("quickbooks_to_peakflo")
    bench.sandbox.reset_calls(globex.realm_id)

    run = run_dag("quickbooks_to_peakflo")

    assert (failed.tasks["sync globex"], failed.tasks["needs_reconnect"]) == ("failed", "skipped")
    assert run.state == "success"
    assert run.tasks["sync acme"] == "success"
    assert run.tasks["needs_reconnect globex"] == "skipped"
    assert "sync globex" not in run.tasks
    [sentence] = [line for line in run.log.splitlines() if "Company globex: not done." in line][-1:]
    assert "Cure: Connect the company again, signed in to QuickBooks as an admin." in sentence
    assert sentence.rstrip().endswith("/quickbooks/companies/globex")
    assert bench.sandbox.calls(globex.realm_id)["by_path"] == {}


def test_a_company_that_was_never_read_gets_an_import_instead_of_a_sync(run_dag, bench, started_imports):
    connect_as_imported(bench, "acme")
    bench.connect("empty", company_id="newcomer")

    run = run_dag("quickbooks_to_peakflo")

    assert run.state == "success"
    assert run.tasks["sync acme"] == "success"
    assert run.tasks["start_import newcomer"] == "success"
    assert "sync newcomer" not in run.tasks
    assert started_imports() == ["newcomer"]


def test_a_company_that_was_not_read_for_29_days_gets_an_import(run_dag, bench, started_imports):
    connect_as_imported(bench, "returner")
    bench.db.execute("update staging.cursor set changed_since = changed_since - interval '30 days'")

    run = run_dag("quickbooks_to_peakflo")

    assert run.tasks["start_import returner"] == "success"
    assert started_imports() == ["returner"]


def test_an_import_that_is_due_is_started_once_an_hour_however_many_cycles_pass(
    run_dag, bench, started_imports
):
    bench.connect("empty", company_id="hopeless")
    for hour, minute in ((9, 50), (10, 0), (10, 5), (10, 55)):
        run = run_dag("quickbooks_to_peakflo", run_after=datetime(2026, 3, 1, hour, minute, tzinfo=UTC))
        assert run.state == "success"

    assert started_imports() == ["hopeless", "hopeless"]


def test_deletions_are_believed_of_the_companies_that_are_named(run_dag, bench):
    company = bench.imported({"customers": 20, "invoices": 200, "payments": 0}, company_id="acme")
    invoices = bench.sandbox.truth(company.realm_id, records=True)["records"]["Invoice"]
    bench.sandbox.add_hook(
        company.realm_id, "cdc", delete_ids={"Invoice": [invoice["Id"] for invoice in invoices[:150]]}
    )
    run_dag("quickbooks_to_peakflo")

    stopped = run_dag("quickbooks_to_peakflo")
    believed = run_dag("quickbooks_to_peakflo", accept_deletions=["acme"])

    assert (stopped.state, believed.state) == ("failed", "success")
    assert [row[4] for row in log_of(bench.db) if row[2] == stopped.run_id] == ["deletion_brake"]
    assert bench.db.execute(
        "select count(*) from peakflo.invoice where deleted_at is not null"
    ).fetchone() == (150,)


def test_a_refresh_reads_all_reference_data_of_every_company(run_dag, bench):
    companies = [bench.connect(company_id=company_id) for company_id in ("acme", "globex")]
    for company in companies:
        bench.sandbox.reset_calls(company.realm_id)

    run = run_dag("refresh_reference_data")

    assert run.tasks == {"plan": "success", "refresh acme": "success", "refresh globex": "success"}
    for company in companies:
        assert bench.sandbox.calls(company.realm_id)["by_path"] == dict.fromkeys(
            [
                "query:Account", "query:CompanyInfo", "query:PaymentMethod", "query:Preferences",
                "query:TaxCode", "query:TaxRate", "query:Term",
            ],
            1,
        )  # fmt: skip


def test_a_refresh_of_one_group_of_one_company_reads_nothing_else(run_dag, bench):
    acme = bench.connect(company_id="acme")
    globex = connect_as_imported(bench, "globex")
    for company in (acme, globex):
        bench.sandbox.reset_calls(company.realm_id)

    run = run_dag("refresh_reference_data", company_id="acme", groups=["accounts"])

    assert run.tasks == {"plan": "success", "refresh acme": "success"}
    assert bench.sandbox.calls(acme.realm_id)["by_path"] == {"query:Account": 1}
    assert bench.sandbox.calls(globex.realm_id)["metered"] == 0


@pytest.mark.parametrize("dag_id", ["import_company", "refresh_reference_data"])
def test_a_run_for_an_unknown_company_fails_with_a_sentence_about_it(run_dag, bench, dag_id):
    run = run_dag(dag_id, company_id="nobody")

    assert run.state == "failed"
    assert "There is no company 'nobody': connect it first" in run.log
    assert log_of(bench.db) == []


@pytest.mark.parametrize(
    ("dag_id", "conf"),
    [
        ("import_company", {"company_id": "acme", "accept_deletion": True}),
        ("quickbooks_to_peakflo", {"company": "acme"}),
        ("refresh_reference_data", {"group": "taxes"}),
    ],
)
def test_a_conf_with_an_unknown_key_is_refused_before_anything_is_read(run_dag, bench, dag_id, conf):
    company = connect_as_imported(bench, "acme")
    bench.sandbox.reset_calls(company.realm_id)

    run = run_dag(dag_id, **conf)

    assert run.state == "failed"
    [typo] = set(conf) - {"company_id"}
    assert f"The conf has unknown keys ({typo}): use" in run.log
    assert bench.sandbox.calls(company.realm_id)["metered"] == 0


@pytest.mark.parametrize(
    ("dag_id", "conf", "field"),
    [
        ("import_company", {}, "company_id"),
        ("import_company", {"company_id": "no spaces"}, "company_id"),
        ("import_company", {"company_id": "acme", "accept_deletions": "yes"}, "accept_deletions"),
        ("quickbooks_to_peakflo", {"accept_deletions": "acme"}, "accept_deletions"),
        ("quickbooks_to_peakflo", {"companies": ["../etc"]}, "companies"),
        ("quickbooks_to_peakflo", {"accept_deletions": ["../etc"]}, "accept_deletions"),
        ("refresh_reference_data", {"groups": ["invoices"]}, "groups"),
        ("refresh_reference_data", {"groups": []}, "groups"),
        ("refresh_reference_data", {"company_id": 7}, "company_id"),
    ],
)
def test_a_conf_that_breaks_the_schema_is_refused_with_the_fields_name(run_dag, dag_id, conf, field):
    with pytest.raises(ParamValidationError, match=field):
        run_dag(dag_id, **conf)


def log_of(db):
    """The sync log: company, DAG, run, state and error code."""
    return db.execute(
        "select company_id, dag_id, dag_run_id, state, error_code from sync.run"
        " where dag_id <> 'test' order by run_id, company_id"
    ).fetchall()
