"""The folder of an installation: where each of its files is, and the secrets that are made once."""

from __future__ import annotations

import base64
import fcntl
import os
import secrets
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from local.files import private_directory, read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
ROLES = {"admin": "admin", "engineer": "op", "reminder": "user"}


class LocalDirectory:
    """
    The folder of an installation.

    :param path: by default ``RECEIVABLES_LOCAL_DIR``, else ``.local`` beside ``bin``.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = (path or Path(os.environ.get("RECEIVABLES_LOCAL_DIR") or ROOT / ".local")).absolute()
        self.airflow = self.path / "airflow"
        self.logs = self.path / "logs"
        self.postgres = self.path / "postgres"
        self.sandbox_data = self.path / "sandbox.sqlite"
        self.sandbox_port = self.path / "sandbox.port"
        self.env = self.path / "env"
        self.lock = self.path / "lock"
        self.passwords = self.path / "passwords.json"
        self.ports = self.path / "ports.json"
        self.secrets = self.path / "secrets.json"
        self.state = self.path / "state.json"

    def make(self) -> None:
        """Make the folder, and its secrets where they are missing."""
        for folder in (self.path, self.airflow, self.logs):
            private_directory(folder)
        self._fill(self.passwords, {user: secrets.token_urlsafe(12) for user in ROLES})
        self._fill(
            self.secrets,
            {
                "fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
                "jwt_secret": secrets.token_hex(32),
                "api_secret_key": secrets.token_hex(32),
                "webhook_verifier_token": secrets.token_hex(32),
            },
        )

    def log(self, component: str) -> Path:
        """Return the path of a component's log."""
        return self.logs / f"{component}.log"

    @contextmanager
    def locked(self) -> Iterator[bool]:
        """
        Hold the installation's lock, which its launcher holds while it lives.

        The kernel frees it, also after kill -9.

        :return: whether nobody else has it.
        """
        with self.lock.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    @staticmethod
    def _fill(file: Path, made: dict[str, str]) -> None:
        kept = read_json(file)
        if not made.keys() <= kept.keys():
            write_json(file, {**made, **kept})
