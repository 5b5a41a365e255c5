from __future__ import annotations

import dataclasses
import signal
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography.fernet import Fernet
from psycopg import sql

from include.errors import BatchError, ConfigurationError, NoTokenError, ReauthorizeError, ReceivablesError
from include.receivables.company import batches
from include.receivables.company.tokens import TokenCipher
from include.receivables.connecting import connections
from include.receivables.inbound import jobs
from tests.support.airflow_settings import FERNET_KEY
from tests.support.other_process import (
    Keys,
    count_accounts,
    die_with_new_tokens,
    run_at_once,
    run_elsewhere,
    try_to_count_accounts,
)
from tests.support.quick_start import connect_as_imported, disconnect_in_quickbooks, pass_the_pause

if TYPE_CHECKING:
    import psycopg

    from include.receivables.company.companies import Company
    from tests.support.workbench import Workbench

DAY = 86_400
# What OAuth and Intuit name, beside what nobody does.
NO_DISCONNECT = (
    "invalid_client",
    "invalid_request",
    "unauthorized_client",
    "invalid_scope",
    "access_denied",
    "temporarily_unavailable",
    "server_error",
    "slow_down",
)


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


def test_tokens_that_are_rejected_however_new_they_are_end_the_run_and_are_no_disconnect(
    bench: Workbench, company: Company
):
    bench.sandbox.reset_oauth_calls()
    bench.sandbox.add_fault("401", realm=company.realm_id, path="cdc")

    with pytest.raises(ReceivablesError):
        bench.sync(company)

    assert bench.sandbox.oauth_calls() == {"refresh_token": 1}
    # The token endpoint has just given them: the company is connected.
    assert status_of(bench.db, company) == "connected"
    bench.sandbox.clear_faults()
    assert bench.sync(company).calls == 1


def test_a_refresh_token_refused_once_is_tried_again_after_a_pause(bench: Workbench, company: Company):
    bench.sandbox.revoke(company.realm_id)

    with pytest.raises(
        NoTokenError, match=r"refused the company's refresh token once; it is tried again at 20.* UTC\."
    ):
        bench.sync(company)

    assert status_of(bench.db, company) == "connected"
    assert bench.db.execute("select code, actor, state from sync.problem").fetchall() == [
        ("invalid_grant", "nobody", "open")
    ]


def test_nobody_asks_intuit_during_the_pause(bench: Workbench, company: Company, keys: Keys):
    bench.sandbox.revoke(company.realm_id)
    bench.sandbox.reset_oauth_calls()

    refused = [run_at_once(try_to_count_accounts, 4, keys, company.company_id) for _ in range(2)]

    assert refused == [["NoTokenError"] * 4] * 2
    assert bench.sandbox.oauth_calls() == {"refresh_token": 1, "invalid_grant": 1}
    assert status_of(bench.db, company) == "connected"


def test_no_lock_is_held_during_the_pause(bench: Workbench, company: Company):
    bench.sandbox.revoke(company.realm_id)
    with pytest.raises(NoTokenError):
        bench.sync(company)

    with bench.db.transaction():
        bench.db.execute("select 1 from sync.connection for update nowait")


def test_a_company_whose_refresh_token_is_refused_again_has_to_be_connected_again(
    bench: Workbench, company: Company
):
    bench.sandbox.revoke(company.realm_id)
    with pytest.raises(NoTokenError):
        bench.sync(company)
    pass_the_pause(bench.db)

    with pytest.raises(ReauthorizeError) as failure:
        bench.sync(company)

    assert str(failure.value).startswith("QuickBooks no longer accepts")
    status, error = bench.db.execute("select status, last_error from sync.connection").fetchone()
    assert status == "reauthorize"
    assert error == str(failure.value)


def test_processes_that_try_again_at_once_are_one_try(bench: Workbench, company: Company, keys: Keys):
    bench.sandbox.revoke(company.realm_id)
    run_at_once(try_to_count_accounts, 2, keys, company.company_id)
    pass_the_pause(bench.db)
    bench.sandbox.reset_oauth_calls()

    refused = run_at_once(try_to_count_accounts, 4, keys, company.company_id)

    assert refused == ["ReauthorizeError"] * 4
    assert bench.sandbox.oauth_calls() == {"refresh_token": 1, "invalid_grant": 1}


