"""A database whose clock is told what time it is: statements that go by the server's clock, run through a month."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from include.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from local.embedded_postgres import EmbeddedPostgres

# Where the search path names pg_catalog, it is searched in that place, and not first: views and defaults that are
# created then mean this now(), as do the statements that come later.
CLOCK = """
create schema virtual;
grant usage on schema virtual to public;
create function virtual.now() returns timestamptz language sql stable as
$$select current_setting('virtual.now')::timestamptz$$;
create function virtual.clock_timestamp() returns timestamptz language sql stable as $$select virtual.now()$$;
"""
# What runs with its owner's rights has a search path of its own.
CLOCK_OF_FUNCTIONS = """
do $$
declare
    routine regprocedure;
begin
    for routine in select oid from pg_proc where proconfig = '{search_path=pg_catalog}' loop
        execute format('alter function %s set search_path = virtual, pg_catalog', routine);
    end loop;
end
$$
"""
SETTINGS = (
    "alter database {} set search_path = virtual, pg_catalog, public",
    "alter database {} set virtual.now = '2000-01-01Z'",
    "alter database {} set synchronous_commit = off",
)


@contextmanager
def virtual_database(postgres: EmbeddedPostgres, name: str) -> Iterator[psycopg.Connection]:
    """Lend a connection in autocommit mode to a migrated, empty database with a clock of its own."""
    database = sql.Identifier(name)
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as server:
        server.execute(sql.SQL("create database {}").format(database))
        with psycopg.connect(postgres.url(name), autocommit=True) as db:
            db.execute(CLOCK)
        for setting in SETTINGS:
            server.execute(sql.SQL(setting).format(database))
        with psycopg.connect(postgres.url(name), autocommit=True) as db:
            migrate(db)
            db.execute(CLOCK_OF_FUNCTIONS)
            yield db
        server.execute(sql.SQL("drop database {} with (force)").format(database))


def set_clock(db: psycopg.Connection, now: datetime) -> None:
    """Let it be this time."""
    db.execute("select set_config('virtual.now', %s, false)", [now.isoformat()])


def set_clock_for_all(db: psycopg.Connection, now: datetime) -> None:
    """Let it be this time for a connection, and for all that are opened from now on."""
    set_clock(db, now)
    setting = sql.SQL("alter database {} set virtual.now = {}")
    db.execute(setting.format(sql.Identifier(db.info.dbname), sql.Literal(now.isoformat())))
