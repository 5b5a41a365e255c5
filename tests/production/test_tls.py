"""With the settings for TLS of docker-compose.yaml, nothing is sent to a server before it has proved who it is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import psycopg
import pytest

from include.databases import ADMIN, OWNER
from local.directory import ROOT
from tests.support import compose, tls
from tests.support.tls import Identity, Listener

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

# By this name the server has its certificate, and by its address it has none.
NAME = "localhost"
SECONDS = 240  # on a machine that is busy with other tests

HOOK = """
from include.hooks.receivables_db import ReceivablesDbHook
with ReceivablesDbHook().get_conn() as db:
    print(*db.execute("select ssl from pg_stat_ssl where pid = pg_backend_pid()").fetchone())
"""
LISTENER = """
import asyncio
from include.triggers.notification import NotificationTrigger
async def listen():
    connection = await NotificationTrigger("channel", "", "dag")._connect()
    async with connection as db:
        print(*await (await db.execute("select ssl from pg_stat_ssl where pid = pg_backend_pid()")).fetchone())
asyncio.run(listen())
"""
AIRFLOW = """
from airflow import settings
from sqlalchemy import text
settings.configure_orm()
with settings.engine.connect() as db:
    print(db.execute(text("select ssl from pg_stat_ssl where pid = pg_backend_pid()")).scalar())
"""
AIRFLOW_API = """
import asyncio
from airflow import settings
from sqlalchemy import text
settings.configure_orm()
async def ask():
    async with settings.async_engine.connect() as db:
        print((await db.execute(text("select ssl from pg_stat_ssl where pid = pg_backend_pid()"))).scalar())
    await settings.async_engine.dispose()
asyncio.run(ask())
"""
RESULTS = """
from airflow.providers.celery.executors.celery_executor import app
from sqlalchemy import text
with app.backend.ResultSession() as db:
    print(db.execute(text("select ssl from pg_stat_ssl where pid = pg_backend_pid()")).scalar())
