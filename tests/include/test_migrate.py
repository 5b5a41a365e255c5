from __future__ import annotations

import os
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from include.errors import ConfigurationError
from include.migrate import MIGRATIONS, migrate
from local.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.embedded_postgres import EmbeddedPostgres

ROOT = Path(__file__).parents[2]
ALL = sorted(path.stem for path in MIGRATIONS.glob("[0-9]*.sql"))


@pytest.fixture
def empty_url(embedded_postgres: EmbeddedPostgres) -> Iterator[str]:
    """The URL of a database without anything in it."""
    name = f"empty_{uuid.uuid4().hex}"
    with psycopg.connect(embedded_postgres.url("postgres"), autocommit=True) as server:
        server.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        yield embedded_postgres.url(name)
        server.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
def empty(empty_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(empty_url, autocommit=True) as connection:
        yield connection


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    inherited = {
        name: value for name, value in os.environ.items() if name != "AIRFLOW_CONN_RECEIVABLES_OWNER_DB"
    }
    return subprocess.run(
        [sys.executable, "-m", "include.migrate", *arguments],
        cwd=ROOT,
        env=inherited | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def schema_of(db: psycopg.Connection) -> list[tuple]:
    """Every column, index, constraint, trigger, view and function of the sync's schemas, whatever order it came in."""
    schemas = ["staging", "mapping", "peakflo", "sync", "outbox", "proof"]
    return db.execute(
        """
        with relation as (
            select * from pg_class where relnamespace::regnamespace::text = any(%(schemas)s)
        )

        select
            'column' as kind, relation.oid::regclass::text || '.' || attname,
            concat_ws(
                ' ', format_type(atttypid, atttypmod), case when attnotnull then 'not null' end, attidentity,
                attgenerated, pg_get_expr(adbin, adrelid)
            )
        from relation
        inner join pg_attribute on attrelid = relation.oid and attnum > 0 and not attisdropped
        left join pg_attrdef on adrelid = attrelid and adnum = attnum
        where relkind in ('r', 'p', 'v')
        union all
        select 'table', oid::regclass::text, concat_ws(' ', relpersistence, reloptions, pg_get_expr(relpartbound, oid))
        from relation where relkind in ('r', 'p')
        union all
        select 'index', oid::regclass::text, pg_get_indexdef(oid) from relation where relkind in ('i', 'I')
        union all
        select 'view', oid::regclass::text, pg_get_viewdef(oid) from relation where relkind = 'v'
        union all
        select 'trigger', tgrelid::regclass::text || '.' || tgname, pg_get_triggerdef(pg_trigger.oid)
        from relation inner join pg_trigger on tgrelid = relation.oid
        where not tgisinternal
        union all
        select 'constraint', concat_ws('.', nullif(conrelid, 0)::regclass, nullif(contypid, 0)::regtype, conname),
            pg_get_constraintdef(oid)
        from pg_constraint where connamespace::regnamespace::text = any(%(schemas)s)
        union all
        select 'function', oid::regprocedure::text, pg_get_functiondef(oid)
        from pg_proc where pronamespace::regnamespace::text = any(%(schemas)s)
        order by 1, 2, 3
        """,
        {"schemas": schemas},
    ).fetchall()


def test_an_empty_database_gets_all_migrations_in_order(empty: psycopg.Connection):
    assert migrate(empty) == ALL
    recorded = empty.execute("select name from receivables_migration order by applied_at, name").fetchall()
    assert [name for (name,) in recorded] == ALL


def test_a_second_time_nothing_is_applied(empty: psycopg.Connection):
    migrate(empty)
    before = schema_of(empty)

    assert migrate(empty) == []
    assert schema_of(empty) == before


def test_of_four_processes_at_once_one_migrates_and_the_others_find_it_done(
    empty: psycopg.Connection, empty_url: str
):
    with ThreadPoolExecutor() as pool:
        results = list(pool.map(lambda _: run("--url", empty_url), range(4)))

    assert [result.returncode for result in results] == [0] * 4
    done = [result.stdout.split() for result in results if "applied" in result.stdout]
    assert done == [[word for name in ALL for word in ("applied", name)]]
    assert sum("up to date" in result.stdout for result in results) == 3


def test_a_migration_edited_after_it_was_applied_is_refused_by_name(empty: psycopg.Connection):
    migrate(empty)
    empty.execute("update receivables_migration set checksum = 'of another text' where name = '0003_peakflo'")

    with pytest.raises(
        ConfigurationError, match="Migration 0003_peakflo was edited after it had been applied"
    ):
        migrate(empty)


def test_a_migration_that_fails_leaves_nothing_behind(empty: psycopg.Connection):
    migrate(empty, until="0002_mapping")
    empty.execute("create schema sync")  # which 0004_sync creates

    with pytest.raises(psycopg.errors.DuplicateSchema):
        migrate(empty)

    assert empty.execute("select to_regclass('peakflo.invoice')").fetchone() == (None,)
    assert empty.execute("select count(*) from receivables_migration").fetchone() == (2,)


def test_an_older_database_is_upgraded_with_its_records_intact(empty: psycopg.Connection):
    migrate(empty, until="0003_peakflo")
    empty.execute(
        "insert into peakflo.company (company_id, realm_id, name) values ('acme', '1', 'Ácme'), ('b', '2', 'B')"
    )
    empty.execute(
        "insert into mapping.record (realm_id, entity, qbo_id, peakflo_id, origin)"
        " values ('1', 'customer', '7', mapping.peakflo_id('1', 'customer', '7'), 'quickbooks')"
    )
    empty.execute(
        "insert into peakflo.customer (company_id, id, realm_id, source_id, company_name, bill_with_parent, balance,"
        " status) values ('acme', mapping.peakflo_id('1', 'customer', '7'), '1', '7', 'Zoë', false, 12.3456, 'active')"
    )
    before = records_of(empty)

    assert migrate(empty) == [name for name in ALL if name > "0003_peakflo"]

    assert records_of(empty) == before


@pytest.mark.parametrize("applied", ALL)
def test_a_database_upgraded_from_any_migration_on_is_the_same_as_a_new_one(
    empty: psycopg.Connection, db: psycopg.Connection, applied: str
):
    migrate(empty, until=applied)
    migrate(empty)

    assert schema_of(empty) == schema_of(db)


def test_what_is_compared_of_a_schema_is_all_that_it_is_made_of(db: psycopg.Connection):
    kinds = {kind for kind, _, _ in schema_of(db)}

    assert kinds == {"column", "constraint", "function", "index", "table", "trigger", "view"}


def test_the_files_are_numbered_without_gaps(empty: psycopg.Connection):
    assert [name.split("_")[0] for name in ALL] == [f"{number:04}" for number in range(1, len(ALL) + 1)]


def test_the_command_exits_with_0_and_says_what_it_applied(empty_url: str):
    first, second = run("--url", empty_url), run(AIRFLOW_CONN_RECEIVABLES_OWNER_DB=empty_url)

    assert (first.returncode, second.returncode) == (0, 0)
    assert first.stdout.splitlines() == [f"applied {name}" for name in ALL]
    assert second.stdout == "the schema is up to date\n"


def test_the_command_exits_with_2_when_no_database_is_named():
    result = run()

    assert result.returncode == 2
    assert "name the database with --url or AIRFLOW_CONN_RECEIVABLES_OWNER_DB" in result.stderr


def test_the_command_exits_with_1_and_a_sentence_when_the_database_does_not_answer():
    result = run("--url", f"postgresql://user:hunter2@127.0.0.1:{free_port()}/none")

    assert result.returncode == 1
    assert result.stderr.startswith("The receivables database cannot be reached: ")
    assert "Traceback" not in result.stderr
    assert "hunter2" not in result.stderr


def test_the_command_exits_with_1_and_a_sentence_when_a_migration_was_edited(
    empty: psycopg.Connection, empty_url: str
):
    migrate(empty)
    empty.execute("update receivables_migration set checksum = 'of another text' where name = '0001_staging'")

    result = run("--url", empty_url)

    assert result.returncode == 1
    assert result.stderr == (
        "Migration 0001_staging was edited after it had been applied: restore the file and add a new migration.\n"
    )


@pytest.mark.parametrize(
    "url", ["mysql://user:hunter2@127.0.0.1/none", "not a url", "postgresql://user:hunter2%zz@127.0.0.1/none"]
)
def test_the_command_exits_with_1_and_a_sentence_when_the_url_is_none_of_postgres(url: str):
    result = run("--url", url)

    assert result.returncode == 1
    assert result.stderr == (
        "The receivables database is not named by a PostgreSQL URL: use postgresql://USER:PASSWORD@HOST:PORT/NAME.\n"
    )


def records_of(db: psycopg.Connection) -> list[tuple]:
    return [
        row
        for table in ("peakflo.company", "mapping.record", "peakflo.customer")
        for row in db.execute(
            sql.SQL("select t::text from {} as t order by 1").format(sql.Identifier(*table.split(".")))
        )
    ]


def test_nobody_waits_long_behind_a_migration_that_waits(empty_url: str):
    def migrate_on() -> list[str]:
        with psycopg.connect(empty_url, autocommit=True) as connection:
            return migrate(connection)

    with psycopg.connect(empty_url, autocommit=True) as other, ThreadPoolExecutor() as beside:
        before = migrate(other, until="0006_proof")
        with psycopg.connect(empty_url) as long:
            # A trigger cannot be made on what a transaction has written to.
            long.execute("lock table sync.connection in row exclusive mode")
            migrating = beside.submit(migrate_on)
            while other.execute("select count(*) from pg_locks where not granted").fetchone() == (0,):
                assert not migrating.done()
            other.execute("set statement_timeout = '20s'")
            other.execute("update sync.connection set status = status")
            assert not migrating.done()
        assert before + migrating.result() == ALL
