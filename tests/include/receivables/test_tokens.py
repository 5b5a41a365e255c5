from __future__ import annotations

import dataclasses
import signal
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography.fernet import Fernet
from psycopg import sql

from include.errors import (
    BatchError,
    ConfigurationError,
    ReauthorizeError,
    ReceivablesError,
    UnreachableError,
)
from include.receivables import companies, jobs
from include.receivables.tokens import TokenCipher
from tests.other_process import Keys, count_accounts, die_with_new_tokens, run_at_once, run_elsewhere
from tests.quick_start import connect_as_imported

if TYPE_CHECKING:
    import psycopg

    from include.receivables.access import Access
    from include.receivables.companies import Company
    from include.sandbox.control import SandboxControl
    from tests.workbench import Workbench

FERNET_KEY = Fernet.generate_key().decode()


@pytest.fixture
def keys(sandbox: SandboxControl, db_url: str) -> Keys:
    return Keys.of(sandbox, db_url, FERNET_KEY)


@pytest.fixture
def access(keys: Keys) -> Access:
    """Access with a key that the tests know."""
    return keys.access()


@pytest.fixture
def company(bench: Workbench) -> Company:
    return connect_as_imported(bench, "acme")


def test_processes_that_meet_an_expired_token_at_once_refresh_it_once(
    bench: Workbench, company: Company, keys: Keys
):
    expire(bench, company)

    counts = run_at_once(count_accounts, 4, keys, company.company_id)

    assert len(counts) == 4
    assert bench.sandbox.oauth_calls() == {"refresh_token": 1}
    assert status_of(bench.db, company) == "connected"


def test_processes_whose_token_quickbooks_rejects_at_once_renew_it_once(
    bench: Workbench, company: Company, keys: Keys
):
    bench.sandbox.reset_oauth_calls()
    bench.sandbox.expire(company.realm_id, "access")  # which the database does not know of

    counts = run_at_once(count_accounts, 4, keys, company.company_id)

    assert len(counts) == 4
    assert bench.sandbox.oauth_calls() == {"refresh_token": 1}


def test_a_process_killed_between_the_refresh_and_the_use_loses_nothing(
    bench: Workbench, company: Company, keys: Keys
):
    expire(bench, company)

    assert run_elsewhere(die_with_new_tokens, keys, company.company_id) == -signal.SIGKILL

    bench.sync(company)
    assert bench.sandbox.oauth_calls() == {"refresh_token": 1}
    expire(bench, company)
    bench.sync(company)
    assert bench.sandbox.oauth_calls() == {"refresh_token": 1}


def test_a_token_rejected_in_mid_run_is_renewed_once(bench: Workbench, company: Company):
    bench.sandbox.reset_oauth_calls()
    bench.sandbox.add_fault("401", realm=company.realm_id, path="cdc", count=1)

    outcome = bench.sync(company)

    assert outcome.calls == 1
    assert bench.sandbox.oauth_calls() == {"refresh_token": 1}


def test_tokens_that_are_rejected_however_new_they_are_end_the_run(bench: Workbench, company: Company):
    bench.sandbox.reset_oauth_calls()
    bench.sandbox.add_fault("401", realm=company.realm_id, path="cdc")

    with pytest.raises(ReceivablesError):
        bench.sync(company)

    assert bench.sandbox.oauth_calls() == {"refresh_token": 1}


def test_a_company_whose_refresh_token_is_refused_has_to_be_connected_again(
    bench: Workbench, company: Company
):
    bench.sandbox.revoke(company.realm_id)

    with pytest.raises(ReauthorizeError) as failure:
        bench.sync(company)

    assert str(failure.value).startswith("QuickBooks no longer accepts")
    status, error = bench.db.execute("select status, last_error from sync.connection").fetchone()
    assert status == "reauthorize"
    assert error == str(failure.value)


def test_it_is_one_open_problem_however_often_it_is_tried(bench: Workbench, company: Company):
    bench.sandbox.revoke(company.realm_id)

    for _ in range(3):
        with pytest.raises(ReceivablesError):
            bench.sync(company)

    problems = bench.db.execute("select direction, code, actor, cure, state from sync.problem").fetchall()
    assert problems == [
        (
            "connection",
            "invalid_grant",
            "data engineer",
            "Connect the company again, signed in to QuickBooks as an admin.",
            "open",
        )
    ]


