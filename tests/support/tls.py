"""Servers that prove who they are by a certificate, and one that keeps what it is sent."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest
import trustme

from local.ports import HOST, free_port
from local.postgres_binaries import Programs

if TYPE_CHECKING:
    from collections.abc import Iterator

START_SECONDS = 60
LOOK_SECONDS = 0.05
# PostgreSQL's request for TLS: its length, and a number that is no version.
TLS_REQUEST = bytes.fromhex("00000008 04d2162f")


@dataclass(frozen=True)
class Identity:
    """
    A server's certificate for a host name, its key, and the authority that issued it.

    :param ca: the authority's own certificate, by which clients know it.
    """

    certificate: Path
    key: Path
    ca: Path

    @classmethod
    def issue(cls, folder: Path, host: str) -> Self:
        """Let a new authority issue one."""
        folder.mkdir()
        identity = cls(*(folder / name for name in ("certificate.pem", "key.pem", "ca.pem")))
        authority = trustme.CA()
        issued = authority.issue_cert(host)
        authority.cert_pem.write_to_path(identity.ca)
        issued.private_key_pem.write_to_path(identity.key)
        issued.cert_chain_pems[0].write_to_path(identity.certificate)
        identity.key.chmod(0o600)
        return identity


def need(name: str, *, found: bool) -> None:
    """Skip the test where a program is not installed, which never happens in CI."""
    if not found and not os.environ.get("CI"):
        pytest.skip(f"{name} is not installed")
    assert found, f"{name} is not installed"


@contextmanager
def postgres(folder: Path, identity: Identity, password: str) -> Iterator[int]:
    """Run Debian's PostgreSQL, which speaks TLS only, and return its port; the embedded one is built without."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    need("postgresql-15", found=bool(programs))
    server = replace(Programs.found(), folder=programs[-1].parent)
    data, log, port = folder / "data", folder / "server.log", free_port()
    (folder / "password").write_text(password)
    data.mkdir(mode=0o700)
    server.open_to_account(folder)
    server.give(data, identity.key, folder / "password")
    # With the authentication of a server that others reach.
    server.run(
        "initdb",
        f"--pgdata={data}",
        "--username=postgres",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        f"--pwfile={folder / 'password'}",
        "--auth=scram-sha-256",
        log=folder / "initdb.log",
    )
    (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
    settings = {
        "port": port,
        "listen_addresses": HOST,
        "unix_socket_directories": "",
        "ssl": "on",
        "ssl_cert_file": identity.certificate,
        "ssl_key_file": identity.key,
        "fsync": "off",
    }
    with (data / "postgresql.conf").open("a") as configuration:
        configuration.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
    start = [f"--pgdata={data}", f"--log={log}", "--wait"]
    server.run("pg_ctl", *start, "start", log=folder / "start.log")
    try:
        yield port
    finally:
        server.run("pg_ctl", f"--pgdata={data}", "--mode=immediate", "stop", log=folder / "stop.log")


@contextmanager
def redis(folder: Path, identity: Identity, password: str) -> Iterator[int]:
    """Run Debian's Redis, which speaks TLS only, and return its port."""
    program = shutil.which("redis-server")
    need("redis-server", found=program is not None)
    port, log = free_port(), folder / "redis.log"
    options = {
        "bind": HOST,
        "port": "0",
        "tls-port": str(port),
        "tls-cert-file": str(identity.certificate),
        "tls-key-file": str(identity.key),
        "tls-ca-cert-file": str(identity.ca),
        "tls-auth-clients": "no",
        "requirepass": password,
        "dir": str(folder),
        "save": "",
    }
    arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
    with log.open("wb") as output, subprocess.Popen([str(program), *arguments], stdout=output) as process:
        try:
            _wait_for_port(port, process)
            yield port
        finally:
            process.terminate()


def _wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with suppress(OSError), socket.create_connection((HOST, port)):
            return
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(LOOK_SECONDS)


class Listener:
    """
    Listens in a server's place and keeps what it is sent, as it can read it.

    :param identity: who it proves to be; nobody, and it speaks no TLS, unless given.
    :param is_asked: whether its clients ask for TLS first, as PostgreSQL's do.
    """

    def __init__(self, identity: Identity | None, *, is_asked: bool) -> None:
        self.heard: list[bytes] = []
        self._is_asked = is_asked
        self._context: ssl.SSLContext | None = None
        if identity:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(identity.certificate, identity.key)
        self._socket = socket.create_server((HOST, 0))
        self._thread = threading.Thread(target=self._listen)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._socket.getsockname()[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        # A close alone would leave the thread waiting.
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, suppress(OSError):  # the client may have gone in the middle of its greeting
                self._hear(connection)

    def _hear(self, connection: socket.socket) -> None:
        if self._is_asked:
            assert connection.recv(len(TLS_REQUEST)) == TLS_REQUEST
            connection.sendall(b"S" if self._context else b"N")
        if self._context:
            connection = self._context.wrap_socket(connection, server_side=True)
        with connection:
            if words := connection.recv(4096):
                self.heard.append(words)
