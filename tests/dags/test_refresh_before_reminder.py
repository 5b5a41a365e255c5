from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import ParamValidationError

from tests.support.bookkeeper import Bookkeeper
from tests.support.expected import peakflo_id
from tests.support.quick_start import connect_as_imported

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.dags.conftest import TestRun
    from tests.support.workbench import Workbench

    RunDag = Callable[..., TestRun]

DAG_ID = "refresh_before_reminder"
# For what is not about the deadline: to begin a run may take long on a busy machine.
PATIENT = {"deadline_seconds": 60}


@pytest.fixture
def invoice(bench: Workbench) -> str:
    """The id of an open invoice of the company acme."""
    company = connect_as_imported(bench, "acme")
    with Bookkeeper(bench.sandbox, company.realm_id) as books:
        qbo_id = books.invoice(books.customer("Ada"), "100")
    bench.sync(company)
    return str(peakflo_id(company.realm_id, "invoice", qbo_id))


def verdicts(bench: Workbench, run: TestRun) -> list[tuple[str, list[str], Any]]:
    """Return what a run said: verdict, codes and amount of each invoice."""
    rows = bench.db.execute(
        "select verdict, reasons, amount_due from peakflo.reminder_verdict where reminder_run_id = %s",
        [run.run_id],
    )
    return [(verdict, [reason["code"] for reason in reasons], due) for verdict, reasons, due in rows]


def test_a_run_whose_invoices_were_all_checked_is_green(run_dag: RunDag, bench: Workbench, invoice: str):
    run = run_dag(DAG_ID, **PATIENT, company_id="acme", invoice_ids=[invoice])

    assert run.tasks == {"refresh_and_judge acme": "success"}
    assert verdicts(bench, run) == [("send", [], 100)]
    assert invoice not in run.log


def test_a_run_that_could_not_check_an_invoice_is_red_and_says_why(
    run_dag: RunDag, bench: Workbench, invoice: str
):
    bench.sandbox.add_fault("429")

    run = run_dag(DAG_ID, **PATIENT, company_id="acme", invoice_ids=[invoice])

    assert run.state == "failed"
    assert verdicts(bench, run) == [("unknown", ["throttled"], None)]
    assert (
        "Of company 'acme', 1 of 1 invoices could not be checked (throttled): no reminder may go out for them."
        in run.log
    )


def test_the_deadline_begins_with_the_trigger(run_dag: RunDag, bench: Workbench, invoice: str):
    long_ago = datetime.now(UTC) - timedelta(seconds=20)

    late = run_dag(DAG_ID, run_after=long_ago, company_id="acme", invoice_ids=[invoice])
    patient = run_dag(
        DAG_ID, run_after=long_ago, company_id="acme", invoice_ids=[invoice], deadline_seconds=60
    )

    assert verdicts(bench, late) == [("unknown", ["deadline"], None)]
    assert verdicts(bench, patient) == [("send", [], 100)]


def test_without_invoices_all_open_ones_of_the_company_are_checked(
    run_dag: RunDag, bench: Workbench, invoice: str
):
    run = run_dag(DAG_ID, **PATIENT, company_id="acme")

    assert verdicts(bench, run) == [("send", [], 100)]


def test_an_id_in_capitals_and_one_given_twice_are_the_same_invoice(
    run_dag: RunDag, bench: Workbench, invoice: str
):
    run = run_dag(DAG_ID, **PATIENT, company_id="acme", invoice_ids=[invoice, invoice.upper(), invoice])

    assert verdicts(bench, run) == [("send", [], 100)]


@pytest.mark.parametrize("missing", ["AIRFLOW_CONN_QUICKBOOKS", "AIRFLOW_CONN_RECEIVABLES_DB"])
def test_a_missing_connection_fails_the_run_with_a_sentence_about_it(
    run_dag: RunDag, invoice: str, monkeypatch: pytest.MonkeyPatch, missing: str
):
    monkeypatch.delenv(missing)

    run = run_dag(DAG_ID, **PATIENT, company_id="acme", invoice_ids=[invoice])

    assert run.state == "failed"
    assert "1 of 1 invoices could not be checked (configuration)" in run.log


def test_a_conf_with_an_unknown_key_asks_nobody(run_dag: RunDag, bench: Workbench, invoice: str):
    [realm_id] = bench.db.execute("select realm_id from sync.connection").fetchone()
    bench.sandbox.reset_calls(realm_id)

    run = run_dag(DAG_ID, **PATIENT, company_id="acme", invoice_id=invoice)

    assert run.state == "failed"
    assert "0 of 0 invoices could not be checked (configuration)" in run.log
    assert bench.sandbox.calls(realm_id)["by_path"] == {}


@pytest.mark.parametrize(
    ("conf", "field"),
    [
        ({}, "company_id"),
        ({"company_id": "acme", "invoice_ids": ["130"]}, "invoice_ids"),
        ({"company_id": "acme", "invoice_ids": []}, "invoice_ids"),
        ({"company_id": "acme", "customer_ids": "all"}, "customer_ids"),
        ({"company_id": "acme", "deadline_seconds": 0}, "deadline_seconds"),
    ],
)
def test_a_conf_that_breaks_the_schema_is_refused_with_the_fields_name(
    run_dag: RunDag, conf: dict[str, Any], field: str
):
    with pytest.raises(ParamValidationError, match=field):
        run_dag(DAG_ID, **conf)
