from __future__ import annotations

import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.airflow_client import AirflowClient
from tests.support.bookkeeper import Bookkeeper
from tests.support.expected import peakflo_id
from tests.support.oracle import Oracle
from tests.support.quick_start import connect_as_imported

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

    from include.receivables.company.companies import Company
    from tests.support.fixtures_local import RunningStack
    from tests.support.workbench import Workbench

DAG_ID = "refresh_before_reminder"
TASK_ID = "refresh_and_judge"
UNKNOWN_INVOICE = "00000000-0000-8000-8000-000000000000"
HANG_SECONDS = 20
Json = dict[str, Any]


@dataclass(frozen=True)
class ReminderService:
    """The program that sends reminders: it has nothing but Airflow's API and its own login."""

    api: AirflowClient

    def ask(self, run_id: str | None = None, **conf: Any) -> tuple[str, Json]:
        """Run the DAG; return the run's state and its answer."""
        triggered = self.api.trigger(DAG_ID, run_id, **conf)
        assert triggered.status_code == 200, triggered.text
        return self.wait(triggered.json()["dag_run_id"])

    def wait(self, run_id: str) -> tuple[str, Json]:
        """Wait for a run; return its state and its answer."""
        waited = self.api.call(
            "GET", f"dags/{DAG_ID}/dagRuns/{run_id}/wait", params={"interval": 0.1, "result": TASK_ID}
        )
        last = json.loads(waited.text.strip().rpartition("\n")[2])
        answer = last.get("results", {}).get(TASK_ID, {})
        self._check_agreement(run_id, answer)
        return last["state"], answer

    def verdicts(self, company_id: str, run_id: str) -> requests.Response:
        """Read what the run found, where only the run can write."""
        return self.api.page(f"companies/{company_id}/reminders/{run_id}")

    def _check_agreement(self, run_id: str, answer: Json) -> None:
        """The value in Airflow says what is kept; of what is not kept, or later than the value, it says unknown."""
        kept = self.verdicts(answer["company_id"], run_id)
        is_late = bool(answer["error"]) and answer["error"]["code"] == "deadline"
        if kept.status_code == 404 or is_late:
            assert answer["send"] == answer["hold"] == 0
            assert answer["error"]
            return
        found = kept.json()
        assert found["verdicts"] == sorted(answer["verdicts"], key=lambda verdict: verdict["invoice_id"])
        for name in ("company_id", "reminder_run_id", "send", "hold", "unknown"):
            assert found[name] == answer[name]
        assert bool(found["error"]) == bool(answer["error"])
        assert found["state"] == ("failed" if answer["error"] else "success")

    def value(self, run_id: str) -> requests.Response:
        """Read the run's answer from its task."""
        return self.api.call(
            "GET", f"dags/{DAG_ID}/dagRuns/{run_id}/taskInstances/{TASK_ID}/xcomEntries/return_value"
        )


@dataclass(frozen=True)
class Books:
    """A company of the stack, and the person who keeps its books."""

    company: Company
    books: Bookkeeper

    def id(self, qbo_id: str) -> str:
        return str(peakflo_id(self.company.realm_id, "invoice", qbo_id))


@pytest.fixture(scope="module")
def bench(running_stack_bench: Workbench) -> Iterator[Workbench]:
    """Companies of the running stack, which are paused at the end: other tests count those that are connected."""
    yield running_stack_bench
    running_stack_bench.sandbox.clear_faults()
    running_stack_bench.db.execute(
        "update sync.connection set status = 'paused' where company_id like 'remind-%%'"
    )


@pytest.fixture(scope="module")
def service(running_stack: RunningStack) -> ReminderService:
    return ReminderService(AirflowClient(running_stack, "reminder"))


@pytest.fixture
def acme(bench: Workbench) -> Iterator[Books]:
    company = connect_as_imported(bench, f"remind-{uuid.uuid4().hex[:8]}")
    bench.sandbox.change_settings(company.realm_id, throttle="off")
    with Bookkeeper(bench.sandbox, company.realm_id) as books:
        yield Books(company, books)
    bench.sandbox.clear_faults()


