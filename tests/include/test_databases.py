"""The users of the databases: that they are made, and that each may do what it needs and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING

import psycopg
import pytest

from include import databases
from include.errors import ConfigurationError
from include.migrate import migrate
from local.directory import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.embedded_postgres import EmbeddedPostgres

ROLES = [user for user, _ in databases.USERS.values()]


def run(**variables: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name not in databases.USERS}
    return subprocess.run(
        [sys.executable, "-m", "include.databases"],
        cwd=ROOT,
        env={**inherited, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def server(embedded_postgres: EmbeddedPostgres) -> Iterator[psycopg.Connection]:
    with psycopg.connect(embedded_postgres.url("postgres"), autocommit=True) as connection:
        yield connection


def test_the_databases_are_made_once_and_migrated_by_their_owner(
    server: psycopg.Connection, embedded_postgres: EmbeddedPostgres
):
    name = f"made_{uuid.uuid4().hex}"
    urls = {
        variable: embedded_postgres.url("airflow" if user == "airflow" else name, user)
        for variable, (user, _) in databases.USERS.items()
    }
    for _ in range(2):
        databases.create(server, urls)

    with psycopg.connect(urls[databases.OWNER], autocommit=True) as owner:
        assert migrate(owner)
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(embedded_postgres.url(name, "airflow"))
    server.execute(f"drop database {name}")


def test_none_of_the_users_is_more_than_a_user(server: psycopg.Connection):
    able = server.execute(
        "select rolname from pg_roles where rolname = any(%s)"
        " and (rolsuper or rolcreatedb or rolcreaterole or rolreplication or rolbypassrls)",
        [ROLES],
    ).fetchall()
    assert able == []
    known = server.execute("select count(*) from pg_roles where rolname = any(%s)", [ROLES]).fetchone()
    assert known == (len(ROLES),)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "not a url",
        "postgresql://postgres:hunter2@127.0.0.1/x",
        "postgresql://receivables_sync@127.0.0.1/x",
    ],
)
def test_a_url_that_cannot_be_a_users_is_said(
    server: psycopg.Connection, embedded_postgres: EmbeddedPostgres, url: str
):
    urls = embedded_postgres.urls() | {"AIRFLOW_CONN_RECEIVABLES_DB": url}
    with pytest.raises(
        ConfigurationError, match="AIRFLOW_CONN_RECEIVABLES_DB has to be postgresql"
    ) as caught:
        databases.create(server, urls)
    assert "hunter2" not in str(caught.value)


def test_the_command_makes_them(embedded_postgres: EmbeddedPostgres):
    done = run(**embedded_postgres.urls(), POSTGRES_ADMIN_URL=embedded_postgres.url("postgres"))
    assert (done.returncode, done.stdout) == (0, "the databases and their users are there\n")


def test_the_command_says_that_somebody_is_no_administrator(embedded_postgres: EmbeddedPostgres):
    urls = embedded_postgres.urls()
    done = run(**urls, POSTGRES_ADMIN_URL=urls["PEAKFLO_APP_DB"])
    assert done.returncode == 1
    assert done.stderr.startswith("The user of POSTGRES_ADMIN_URL may not do that: permission denied")


@pytest.mark.parametrize(
    ("admin", "code", "sentence"),
    [
        ("", 2, "name the server with POSTGRES_ADMIN_URL"),
        ("not a url", 1, "POSTGRES_ADMIN_URL has to be postgresql://"),
        ("postgresql://postgres:hunter2@127.0.0.1:1/postgres", 1, "cannot be reached"),
    ],
)
def test_the_command_says_what_is_wrong_with_the_server(admin: str, code: int, sentence: str):
    done = run(POSTGRES_ADMIN_URL=admin)
    assert done.returncode == code
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr


def test_without_the_users_a_migration_says_who_makes_them(
    db: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(databases.USERS, "SOMEBODY", ("somebody_else", False))
    with pytest.raises(ConfigurationError, match="has no somebody_else: let an administrator run"):
        migrate(db)
