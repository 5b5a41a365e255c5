from __future__ import annotations

from datetime import UTC, datetime

import pytest

from include.receivables.alerts import channels, observing
from include.receivables.alerts.channels import NewChannel
from tests.support.alerts import cause, payments
from tests.support.command_line import assert_fails
from tests.support.mail_server import running_mail_server

ADD = ("alerts", "channel", "add", "finance", "--kind", "smtp", "--connection", "mail")


@pytest.fixture
def mail_server(monkeypatch):
    with running_mail_server() as server:
        monkeypatch.setenv("AIRFLOW_CONN_MAIL", server.connection())
        yield server


def test_a_channel_is_added_listed_tested_and_removed(cli, db, mail_server):
    options = (
        "--to",
        "a@example.com",
        "--to",
        "b@example.com",
        "--quiet",
        "22:00-07:00",
        "--time-zone",
        "Asia/Singapore",
    )
    assert cli(*ADD, *options).code == 0

    [listed] = cli("alerts", "channel", "list", "--json").json
    assert listed["recipients"] == ["a@example.com", "b@example.com"]
    assert (listed["quiet_from"], listed["quiet_until"], listed["time_zone"]) == (
        "22:00:00",
        "07:00:00",
        "Asia/Singapore",
    )
    assert "22:00-07:00 Asia/Singapore" in cli("alerts", "channel", "list").out

    assert cli("alerts", "test", "finance").out == "finance: the message was taken\n"
    [received] = mail_server.received
    assert received.recipients == ["a@example.com", "b@example.com"]

    assert cli("alerts", "channel", "remove", "finance").out == "finance: removed\n"
    assert cli("alerts", "channel", "list", "--json").json == []


def test_what_is_wrong_is_listed_with_who_was_told(cli, db):
    channels.add_channel(db, NewChannel("ops", "slack", "chat"), by="test")
    observing.observe(db, [cause(), payments("globex", count=3)], datetime.now(UTC))

    rows = cli("alerts", "list", "--json").json
    assert [(row["company_id"], row["code"], row["waiting"]) for row in rows] == [
        ("globex", "payments_differ", ["ops"]), ("acme", "not_fresh", ["ops"]),
    ]  # fmt: skip
    assert rows[0]["amounts"] == {"USD": "1250.00"}
    assert "not_fresh at acme." in cli("alerts", "list", "--company", "acme").out
    assert cli("alerts", "list", "--past", "--json").json == []


def test_what_is_due_can_be_sent_by_hand(cli, db, mail_server):
    cli(*ADD, "--to", "a@example.com")
    db.execute("insert into peakflo.company (company_id, realm_id, name) values ('acme', '1', 'Acme')")
    db.execute(
        "insert into sync.connection (company_id, realm_id, status, last_error) "
        "values ('acme', '1', 'reauthorize', 'The connection was ended in QuickBooks.')"
    )

    assert cli("alerts", "send").out == "messages 1, alerts 1\n"
    assert cli("alerts", "send", "--json").json == {"messages": 0, "alerts": 0, "failed": []}

    [received] = mail_server.received
    assert "The connection was ended in QuickBooks." in received.part("plain")


def test_a_channel_that_does_not_work_is_said_in_one_sentence(cli, mail_server):
    cli(*ADD, "--to", "a@example.com")
    mail_server.refused = {"a@example.com"}

    assert_fails(
        cli("alerts", "test", "finance"), "finance does not work: The mail server refuses the mail: 550"
    )
    assert_fails(cli("alerts", "test", "nobody"), "There is no channel 'nobody'")
    assert_fails(cli("alerts", "channel", "remove", "nobody"), "There is no channel 'nobody'")
    assert_fails(cli(*ADD, "--to", "a@example.com"), "There is a channel 'finance' already")


@pytest.mark.parametrize("hours", ["22", "22:00", "late-early", "22:00-07:00-08:00"])
def test_hours_that_are_none_are_a_wrong_command_line(cli, hours: str):
    answer = cli(*ADD, "--to", "a@example.com", "--quiet", hours)

    assert answer.code == 2
    assert "write them like 22:00-07:00" in answer.err
