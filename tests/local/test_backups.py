"""Backup and restore: what comes back is what was there, and a restore that fails or is killed changes nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from include import databases
from include.migrate import migrate
from local.backups import run_script
from local.directory import ROOT
from local.embedded_postgres import EmbeddedPostgres
from tests.support.airflow_settings import FERNET_KEY
from tests.support.databases import for_user
from tests.support.fixtures_local import run_command
from tests.support.other_process import Keys
from tests.support.workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.control import SandboxControl
    from tests.support.fixtures_local import RunningStack

NAMES = ("airflow", "receivables")
TABLES = """
select format('%I.%I', schemaname, tablename) from pg_tables
where schemaname not in ('pg_catalog', 'information_schema') order by 1
"""
ROWS = "select count(*), md5(string_agg(each::text, '|' order by each::text)) from {} as each"
RIGHTS = """
with ours as (
    select oid, nspname, nspacl, nspowner from pg_namespace where nspname !~ '^(pg_|information_schema)'
)

select 'table' as kind, oid::regclass::text as name, relacl::text as rights, relrowsecurity::text as is_secured
from pg_class where relnamespace in (select oid from ours)
union all
select 'function', oid::regprocedure::text, proacl::text, proowner::regrole::text
from pg_proc where pronamespace in (select oid from ours)
union all
select 'schema', nspname, nspacl::text, nspowner::regrole::text from ours
union all
select 'policy', polrelid::regclass::text || '.' || polname, polroles::regrole[]::text, pg_get_expr(polqual, polrelid)
from pg_policy
union all
select 'trigger', tgrelid::regclass::text || '.' || tgname, tgfoid::regprocedure::text, tgtype::text
from pg_trigger where not tgisinternal
union all
select 'database', datname, datacl::text, datdba::regrole::text from pg_database where datname = current_database()
order by kind, name
"""
# A restore of the second database gets no further than to its first table.
WAIT = """
create function wait() returns event_trigger language plpgsql as
'begin if current_database() = ''receivables_restored'' then perform pg_sleep(600); end if; end';
create event trigger wait on ddl_command_end execute function wait();
"""


@pytest.fixture
def server(tmp_path: Path, sandbox: SandboxControl) -> Iterator[EmbeddedPostgres]:
    """A server of an installation that has a company."""
    server = EmbeddedPostgres(tmp_path / "postgres", settings={"fsync": "off"}).start()
    try:
        with psycopg.connect(server.urls()[databases.OWNER], autocommit=True) as owner:
            migrate(owner)
        url = server.url("receivables")
        with psycopg.connect(url, autocommit=True) as db:
            Workbench(Keys.of(sandbox, url, FERNET_KEY).access(), sandbox, db).connect("demo")
        with psycopg.connect(server.urls()["AIRFLOW_CONN_AIRFLOW_DB"], autocommit=True) as airflow:
            airflow.execute("create table connection as select 'quickbooks' as conn_id")
        yield server
    finally:
        server.stop()


def everything(server: EmbeddedPostgres) -> set[tuple[Any, ...]]:
    """Every table with its rows, and every right, of both databases."""
    found: set[tuple[Any, ...]] = set()
    for name in NAMES:
        with psycopg.connect(server.url(name), autocommit=True) as db:
            for (table,) in db.execute(TABLES).fetchall():
                found.add((name, table, *rows_of(db, table)))
            found.update((name, *each) for each in db.execute(RIGHTS).fetchall())
    return found


def rows_of(db: psycopg.Connection, table: str) -> tuple[Any, ...]:
    """The number of a table's rows, and what stands for them."""
    return db.execute(ROWS.format(table)).fetchone() or ()


def names(server: EmbeddedPostgres) -> list[str]:
    with psycopg.connect(server.url("postgres"), autocommit=True) as db:
        return [name for (name,) in db.execute("select datname from pg_database order by 1").fetchall()]


def go_on(server: EmbeddedPostgres) -> None:
    """Lose and change something in each database."""
    with psycopg.connect(server.url("receivables"), autocommit=True) as db:
        db.execute("update sync.connection set status = 'paused'")
        db.execute("drop schema proof cascade")
    with psycopg.connect(server.url("airflow"), autocommit=True) as db:
        db.execute("drop table connection")


def test_what_comes_back_is_what_was_there(server: EmbeddedPostgres, tmp_path: Path):
    before = everything(server)
    assert run_script("backup", tmp_path / "monday", server) == 0
    assert everything(server) == before
    go_on(server)
    since = everything(server)

    assert run_script("restore", tmp_path / "monday", server) == 0

    # As every start does, which lets the users in.
    server.stop()
    server.start()
    assert everything(server) == before
    for user in ("receivables_sync", "receivables_pages", "receivables_webhook", "peakflo_app"):
        psycopg.connect(for_user(server.url("receivables"), user)).close()
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(server.url("receivables", "airflow"))
    kept = {name.partition("_")[0]: name for name in names(server) if name.partition("_")[2]}
    assert kept.keys() == set(NAMES)
    with psycopg.connect(server.url(kept["receivables"]), autocommit=True) as db:
        assert ("receivables", "sync.connection", *rows_of(db, "sync.connection")) in since


