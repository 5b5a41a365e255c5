from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from include.triggers.notification import WEBHOOK_EVENT
from tests.support.airflow_client import AirflowClient
from tests.support.bookkeeper import Bookkeeper
from tests.support.fixtures_local import switch_webhooks, wait_for_listener

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from include.receivables.company.companies import Company
    from tests.support.fixtures_local import RunningStack
    from tests.support.workbench import Workbench

# The 5-minute sync would take the changes in as well, but not so soon.
SOON_SECONDS = 60


@pytest.fixture(scope="module")
def bench(running_stack_bench: Workbench) -> Workbench:
    return running_stack_bench


@pytest.fixture(scope="module")
def company(running_stack: RunningStack, bench: Workbench) -> Iterator[Company]:
    """A company of the running stack, which is paused at the end: other tests count those that are connected."""
    company = bench.imported("empty", company_id="kiosk")
    bench.sandbox.change_settings(company.realm_id, throttle="off")
    wait_for_listener(bench.db, WEBHOOK_EVENT)
    switch_webhooks(running_stack, is_on=True)
    yield company
    switch_webhooks(running_stack, is_on=False)
    bench.db.execute("update sync.connection set status = 'paused' where company_id = 'kiosk'")


@pytest.fixture
def books(bench: Workbench, company: Company) -> Iterator[Bookkeeper]:
    with Bookkeeper(bench.sandbox, company.realm_id) as books:
        yield books


@pytest.fixture
def admin(running_stack: RunningStack) -> AirflowClient:
    return AirflowClient(running_stack, "admin")


def wait_for(condition: Callable[[], bool]) -> float:
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < SOON_SECONDS
        time.sleep(0.05)
    return time.monotonic() - started


def invoices(bench: Workbench) -> int:
    [count] = bench.db.execute(
        "select count(*) from peakflo.invoice where company_id = 'kiosk' and deleted_at is null"
    ).fetchone()
    return count


def has_payment(bench: Workbench, qbo_id: str) -> bool:
    row = bench.db.execute(
        "select 1 from peakflo.payment where company_id = 'kiosk' and source_id = %s", [qbo_id]
    )
    return row.fetchone() is not None


def reads(bench: Workbench) -> list[str]:
    """Return the DAG of each run that read the company's books, in the order in which they started."""
    runs = bench.db.execute(
        "select dag_id from sync.run where company_id = 'kiosk' and state = 'success' order by run_id"
    )
    return [row[0] for row in runs]


def is_settled(bench: Workbench, company: Company) -> bool:
    """Tell whether all that QuickBooks told was read, and nobody is at it any more."""
    busy = (
        "select 1 from sync.webhook_event where realm_id = %(realm_id)s and read_at is null "
        "union all select 1 from sync.run where realm_id = %(realm_id)s and state = 'running'"
    )
    is_told = bench.sandbox.webhooks()["is_idle"]
    return is_told and bench.db.execute(busy, {"realm_id": company.realm_id}).fetchone() is None


def test_a_payment_in_quickbooks_is_in_peakflo_seconds_later(
    bench: Workbench, company: Company, books: Bookkeeper
):
    customer = books.customer("Ada")
    invoice = books.invoice(customer, "100")
    payment = books.pay(customer, "100", ("Invoice", invoice, "100"))

    seconds = wait_for(lambda: has_payment(bench, payment))

    print(f"in Peakflo after {seconds:.2f} s")
    due = bench.db.execute(
        "select amount_due from peakflo.invoice where company_id = 'kiosk' and source_id = %s", [invoice]
    )
    assert due.fetchall() == [(0,)]


def test_a_burst_of_a_thousand_events_leads_to_a_few_reads(
    bench: Workbench, company: Company, books: Bookkeeper, admin: AirflowClient
):
    customer = books.customer("Bea")
    admin.wait_for_quiet("quickbooks_to_peakflo")
    wait_for(lambda: is_settled(bench, company))
    known, before = invoices(bench), len(reads(bench))
    bench.sandbox.reset_calls(company.realm_id)
    sale = {"DetailType": "SalesItemLineDetail", "SalesItemLineDetail": {"ItemRef": {"value": "1"}}}
    line = {**sale, "Amount": "10"}
    written = books.batch("create", "Invoice", [{"CustomerRef": {"value": customer}, "Line": [line]}] * 250)
    for number in range(3):
        changed = [{**key_of(record), "sparse": True, "PrivateNote": str(number)} for record in written]
        written = books.batch("update", "Invoice", changed)

    wait_for(lambda: is_settled(bench, company))

    taken = reads(bench)[before:]
    print(f"{len(taken)} reads, {bench.sandbox.calls(company.realm_id)['metered']} metered calls")
    assert invoices(bench) == known + 250
    assert "read_webhook_events" in taken
    assert len(taken) <= 8
    assert bench.sandbox.calls(company.realm_id)["metered"] <= 12


def key_of(record: dict[str, Any]) -> dict[str, Any]:
    return {"Id": record["Id"], "SyncToken": record["SyncToken"]}


def connection(running_stack: RunningStack, **changes: Any) -> dict[str, Any]:
    """The connection of the stack as Airflow's form sends it."""
    sandbox = running_stack.sandbox_url
    extra = (
        '{"environment": "sandbox", "webhook_verifier_token": "very-secret-verifier", '
        f'"api_url": "{sandbox}", "discovery_url": "{sandbox}/.well-known/openid_sandbox_configuration"}}'
    )
    filled = {"connection_id": "quickbooks_of_a_test", "conn_type": "quickbooks", "description": ""}
    keys = {"login": "sandbox-client", "password": "sandbox-secret", "extra": extra}
    return {**filled, **keys, "host": "", "schema": "", "port": None, **changes}


def test_airflow_offers_the_connection_type_and_knows_its_provider(admin: AirflowClient):
    providers = admin.call("GET", "providers", params={"limit": 200}).json()["providers"]
    assert "quickbooks-provider" in {provider["package_name"] for provider in providers}

    forms = admin.call("GET", "../../ui/connections/hook_meta").json()
    [form] = [form for form in forms if form["connection_type"] == "quickbooks"]
    assert form["hook_name"] == "QuickBooks"
    assert "webhook_verifier_token" in form["extra_fields"]


def test_secrets_are_masked_in_every_answer_of_the_api(running_stack: RunningStack, admin: AirflowClient):
    created = admin.call("POST", "connections", json=connection(running_stack))
    try:
        assert created.status_code == 201, created.text
        read = admin.call("GET", "connections/quickbooks_of_a_test")
        listed = admin.call("GET", "connections")
        for answer in (created, read, listed):
            assert "quickbooks_of_a_test" in answer.text
            assert "sandbox-secret" not in answer.text
            assert "very-secret-verifier" not in answer.text
        assert read.json()["password"] == "***"
    finally:
        admin.call("DELETE", "connections/quickbooks_of_a_test")
