from __future__ import annotations

import time

import pytest

from local.ports import free_port
from tests.support.airflow_settings import quickbooks_connection
from tests.support.command_line import DEADLINE_SECONDS, Answer, assert_fails, connect
from tests.support.quick_start import connect_as_imported

CUT_OFF = """
select pg_terminate_backend(pid)
from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()
"""


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("sync",),
        ("company",),
        ("nonsense",),
        ("company", "connect", "--name", "Acme"),
        ("sync", "acme", "--force"),
    ],
)
def test_a_wrong_command_line_exits_with_2_and_the_usage(cli, arguments):
    answer = cli(*arguments)

    assert answer.code == 2
    assert answer.err.startswith("usage: bin/receivables")


def test_help_exits_with_0(cli):
    answer = cli("--help")

    assert answer.code == 0
    assert "sync" in answer.out


@pytest.mark.parametrize(
    "command",
    [
        ("sync", "nobody"),
        ("import", "nobody"),
        ("refresh", "nobody"),
        ("merge", "nobody"),
        ("company", "show", "nobody"),
        ("company", "pause", "nobody"),
        ("company", "disconnect", "nobody"),
    ],
)
def test_an_unknown_company_is_said_in_one_sentence(cli, command):
    assert_fails(cli(*command), "There is no company 'nobody': connect it first, or pick one of")


def test_a_realm_id_with_letters_is_refused(cli, db):
    answer = connect(cli, {"realm_id": "91O3", "refresh_token": "token"})

    assert_fails(answer, "'91O3' is no QuickBooks company id: it has to be digits only.")


def test_a_company_id_with_blanks_is_refused(cli, sandbox):
    answer = connect(cli, sandbox.create_company(books="empty"), company_id="acme inc")

    assert_fails(answer, "'acme inc' is no company id: use up to 64 letters")


def test_a_realm_that_another_company_uses_is_refused_before_its_token_is_used_up(cli, sandbox):
    created = sandbox.create_company(books="empty")
    connect(cli, created)
    tokens = sandbox.tokens(created["realm_id"])

    answer = connect(cli, {**created, **tokens}, company_id="globex")

    assert_fails(answer, f"QuickBooks company {created['realm_id']} is connected to company 'acme' already")


def test_a_refresh_token_that_quickbooks_does_not_know_is_refused(cli, sandbox, db):
    created = sandbox.create_company(books="empty")

    answer = connect(cli, {**created, "refresh_token": "made-up"})

    assert_fails(answer, "connect")
    assert "made-up" not in answer.err
    assert db.execute("select count(*) from sync.connection").fetchone() == (0,)


def test_a_wrong_client_secret_is_named_and_does_not_ask_for_a_reconnect(cli, bench, sandbox, monkeypatch):
    company = connect_as_imported(bench, "acme")
    bench.db.execute("update sync.connection set access_token_expires_at = now()")
    monkeypatch.setenv("AIRFLOW_CONN_QUICKBOOKS", quickbooks_connection(sandbox, password="wrong"))

    answer = cli("sync", "acme")

    assert_fails(answer, "client id or secret")
    assert bench.db.execute("select status from sync.connection").fetchone() == ("connected",)
    assert company.status == "connected"


def test_an_api_that_cannot_be_reached_is_said_in_one_sentence(cli, bench, sandbox, monkeypatch):
    connect_as_imported(bench, "acme")
    nowhere = f"http://127.0.0.1:{free_port()}"
    extra = {"environment": "sandbox", "api_url": nowhere, "discovery_url": sandbox.discovery_url}
    monkeypatch.setenv("AIRFLOW_CONN_QUICKBOOKS", quickbooks_connection(sandbox, extra=extra))

    answer = cli("sync", "acme")

    assert_fails(answer, "QuickBooks gave no answer (ConnectionError): check the network and try again.")
    assert bench.db.execute("select error_code from sync.run where state = 'failed'").fetchone() == (
        "unreachable",
    )