@pytest.fixture
def quiet(running_stack: RunningStack) -> None:
    """Nothing but what a test does reads the company's books."""
    AirflowClient(running_stack, "engineer").wait_for_quiet("quickbooks_to_peakflo")


def test_each_verdict_is_right_a_second_after_the_books_changed(
    bench: Workbench, service: ReminderService, acme: Books
):
    books = acme.books
    invoice = {name: books.invoice(books.customer(name), "100") for name in EXPECTED if name != "parent_paid"}
    parent = books.customer("parent")
    child = books.customer("child", ParentRef={"value": parent}, Job=True, BillWithParent=True)
    invoice["parent_paid"] = books.invoice(child, "100")
    bench.sync(acme.company)

    def customer_of(name: str) -> str:
        return books.read("Invoice", invoice[name])["CustomerRef"]["value"]

    soon = (datetime.now(UTC) + timedelta(days=5)).date().isoformat()
    books.pay(customer_of("paid"), "100", ("Invoice", invoice["paid"], "100"))
    books.pay(customer_of("partly_paid"), "30.01", ("Invoice", invoice["partly_paid"], "30.01"))
    books.void("Invoice", invoice["voided"])
    books.delete("Invoice", invoice["deleted"])
    # QuickBooks archives a customer only while nothing is owed on balance.
    books.pay(customer_of("archived"), "100")
    books.change("Customer", customer_of("archived"), Active=False)
    books.pay(customer_of("unapplied"), "100")
    books.credit(customer_of("credited"), "120")
    books.pay(customer_of("paid_later"), "100", ("Invoice", invoice["paid_later"], "100"), TxnDate=soon)
    books.pay(parent, "500")
    time.sleep(1)

    state, answer = service.ask(
        company_id=acme.company.company_id, invoice_ids=[acme.id(each) for each in invoice.values()]
    )

    verdicts = {verdict["invoice_id"]: verdict for verdict in answer["verdicts"]}
    found = {name: verdicts[acme.id(qbo_id)] for name, qbo_id in invoice.items()}
    assert {
        name: (verdict["verdict"], verdict["reasons"], verdict["amount_due"])
        for name, verdict in found.items()
    } == EXPECTED
    assert state == "success"
    assert (answer["send"], answer["hold"], answer["unknown"], answer["error"]) == (2, 8, 0, None)
    for verdict in found.values():
        assert verdict["currency"] == "USD"
        left = datetime.fromisoformat(verdict["expires_at"]) - datetime.now(UTC)
        assert timedelta(minutes=8) < left <= timedelta(minutes=10)


EXPECTED = {
    "open": ("send", [], "100.00"),
    "partly_paid": ("send", [], "69.99"),
    "paid": ("hold", ["paid"], "0.00"),
    "voided": ("hold", ["voided"], "0.00"),
    "deleted": ("hold", ["deleted"], None),
    "archived": ("hold", ["customer_archived", "covered_by_payment"], "100.00"),
    "unapplied": ("hold", ["covered_by_payment"], "100.00"),
    "credited": ("hold", ["covered_by_credit"], "100.00"),
    "paid_later": ("hold", ["paid", "future_dated_payment"], "0.00"),
    "parent_paid": ("hold", ["covered_by_payment"], "100.00"),
}


@pytest.mark.usefixtures("quiet")
def test_a_repeated_run_id_is_answered_409_and_reads_nothing(
    bench: Workbench, service: ReminderService, acme: Books
):
    run_id = f"reminder:{uuid.uuid4().hex}"
    conf = {"company_id": acme.company.company_id}
    assert service.ask(run_id, **conf)[0] == "success"
    bench.sandbox.reset_calls(acme.company.realm_id)

    assert service.api.trigger(DAG_ID, run_id, **conf).status_code == 409
    assert bench.sandbox.calls(acme.company.realm_id)["metered"] == 0
    assert service.value(run_id).json()["value"] == service.wait(run_id)[1]


