from __future__ import annotations

import json

import pytest

from include.receivables.alerts import channels
from include.receivables.alerts.channels import NewChannel
from local.ports import free_port
from tests.support.mail_server import MailServer, running_mail_server
from tests.support.quick_start import connect_as_imported, disconnect_in_quickbooks
from tests.support.webhook_listener import listening


@pytest.fixture
def mail_server(monkeypatch):
    with running_mail_server() as server:
        monkeypatch.setenv("AIRFLOW_CONN_MAIL", server.connection())
        yield server


@pytest.fixture
def globex(access, bench):
    """A company that is as one that was imported a moment ago."""
    return connect_as_imported(bench, "globex")


@pytest.fixture
def finance(globex, bench, mail_server: MailServer) -> MailServer:
    """A mail server, and a channel to it."""
    channel = NewChannel("finance", "smtp", "mail", recipients=["finance@example.com"])
    channels.add_channel(bench.db, channel, by="test")
    return mail_server


def lose_connection(bench) -> None:
    bench.db.execute("update sync.connection set status = 'reauthorize'")


def test_a_lost_connection_is_told_by_mail_once_and_once_when_it_is_back(run_dag, bench, globex, finance):
    disconnect_in_quickbooks(bench, globex)
    run_dag("quickbooks_to_peakflo")
    for _ in range(2):
        assert run_dag("send_alerts").state == "success"

    [received] = finance.received
    assert received.mail["Subject"].startswith("[QuickBooks] ")
    for part in (received.part("plain"), received.part("html")):
        assert "Nothing is read or sent." in part
        assert "Reconnect, signed in to QuickBooks as an admin." in part
        assert "/quickbooks/companies/globex" in part

    bench.db.execute("update sync.connection set status = 'connected'")
    run_dag("send_alerts")
    bench.db.execute("update sync.alert set gone_at = gone_at - interval '10 minutes'")
    run_dag("send_alerts")

    assert [received.mail["Subject"].split("] ")[1][:5] for received in finance.received][1:] == ["Over:"]


def test_a_run_in_which_nothing_is_wrong_sends_nothing(run_dag, bench, finance):
    run = run_dag("send_alerts")

    assert run.state == "success"
    assert run.tasks == {"send": "success", "find_questions": "success", "ask": "skipped"}
    assert finance.received == []
    assert bench.db.execute(
        "select now() - evaluated_at < '1 minute' from sync.alert_evaluation"
    ).fetchone() == (True,)


def test_a_channel_that_keeps_failing_turns_the_run_red_and_keeps_no_other_from_its_messages(
    run_dag, bench, globex, finance, monkeypatch
):
    monkeypatch.setenv("AIRFLOW_CONN_AWAY", MailServer(port=free_port()).connection())
    channels.add_channel(
        bench.db, NewChannel("away", "smtp", "away", recipients=["night@example.com"]), by="test"
    )
    lose_connection(bench)

    states = [run_dag("send_alerts").state for _ in range(channels.FAILS_AFTER)]

    assert states == ["success", "success", "failed"]
    assert len(finance.received) == 1
    run = run_dag("send_alerts")
    assert (
        "Alerts do not get through (away: The mail server cannot be used: ConnectionRefusedError.)" in run.log
    )


def test_a_channel_is_tested_on_the_way_that_its_alerts_take(run_dag, bench, finance):
    assert run_dag("send_alerts", test_channels=["finance"]).state == "success"

    [received] = finance.received
    assert received.mail["Subject"] == "[QuickBooks] Test of the channel finance"


def test_a_test_that_fails_is_red_and_says_why(run_dag, bench, finance):
    finance.refused = {"finance@example.com"}

    run = run_dag("send_alerts", test_channels=["finance"])

    assert run.state == "failed"
    assert "The channel finance does not work: The mail server refuses the mail: 550 5.1.1" in run.log


def test_a_conf_that_no_param_has_is_refused(run_dag, bench):
    run = run_dag("send_alerts", test_chanels=["finance"])

    assert run.state == "failed"
    assert "unknown keys (test_chanels)" in run.log


def test_a_program_and_a_chat_are_told_too(run_dag, bench, globex, monkeypatch):
    with listening() as program, listening() as chat:
        monkeypatch.setenv(
            "AIRFLOW_CONN_PROGRAM", json.dumps({"conn_type": "http", "host": program.url, "password": "s"})
        )
        monkeypatch.setenv("AIRFLOW_CONN_CHAT", json.dumps({"conn_type": "http", "host": chat.url}))
        channels.add_channel(bench.db, NewChannel("program", "webhook", "program"), by="test")
        channels.add_channel(bench.db, NewChannel("chat", "slack", "chat", level="danger"), by="test")
        lose_connection(bench)

        assert run_dag("send_alerts").state == "success"

        assert json.loads(program.posted[0].body)["alerts"][0]["code"] == "reconnect"
        assert "Nothing is read or sent." in json.loads(chat.posted[0].body)["text"]
