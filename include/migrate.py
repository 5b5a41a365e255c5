"""Brings the receivables database to the newest schema: ``sql/migrations`` in order, once each."""

from __future__ import annotations

import argparse
import hashlib
import logging
import os
from typing import TYPE_CHECKING

import psycopg
from psycopg.errors import DeadlockDetected, LockNotAvailable
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random

from include.databases import AIRFLOW, OWNER, USERS
from include.errors import ConfigurationError
from include.sql import FOLDER, load

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger(__name__)

MIGRATIONS = FOLDER / "migrations"
# For a moment at which no long transaction uses what is changed.
PATIENCE_SECONDS = 600


def migrate(connection: psycopg.Connection, *, until: str | None = None) -> list[str]:
    """
    Apply the migrations that the database does not have yet, all in one transaction.

    Any number of processes may call it at once: an advisory lock lets one work and the others find the work done. Nor
    does it matter what else is under way: it waits for a lock no longer than others can wait behind it, lets all go,
    and begins anew.

    :param connection: a connection in autocommit mode to the receivables database.
    :param until: the last migration to apply, for tests of an upgrade; all when omitted.
    :return: the names of the migrations applied now.
    :raises ConfigurationError: when a migration was edited after it had been applied, or the database's users are
        missing.
    :raises psycopg.errors.LockNotAvailable: when what is to be changed was in use all the time.
    """
    in_turns = Retrying(
        retry=retry_if_exception_type((LockNotAvailable, DeadlockDetected)),
        wait=wait_random(1, 3),
        stop=stop_after_delay(PATIENCE_SECONDS),
        reraise=True,
    )
    return in_turns(_migrate, connection, until)


def _migrate(connection: psycopg.Connection, until: str | None) -> list[str]:
    applied = []
    with connection.transaction():
        connection.execute(load("migrations/limit_waiting"))
        connection.execute(load("migrations/lock"))
        _check_users(connection)
        connection.execute(load("migrations/create_table"))
        known: dict[str, str] = dict(connection.execute(load("migrations/list_applied")).fetchall())
        for path in _files(until):
            checksum = hashlib.sha256(path.read_bytes()).hexdigest()
            if path.stem in known:
                _check_unedited(path, known[path.stem], checksum)
                continue
            connection.execute(path.read_text(encoding="utf-8"))
            connection.execute(load("migrations/mark_applied"), {"name": path.stem, "checksum": checksum})
            applied.append(path.stem)
    for name in applied:
        logger.info("Applied migration %s.", name)
    return applied


def _check_users(connection: psycopg.Connection) -> None:
    known = {name for (name,) in connection.execute(load("roles/list_users")).fetchall()}
    missing = sorted(name for name, _ in USERS.values() if name not in known | {AIRFLOW})
    if missing:
        raise ConfigurationError(
            f"The PostgreSQL server has no {', '.join(missing)}: let an administrator run "
            "`python -m include.databases` first."
        )


def _files(until: str | None) -> list[Path]:
    files = sorted(MIGRATIONS.glob("[0-9]*.sql"))
    return [path for path in files if until is None or path.stem <= until]


def _check_unedited(path: Path, applied: str, checksum: str) -> None:
    if applied != checksum:
        raise ConfigurationError(
            f"Migration {path.stem} was edited after it had been applied: restore the file and add a new migration."
        )


def main() -> int:
    """Apply the migrations to the database named on the command line or in the environment."""
    parser = argparse.ArgumentParser(prog="python -m include.migrate", description=__doc__)
    parser.add_argument("--url", default=os.environ.get(OWNER), help=f"its owner's; default: ${OWNER}")
    url = parser.parse_args().url
    if not url:
        parser.error(f"name the database with --url or {OWNER}.")
    try:
        with _connect(url) as connection:
            applied = migrate(connection)
    except (LockNotAvailable, DeadlockDetected):
        minutes = PATIENCE_SECONDS // 60
        parser.exit(
            1,
            f"Others have used the tables for {minutes} minutes: end what takes so long, or stop Airflow first.\n",
        )
    except psycopg.OperationalError as error:
        reason = " ".join(str(error).split())
        parser.exit(1, f"The receivables database cannot be reached: {reason}\n")
    except ConfigurationError as error:
        parser.exit(1, f"{error}\n")
    print("\n".join(f"applied {name}" for name in applied) or "the schema is up to date")
    return 0


def _connect(url: str) -> psycopg.Connection:
    try:
        return psycopg.connect(url, autocommit=True)
    except psycopg.ProgrammingError:
        # Its text may quote a part of the password.
        raise ConfigurationError(
            "The receivables database is not named by a PostgreSQL URL: use postgresql://USER:PASSWORD@HOST:PORT/NAME."
        ) from None


if __name__ == "__main__":
    raise SystemExit(main())
