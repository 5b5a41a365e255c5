"""Questions in a running Airflow: who may answer them, and what comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg
import pytest
from playwright.sync_api import expect, sync_playwright

from include.receivables.outbound import decisions
from include.receivables.outbound.rules import set_rules
from tests.support.airflow_client import AirflowClient
from tests.support.asked import BELIEVE, doubt_deletions
from tests.support.bookkeeper import Bookkeeper
from tests.support.browser import PATIENCE_MS, QUIET, Person, find_chromium
from tests.support.cashier import Cashier
from tests.support.deciding import DAG_ID, ask_now, open_questions, respond, run_of, states, wait_for_question

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from tests.support.fixtures_local import RunningStack
    from tests.support.workbench import Workbench

COMPANY_ID = "till"


@pytest.fixture(scope="module")
def cashier(running_stack_bench: Workbench) -> Iterator[Cashier]:
    """A company whose payments wait for approval; it is paused at the end: other tests count the connected ones."""
    bench = running_stack_bench
    company = bench.imported("demo", company_id=COMPANY_ID)
    bench.sandbox.change_settings(company.realm_id, throttle="off")
    with Bookkeeper(bench.sandbox, company.realm_id) as books:
        taken = Cashier(bench, company, books)
        taken.map_accounts()
        set_rules(bench.db, company, approval_above=99)
        yield taken
    bench.db.execute("update sync.connection set status = 'paused' where company_id = %s", [COMPANY_ID])


@pytest.fixture
def admin(running_stack: RunningStack) -> AirflowClient:
    return AirflowClient(running_stack, "admin")


@pytest.fixture
def engineer(running_stack: RunningStack) -> AirflowClient:
    return AirflowClient(running_stack, "engineer")


def take_large_payment(cashier: Cashier, client: AirflowClient) -> UUID:
    """Take a payment about which Airflow asks."""
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    client.wait_until(lambda: cashier.standing(payment_id) == ("waits", "approval_needed"))
    ask_now(client)
    return payment_id


@pytest.fixture
def answered(cashier: Cashier, admin: AirflowClient) -> None:
    """A question that was answered before: however old it is, Airflow keeps each DAG's last run."""
    take_large_payment(cashier, admin)
    question = wait_for_question(admin, COMPANY_ID)
    assert respond(admin, question, "Ignore").status_code == 200
    assert admin.wait(DAG_ID, run_of(question)) == "success"


@pytest.fixture
def large_payment(cashier: Cashier, admin: AirflowClient) -> UUID:
    """A payment about which Airflow asks."""
    return take_large_payment(cashier, admin)


def decided(cashier: Cashier, payment_id: UUID) -> list[tuple[str, str]]:
    return [
        (row["kind"], row["decided_by"]) for row in cashier.rows("outbox.decision", payment_id=payment_id)
    ]


def ignore(cashier: Cashier, payment_id: UUID) -> None:
    decisions.ignore(cashier.bench.db, cashier.company, payment_id, by="command line (ada)")


def let_the_wait_end(stack: RunningStack, question: dict[str, Any]) -> None:
    """Let the time pass after which an open question is looked at again."""
    with psycopg.connect(stack.env["AIRFLOW_CONN_AIRFLOW_DB"], autocommit=True) as airflow:
        airflow.execute(
            "update task_instance set trigger_timeout = now() where run_id = %s and state = 'awaiting_input'",
            [run_of(question)],
        )


def test_only_an_admin_lets_a_large_payment_go(
    cashier: Cashier,
    large_payment: UUID,
    admin: AirflowClient,
    engineer: AirflowClient,
    running_stack: RunningStack,
):
    question = wait_for_question(engineer, COMPANY_ID)
    assert question["options"] == ["Approve", "Ignore"]
    assert "it goes once somebody has approved it" in question["body"]
    assert (question["defaults"], question["params"]) == (None, {})
    assert [user["id"] for user in question["assigned_users"]] == ["admin"]
    for other in (engineer, AirflowClient(running_stack, "reminder")):
        for label in question["options"]:
            assert respond(other, question, label).status_code == 403
    assert decided(cashier, large_payment) == []
    assert cashier.standing(large_payment) == ("waits", "approval_needed")

    assert respond(admin, question, "Approve").status_code == 200

    assert admin.wait(DAG_ID, run_of(question)) == "success"
    assert states(admin, question) == {"ask": "success", "follow_up": "success"}
    assert decided(cashier, large_payment) == [("approve", "admin")]
    admin.wait_until(lambda: cashier.standing(large_payment) == ("agrees", "delivered"))
    assert len(cashier.in_quickbooks()[str(large_payment)]) == 1
    assert respond(admin, question, "Ignore").status_code == 409
    ask_now(admin)
    assert open_questions(admin, COMPANY_ID) == []


def test_an_engineer_has_deletions_believed(
    cashier: Cashier, admin: AirflowClient, engineer: AirflowClient, running_stack: RunningStack
):
    engineer.wait_for_quiet("quickbooks_to_peakflo")
    doubt_deletions(cashier.bench.db, cashier.company)
    ask_now(engineer)
    question = wait_for_question(engineer, COMPANY_ID)
    assert respond(AirflowClient(running_stack, "reminder"), question, BELIEVE).status_code == 403

    assert respond(engineer, question, BELIEVE).status_code == 200

    assert engineer.wait(DAG_ID, run_of(question)) == "success"
    imports = engineer.call(
        "GET", "dags/import_company/dagRuns", params={"order_by": "-id", "limit": 1}
    ).json()
    [started] = imports["dag_runs"]
    assert started["conf"] == {"company_id": COMPANY_ID, "accept_deletions": True}
    assert engineer.wait("import_company", started["dag_run_id"]) == "success"
    [problem] = cashier.rows("sync.problem", company_id=COMPANY_ID, code="deletion_brake")
    assert (problem["state"], problem["decided_by"]) == ("resolved", "engineer")


