"""A channel from its form to the mail that arrives, over a whole installation: what is sent is sent by a worker."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import psycopg
import pytest
import requests
from playwright.sync_api import expect, sync_playwright

from tests.support.airflow_client import AirflowClient
from tests.support.browser import PATIENCE_MS, QUIET, Person, find_chromium
from tests.support.mail_server import MailServer, running_mail_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.fixtures_local import RunningStack


@pytest.fixture
def mail_server(running_stack: RunningStack) -> Iterator[MailServer]:
    """A mail server that Airflow has a connection to."""
    admin = AirflowClient(running_stack, "admin")
    with running_mail_server() as server:
        connection = json.loads(server.connection())
        extra = json.dumps(connection.pop("extra"))
        given = {"connection_id": "mail", "extra": extra, **connection}
        answer = admin.call("POST", "connections", json=given)
        assert answer.status_code == 201, answer.text
        yield server
        admin.call("DELETE", "connections/mail")


@pytest.fixture
def admin(running_stack: RunningStack) -> Iterator[Person]:
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=list(QUIET))
        yield Person.signed_in(chromium, running_stack, "admin")
        chromium.close()


@pytest.fixture
def db(running_stack: RunningStack) -> Iterator[psycopg.Connection]:
    with psycopg.connect(running_stack.database_url, autocommit=True) as connection:
        yield connection
        connection.execute("update sync.alert_channel set removed_at = now() where removed_at is null")


def test_a_channel_is_added_tried_and_told(
    admin: Person, mail_server: MailServer, running_stack: RunningStack, db: psycopg.Connection
):
    admin.open_entry()
    admin.click("Alerts", "link")
    expect(admin.shown.get_by_text("there is no channel")).to_be_visible()
    admin.click("Add a channel", "link")
    admin.shown.get_by_label("Name").fill("finance")
    admin.shown.get_by_label("Airflow connection").fill("mail")
    admin.shown.get_by_label("Recipients of mail").fill("finance@example.com")
    admin.picture("alert-channel")
    admin.click("Add the channel")
    expect(admin.shown.get_by_text("Not used yet")).to_be_visible()

    admin.click("Send test")

    expect(admin.shown.locator(".run-state")).to_contain_text("is done.")
    expect(admin.shown.get_by_text("Works")).to_be_visible()
    [test] = mail_server.received
    assert test.mail["Subject"] == "[QuickBooks] Test of the channel finance"
    assert f"{running_stack.api_url}/quickbooks/alerts" in test.part("plain")

    db.execute("update sync.connection set status = 'reauthorize' where company_id = 'demo'")
    try:
        engineer = AirflowClient(running_stack, "engineer")
        run = engineer.trigger("send_alerts").json()
        assert engineer.wait("send_alerts", run["dag_run_id"]) == "success"
    finally:
        db.execute("update sync.connection set status = 'connected' where company_id = 'demo'")
    told = mail_server.received[1]
    assert f"{running_stack.api_url}/quickbooks/companies/demo" in told.part("plain")
    admin.open("alerts")
    expect(admin.shown.locator("#alerts").get_by_text("reconnect", exact=True).first).to_be_visible()
    admin.picture("alerts")


def test_the_health_of_an_installation_is_there_for_an_uptime_monitor(
    running_stack: RunningStack, db: psycopg.Connection
):
    engineer = AirflowClient(running_stack, "engineer")
    run = engineer.trigger("send_alerts").json()
    engineer.wait("send_alerts", run["dag_run_id"])

    answer = requests.get(f"{running_stack.api_url}/quickbooks/health", timeout=30)

    assert answer.json()["alert_evaluation_seconds"] < 300
    assert "alert_evaluation" not in answer.json()["late"]
    head = requests.head(f"{running_stack.api_url}/quickbooks/health", timeout=30)
    assert (head.status_code, head.text) == (answer.status_code, "")
