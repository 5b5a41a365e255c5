from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.bookkeeper import Bookkeeper
from tests.support.cashier import Cashier
from tests.support.quick_start import disconnect_in_quickbooks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.workbench import Workbench


@pytest.fixture
def cashier(access: object, bench: Workbench) -> Iterator[Cashier]:
    company = bench.imported("demo", company_id="acme")
    bench.sandbox.change_settings(company.realm_id, throttle="off")
    with Bookkeeper(bench.sandbox, company.realm_id) as books:
        taken = Cashier(bench, company, books)
        taken.map_accounts()
        yield taken


def test_a_run_delivers_what_is_due_and_says_how_much(run_dag, cashier: Cashier):
    payments = [cashier.take(invoice) for invoice in cashier.invoices(2)]

    run = run_dag("peakflo_to_quickbooks")

    assert run.tasks == {"plan": "success", "deliver acme": "success"}
    assert [cashier.states(each) for each in payments] == [{"payment": ["made"]}] * 2
    [logged] = cashier.rows("sync.run", dag_run_id=run.run_id)
    assert logged["counts"]["payment"]["merged"] == 2
    assert logged["calls"] == 0


def test_a_run_without_anything_due_starts_no_task(run_dag, cashier: Cashier):
    run = run_dag("peakflo_to_quickbooks")

    assert run.tasks == {"plan": "success", "deliver": "skipped"}


def test_a_run_may_be_for_one_company_only(run_dag, cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)

    run = run_dag("peakflo_to_quickbooks", companies=["globex"])

    assert run.tasks == {"plan": "success", "deliver": "skipped"}
    assert cashier.standing(payment_id) == ("waits", "queued")
    assert cashier.states(payment_id) == {}


def test_a_company_that_has_to_connect_again_keeps_its_payments(run_dag, cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    disconnect_in_quickbooks(cashier.bench, cashier.company)

    run = run_dag("peakflo_to_quickbooks")

    assert run.tasks["deliver acme"] == "failed"
    assert cashier.standing(payment_id) == ("waits", "queued")
    assert cashier.states(payment_id) == {"payment": ["intended"]}
    [(status,)] = cashier.bench.db.execute("select status from sync.connection").fetchall()
    assert status == "reauthorize"
