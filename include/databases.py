"""
The databases of an installation and their users, made by an administrator of the PostgreSQL server.

Safe to repeat: what is there stays, and each user gets the password that its URL has.
"""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import conninfo_to_dict

from include.errors import ConfigurationError
from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Mapping

ADMIN = "POSTGRES_ADMIN_URL"
OWNER = "AIRFLOW_CONN_RECEIVABLES_OWNER_DB"
PEAKFLO_APP = "PEAKFLO_APP_DB"
# Its database may be on another server.
AIRFLOW = "airflow"
# The variables with the URLs of the users, and whether a user owns the database that its URL names.
USERS = {
    # For the nightly maintenance, too: tasks may not touch Airflow's database otherwise.
    "AIRFLOW_CONN_AIRFLOW_DB": (AIRFLOW, True),
    OWNER: ("receivables_owner", True),
    "AIRFLOW_CONN_RECEIVABLES_DB": ("receivables_sync", False),
    "AIRFLOW_CONN_RECEIVABLES_PAGES_DB": ("receivables_pages", False),
    "AIRFLOW_CONN_RECEIVABLES_WEBHOOK_DB": ("receivables_webhook", False),
    PEAKFLO_APP: ("peakflo_app", False),
}


def create(server: psycopg.Connection, urls: Mapping[str, str]) -> None:
    """
    Create users and databases.

    :param server: an administrator's connection to any database of the server, in autocommit mode.
    :param urls: PostgreSQL URLs by the variables in ``USERS``.
    :raises ConfigurationError: when a URL is missing or names another user.
    """
    all_keys = []
    for variable, (user, is_owner) in USERS.items():
        parts = _read(variable, urls.get(variable, ""), user)
        keys = {"name": user, "password": parts["password"], "database": parts["dbname"]}
        all_keys.append(keys)
        for statement in ("create_user", *(["create_database"] if is_owner else [])):
            _run(server, f"roles/{statement}", keys)
    for keys in all_keys:
        _run(server, "roles/admit_user", keys)


def _read(variable: str, url: str, user: str) -> dict[str, str]:
    try:
        parts = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    except psycopg.ProgrammingError:  # its text may quote a part of the password
        parts = {}
    if parts.get("user") != user or not parts.get("password") or not parts.get("dbname"):
        raise ConfigurationError(
            f"{variable} has to be postgresql://{user}:PASSWORD@HOST:PORT/DATABASE: correct it."
        )
    return parts


def _run(server: psycopg.Connection, statement: str, keys: Mapping[str, str]) -> None:
    """Run the statements that a statement writes: those of its kind take no parameters."""
    for (command,) in server.execute(load(statement), keys).fetchall():
        server.execute(command)


def main() -> int:
    """Create them on the server that the environment names."""
    parser = argparse.ArgumentParser(
        prog="python -m include.databases",
        description=__doc__,
        epilog=f"{ADMIN} names the server and its administrator; {', '.join(USERS)} name the users.",
    )
    parser.parse_args()
    if not os.environ.get(ADMIN):
        parser.error(f"name the server with {ADMIN}.")
    try:
        with psycopg.connect(os.environ[ADMIN], autocommit=True) as server:
            create(server, os.environ)
    except psycopg.errors.InsufficientPrivilege as error:
        parser.exit(1, f"The user of {ADMIN} may not do that: {str(error).splitlines()[0]}.\n")
    except psycopg.ProgrammingError:
        parser.exit(1, f"{ADMIN} has to be postgresql://ADMIN:PASSWORD@HOST:PORT/postgres: correct it.\n")
    except psycopg.OperationalError as error:
        parser.exit(1, f"The PostgreSQL server cannot be reached: {' '.join(str(error).split())}\n")
    except ConfigurationError as error:
        parser.exit(1, f"{error}\n")
    print("the databases and their users are there")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
