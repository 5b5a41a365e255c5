from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from include.errors import ConfigurationError, UnreachableError
from include.hooks.receivables_db import ReceivablesDbHook
from local.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def connection(db_url, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_RECEIVABLES_DB", db_url)
    with ReceivablesDbHook().get_conn() as connection:
        yield connection


def test_what_is_written_is_committed_at_once(connection, db):
    connection.execute(
        "insert into peakflo.company (company_id, realm_id, name) values ('acme', '1', 'Acme')"
    )

    assert connection.autocommit is True
    assert db.execute("select company_id from peakflo.company").fetchall() == [("acme",)]


def test_a_transaction_is_all_or_nothing(connection, db):
    def fail_halfway() -> None:
        with connection.transaction():
            connection.execute(
                "insert into peakflo.company (company_id, realm_id, name) values ('acme', '1', 'Acme')"
            )
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()

    assert db.execute("select count(*) from peakflo.company").fetchone() == (0,)


@pytest.fixture
def tokyo(db: psycopg.Connection) -> Iterator[None]:
    """A database that prefers the time of Tokyo; other tests have it afterwards."""
    database = sql.Identifier(db.info.dbname)
    db.execute(sql.SQL("alter database {} set timezone to 'Asia/Tokyo'").format(database))
    yield
    db.execute(sql.SQL("alter database {} reset timezone").format(database))


def test_times_are_read_in_utc_whatever_the_server_prefers(tokyo, connection):
    with ReceivablesDbHook().get_conn() as another:
        assert another.execute("show timezone").fetchone() == ("UTC",)
        [now] = another.execute("select now()").fetchone()

    assert now.utcoffset().total_seconds() == 0


def test_no_plan_of_a_statement_is_kept(connection):
    for _ in range(10):
        connection.execute("select count(*) from peakflo.company where company_id = %s", ["acme"])

    assert connection.prepare_threshold is None
    assert connection.execute("select count(*) from pg_prepared_statements").fetchone() == (0,)


def test_it_is_a_connection_of_psycopg_3(connection):
    assert isinstance(connection, psycopg.Connection)


def test_a_database_that_does_not_answer_is_worth_a_retry(monkeypatch):
    monkeypatch.setenv(
        "AIRFLOW_CONN_RECEIVABLES_DB", f"postgresql://user:hunter2@127.0.0.1:{free_port()}/none"
    )

    with pytest.raises(UnreachableError, match="The receivables database does not answer: ") as failure:
        ReceivablesDbHook().get_conn()

    assert "\n" not in str(failure.value)
    assert "hunter2" not in str(failure.value)


def test_a_database_that_accepts_and_says_nothing_is_given_up(monkeypatch):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"postgresql://user@127.0.0.1:{silent.getsockname()[1]}/none?connect_timeout=2"
        monkeypatch.setenv("AIRFLOW_CONN_RECEIVABLES_DB", url)

        with pytest.raises(UnreachableError, match="timeout"):
            ReceivablesDbHook().get_conn()


def test_a_lost_server_is_noticed_sooner_or_later(connection):
    assert (
        connection.info.get_parameters().items()
        >= {
            "connect_timeout": "10",
            "keepalives_idle": "30",
            "keepalives_interval": "10",
            "keepalives_count": "3",
            "tcp_user_timeout": "60000",
        }.items()
    )


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("tcp_keepalives_idle", "30"),
        ("tcp_keepalives_interval", "10"),
        ("tcp_keepalives_count", "3"),
        ("tcp_user_timeout", "60000"),
    ],
)
def test_a_lost_client_is_noticed_by_the_server(connection, setting, value):
    assert connection.execute(f"show {setting}").fetchone() == (value,)


def test_a_connection_that_is_not_defined_is_named_with_how_to_define_it(monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_RECEIVABLES_DB", raising=False)

    with pytest.raises(ConfigurationError) as failure:
        ReceivablesDbHook().get_conn()

    assert str(failure.value) == (
        "The Airflow connection 'receivables_db' is not defined: add it in Airflow, or set "
        "AIRFLOW_CONN_RECEIVABLES_DB."
    )
