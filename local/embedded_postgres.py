"""A durable PostgreSQL in a folder, on 127.0.0.1, that survives kill -9, stale lock files and reboots."""

from __future__ import annotations

import fcntl
import functools
import hmac
import os
import secrets
import shutil
import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
import psycopg
from psycopg.pq import PGconn, Ping

from include import databases
from local.errors import LocalError
from local.files import private_directory, write_private
from local.ports import HOST, free_port, is_free
from local.postgres_binaries import Programs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

USER = "postgres"
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "max_connections": "200",  # Airflow's pools alone may open 80
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
}
CLUSTER = (
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",  # the same order of text on every machine, whatever its C library
    "--builtin-locale=C.UTF-8",
    "--data-checksums",
    "--auth-local=scram-sha-256",
    "--auth-host=scram-sha-256",
)
START_SECONDS = 120  # crash recovery of a large cluster may take long
STOP_SECONDS = 60


def password_of(user: str, secret: str) -> str:
    """
    Return a user's password: none of them can be told from another but with the administrator's.

    :param secret: the administrator's password.
    """
    return secret if user == USER else hmac.digest(secret.encode(), user.encode(), "sha256").hex()


class EmbeddedPostgres:
    """
    A PostgreSQL server and its data, all below one directory.

    :param directory: where everything is kept.
    :param port: the port to listen on; by default the one of the last start, or a free one.
    :param settings: what to set besides, such as ``fsync=off`` for tests.
    """

    def __init__(
        self, directory: Path, port: int | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        self.directory = directory.absolute()
        self.data = self.directory / "data"
        self.log = self.directory / "server.log"
        self.wanted_port = port
        self._settings = {**SETTINGS, **(settings or {})}

    @functools.cached_property
    def programs(self) -> Programs:
        """PostgreSQL's programs."""
        return Programs.found()

    @property
    def port(self) -> int:
        """The port of the current or last start."""
        return int((self.directory / "port").read_text())

    def url(self, database: str, user: str = USER) -> str:
        """Return the URL of a database for the administrator or another user."""
        secret = (self.directory / "password").read_text()
        return f"postgresql://{user}:{password_of(user, secret)}@{HOST}:{self.port}/{database}"

    def urls(self) -> dict[str, str]:
        """Return the URLs of the users of Airflow's database and of the receivables database, by their variables."""
        return {
            variable: self.url("airflow" if user == "airflow" else "receivables", user)
            for variable, (user, _) in databases.USERS.items()
        }

    def start(self) -> EmbeddedPostgres:
        """Start the server, unless it runs, and make its databases, unless they exist."""
        private_directory(self.directory)
        self.programs.open_to_account(self.directory)
        with self._locked():
            if not self._is_running():
                if not self.data.exists():
                    self._create_cluster()
                self._clear_stale_lock()
                self._launch()
            with psycopg.connect(self.url("postgres"), autocommit=True) as server:
                databases.create(server, self.urls())
        return self

    def stop(self) -> None:
        """Stop the server, unless it is stopped: sessions are ended, what was committed stays."""
        if not self.directory.exists():
            return
        with self._locked():
            postmaster = self.postmaster()
            if postmaster is None:
                return
            # Fast shutdown; then immediate shutdown, after which the next start recovers from the log.
            for how in (signal.SIGINT, signal.SIGQUIT):
                postmaster.send_signal(how)
                if self._ends(STOP_SECONDS):
                    return
        raise LocalError(f"PostgreSQL (process {postmaster.pid}) does not stop; see {self.log}.")

    def postmaster(self) -> psutil.Process | None:
        """Return the server's main process while it lives."""
        try:
            process = psutil.Process(int(self._lock_file_line(0)))
            # The pid may be a zombie's, or after a reboot anybody's.
            if process.status() != psutil.STATUS_ZOMBIE and str(self.data) in process.cmdline():
                return process
        except (OSError, IndexError, ValueError, psutil.NoSuchProcess):
            pass
        return None

    def _is_running(self) -> bool:
        """Wait while the server starts or stops, then tell whether it takes connections."""
        deadline = time.monotonic() + START_SECONDS
        while postmaster := self.postmaster():
            if self._lock_file_line(7) == "ready" and self._answers():
                return True
            if time.monotonic() > deadline:
                raise LocalError(f"PostgreSQL (process {postmaster.pid}) does not get ready; see {self.log}.")
            time.sleep(0.05)
        return False

    def _ends(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.postmaster():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def _answers(self) -> bool:
        """Ask the server itself: the lock file of one that was just killed still calls it ready."""
        return PGconn.ping(f"host={HOST} port={self.port}".encode()) == Ping.OK

    def _lock_file_line(self, number: int) -> str:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()[number].strip()
        except (FileNotFoundError, IndexError):
            return ""

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let others who start or stop this server wait."""
        with (self.directory / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _create_cluster(self) -> None:
        """Make the data directory, under another name until it is whole."""
        unfinished = self.directory / "data.new"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        unfinished.mkdir(mode=0o700)
        write_private(self.directory / "password", secrets.token_hex(24))
        self.programs.give(unfinished, self.directory / "password")
        self.programs.run(
            "initdb",
            f"--pgdata={unfinished}",
            f"--username={USER}",
            f"--pwfile={self.directory / 'password'}",
            *CLUSTER,
            log=self.directory / "initdb.log",
        )
        with (unfinished / "postgresql.conf").open("a") as configuration:
            configuration.write("\ninclude 'embedded.conf'\n")
        unfinished.rename(self.data)

    def _clear_stale_lock(self) -> None:
        """
        Remove the lock file that a crash or a reboot left behind.

        Server processes that outlived their postmaster end on their own; they work in the data directory.
        PostgreSQL's check of its shared memory is the second guard.
        """
        deadline = time.monotonic() + 10
        while self._has_orphans() and time.monotonic() < deadline:
            time.sleep(0.05)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _has_orphans(self) -> bool:
        for process in psutil.process_iter():
            try:
                if process.cwd() == str(self.data):
                    return True
            except psutil.Error:
                continue  # gone, or another user's
        return False

    def _launch(self) -> None:
        self._choose_port()
        self._write_settings()
        self.programs.run(
            "pg_ctl",
            f"--pgdata={self.data}",
            f"--log={self.log}",
            "--wait",
            f"--timeout={START_SECONDS}",
            "start",
            log=self.directory / "start.log",
        )

    def _choose_port(self) -> None:
        file = self.directory / "port"
        port = self.wanted_port or (int(file.read_text()) if file.exists() else free_port())
        if not is_free(port):
            if self.wanted_port:
                raise LocalError(f"PostgreSQL cannot listen on port {port}: another program does.")
            port = free_port()
        write_private(file, str(port))

    def _write_settings(self) -> None:
        settings = {**self._settings, "port": str(self.port)}
        lines = [f"{name} = '{value}'\n" for name, value in settings.items()]
        configuration = self.data / "embedded.conf"
        write_private(configuration, "".join(lines))
        self.log.touch(mode=0o600)
        self.programs.give(configuration, self.log)
        os.chmod(self.data, 0o700)
