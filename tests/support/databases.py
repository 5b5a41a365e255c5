"""Databases for tests: each test has one of its own that is empty, and few of them have to be made."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from include.databases import AIRFLOW, USERS
from include.migrate import migrate
from local.embedded_postgres import password_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.embedded_postgres import EmbeddedPostgres

TEMPLATE = "receivables_template"
# Files are copied faster than written to the log where nothing waits for the disk.
CREATE = sql.SQL("create database {} template {} strategy file_copy")
DROP = sql.SQL("drop database {} with (force)")
RENAME = sql.SQL("alter database {} rename to {}")
DISCONNECT = "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = %s"
MOST_BYTES = 20_000_000

# Notes that a test changes more than rows.
WATCH = """
create table public.changed_schema ();
create function public.note_change() returns event_trigger
language plpgsql security definer as 'begin insert into public.changed_schema default values; end';
create event trigger note_change on ddl_command_end execute function public.note_change();
"""
IS_CHANGED = "select exists(select from public.changed_schema) or pg_database_size(current_database()) > %s"
TABLES = """
select format('%I.%I', nspname, relname)
from pg_class
inner join pg_namespace on pg_namespace.oid = relnamespace
where
    relkind = 'r'
    and nspname in ('staging', 'mapping', 'peakflo', 'sync', 'outbox', 'proof')
    and relname <> 'allowed_move'
"""
RESTART = "select setval(format('%I.%I', schemaname, sequencename), 1, false) from pg_sequences where last_value > 0"


def for_user(url: str, user: str) -> str:
    """Return the URL of the same database for another user, from the administrator's."""
    parts = urlsplit(url)
    place = f"{user}:{password_of(user, parts.password or '')}@{parts.hostname}:{parts.port}"
    return parts._replace(netloc=place).geturl()


def urls_of(url: str) -> dict[str, str]:
    """Return the URLs of a receivables database for each of its users, by the variables that name them."""
    return {variable: for_user(url, user) for variable, (user, _) in USERS.items() if user != AIRFLOW}


class Databases:
    """
    Migrated databases of a server.

    What a test has left is emptied for the next one, under another name: making a database costs more than most tests.
    """

    def __init__(self, postgres: EmbeddedPostgres) -> None:
        self._postgres = postgres
        self._used = ""
        with self._connect("postgres") as server:
            server.execute(
                sql.SQL("create database {} owner receivables_owner").format(sql.Identifier(TEMPLATE))
            )
        with psycopg.connect(postgres.url(TEMPLATE, "receivables_owner"), autocommit=True) as db:
            migrate(db)
        with self._connect(TEMPLATE) as db:
            db.execute(WATCH)

    @contextmanager
    def use(self, name: str) -> Iterator[str]:
        """Return the URL of a migrated, empty database."""
        with self._connect("postgres") as server:
            if not self._can_be_emptied(server, name):
                server.execute(CREATE.format(sql.Identifier(name), sql.Identifier(TEMPLATE)))
            self._used = name
            yield self._postgres.url(name)
            server.execute(DISCONNECT, [name])

    def _can_be_emptied(self, server: psycopg.Connection, name: str) -> bool:
        """Empty the database that was used last, if there is one in which nothing but rows was changed."""
        if not self._used:
            return False
        server.execute(DISCONNECT, [self._used])
        if self._used != name:
            server.execute(RENAME.format(sql.Identifier(self._used), sql.Identifier(name)))
        with self._connect(name) as db:
            row = db.execute(IS_CHANGED, [MOST_BYTES]).fetchone()
            is_changed = row is None or row[0]
            if not is_changed:
                self._empty(db)
        if is_changed:
            server.execute(DROP.format(sql.Identifier(name)))
        return not is_changed

    def _empty(self, db: psycopg.Connection) -> None:
        with db.transaction():
            db.execute("set local session_replication_role = replica")
            for table in list_filled(db):
                db.execute(f"delete from {table}")
            db.execute(RESTART)

    def _connect(self, name: str) -> psycopg.Connection:
        return psycopg.connect(self._postgres.url(name), autocommit=True)


def list_filled(db: psycopg.Connection) -> list[str]:
    """List the product's tables that have rows, but for what a migration fills."""
    tables = [name for (name,) in db.execute(TABLES)]
    rows = ", ".join(f"('{table}', exists(select from {table}))" for table in tables)
    return [
        name
        for (name,) in db.execute(f"select name from (values {rows}) as t (name, has_rows) where has_rows")
    ]
