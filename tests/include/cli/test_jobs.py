from __future__ import annotations

import json

import psycopg
import pytest

from tests.support.command_line import DEADLINE_SECONDS
from tests.support.quick_start import connect_as_imported

COUNTS = {"read", "changed", "merged", "deleted", "calls", "seconds"}


def test_a_job_says_in_json_what_it_did(cli, bench):
    company = bench.connect("demo", company_id="acme")

    for command in ("import", "sync", "refresh"):
        bench.sandbox.reset_calls(company.realm_id)
        answer = cli(command, "acme", "--json")

        assert answer.code == 0, answer.err
        assert set(answer.json) == {"company_id", "calls", "seconds", "entities"}
        assert answer.json["company_id"] == "acme"
        assert answer.json["calls"] == bench.sandbox.calls(company.realm_id)["metered"] > 0
        assert answer.json["entities"]
        assert all(set(counts) == COUNTS for counts in answer.json["entities"].values())


def test_a_merge_from_staging_asks_quickbooks_for_nothing(cli, bench):
    company = bench.imported(company_id="acme")
    bench.sandbox.reset_calls(company.realm_id)
    bench.db.execute("truncate peakflo.invoice, peakflo.invoice_line cascade")

    answer = cli("merge", "acme", "--json")

    assert answer.code == 0, answer.err
    assert answer.json["calls"] == 0
    assert answer.json["entities"]["invoice"]["merged"] > 0
    assert bench.sandbox.calls(company.realm_id)["metered"] == 0


def test_standard_output_holds_the_answer_and_nothing_of_the_log(start_cli, bench):
    connect_as_imported(bench, "acme")

    process = start_cli("--verbose", "sync", "acme", "--json")
    out, err = process.communicate(timeout=DEADLINE_SECONDS)

    assert process.returncode == 0, err
    assert json.loads(out)["calls"] == 1
    assert "Run 1 begins: company acme" in err


def test_a_job_prints_a_table_for_people(cli, bench):
    connect_as_imported(bench, "acme")

    answer = cli("sync", "acme")

    assert answer.out.splitlines()[0].split() == [
        "entity",
        "read",
        "changed",
        "merged",
        "deleted",
        "calls",
        "seconds",
    ]
    assert answer.out.splitlines()[-1].startswith("acme: metered calls 1, ")


def test_a_sync_of_a_company_that_was_never_read_imports_it(cli, bench):
    bench.connect("demo", company_id="acme")

    answer = cli("sync", "acme", "--json")

    assert answer.code == 0
    assert answer.err == ("Company 'acme' has not been imported yet: import it first. Importing it now.\n")
    assert answer.json["entities"]["invoice"]["merged"] > 0


def test_one_group_of_reference_data_is_refreshed_alone(cli, bench):
    company = bench.connect("empty", company_id="acme")
    bench.sandbox.reset_calls(company.realm_id)

    answer = cli("refresh", "acme", "--only", "taxes", "--json")

    assert answer.code == 0
    assert set(bench.sandbox.calls(company.realm_id)["by_path"]) == {"query:TaxCode", "query:TaxRate"}


def test_a_deletion_beyond_belief_stops_until_it_is_accepted(cli, bench):
    company = bench.imported({"customers": 20, "invoices": 200, "payments": 0}, company_id="acme")
    invoices = bench.sandbox.truth(company.realm_id, records=True)["records"]["Invoice"]
    bench.sandbox.add_hook(
        company.realm_id, "cdc", delete_ids={"Invoice": [invoice["Id"] for invoice in invoices[:150]]}
    )
    bench.sync(company)

    stopped = cli("sync", "acme")
    believed = cli("sync", "acme", "--accept-deletions", "--json")

    assert stopped.code == 1
    assert "--accept-deletions" in stopped.err
    assert believed.code == 0
    assert believed.json["entities"]["invoice"]["deleted"] == 150


def test_a_record_that_does_not_fit_makes_the_command_fail_after_the_others_went_in(cli, bench):
    connect_as_imported(bench, "acme")
    bench.db.execute(
        "insert into sync.problem (company_id, realm_id, direction, entity, qbo_id, code, message, cure, actor)"
        " select company_id, realm_id, 'inbound', 'invoice', '99999', 'unreadable', 'Invoice 99999 cannot be read.',"
        " 'Correct it.', 'bookkeeper' from sync.connection"
    )

    answer = cli("sync", "acme", "--json")

    assert answer.code == 1
    assert answer.err == "receivables: Records that did not go in (1): Invoice 99999 cannot be read.\n"
    assert answer.json["company_id"] == "acme"


def test_the_url_of_the_database_serves_any_client(cli, access):
    answer = cli("db-url")

    assert answer.code == 0
    with psycopg.connect(answer.out.strip()) as db:
        assert db.execute("select count(*) from sync.connection").fetchone() == (0,)


@pytest.mark.parametrize(
    ("given", "printed"),
    [
        ("postgres://user:pw@db.example/receivables", "postgresql://user:pw@db.example/receivables"),
        (
            "postgresql://user:p%40ss%2Fw%3Ard@127.0.0.1:5432/receivables",
            "postgresql://user:p%40ss%2Fw%3Ard@127.0.0.1:5432/receivables",
        ),
        (
            "postgresql://user:pw@[::1]:5432/receivables?sslmode=verify-full",
            "postgresql://user:pw@[::1]:5432/receivables?sslmode=verify-full",
        ),
        (
            '{"conn_type": "postgres", "host": "db.example", "login": "user", "password": "p@", "schema": "r"}',
            "postgresql://user:p%40@db.example/r",
        ),
    ],
)
def test_the_url_of_the_database_is_one_for_psql_however_the_connection_is_written(
    cli, monkeypatch, given, printed
):
    monkeypatch.setenv("AIRFLOW_CONN_RECEIVABLES_DB", given)

    assert cli("db-url").out == printed + "\n"