@pytest.mark.parametrize(
    ("conf", "field"),
    [
        ({}, "company_id"),
        ({"company_id": "no spaces"}, "company_id"),
        ({"company_id": None}, "company_id"),
        ({"company_id": "demo", "invoice_ids": "all"}, "invoice_ids"),
        ({"company_id": "demo", "invoice_ids": []}, "invoice_ids"),
        ({"company_id": "demo", "invoice_ids": ["130"]}, "invoice_ids"),
        ({"company_id": "demo", "invoice_ids": [UNKNOWN_INVOICE + "\n"]}, "invoice_ids"),
        ({"company_id": "demo", "invoice_ids": [UNKNOWN_INVOICE] * 1001}, "invoice_ids"),
        ({"company_id": "demo", "customer_ids": [7]}, "customer_ids"),
        ({"company_id": "demo", "deadline_seconds": "10"}, "deadline_seconds"),
        ({"company_id": "demo", "deadline_seconds": 0.5}, "deadline_seconds"),
        ({"company_id": "demo", "deadline_seconds": 301}, "deadline_seconds"),
    ],
)
def test_a_bad_conf_is_refused_at_the_trigger_with_the_fields_name(
    service: ReminderService, conf: Json, field: str
):
    answer = service.api.trigger(DAG_ID, **conf)

    assert answer.status_code == 400
    assert field in answer.json()["detail"]


def test_an_unknown_key_fails_the_run_and_the_answer_names_it(service: ReminderService):
    state, answer = service.ask(company_id="demo", invoices=[UNKNOWN_INVOICE])

    assert state == "failed"
    assert answer["error"]["code"] == "configuration"
    assert "The conf has unknown keys (invoices)" in answer["error"]["message"]
    assert answer["verdicts"] == []


def test_a_company_that_does_not_exist_is_told(service: ReminderService):
    state, answer = service.ask(company_id="nobody", invoice_ids=[UNKNOWN_INVOICE])

    assert state == "failed"
    assert answer["error"]["code"] == "no_company"
    assert [(each["verdict"], each["reasons"]) for each in answer["verdicts"]] == [
        ("unknown", ["no_company"])
    ]


def test_what_cannot_be_checked_is_unknown_and_the_failed_run_still_answers(
    bench: Workbench, service: ReminderService, acme: Books
):
    open_invoice, paid = (acme.books.invoice(acme.books.customer(name), "100") for name in ("Ada", "Grace"))
    bench.sync(acme.company)
    acme.books.pay(acme.books.read("Invoice", paid)["CustomerRef"]["value"], "100", ("Invoice", paid, "100"))
    bench.sandbox.add_fault("429", realm=acme.company.realm_id, path="cdc")
    run_id = f"reminder:{uuid.uuid4().hex}"
    ids = [acme.id(open_invoice), acme.id(paid)]

    state, answer = service.ask(run_id, company_id=acme.company.company_id, invoice_ids=ids)

    assert state == "failed"
    assert {each["invoice_id"]: (each["verdict"], each["reasons"]) for each in answer["verdicts"]} == {
        ids[0]: ("unknown", ["throttled"]),
        ids[1]: ("hold", ["paid"]),
    }
    assert answer["error"]["code"] == "throttled"
    assert service.value(run_id).json()["value"] == answer
    logged = "select state, error_code from sync.run where dag_run_id = %s"
    assert bench.db.execute(logged, [run_id]).fetchall() == [("failed", "throttled")]


def test_a_run_ends_with_its_deadline_whatever_quickbooks_does(
    bench: Workbench, service: ReminderService, acme: Books
):
    invoice = acme.books.invoice(acme.books.customer("Ada"), "100")
    bench.sync(acme.company)
    bench.sandbox.add_fault("timeout", realm=acme.company.realm_id, seconds=HANG_SECONDS)
    run_id = f"reminder:{uuid.uuid4().hex}"

    state, answer = service.ask(
        run_id,
        company_id=acme.company.company_id,
        invoice_ids=[acme.id(invoice)],
        deadline_seconds=3,
    )

    assert state == "failed"
    assert [each["verdict"] for each in answer["verdicts"]] == ["unknown"]
    run = service.api.call("GET", f"dags/{DAG_ID}/dagRuns/{run_id}").json()
    lasted = datetime.fromisoformat(run["end_date"]) - datetime.fromisoformat(run["run_after"])
    assert timedelta(seconds=2) < lasted < timedelta(seconds=HANG_SECONDS)