def test_what_is_decided_elsewhere_ends_the_question_and_what_is_open_waits_on(
    cashier: Cashier, large_payment: UUID, admin: AirflowClient, running_stack: RunningStack
):
    question = wait_for_question(admin, COMPANY_ID)
    let_the_wait_end(running_stack, question)
    admin.wait_until(lambda: has_been_looked_at(admin, question))
    assert decided(cashier, large_payment) == []

    ignore(cashier, large_payment)
    let_the_wait_end(running_stack, question)

    assert admin.wait(DAG_ID, run_of(question)) == "success"
    assert states(admin, question) == {"ask": "success", "follow_up": "skipped"}
    assert decided(cashier, large_payment) == [("ignore", "command line (ada)")]
    [task] = [each for each in admin.tasks(DAG_ID, run_of(question)) if each["task_id"] == "ask"]
    assert "The last decision: ignore, by command line (ada)" in admin.log(task)
    assert "Traceback" not in admin.log(task)


def has_been_looked_at(client: AirflowClient, question: dict[str, Any]) -> bool:
    """Tell whether a question waits for the second time."""
    [task] = [each for each in client.tasks(DAG_ID, run_of(question)) if each["task_id"] == "ask"]
    return task["state"] == "awaiting_input" and client.log(task).count("Pausing task as AWAITING_INPUT") == 2


def test_to_clear_to_mark_and_to_delete_a_question_decides_nothing(
    cashier: Cashier, answered: None, large_payment: UUID, admin: AirflowClient, running_stack: RunningStack
):
    question = wait_for_question(admin, COMPANY_ID)
    place = f"dags/{DAG_ID}/dagRuns/{quote(run_of(question), safe='')}"

    cleared = admin.call(
        "POST",
        f"dags/{DAG_ID}/clearTaskInstances",
        json={"dry_run": False, "dag_run_id": run_of(question), "only_failed": False},
    )
    assert cleared.status_code == 200
    admin.wait_until(lambda: states(admin, question)["ask"] != "awaiting_input")
    again = wait_for_question(admin, COMPANY_ID)
    assert {key: again[key] for key in ("subject", "body", "options", "assigned_users")} == {
        key: question[key] for key in ("subject", "body", "options", "assigned_users")
    }

    marked = admin.call("PATCH", f"{place}/taskInstances/ask", json={"new_state": "success"})
    assert marked.status_code == 200
    admin.wait(DAG_ID, run_of(question))
    assert states(admin, question)["ask"] == "success"
    assert respond(admin, again, "Approve").status_code in (200, 404, 409)
    assert decided(cashier, large_payment) == []

    assert admin.call("DELETE", place).status_code == 204
    ask_now(admin)
    assert run_of(wait_for_question(admin, COMPANY_ID)) == run_of(question)

    queued_at = admin.call("GET", place).json()["queued_at"]
    make_old(running_stack, question)
    admin.run("maintain_database")
    ask_now(admin)
    asked_anew = wait_for_question(admin, COMPANY_ID)
    assert run_of(asked_anew) == run_of(question)
    assert admin.call("GET", place).json()["queued_at"] > queued_at
    assert decided(cashier, large_payment) == []
    assert respond(admin, asked_anew, "Ignore").status_code == 200
    assert admin.wait(DAG_ID, run_of(question)) == "success"
    assert decided(cashier, large_payment) == [("ignore", "admin")]


def make_old(stack: RunningStack, question: dict[str, Any]) -> None:
    """Let more days pass than Airflow keeps its runs."""
    with psycopg.connect(stack.env["AIRFLOW_CONN_AIRFLOW_DB"], autocommit=True) as airflow:
        airflow.execute(
            "update dag_run set start_date = start_date - interval '61 days' where run_id = %s",
            [run_of(question)],
        )


def test_what_is_decided_on_the_page_is_no_required_action_any_more(
    cashier: Cashier, large_payment: UUID, admin: AirflowClient, running_stack: RunningStack
):
    expect.set_options(timeout=PATIENCE_MS)
    question = wait_for_question(admin, COMPANY_ID)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=list(QUIET))
        person = Person.signed_in(chromium, running_stack, "admin")
        person.page.goto("/required_actions?response_received=false")
        person.page.get_by_role("link", name=question["subject"]).first.click()
        expect(person.page.get_by_role("button", name="Approve")).to_be_visible()
        expect(person.page.get_by_text("Lets it go to QuickBooks as it is now.")).to_be_visible()
        person.picture("required-action")

        person.open(f"companies/{COMPANY_ID}/deliveries/{cashier.delivery(large_payment)['delivery_id']}")
        person.click("Approve")
        expect(person.shown.locator(".run-state")).to_contain_text("is done.")
        chromium.close()

    assert admin.wait(DAG_ID, run_of(question)) == "success"
    assert open_questions(admin, COMPANY_ID) == []
    assert decided(cashier, large_payment) == [("approve", "admin")]
    assert states(admin, question) == {"ask": "success", "follow_up": "skipped"}
    admin.wait_until(lambda: cashier.standing(large_payment) == ("agrees", "delivered"))
