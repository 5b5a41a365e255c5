"""The pages as people use them, from the entry in Airflow's navigation on, in a real browser."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import psycopg
import pytest
from playwright.sync_api import expect, sync_playwright

from include.errors import DeletionBrakeError, UnreachableError
from include.receivables.company import problems
from include.receivables.company.companies import get_company
from include.triggers.notification import OUTBOX_DELIVERY
from local.demo import SECOND_NAME
from sandbox.control import SandboxControl
from tests.support.browser import LAPTOP, PATIENCE_MS, PHONE, QUIET, Person, find_chromium
from tests.support.fixtures_local import wait_for_listener
from tests.support.killing import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from tests.support.fixtures_local import RunningStack

COMPANY_ID = "harbour"
STATUS = f"companies/{COMPANY_ID}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=list(QUIET))
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def db(running_stack: RunningStack) -> Iterator[psycopg.Connection]:
    with psycopg.connect(running_stack.database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def admin(browser: Browser, running_stack: RunningStack, db: psycopg.Connection) -> Iterator[Person]:
    """An administrator who has connected a second company, click by click."""
    expect.set_options(timeout=PATIENCE_MS)
    person = Person.signed_in(browser, running_stack, "admin")
    connect(person)
    yield person
    db.execute("update sync.connection set status = 'paused' where company_id = %s", [COMPANY_ID])


def connect(person: Person) -> None:
    person.open_entry()
    expect(person.shown.get_by_role("heading", name="QuickBooks integrations")).to_be_visible()
    person.picture("integrations")
    person.click("Connect to QuickBooks", "link")
    person.shown.get_by_label("Company id in Peakflo").fill(COMPANY_ID)
    person.shown.get_by_label("Name").fill("Harbour Lights")
    person.picture("connect")
    person.click("Continue to QuickBooks")
    person.page.wait_for_url("**/connect/oauth2**")
    person.page.get_by_label(SECOND_NAME).check()
    person.picture("consent")
    person.click("Connect")
    expect(person.shown.get_by_role("heading", name="Account mapping")).to_be_visible()
    person.picture("mapping")
    person.click("Double-check")
    expect(person.shown.get_by_role("heading", name="Double-check the account mapping")).to_be_visible()
    person.picture("double-check")
    person.click("Finish")
    expect(person.shown.get_by_role("heading", name="Import of Harbour Lights")).to_be_visible()
    person.picture("import")
    expect(person.shown.get_by_text("Connected", exact=True)).to_be_visible()


@pytest.fixture
def status_page(admin: Person) -> Person:
    """The administrator at the status page of the company."""
    admin.page.set_viewport_size(LAPTOP)
    admin.open(STATUS)
    expect(admin.page.get_by_role("heading", name="QuickBooks status")).to_be_visible()
    return admin


def badge(person: Person) -> str:
    return person.shown.locator(".page-head .badge").inner_text()


def test_five_clicks_lead_from_the_entry_to_connected(admin: Person):
    assert admin.clicks[:5] == [
        "Connect to QuickBooks",
        "Continue to QuickBooks",
        "Connect",
        "Double-check",
        "Finish",
    ]


def test_after_a_sync_peakflo_has_what_quickbooks_has(
    status_page: Person, db: psycopg.Connection, running_stack: RunningStack
):
    status_page.click("Sync now")
    expect(status_page.shown.locator(".run-state")).to_contain_text("is done.")
    realm_id, invoices, amount_due = db.execute(
        "select realm_id, count(*), sum(amount_due) from peakflo.invoice where company_id = %s group by realm_id",
        [COMPANY_ID],
    ).fetchone()
    truth = SandboxControl(running_stack.sandbox_url).truth(realm_id)["entities"]["Invoice"]

    assert (invoices, amount_due) == (truth["live"], Decimal(truth["balance"]))


def test_the_status_page_is_readable_on_a_laptop_and_on_a_phone(status_page: Person):
    status_page.picture("status")
    status_page.page.set_viewport_size(PHONE)
    status_page.picture("status-phone")

    assert badge(status_page) == "Connected"
    assert status_page.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("name", ["Refresh accounts", "Refresh taxes", "Sync now"])
def test_a_refresh_shows_its_run_until_it_is_done(status_page: Person, name: str):
    status_page.click(name)

    expect(status_page.shown.locator(".run-state")).to_contain_text("is done.")


def test_auto_sync_is_switched_off_and_on_again(status_page: Person):
    switch = status_page.shown.get_by_role("switch", name="Auto-sync of payments")
    expect(switch).to_have_attribute("aria-checked", "true")
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "false")
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "true")


def test_a_problem_is_tried_again_and_is_gone(status_page: Person, db: psycopg.Connection):
    report(db, UnreachableError("QuickBooks did not answer."))
    status_page.open(STATUS)
    problem = status_page.shown.get_by_role("article", name="QuickBooks did not answer.")
    expect(problem).to_be_visible()
    status_page.picture("problem")
    status_page.click("Retry", within=problem)

    expect(status_page.shown.locator(".run-state")).to_contain_text("is done.")
    expect(status_page.shown.get_by_text("No open problems.")).to_be_visible()


def test_deletions_are_believed_and_the_problem_is_gone(status_page: Person, db: psycopg.Connection):
    report(db, DeletionBrakeError("QuickBooks reports 30 of 33 Invoice records as deleted."))
    status_page.open(STATUS)
    status_page.click("Believe the deletions", "link")
    expect(status_page.shown.get_by_text("QuickBooks reports 30 of 33").first).to_be_visible()
    status_page.picture("confirm-deletions")
    status_page.click("Believe the deletions")

    expect(status_page.shown.locator(".run-state")).to_contain_text("Import is done.")
    expect(status_page.shown.get_by_text("No open problems.")).to_be_visible()


def report(db: psycopg.Connection, error: Exception) -> None:
    problems.report_failure(db, get_company(db, COMPANY_ID), error)


def test_a_payment_is_followed_from_peakflo_to_quickbooks(status_page: Person, db: psycopg.Connection):
    wait_for_listener(db, OUTBOX_DELIVERY)
    payment_id = take_payment(db)
    wait_until(lambda: standing(db, payment_id) == ("agrees", "delivered"))
    status_page.open(f"{STATUS}/deliveries")
    status_page.picture("deliveries")
    status_page.shown.locator("tbody a").first.click()
    expect(status_page.shown.locator(".page-head .badge")).to_have_text("In QuickBooks")
    expect(status_page.shown.get_by_text(str(payment_id)).first).to_be_visible()
    status_page.picture("delivery")


def take_payment(db: psycopg.Connection) -> UUID:
    """Take a payment in Peakflo of what an invoice has open."""
    payment_id = uuid4()
    with db.transaction():
        db.execute(
            "insert into peakflo.payment"
            " (company_id, id, realm_id, customer_id, payment_date, amount, currency, settled_at)"
            " select company_id, %s, realm_id, customer_id, issue_date, amount_due, currency, now()"
            " from peakflo.invoice where company_id = %s and amount_due > 0 order by id limit 1",
            [payment_id, COMPANY_ID],
        )
        db.execute(
            "insert into peakflo.payment_allocation"
            " (company_id, payment_id, position, target_type, target_id, target_source_id, amount)"
            " select company_id, %s, 1, 'invoice', id, source_id, amount_due"
            " from peakflo.invoice where company_id = %s and amount_due > 0 order by id limit 1",
            [payment_id, COMPANY_ID],
        )
    return payment_id


def standing(db: psycopg.Connection, payment_id: UUID) -> tuple[str, str]:
    [row] = db.execute(
        "select kind, code from outbox.delivery where payment_id = %s", [payment_id]
    ).fetchall()
    return row


def test_disconnected_and_connected_again(status_page: Person):
    status_page.click("Disconnect", "link")
    dialog = status_page.shown.get_by_role("dialog")
    status_page.picture("disconnect")
    status_page.click("Disconnect", within=dialog)
    expect(status_page.shown.get_by_text("Disconnected", exact=True).first).to_be_visible()

    status_page.open(f"{STATUS}/reconnect")
    status_page.click("Continue to QuickBooks")
    status_page.page.get_by_label(SECOND_NAME).check()
    status_page.click("Connect")
    status_page.open(STATUS)
    assert badge(status_page) == "Connected"
