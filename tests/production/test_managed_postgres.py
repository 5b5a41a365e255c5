"""A PostgreSQL of a cloud, where nobody gets to be a superuser."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import psycopg
import pytest

from include import databases
from local.directory import ROOT
from local.embedded_postgres import EmbeddedPostgres
from tests.support.fixtures_local import FAST

if TYPE_CHECKING:
    from collections.abc import Iterator

ADMINISTRATOR = "cloud_admin"


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A server with an administrator who may make users and databases, and nothing of ours."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("managed"), settings=FAST).start()
    try:
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            for database in ("airflow", "receivables"):
                connection.execute(f"drop database {database}")
            for user, _ in databases.USERS.values():
                connection.execute(f"drop owned by {user}; drop role {user}")
            password = server.url("postgres", ADMINISTRATOR).partition("@")[0].rpartition(":")[2]
            connection.execute(f"create role {ADMINISTRATOR} login createrole createdb password '{password}'")
        yield server
    finally:
        server.stop()


def run(module: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )


def test_an_administrator_who_is_no_superuser_makes_what_is_needed(postgres: EmbeddedPostgres):
    urls = postgres.urls()
    admin = postgres.url("postgres", ADMINISTRATOR)
    for _ in range(2):
        made = run("include.databases", POSTGRES_ADMIN_URL=admin, **urls)
        assert made.returncode == 0, made.stderr
    migrated = run("include.migrate", **urls)
    assert migrated.returncode == 0, migrated.stderr

    with psycopg.connect(urls["AIRFLOW_CONN_RECEIVABLES_DB"]) as db:
        assert db.execute("select count(*) from peakflo.company").fetchone() == (0,)
    with psycopg.connect(urls["AIRFLOW_CONN_AIRFLOW_DB"]) as db:
        db.execute("create table made_by_airflow ()")
    with psycopg.connect(postgres.url("postgres")) as db:
        able = db.execute(
            "select rolname from pg_roles where (rolsuper or rolcreaterole) and rolname = any(%s)",
            [[user for user, _ in databases.USERS.values()]],
        ).fetchall()
    assert able == []