def test_a_refresh_in_between_makes_the_next_refusal_the_first_one(bench: Workbench, company: Company):
    for _ in range(3):
        expire(bench, company)
        bench.sandbox.add_fault("token_error", path="token", count=1)
        with pytest.raises(NoTokenError, match="refused the company's refresh token once"):
            bench.sync(company)
        pass_the_pause(bench.db)
        bench.sync(company)

    assert status_of(bench.db, company) == "connected"
    assert bench.db.execute("select distinct state from sync.problem").fetchall() == [("resolved",)]


def test_tokens_of_a_new_connection_have_not_been_refused(bench: Workbench, company: Company):
    bench.sandbox.revoke(company.realm_id)
    with pytest.raises(NoTokenError):
        bench.sync(company)

    connect_again(bench, company)

    assert bench.sync(company).calls == 1
    assert bench.db.execute("select refused_at from sync.connection").fetchone() == (None,)


def test_it_is_said_once(bench: Workbench, company: Company, caplog: pytest.LogCaptureFixture):
    bench.sandbox.revoke(company.realm_id)
    for _ in range(4):
        with pytest.raises(ReceivablesError):
            batches.run_batch(["acme"], lambda name: jobs.sync(bench.access, name, bench.run_context()))
        pass_the_pause(bench.db)

    [said] = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert said.startswith(
        f"Company acme, realm {company.realm_id}, has to be connected again: QuickBooks no "
    )
    problems = bench.db.execute("select direction, code, actor, cure, state from sync.problem").fetchall()
    assert problems == [
        (
            "connection",
            "invalid_grant",
            "admin",
            "Connect the company again, signed in to QuickBooks as an admin.",
            "open",
        )
    ]


def test_intuit_is_not_asked_again_until_the_company_is_connected_again(bench: Workbench, company: Company):
    disconnect_in_quickbooks(bench, company)
    with pytest.raises(ReauthorizeError):
        bench.sync(company)
    bench.sandbox.reset_oauth_calls()

    with pytest.raises(ConfigurationError, match=r"Company 'acme' is reauthorize.*connect it again"):
        bench.sync(company)

    assert bench.sandbox.oauth_calls() == {}


def test_the_other_companies_of_a_batch_go_on(bench: Workbench, company: Company):
    connect_as_imported(bench, "globex")
    bench.sandbox.revoke(company.realm_id)
    run_context = bench.run_context()

    with pytest.raises(BatchError) as failure:
        batches.run_batch(["acme", "globex"], lambda name: jobs.sync(bench.access, name, run_context))

    assert list(failure.value.failures) == ["acme"]
    assert bench.db.execute("select state from sync.run where company_id = 'globex'").fetchall() == [
        ("success",)
    ]


def test_connecting_the_company_again_closes_the_problem(bench: Workbench, company: Company):
    disconnect_in_quickbooks(bench, company)
    with pytest.raises(ReauthorizeError):
        bench.sync(company)

    connect_again(bench, company)
    bench.sync(company)

    assert status_of(bench.db, company) == "connected"
    assert bench.db.execute("select state from sync.problem").fetchall() == [("resolved",)]


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "500"},
        {"kind": "503_html"},
        {"kind": "429"},
        {"kind": "reset"},
        {"kind": "lost_answer"},
        {"kind": "truncated"},
        {"kind": "malformed_json"},
        {"kind": "401"},
        {"kind": "403_3100"},
        *({"kind": "token_error", "error": error} for error in (*NO_DISCONNECT, "610", "120", "3200", "")),
    ],
    ids=str,
)
def test_a_token_endpoint_that_gives_no_tokens_keeps_the_old_ones(
    bench: Workbench, company: Company, fault: dict[str, str]
):
    expire(bench, company)
    before = stored_tokens(bench.db)
    # If the answer is lost, the token was used: Intuit keeps the one before alive for a day.
    bench.sandbox.change_settings(company.realm_id, refresh_grace_seconds=DAY)
    bench.sandbox.add_fault(**fault, path="token", count=1)

    with pytest.raises((NoTokenError, ConfigurationError)):
        bench.sync(company)

    assert stored_tokens(bench.db) == before
    assert status_of(bench.db, company) == "connected"
    assert bench.db.execute("select refused_at from sync.connection").fetchone() == (None,)
    assert bench.sync(company).calls == 1


