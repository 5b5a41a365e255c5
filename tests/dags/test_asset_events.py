from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.airflow_settings import METADATA
from tests.support.bookkeeper import Bookkeeper
from tests.support.expected import peakflo_id
from tests.support.quick_start import connect_as_imported

if TYPE_CHECKING:
    from collections.abc import Callable

    from include.receivables.company.companies import Company
    from tests.dags.conftest import TestRun
    from tests.support.workbench import Workbench

    RunDag = Callable[..., TestRun]

EVENTS = """
    select asset.name, event.extra
    from asset_event as event
    inner join asset on event.asset_id = asset.id
    where event.source_run_id = ?
    order by event.id
"""


def events_of(run: TestRun) -> list[dict[str, Any]]:
    """Return what each event of the asset says that a run has told."""
    with closing(sqlite3.connect(METADATA)) as metadata:
        rows = metadata.execute(EVENTS, [run.run_id]).fetchall()
    assert {name for name, _ in rows} <= {"peakflo_receivables"}
    return [json.loads(extra) for _, extra in rows]


@pytest.fixture
def acme(access: object, bench: Workbench) -> Company:
    company = connect_as_imported(bench, "acme")
    bench.sync(company)
    bench.db.execute("update sync.run set has_news = false")
    return company


def invoice(bench: Workbench, company: Company, amount: str = "100") -> str:
    """Enter an invoice of a new customer in QuickBooks and return its Id."""
    with Bookkeeper(bench.sandbox, company.realm_id) as books:
        return books.invoice(books.customer(f"Customer {amount}"), amount)


def run_ids(bench: Workbench, run: TestRun) -> list[int]:
    rows = bench.db.execute("select run_id from sync.run where dag_run_id = %s", [run.run_id])
    return [row[0] for row in rows]


def test_an_idle_cycle_tells_nothing(run_dag: RunDag, acme: Company):
    run = run_dag("quickbooks_to_peakflo")

    assert run.tasks["sync acme"] == "success"
    assert events_of(run) == []


def test_a_cycle_tells_once_of_each_company_that_has_changed_what_and_how_much(
    run_dag: RunDag, bench: Workbench, acme: Company
):
    globex, idle = connect_as_imported(bench, "globex"), connect_as_imported(bench, "idle")
    for company in (globex, idle):
        bench.sync(company)
    bench.db.execute("update sync.run set has_news = false")
    invoice(bench, acme)
    invoice(bench, globex, "10")
    invoice(bench, globex, "20")

    run = run_dag("quickbooks_to_peakflo")

    first, second = sorted(events_of(run), key=lambda event: event["company_id"])
    assert (first["company_id"], first["realm_id"]) == ("acme", acme.realm_id)
    assert first["entities"]["invoice"] == {"merged": 1, "deleted": 0}
    assert first["entities"]["customer"] == {"merged": 1, "deleted": 0}
    assert second["company_id"] == "globex"
    assert second["entities"]["invoice"] == {"merged": 2, "deleted": 0}
    assert sorted(first["run_ids"] + second["run_ids"]) == sorted(set(run_ids(bench, run)) - idle_runs(bench))
    assert events_of(run_dag("quickbooks_to_peakflo")) == []


def idle_runs(bench: Workbench) -> set[int]:
    return {row[0] for row in bench.db.execute("select run_id from sync.run where company_id = 'idle'")}


def test_an_import_tells_what_it_brought(run_dag: RunDag, bench: Workbench):
    company = bench.connect("demo", company_id="acme")

    [event] = events_of(run_dag("import_company", company_id="acme"))

    truth = bench.sandbox.truth(company.realm_id)["entities"]
    assert event["entities"]["invoice"]["merged"] >= truth["Invoice"]["live"] > 0
    assert events_of(run_dag("import_company", company_id="acme")) == []


def test_a_refresh_of_reference_data_tells_of_a_new_account_only(
    run_dag: RunDag, bench: Workbench, acme: Company
):
    run_dag("refresh_reference_data", company_id="acme")
    with Bookkeeper(bench.sandbox, acme.realm_id) as books:
        books.write("Account", Name="Petty cash", AccountType="Bank")

    [event] = events_of(run_dag("refresh_reference_data", company_id="acme"))

    assert event["entities"] == {"account": {"merged": 1, "deleted": 0}}


def test_an_early_read_tells_what_the_webhook_has_brought(run_dag: RunDag, bench: Workbench, acme: Company):
    bench.db.execute(
        "insert into sync.webhook_event (event_id, realm_id, entity, qbo_id, operation)"
        " values ('e', %s, 'invoice', %s, 'create')",
        [acme.realm_id, invoice(bench, acme)],
    )

    [event] = events_of(run_dag("read_webhook_events"))

    assert event["entities"]["invoice"] == {"merged": 1, "deleted": 0}


def test_a_reminder_run_tells_what_it_has_found_changed(run_dag: RunDag, bench: Workbench, acme: Company):
    qbo_id = invoice(bench, acme)
    bench.sync(acme)
    bench.db.execute("update sync.run set has_news = false")
    with Bookkeeper(bench.sandbox, acme.realm_id) as books:
        books.void("Invoice", qbo_id)
    conf = {"company_id": "acme", "invoice_ids": [str(peakflo_id(acme.realm_id, "invoice", qbo_id))]}

    [event] = events_of(run_dag("refresh_before_reminder", deadline_seconds=60, **conf))

    assert event["company_id"] == "acme"
    assert event["entities"]["invoice"]["merged"] == 1
    assert events_of(run_dag("refresh_before_reminder", deadline_seconds=60, **conf)) == []


def test_what_a_failed_run_has_changed_is_told_by_the_next_that_goes_well(
    run_dag: RunDag, bench: Workbench, acme: Company
):
    qbo_id = invoice(bench, acme)
    bench.sync(acme)
    bench.db.execute("update sync.run set has_news = false")
    with Bookkeeper(bench.sandbox, acme.realm_id) as books:
        books.void("Invoice", qbo_id)
    nobodys = "029e36d4-1474-8d5e-8e57-01996332a6e7"
    ids = [str(peakflo_id(acme.realm_id, "invoice", qbo_id)), nobodys]

    failed = run_dag("refresh_before_reminder", deadline_seconds=60, company_id="acme", invoice_ids=ids)
    cycle = run_dag("quickbooks_to_peakflo")

    assert (failed.state, events_of(failed)) == ("failed", [])
    [event] = events_of(cycle)
    assert event["run_ids"] == run_ids(bench, failed)
    assert event["entities"]["invoice"]["merged"] == 1