def test_intuit_is_not_asked_again_until_the_company_is_connected_again(bench: Workbench, company: Company):
    bench.sandbox.revoke(company.realm_id)
    with pytest.raises(ReauthorizeError):
        bench.sync(company)
    bench.sandbox.reset_oauth_calls()

    with pytest.raises(ConfigurationError, match=r"Company 'acme' is reauthorize.*connect it again"):
        bench.sync(company)

    assert bench.sandbox.oauth_calls() == {}


def test_the_other_companies_of_a_batch_go_on(bench: Workbench, company: Company):
    connect_as_imported(bench, "globex")
    bench.sandbox.revoke(company.realm_id)
    occasion = bench.occasion()

    with pytest.raises(BatchError) as failure:
        jobs.run_batch(["acme", "globex"], lambda name: jobs.sync(bench.access, name, occasion))

    assert list(failure.value.failures) == ["acme"]
    assert bench.db.execute("select state from sync.run where company_id = 'globex'").fetchall() == [
        ("success",)
    ]


def test_connecting_the_company_again_closes_the_problem(bench: Workbench, company: Company):
    bench.sandbox.revoke(company.realm_id)
    with pytest.raises(ReauthorizeError):
        bench.sync(company)

    companies.connect_company(
        bench.db,
        company_id=company.company_id,
        name=company.name,
        realm_id=company.realm_id,
        refresh_token=bench.sandbox.tokens(company.realm_id)["refresh_token"],
        connected_by="test",
        app=bench.access.app,
        cipher=bench.access.cipher,
    )
    bench.sync(company)

    assert status_of(bench.db, company) == "connected"
    assert bench.db.execute("select state from sync.problem").fetchall() == [("resolved",)]


@pytest.mark.parametrize("kind", ["500", "503_html", "429", "reset", "malformed_json"])
def test_a_token_endpoint_that_does_not_answer_keeps_the_old_tokens(
    bench: Workbench, company: Company, kind: str
):
    expire(bench, company)
    before = stored_tokens(bench.db)
    if kind == "malformed_json":
        # The answer is lost after the token was used, and Intuit keeps the token before alive for a while.
        bench.sandbox.change_settings(company.realm_id, refresh_grace_seconds=60)
    bench.sandbox.add_fault(kind, path="token", count=1)

    with pytest.raises(ReceivablesError) as failure:
        bench.sync(company)

    assert not isinstance(failure.value, ReauthorizeError)
    assert stored_tokens(bench.db) == before
    assert status_of(bench.db, company) == "connected"
    assert bench.sync(company).calls == 1


def test_a_token_endpoint_that_fails_is_not_asked_twice_in_a_run(bench: Workbench, company: Company):
    expire(bench, company)
    bench.sandbox.add_fault("500", path="token")

    with pytest.raises(UnreachableError):
        bench.sync(company)

    [fault] = bench.sandbox.faults()
    assert fault["hits"] == 1


def test_a_wrong_client_secret_is_no_reason_to_connect_again(bench: Workbench, company: Company, keys: Keys):
    expire(bench, company)
    before = stored_tokens(bench.db)
    wrong = dataclasses.replace(bench.access, app=keys.access(client_secret="not-the-secret").app)

    with pytest.raises(ConfigurationError, match="client id or secret") as failure:
        jobs.sync(wrong, company.company_id, bench.occasion())

    assert "not-the-secret" not in str(failure.value)
    assert status_of(bench.db, company) == "connected"
    assert stored_tokens(bench.db) == before
    assert bench.sync(company).calls == 1


def test_no_token_is_readable_in_any_column_of_the_database(bench: Workbench, company: Company):
    given = decrypted_tokens(bench)
    expire(bench, company)
    bench.sync(company)
    bench.sandbox.add_fault("401", realm=company.realm_id, path="cdc")
    with pytest.raises(ReceivablesError):
        bench.sync(company)

    text = all_text(bench.db)

    secrets = [*given, *decrypted_tokens(bench)]
    assert len(set(secrets)) == 4
    assert company.realm_id in text
    assert not [secret for secret in secrets if secret in text]