def test_without_a_grace_the_token_of_a_lost_answer_is_tried_twice(bench: Workbench, company: Company):
    expire(bench, company)
    bench.sandbox.add_fault("lost_answer", path="token", count=1)

    for said in ("gave no answer", "refused the company's refresh token once", "it is tried again at"):
        with pytest.raises(NoTokenError, match=said):
            bench.sync(company)
        assert status_of(bench.db, company) == "connected"
    pass_the_pause(bench.db)
    with pytest.raises(ReauthorizeError):
        bench.sync(company)

    assert status_of(bench.db, company) == "reauthorize"


@pytest.mark.parametrize("kind", ["503_html", "token_error"])
def test_an_access_token_that_is_good_for_minutes_is_used_while_none_comes(
    bench: Workbench, company: Company, kind: str
):
    bench.db.execute("update sync.connection set access_token_expires_at = now() + interval '4 minutes'")
    bench.sandbox.add_fault(kind, path="token")

    assert bench.sync(company).calls == 1

    bench.db.execute("update sync.connection set access_token_expires_at = now() + interval '1 minute'")
    with pytest.raises(NoTokenError):
        bench.sync(company)


def test_a_token_endpoint_that_fails_is_not_asked_twice_in_a_run(bench: Workbench, company: Company):
    expire(bench, company)
    bench.sandbox.add_fault("500", path="token")

    with pytest.raises(NoTokenError):
        bench.sync(company)

    [fault] = bench.sandbox.faults()
    assert fault["hits"] == 1


def test_a_wrong_client_secret_is_no_reason_to_connect_again(bench: Workbench, company: Company, keys: Keys):
    expire(bench, company)
    before = stored_tokens(bench.db)
    wrong = dataclasses.replace(bench.access, app=keys.access(client_secret="not-the-secret").app)

    with pytest.raises(ConfigurationError, match="client id or secret") as failure:
        jobs.sync(wrong, company.company_id, bench.run_context())

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
    jobs.sync(rotating, company.company_id, bench.run_context())
    expire(bench, company)
    jobs.sync(rotating, company.company_id, bench.run_context())

    rotated = dataclasses.replace(bench.access, cipher=TokenCipher(new_key))

    assert jobs.sync(rotated, company.company_id, bench.run_context()).calls == 1


def test_tokens_under_a_key_that_is_gone_are_said_to_need_it(bench: Workbench, company: Company):
    other = dataclasses.replace(bench.access, cipher=TokenCipher(Fernet.generate_key().decode()))

    with pytest.raises(ConfigurationError, match=r"another key: restore it in AIRFLOW__CORE__FERNET_KEY"):
        jobs.sync(other, company.company_id, bench.run_context())

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
    jobs.refresh(bench.access, company.company_id, bench.run_context(), groups=["accounts"])

    assert timedelta(days=5 * 365 - 1) < first - datetime.now(UTC) < timedelta(days=5 * 366)
    # By the sandbox's clock 30 days have passed, by the database's none.
    assert abs(first - timedelta(days=30) - hard_expiry(bench.db)) < timedelta(minutes=1)


def test_a_refresh_token_that_expired_unused_asks_for_a_new_connection(bench: Workbench, company: Company):
    expire(bench, company)
    bench.sandbox.expire(company.realm_id, "all")
    with pytest.raises(NoTokenError):
        bench.sync(company)
    pass_the_pause(bench.db)

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


def connect_again(bench: Workbench, company: Company) -> None:
    connections.connect_company(
        bench.db,
        company_id=company.company_id,
        name=company.name,
        realm_id=company.realm_id,
        refresh_token=bench.sandbox.tokens(company.realm_id)["refresh_token"],
        connected_by="test",
        app=bench.access.app,
        cipher=bench.access.cipher,
    )


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
