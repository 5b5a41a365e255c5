from __future__ import annotations

import json
from decimal import Decimal

from include.receivables.company import companies
from include.receivables.company.tokens import TokenCipher
from local.ports import free_port
from tests.support.airflow_settings import FERNET_KEY
from tests.support.command_line import DEADLINE_SECONDS, connect
from tests.support.quick_start import connect_as_imported


def test_a_company_is_connected_by_its_refresh_token(cli, sandbox, db):
    created = sandbox.create_company(books="empty")

    answer = connect(cli, created, "--json")

    assert (answer.code, answer.err) == (0, "")
    [company] = answer.json
    assert company["company_id"] == "acme"
    assert company["status"] == "connected"
    assert db.execute("select connected_by from sync.connection").fetchone() == ("command line",)


def test_the_refresh_token_may_come_from_standard_input(cli, sandbox):
    created = sandbox.create_company(books="empty")
    given = ("--company-id", "acme", "--name", "Acme", "--realm-id", created["realm_id"])

    answer = cli("company", "connect", *given, "--refresh-token", "-", words=created["refresh_token"] + "\n")

    assert answer.code == 0
    assert "connected" in answer.out


def test_no_token_is_ever_printed(cli, sandbox, db):
    created = sandbox.create_company(books="empty")
    answers = [
        connect(cli, created, "--json"),
        cli("company", "list"),
        cli("company", "show", "acme", "--json"),
    ]
    stored = TokenCipher(FERNET_KEY)
    tokens = [
        stored.decrypt(token)
        for token in db.execute("select access_token, refresh_token from sync.connection").fetchone()
    ]

    printed = "".join(answer.out + answer.err for answer in answers)

    assert not [token for token in [*tokens, created["refresh_token"]] if token in printed]


def test_a_company_is_paused_resumed_and_disconnected(cli, bench):
    bench.connect("empty", company_id="acme")

    states = [
        cli("company", action, "acme", "--json").json[0]["status"]
        for action in ("pause", "resume", "disconnect")
    ]

    assert states == ["paused", "connected", "disconnected"]


def test_a_paused_company_is_not_paused_again(cli, bench):
    bench.connect("empty", company_id="acme")
    cli("company", "pause", "acme")

    answer = cli("company", "pause", "acme")

    assert answer.code == 1
    assert answer.err == "receivables: Company 'acme' is paused, not connected.\n"


def test_all_companies_are_listed_with_their_state_and_freshness(cli, bench):
    bench.sync(connect_as_imported(bench, "acme"))
    bench.connect("empty", company_id="globex")

    answer = cli("company", "list", "--json")

    assert [(row["company_id"], row["status"]) for row in answer.json] == [
        ("acme", "connected"),
        ("globex", "connected"),
    ]
    assert answer.json[0]["freshness_seconds"] < DEADLINE_SECONDS
    assert answer.json[1]["freshness_seconds"] is None
    assert "acme" in cli("company", "list").out


def test_a_company_is_shown_with_the_counts_and_sums_of_its_records(cli, bench):
    company = bench.imported(company_id="acme")

    answer = cli("company", "show", "acme", "--json")

    truth = bench.sandbox.truth(company.realm_id)["entities"]["Invoice"]
    invoices = answer.json["records"]["invoice"]
    assert invoices["live"] == truth["live"] > 0
    assert isinstance(invoices["total"], str), "an amount must not become a float in a reader's hands"
    assert Decimal(invoices["total"]) == sum(map(Decimal, truth["total_by_currency"].values()))
    assert "invoice" in cli("company", "show", "acme").out


def test_a_company_is_shown_with_what_is_wrong(cli, bench):
    company = connect_as_imported(bench, "acme")
    bench.sync(company)
    assert cli("company", "show", "acme", "--json").json["causes"] == []
    assert "All is well." in cli("company", "show", "acme").out
    companies.set_paused(bench.db, company, is_paused=True)

    [cause] = cli("company", "show", "acme", "--json").json["causes"]

    assert (cause["code"], cause["owner"], cause["amounts"]) == ("paused", "data engineer", {})
    told = "WARNING: Nothing is read or sent while it is paused. Resume when it is to go on. (who acts: data engineer)"
    assert told in cli("company", "show", "acme").out


def test_a_command_prints_nothing_but_its_answer_and_waits_for_no_collector_of_metrics(
    start_cli, bench, monkeypatch
):
    bench.connect(company_id="acme")
    monkeypatch.setenv("AIRFLOW__LOGGING__LOGGING_LEVEL", "INFO")
    monkeypatch.setenv("AIRFLOW__METRICS__OTEL_ON", "True")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_port()}")

    printed, said = start_cli("company", "list", "--json").communicate(timeout=DEADLINE_SECONDS)

    assert [company["company_id"] for company in json.loads(printed)] == ["acme"]
    assert said == ""