@pytest.mark.parametrize("command", [("sync", "acme"), ("company", "list"), ("merge", "acme")])
def test_a_database_that_cannot_be_reached_is_said_in_one_sentence(cli, monkeypatch, command):
    url = f"postgresql://user:hunter2@127.0.0.1:{free_port()}/receivables"
    monkeypatch.setenv("AIRFLOW_CONN_RECEIVABLES_DB", url)

    answer = cli(*command)

    assert_fails(answer, "The receivables database does not answer: ")
    assert "hunter2" not in answer.err


@pytest.mark.parametrize("missing", ["quickbooks", "receivables_db"])
@pytest.mark.parametrize("command", [("sync", "acme"), ("company", "disconnect", "acme")])
def test_a_connection_that_is_not_defined_is_named(cli, monkeypatch, missing, command):
    monkeypatch.delenv(f"AIRFLOW_CONN_{missing.upper()}")

    assert_fails(cli(*command), missing)


@pytest.mark.parametrize("command", [("company", "list"), ("merge", "acme"), ("db-url",)])
def test_a_command_for_the_database_alone_names_the_missing_connection(cli, monkeypatch, command):
    monkeypatch.delenv("AIRFLOW_CONN_RECEIVABLES_DB")

    assert_fails(cli(*command), "receivables_db")


def test_an_unknown_group_of_reference_data_is_refused_with_the_known_ones(cli, bench):
    bench.connect("empty", company_id="acme")

    answer = cli("refresh", "acme", "--only", "invoices")

    assert_fails(
        answer, "There is no group 'invoices' of reference data: use accounts, taxes, terms, company."
    )


def test_a_paused_company_is_not_synced(cli, bench):
    connect_as_imported(bench, "acme")
    cli("company", "pause", "acme")

    assert_fails(cli("sync", "acme"), "Company 'acme' is paused, so QuickBooks is not asked")


def test_a_database_that_goes_away_in_mid_run_is_said_and_the_next_run_goes_on(start_cli, cli, bench):
    company = connect_as_imported(bench, "acme")
    bench.sandbox.add_fault("slow", realm=company.realm_id, path="cdc", seconds=2, count=1)
    process = start_cli("sync", "acme")
    wait_until(lambda: bench.db.execute("select 1 from sync.run where state = 'running'").fetchone())

    bench.db.execute(CUT_OFF)
    _out, err = process.communicate(timeout=DEADLINE_SECONDS)

    assert_fails(Answer(process.returncode, "", err), "The receivables database went away")
    assert cli("sync", "acme").code == 0
    assert bench.db.execute("select state, error_code from sync.run order by run_id").fetchall() == [
        ("failed", "killed"),
        ("success", None),
    ]


def test_a_database_that_goes_away_while_a_run_begins_is_said_likewise(start_cli, bench):
    company = connect_as_imported(bench, "acme")
    killed = {"company_id": "acme", "realm_id": company.realm_id}
    bench.db.execute(
        "insert into sync.run (company_id, realm_id, dag_id, dag_run_id, state)"
        " values (%(company_id)s, %(realm_id)s, 'quickbooks_to_peakflo', 'killed', 'running')",
        killed,
    )
    with bench.db.transaction():
        # The run that begins ends the killed one in the log, and has to wait for that.
        bench.db.execute("select from sync.run where dag_run_id = 'killed' for update")
        process = start_cli("sync", "acme")
        wait_until(lambda: bench.db.execute("select from sync.run where state = 'running'").rowcount == 2)
        bench.db.execute(CUT_OFF)
        _out, err = process.communicate(timeout=DEADLINE_SECONDS)

    assert_fails(Answer(process.returncode, "", err), "The receivables database went away")


def test_a_company_at_which_another_process_is_at_work_is_left_alone(cli, bench):
    connect_as_imported(bench, "acme")
    bench.db.execute("select pg_advisory_lock(hashtextextended('company/acme', 0))")

    assert_fails(cli("sync", "acme"), "Company 'acme' is being synced by another process")


def wait_until(is_done) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not is_done():
        assert time.monotonic() < deadline
        time.sleep(0.02)