def test_tokens_under_an_old_key_are_read_and_written_anew_under_the_first_one(
    bench: Workbench, company: Company
):
    new_key = Fernet.generate_key().decode()
    rotating = dataclasses.replace(bench.access, cipher=TokenCipher(f"{new_key}, {FERNET_KEY}"))
    jobs.sync(rotating, company.company_id, bench.occasion())
    expire(bench, company)
    jobs.sync(rotating, company.company_id, bench.occasion())

    rotated = dataclasses.replace(bench.access, cipher=TokenCipher(new_key))

    assert jobs.sync(rotated, company.company_id, bench.occasion()).calls == 1


def test_tokens_under_a_key_that_is_gone_are_said_to_need_it(bench: Workbench, company: Company):
    other = dataclasses.replace(bench.access, cipher=TokenCipher(Fernet.generate_key().decode()))

    with pytest.raises(ConfigurationError, match=r"another key: restore it in AIRFLOW__CORE__FERNET_KEY"):
        jobs.sync(other, company.company_id, bench.occasion())

    assert status_of(bench.db, company) == "connected"
    assert bench.sync(company).calls == 1


@pytest.mark.parametrize("key", ["", " , ", "too short", "ä" * 44])
def test_without_a_good_key_no_token_is_stored(key: str):
    with pytest.raises(ConfigurationError, match="AIRFLOW__CORE__FERNET_KEY"):
        TokenCipher(key)


def test_the_day_on_which_no_refresh_helps_is_stored_and_a_refresh_does_not_move_it(
    bench: Workbench, company: Company
):
    first = hard_expiry(bench.db)
    expire(bench, company)
    bench.sandbox.advance_clock(30 * 86_400)
    jobs.refresh(bench.access, company.company_id, bench.occasion(), groups=["accounts"])

    assert timedelta(days=5 * 365 - 1) < first - datetime.now(UTC) < timedelta(days=5 * 366)
    # By the sandbox's clock 30 days have passed, by the database's none.
    assert abs(first - timedelta(days=30) - hard_expiry(bench.db)) < timedelta(minutes=1)


def test_a_refresh_token_that_expired_unused_asks_for_a_new_connection(bench: Workbench, company: Company):
    expire(bench, company)
    bench.sandbox.expire(company.realm_id, "all")

    with pytest.raises(ReauthorizeError):
        bench.sync(company)

    assert status_of(bench.db, company) == "reauthorize"


def test_printing_tokens_shows_no_secret(bench: Workbench, company: Company):
    refresh_token = bench.sandbox.tokens(company.realm_id)["refresh_token"]

    tokens = bench.access.app.refresh(refresh_token)

    assert tokens.access_token not in repr(tokens)
    assert tokens.refresh_token not in repr(tokens)


def expire(bench: Workbench, company: Company) -> None:
    """Let the access token expire, at QuickBooks and by the database's clock, and count refreshes from here."""
    bench.sandbox.expire(company.realm_id, "access")
    bench.db.execute("update sync.connection set access_token_expires_at = now()")
    bench.sandbox.reset_oauth_calls()


def status_of(db: psycopg.Connection, company: Company) -> str:
    [status] = db.execute(
        "select status from sync.connection where company_id = %s", [company.company_id]
    ).fetchone()
    return status


def stored_tokens(db: psycopg.Connection) -> tuple[str, str]:
    return db.execute("select access_token, refresh_token from sync.connection").fetchone()


def decrypted_tokens(bench: Workbench) -> list[str]:
    return [bench.access.cipher.decrypt(token) for token in stored_tokens(bench.db)]


def hard_expiry(db: psycopg.Connection) -> datetime:
    [expiry] = db.execute("select refresh_token_hard_expires_at from sync.connection").fetchone()
    return expiry


def all_text(db: psycopg.Connection) -> str:
    """Everything that is written in the database's tables."""
    tables = db.execute(
        "select schemaname, tablename from pg_tables where schemaname not in ('pg_catalog', 'information_schema')"
    ).fetchall()
    rows = [
        db.execute(sql.SQL("select t::text from {} as t").format(sql.Identifier(*table))).fetchall()
        for table in tables
    ]
    return "\n".join(text for table in rows for (text,) in table)