"""
CLIENTS = {
    "the sync": HOOK,
    "the triggerer": LISTENER,
    "Airflow": AIRFLOW,
    "Airflow's API": AIRFLOW_API,
    "Celery's results": RESULTS,
}
# One of each driver: psycopg, psycopg2 and asyncpg.
DRIVERS = ("the sync", "Airflow", "Airflow's API")
BROKER = """
from airflow.providers.celery.executors.celery_executor import app
app.connection_for_write().ensure_connection(max_retries=1, interval_start=0)
print("True")
"""


def environment(service: str, home: Path, **values: str) -> dict[str, str]:
    """Return the environment of a service of docker-compose.yaml, with some values in its .env."""
    given = compose.services(compose.filled_in(**values))[service]["environment"]
    # asyncpg looks for its client certificate in a home.
    return {**os.environ, **given, "AIRFLOW_HOME": str(home), "HOME": str(home)}


def run(code: str, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return run_python(["-c", code], variables)


def run_python(words: list[str], variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *words]
    return subprocess.run(
        command, cwd=ROOT, env=dict(variables), capture_output=True, text=True, timeout=SECONDS, check=False
    )


def postgres_values(port: int, ca: Path, host: str = NAME) -> dict[str, str]:
    return {"POSTGRES_HOST": f"{host}:{port}", "PGSSLMODE": "verify-full", "PGSSLROOTCERT": str(ca)}


def redis_values(port: int, ca: Path, host: str = NAME) -> dict[str, str]:
    switched_on = {"REDIS_SCHEME": "rediss", "REDIS_TLS": "True"}
    return {"REDIS_HOST": f"{host}:{port}", "REDIS_CACERT": str(ca), **switched_on}


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return Identity.issue(tmp_path_factory.mktemp("tls") / "server", NAME)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    """Somebody else with the same name, whom another authority knows."""
    return Identity.issue(tmp_path_factory.mktemp("tls") / "other", NAME)


@pytest.fixture(scope="module")
def passwords() -> dict[str, str]:
    given = compose.filled_in()
    return {name: value for name, value in given.items() if name.endswith("PASSWORD")}


@pytest.fixture(scope="module")
def postgres_port(
    tmp_path_factory: pytest.TempPathFactory, identity: Identity, passwords: dict[str, str]
) -> Iterator[int]:
    """A PostgreSQL in which airflow-init has made the users, over TLS."""
    folder = tmp_path_factory.mktemp("tls_postgres")
    with tls.postgres(folder, identity, passwords["POSTGRES_PASSWORD"]) as port:
        variables = environment("airflow-init", folder, **passwords, **postgres_values(port, identity.ca))
        done = run_python(["-m", "include.databases"], variables)
        assert done.returncode == 0, done.stderr
        # Of the migrations, which need a newer PostgreSQL, just what lets the sync in.
        with psycopg.connect(variables[OWNER], sslmode="verify-full", sslrootcert=identity.ca) as db:
            db.execute("grant connect on database receivables to receivables_sync")
        yield port


@pytest.fixture(scope="module")
def redis_port(
    tmp_path_factory: pytest.TempPathFactory, identity: Identity, passwords: dict[str, str]
) -> Iterator[int]:
    with tls.redis(tmp_path_factory.mktemp("tls_redis"), identity, passwords["REDIS_PASSWORD"]) as port:
        yield port


@pytest.mark.parametrize("client", CLIENTS)
def test_a_postgresql_that_proves_who_it_is_is_used(client, postgres_port, identity, passwords, tmp_path):
    values = passwords | postgres_values(postgres_port, identity.ca)
    done = run(CLIENTS[client], environment("airflow-worker", tmp_path, **values))
    assert done.stdout.splitlines()[-1:] == ["True"], done.stderr


@pytest.mark.parametrize("client", DRIVERS)
@pytest.mark.parametrize(
    ("why", "message"),
    [
        ("another authority", r"certificate verify failed"),
        ("another name", r"does not match host name|certificate is not valid for"),
        ("no TLS", r"server does not support SSL|rejected SSL upgrade"),
    ],
)
def test_nothing_is_sent_to_a_postgresql_that_does_not(client, why, message, identity, other, tmp_path):
    host = "127.0.0.1" if why == "another name" else NAME
    with Listener(None if why == "no TLS" else identity, is_asked=True) as listener:
        ca = other.ca if why == "another authority" else identity.ca
        values = postgres_values(listener.port, ca, host)
        done = run(CLIENTS[client], environment("airflow-worker", tmp_path, **values))

    assert done.returncode != 0
    assert re.search(message, done.stderr), done.stderr
    assert listener.heard == []


@pytest.mark.parametrize("client", DRIVERS)
def test_the_listener_would_hear_what_is_sent(client, identity, tmp_path):
    with Listener(identity, is_asked=True) as listener:
        values = postgres_values(listener.port, identity.ca)
        run(CLIENTS[client], environment("airflow-worker", tmp_path, **values))

    user = b"airflow" if client.startswith("Airflow") else b"receivables_sync"
    assert b"user\x00" + user in listener.heard[0]


def test_airflow_init_says_in_a_sentence_why_it_did_not_trust(identity, other, tmp_path):
    with Listener(identity, is_asked=True) as listener:
        variables = environment("airflow-init", tmp_path, **postgres_values(listener.port, other.ca))
        done = run_python(["-m", "include.databases"], variables)

    assert done.returncode == 1
    assert done.stderr.startswith("The PostgreSQL server cannot be reached: ")
    assert "certificate verify failed" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert variables[ADMIN].partition("@")[0].rpartition(":")[2] not in done.stderr


def test_a_redis_that_proves_who_it_is_is_used(redis_port, identity, passwords, tmp_path):
    values = passwords | redis_values(redis_port, identity.ca)
    done = run(BROKER, environment("airflow-worker", tmp_path, **values))
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["True"]), done.stderr


@pytest.mark.parametrize(
    ("why", "message"),
    [
        ("another authority", "certificate verify failed: "),
        ("another name", "certificate is not valid for '127.0.0.1'"),
        ("no TLS", "SSL"),
    ],
)
def test_nothing_is_sent_to_a_redis_that_does_not(why, message, identity, other, passwords, tmp_path):
    host = "127.0.0.1" if why == "another name" else NAME
    with Listener(None if why == "no TLS" else identity, is_asked=False) as listener:
        ca = other.ca if why == "another authority" else identity.ca
        values = passwords | redis_values(listener.port, ca, host)
        done = run(BROKER, environment("airflow-worker", tmp_path, **values))

    assert done.returncode != 0
    assert message in done.stderr, done.stderr
    # Where nobody speaks TLS, the client's greeting is all that is heard.
    assert [words[:2] for words in listener.heard] == [b"\x16\x03"] * len(listener.heard)
    assert passwords["REDIS_PASSWORD"].encode() not in b"".join(listener.heard)


def test_a_listener_in_redis_place_would_hear_the_password(identity, passwords, tmp_path):
    with Listener(identity, is_asked=False) as listener:
        values = passwords | redis_values(listener.port, identity.ca)
        run(BROKER, environment("airflow-worker", tmp_path, **values))

    assert passwords["REDIS_PASSWORD"].encode() in listener.heard[0]
