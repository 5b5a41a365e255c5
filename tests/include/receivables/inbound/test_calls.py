from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from include.errors import ThrottledError
from include.receivables.company.run_context import RunContext
from include.receivables.inbound import jobs
from tests.support.quick_start import connect_as_imported

if TYPE_CHECKING:
    from collections.abc import Callable

    from include.receivables.company.companies import Company
    from tests.support.bookkeeper import Bookkeeper
    from tests.support.workbench import Workbench

    KeepBooks = Callable[[Company], Bookkeeper]


def lose(bench: Workbench, entity: str, qbo_id: str) -> None:
    """Let staging forget a record."""
    lost = bench.db.execute("delete from staging.record where entity = %s and qbo_id = %s", [entity, qbo_id])
    assert lost.rowcount == 1


def quiet(bench: Workbench, company: Company) -> None:
    """Sync so that the next answer brings nothing of what happened before."""
    for _ in range(2):
        bench.sync(company)
        bench.sandbox.advance_clock(900)


def staged(bench: Workbench, entity: str, qbo_id: str) -> bool:
    statement = "select 1 from staging.record where entity = %s and qbo_id = %s"
    return bench.db.execute(statement, [entity, qbo_id]).fetchone() is not None


def test_an_idle_cycle_costs_one_metered_call(bench: Workbench):
    company = bench.imported()
    bench.sandbox.reset_calls(company.realm_id)
    outcome = bench.sync(company)
    counts = bench.sandbox.calls(company.realm_id)
    assert (counts["metered"], counts["by_path"], outcome.calls) == (1, {"cdc": 1}, 1)


def test_a_cycle_with_changes_costs_one_metered_call(bench: Workbench):
    company = bench.imported()
    for seed in range(5):
        bench.sandbox.advance_clock(900)
        bench.sandbox.events(company.realm_id, 40, seed)
        bench.sandbox.reset_calls(company.realm_id)
        assert bench.sync(company).calls == 1
        assert bench.sandbox.calls(company.realm_id)["metered"] == 1


def test_a_missing_parent_costs_a_second_call_once(bench: Workbench, keep_books: KeepBooks):
    company = connect_as_imported(bench, "acme")
    books = keep_books(company)
    parent = books.customer("Parent")
    child = books.customer("Child", ParentRef={"value": parent})
    quiet(bench, company)
    lose(bench, "customer", parent)
    books.change("Customer", child, PrimaryPhone={"FreeFormNumber": "555"})
    bench.sandbox.reset_calls(company.realm_id)
    assert bench.sync(company).calls == 2
    assert bench.sandbox.calls(company.realm_id)["by_path"] == {"cdc": 1, "query:Customer": 1}
    assert staged(bench, "customer", parent)
    assert bench.sync(company).calls == 1


def test_a_missing_invoice_of_a_payment_costs_a_second_call_once(bench: Workbench, keep_books: KeepBooks):
    company = connect_as_imported(bench, "acme")
    books = keep_books(company)
    ada = books.customer("Ada")
    invoice = books.invoice(ada, "100")
    payment = books.pay(ada, "100", ("Invoice", invoice, "100"))
    quiet(bench, company)
    lose(bench, "invoice", invoice)
    books.change("Payment", payment, PaymentRefNum="WIRE-1")
    assert bench.sync(company).calls == 2
    assert staged(bench, "invoice", invoice)
    assert bench.sync(company).calls == 1


def test_a_reference_that_cannot_be_stored_is_not_asked_for_again_and_again(
    bench: Workbench, keep_books: KeepBooks
):
    company = connect_as_imported(bench, "acme")
    books = keep_books(company)
    ada = books.customer("Ada")
    invoice = books.invoice(ada, "100", CustomerMemo={"value": "\x00"})
    payment = books.pay(ada, "100", ("Invoice", invoice, "100"))
    quiet(bench, company)
    books.change("Payment", payment, PaymentRefNum="WIRE-1")
    assert bench.sync(company).calls == 1


def test_another_try_of_the_same_dag_run_costs_nothing(bench: Workbench):
    company = bench.imported()
    run_context = bench.run_context()
    assert jobs.sync(bench.access, company.company_id, run_context).calls == 1
    bench.sandbox.reset_calls(company.realm_id)
    again = RunContext(run_context.dag_id, run_context.dag_run_id, try_number=2)
    assert jobs.sync(bench.access, company.company_id, again).calls == 0
    assert bench.sandbox.calls(company.realm_id)["by_path"] == {}


def test_a_try_after_a_failed_one_does_the_work(bench: Workbench):
    company = bench.imported()
    run_context = bench.run_context()
    bench.sandbox.add_fault("429", realm=company.realm_id, path="cdc", count=1)
    with pytest.raises(ThrottledError):
        jobs.sync(bench.access, company.company_id, run_context)
    again = RunContext(run_context.dag_id, run_context.dag_run_id, try_number=2)
    assert jobs.sync(bench.access, company.company_id, again).calls == 1


def test_the_ledger_of_calls_agrees_with_what_quickbooks_counted(bench: Workbench):
    company = bench.connect("demo")
    bench.sandbox.reset_calls(company.realm_id)
    bench.import_all(company)
    bench.sync(company)
    jobs.refresh(bench.access, company.company_id, bench.run_context())
    bench.sandbox.add_fault("500", realm=company.realm_id, path="cdc", count=1)
    bench.sync(company)
    counted = bench.sandbox.calls(company.realm_id)
    ledger = bench.db.execute(
        "select kind, sum(calls), sum(metered) from sync.api_call where realm_id = %s group by kind",
        [company.realm_id],
    ).fetchall()
    queries = sum(count for path, count in counted["by_path"].items() if path.startswith("query"))
    assert {kind: calls for kind, calls, _ in ledger} == {"cdc": counted["by_path"]["cdc"], "query": queries}
    assert sum(metered for _, _, metered in ledger) == counted["metered"]
    assert counted["by_path"]["cdc"] == 4  # the import's, the first sync's, one refused with 500, one more
    assert counted["metered"] == counted["by_path"]["cdc"] - 1 + queries