def test_a_restore_that_is_killed_changes_nothing_and_can_be_repeated(
    server: EmbeddedPostgres, tmp_path: Path
):
    before = everything(server)
    assert run_script("backup", tmp_path / "monday", server) == 0
    go_on(server)
    since = everything(server)
    with psycopg.connect(server.url("template1"), autocommit=True) as template:
        template.execute(WAIT)
    code = (
        "import sys; from pathlib import Path; from local.backups import run_script;"
        "from local.embedded_postgres import EmbeddedPostgres;"
        "sys.exit(run_script('restore', Path(sys.argv[1]), EmbeddedPostgres(Path(sys.argv[2]))))"
    )
    restoring = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "monday", server.directory], cwd=ROOT, start_new_session=True
    )
    while "receivables_restored" not in names(server):
        assert restoring.poll() is None
    os.killpg(restoring.pid, signal.SIGKILL)
    restoring.wait()
    with psycopg.connect(server.url("template1"), autocommit=True) as template:
        template.execute("drop function wait cascade")

    assert everything(server) == since
    assert run_script("restore", tmp_path / "monday", server) == 0
    server.start()
    assert everything(server) == before
    assert not [name for name in names(server) if name.endswith("_restored")]


class TestRefused:
    @pytest.fixture
    def folder(self, server: EmbeddedPostgres, tmp_path: Path) -> Path:
        assert run_script("backup", tmp_path / "monday", server) == 0
        return tmp_path / "monday"

    def refuse(self, server: EmbeddedPostgres, name: str, folder: Path, sentence: str, capfd: Any) -> None:
        """Run a script that has to say a sentence and to change nothing."""
        before = everything(server), names(server)
        capfd.readouterr()
        assert run_script(name, folder, server) == 1
        assert sentence in capfd.readouterr().err
        assert (everything(server), names(server)) == before

    def test_while_somebody_is_connected(self, server: EmbeddedPostgres, folder: Path, capfd: Any):
        with psycopg.connect(server.urls()[databases.PEAKFLO_APP]):
            self.refuse(
                server, "restore", folder, "in use by peakflo_app of 127.0.0.1: stop Airflow and", capfd
            )

    def test_what_is_no_backup(self, server: EmbeddedPostgres, folder: Path, tmp_path: Path, capfd: Any):
        self.refuse(server, "restore", tmp_path, "is no backup: it has no airflow.dump.", capfd)
        assert folder.exists()

    def test_a_damaged_one(self, server: EmbeddedPostgres, folder: Path, capfd: Any):
        dump = folder / "receivables.dump"
        dump.write_bytes(dump.read_bytes()[:-100])
        self.refuse(server, "restore", folder, "is damaged: take another backup.", capfd)

    def test_one_that_cannot_be_restored_to_its_end(self, server: EmbeddedPostgres, folder: Path, capfd: Any):
        dump = folder / "receivables.dump"
        dump.write_bytes(dump.read_bytes()[:-100])
        sums = subprocess.run(
            ["sha256sum", "airflow.dump", "receivables.dump"], cwd=folder, capture_output=True, check=True
        )
        (folder / "SHA256SUMS").write_bytes(sums.stdout)
        before = everything(server)
        assert run_script("restore", folder, server) == 1
        assert "receivables could not be restored: nothing has changed." in capfd.readouterr().err
        assert everything(server) == before

    def test_a_folder_that_is_there(self, server: EmbeddedPostgres, folder: Path, capfd: Any):
        self.refuse(server, "backup", folder, "is there already: name a new folder.", capfd)

    def test_a_backup_without_a_server(self, server: EmbeddedPostgres, tmp_path: Path, capfd: Any):
        server.stop()
        assert run_script("backup", tmp_path / "tuesday", server) == 1
        assert "airflow was not written: there is no new backup." in capfd.readouterr().err
        assert not (tmp_path / "tuesday").exists()
        server.start()


def test_a_backup_is_nobody_elses(server: EmbeddedPostgres, tmp_path: Path):
    assert run_script("backup", tmp_path / "monday", server) == 0
    assert (tmp_path / "monday").stat().st_mode & 0o077 == 0
    assert all(file.stat().st_mode & 0o077 == 0 for file in (tmp_path / "monday").iterdir())


def test_the_commands_of_what_runs_here(running_stack: RunningStack, tmp_path: Path):
    backup = running_stack.command("backup", str(tmp_path / "monday"))
    assert backup.returncode == 0, backup.stderr
    assert backup.stdout.startswith(f"{tmp_path / 'monday'} has them: airflow.dump ")
    restore = running_stack.command("restore", str(tmp_path / "monday"))
    assert restore.returncode == 1
    assert restore.stderr == "Error: It is running: stop it with bin/stop first.\n"


def test_there_is_nothing_to_back_up(tmp_path: Path):
    done = run_command("backup", str(tmp_path / "monday"), directory=tmp_path / "installation")
    assert done.returncode == 1
    assert done.stderr == "Error: There are no databases yet: start them once with bin/start.\n"