@pytest.mark.usefixtures("quiet")
def test_fifty_invoices_of_thirty_customers_cost_at_most_four_metered_calls(
    bench: Workbench, service: ReminderService, acme: Books
):
    customers = [acme.books.customer(f"Customer {number}") for number in range(30)]
    invoices = [acme.books.invoice(customers[number % 30], "10") for number in range(50)]
    bench.sync(acme.company)
    bench.sandbox.reset_calls(acme.company.realm_id)

    state, answer = service.ask(
        company_id=acme.company.company_id, invoice_ids=[acme.id(each) for each in invoices]
    )

    assert (state, answer["send"]) == ("success", 50)
    calls = bench.sandbox.calls(acme.company.realm_id)
    print(f"calls: {calls}")
    assert calls["metered"] <= 4
    assert calls["by_path"] == {"cdc": 1, "query:Invoice": 1, "query:Customer": 1}


def test_twenty_runs_at_once_for_five_companies_beside_the_sync_are_all_right(
    running_stack: RunningStack, bench: Workbench, service: ReminderService
):
    engineer = AirflowClient(running_stack, "engineer")
    companies = [connect_as_imported(bench, f"remind-{uuid.uuid4().hex[:8]}") for _ in range(5)]
    for company in companies:
        bench.sandbox.events(company.realm_id, 60)
        bench.sync(company)
        bench.sandbox.events(company.realm_id, 20, seed=2)

    with ThreadPoolExecutor(max_workers=21) as pool:
        cycle = pool.submit(engineer.run, "quickbooks_to_peakflo")
        asked = [
            (company, pool.submit(service.ask, company_id=company.company_id, deadline_seconds=60))
            for _ in range(4)
            for company in companies
        ]
        answers = [(company, *answer.result()) for company, answer in asked]
        cycle.result()

    for company, state, answer in answers:
        assert (state, answer["unknown"]) == ("success", 0)
        oracle = Oracle(bench.sandbox, company.realm_id)
        ids = {str(peakflo_id(company.realm_id, "invoice", each)): each for each in oracle.invoices}
        assert answer["verdicts"]
        for verdict in answer["verdicts"]:
            expected = oracle.expect(ids[verdict["invoice_id"]])
            assert (verdict["verdict"], set(verdict["reasons"])) == (expected.verdict, expected.reasons)
            if verdict["verdict"] == "send":
                assert verdict["amount_due"] == f"{expected.amount_due:.2f}"
                assert verdict["customer_total_due"] == f"{expected.total_due:.2f}"
                assert verdict["customer_total_overdue"] == f"{expected.total_overdue:.2f}"


def test_without_a_token_nothing_can_be_asked_or_read(running_stack: RunningStack, service: ReminderService):
    run_id = f"reminder:{uuid.uuid4().hex}"
    service.ask(run_id, company_id="demo")
    anonymous = ReminderService(AirflowClient(running_stack))

    assert anonymous.api.trigger(DAG_ID, company_id="demo").status_code == 401
    assert anonymous.value(run_id).status_code == 401
    waited = anonymous.api.call("GET", f"dags/{DAG_ID}/dagRuns/{run_id}/wait", params={"interval": 1})
    assert waited.status_code == 401
    assert anonymous.verdicts("demo", run_id).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "connections", None),
        ("GET", "connections/quickbooks", None),
        ("POST", "connections", {"connection_id": "mine", "conn_type": "http"}),
        ("GET", "variables", None),
        ("POST", "variables", {"key": "mine", "value": "1"}),
        ("POST", "pools", {"name": "mine", "slots": 1}),
        ("PATCH", "pools/reminders", {"slots": 0}),
        ("GET", "config", None),
    ],
)
def test_the_reminder_login_may_do_nothing_that_its_role_does_not_allow(
    service: ReminderService, method: str, path: str, body: Json | None
):
    assert service.api.call(method, path, json=body).status_code == 403
