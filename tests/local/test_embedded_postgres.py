from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from local.directory import ROOT
from local.embedded_postgres import EmbeddedPostgres
from local.errors import LocalError
from local.postgres_binaries import Programs, find_programs

if TYPE_CHECKING:
    from collections.abc import Iterator

SMALL = {"fsync": "off", "shared_buffers": "16MB", "max_connections": "20"}


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(tmp_path / "with space" / "postgres", settings=SMALL)
    server.start()
    yield server
    server.stop()


@contextmanager
def listener() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def select(postgres: EmbeddedPostgres, query: str) -> object:
    with psycopg.connect(postgres.url("receivables")) as connection:
        return connection.execute(query).fetchone()


def insert_row(postgres: EmbeddedPostgres) -> None:
    with psycopg.connect(postgres.url("receivables")) as connection:
        connection.execute("create table if not exists kept (number integer)")
        connection.execute("insert into kept values (1)")


def kill(postgres: EmbeddedPostgres) -> None:
    postmaster = postgres.postmaster()
    assert postmaster is not None
    postmaster.send_signal(signal.SIGKILL)


def test_it_has_a_database_for_airflow_and_one_for_the_receivables(postgres):
    with psycopg.connect(postgres.url("airflow")) as connection:
        names = {name for (name,) in connection.execute("select datname from pg_database")}
    assert {"airflow", "receivables"} <= names


def test_text_sorts_the_same_on_every_machine_and_pages_have_checksums(postgres):
    assert select(
        postgres,
        """
        select datlocprovider, datlocale, current_setting('data_checksums'), current_setting('timezone')
        from pg_database where datname = 'receivables'
        """,
    ) == ("b", "C.UTF-8", "on", "UTC")


def test_it_is_durable_unless_a_test_asks_otherwise(tmp_path):
    postgres = EmbeddedPostgres(tmp_path)
    postgres.start()
    try:
        assert select(postgres, "select current_setting('fsync'), current_setting('max_connections')") == (
            "on",
            "200",
        )
    finally:
        postgres.stop()


def test_it_listens_on_this_machine_only_and_wants_the_password(postgres):
    assert select(
        postgres, "select current_setting('listen_addresses'), current_setting('unix_socket_directories')"
    ) == ("127.0.0.1", "")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres.url("receivables").replace("postgres:", "postgres:x"))


def test_only_the_owner_can_read_the_password(postgres):
    assert (postgres.directory / "password").stat().st_mode & 0o777 == 0o600
    assert postgres.data.stat().st_mode & 0o777 == 0o700


def test_a_restart_keeps_the_rows_and_the_port(postgres):
    insert_row(postgres)
    port = postgres.port
    postgres.stop()
    assert postgres.postmaster() is None
    again = EmbeddedPostgres(postgres.directory, settings=SMALL)
    again.start()
    assert select(again, "select count(*) from kept") == (1,)
    assert again.port == port


@pytest.mark.parametrize("times", [1, 3])
def test_it_comes_back_with_all_rows_after_kill_9(postgres, times):
    insert_row(postgres)
    for _ in range(times):
        kill(postgres)
        postgres.start()
    assert select(postgres, "select count(*) from kept") == (1,)


def test_the_pid_of_another_program_in_the_lock_file_is_not_taken_for_the_server(postgres):
    postgres.stop()
    (postgres.data / "postmaster.pid").write_text(f"{os.getpid()}\n{postgres.data}\n")
    assert postgres.postmaster() is None
    postgres.stop()
    postgres.start()
    assert select(postgres, "select 1") == (1,)


def test_a_zombie_is_not_taken_for_the_server(postgres):
    postgres.stop()
    zombie = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    try:
        (postgres.data / "postmaster.pid").write_text(f"{zombie.pid}\n")
        assert postgres.postmaster() is None
        postgres.start()
        assert select(postgres, "select 1") == (1,)
    finally:
        zombie.wait()


def test_starts_at_the_same_time_give_one_server(tmp_path):
    script = (
        "import sys; from pathlib import Path; from local.embedded_postgres import EmbeddedPostgres;"
        "print(EmbeddedPostgres(Path(sys.argv[1]), settings={'fsync': 'off'}).start().postmaster().pid)"
    )
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", script, tmp_path], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        for _ in range(3)
    ]
    pids = {start.communicate(timeout=60)[0] for start in starts}
    EmbeddedPostgres(tmp_path).stop()
    assert len(pids) == 1
    assert all(start.returncode == 0 for start in starts)


def test_a_wanted_port_that_is_taken_is_an_error(tmp_path):
    with listener() as port:
        postgres = EmbeddedPostgres(tmp_path, port=port, settings=SMALL)
        with pytest.raises(LocalError, match=f"port {port}"):
            postgres.start()
    assert postgres.postmaster() is None


def test_a_kept_port_that_is_taken_is_replaced(postgres):
    postgres.stop()
    with listener() as port:
        (postgres.directory / "port").write_text(str(port))
        postgres.start()
        assert postgres.port != port
        assert select(postgres, "select 1") == (1,)


def test_a_cluster_that_was_left_unfinished_is_made_anew(tmp_path):
    unfinished = tmp_path / "data.new"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18\n")
    postgres = EmbeddedPostgres(tmp_path, settings=SMALL)
    postgres.start()
    try:
        assert select(postgres, "select 1") == (1,)
        assert not unfinished.exists()
    finally:
        postgres.stop()


def test_permissions_that_postgresql_would_refuse_are_mended(postgres):
    postgres.stop()
    postgres.data.chmod(0o755)
    postgres.start()
    assert select(postgres, "select 1") == (1,)


def test_stopping_what_never_ran_is_no_error(tmp_path):
    EmbeddedPostgres(tmp_path / "nothing").stop()
    assert not (tmp_path / "nothing").exists()


def test_a_failure_names_the_reason_and_the_log(postgres):
    postgres.stop()
    broken = EmbeddedPostgres(postgres.directory, settings={"shared_buffers": "many"})
    with pytest.raises(LocalError, match=r"pg_ctl failed.*\.log"):
        broken.start()


def test_stopping_ends_open_sessions(postgres):
    with psycopg.connect(postgres.url("receivables")) as connection:
        connection.execute("select 1")
        started = time.monotonic()
        postgres.stop()
        assert time.monotonic() - started < 10
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to step down")
class TestAsRootWithoutNamespaces:
    @pytest.fixture
    def stepping_down(self) -> Programs:
        import pwd

        programs = Programs(find_programs(), pwd.getpwnam("nobody"), has_namespace=False)
        if any(not parent.stat().st_mode & 0o001 for parent in programs.folder.parents):
            pytest.skip("the programs lie in a folder that is closed to others")
        return programs

    def test_it_runs_as_nobody(self, stepping_down):
        import tempfile

        with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
            Path(folder).chmod(0o755)
            postgres = EmbeddedPostgres(Path(folder) / "postgres", settings=SMALL)
            postgres.programs = stepping_down
            postgres.start()
            try:
                assert select(postgres, "select 1") == (1,)
                assert postgres.postmaster().username() == "nobody"
            finally:
                postgres.stop()

    def test_a_folder_closed_to_that_user_is_said_and_not_opened(self, stepping_down, tmp_path):
        tmp_path.chmod(0o700)
        postgres = EmbeddedPostgres(tmp_path / "postgres", settings=SMALL)
        postgres.programs = stepping_down
        with pytest.raises(LocalError, match="RECEIVABLES_LOCAL_DIR"):
            postgres.start()
        assert tmp_path.stat().st_mode & 0o777 == 0o700
