"""Airflow's own database, which a task may not touch: its command for cleaning it, run with a connection of its own."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException
from sqlalchemy.engine import URL

from include.errors import RetryableError

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.sdk import Connection

logger = logging.getLogger(__name__)

# The connection that Airflow itself names so.
AIRFLOW_DB = "airflow_db"
# Who did what; it is kept longer than what tasks leave behind.
AUDIT_TABLES = ("log",)
# What grows with every run of a task.
TABLES = (
    "asset_event",
    "callback",
    "celery_taskmeta",
    "celery_tasksetmeta",
    "dag_run",
    "deadline",
    "import_error",
    "job",
    "revoked_token",
    "task_instance",
    "task_instance_history",
    "task_reschedule",
    "task_state_store",
    "trigger",
    "xcom",
)
# Rows of one transaction.
BATCH_ROWS = "5000"
VARIABLE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"


def find_connection() -> Connection | None:
    """Return the connection to Airflow's own database, if this installation names it to its tasks."""
    try:
        return BaseHook.get_connection(AIRFLOW_DB)
    except AirflowNotFoundException:
        return None


def clean(connection: Connection, tables: tuple[str, ...], before: datetime) -> None:
    """
    Delete old rows of some of Airflow's tables for good, as ``airflow db clean`` does.

    Airflow gives a task a useless address of its database; the command gets the connection's.

    :param before: what is older goes, but for each DAG's last run.
    :raises RetryableError: with the command's last words, when it fails.
    """
    url = URL.create(
        "postgresql+psycopg2",
        username=connection.login,
        password=connection.password,
        host=connection.host,
        port=connection.port,
        database=connection.schema,
        query={name: str(value) for name, value in connection.extra_dejson.items()},
    ).render_as_string(hide_password=False)
    command = [
        sys.executable, "-m", "airflow", "db", "clean", "--yes", "--skip-archive", "--error-on-cleanup-failure",
        "--clean-before-timestamp", before.isoformat(), "--batch-size", BATCH_ROWS, "--tables", ",".join(tables),
    ]  # fmt: skip
    done = subprocess.run(  # noqa: S603 -- nothing in it comes from outside
        command, env={**os.environ, VARIABLE: url}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        last_words = " ".join(done.stderr.strip().splitlines()[-3:])
        raise RetryableError(f"airflow db clean failed: {last_words}")
    for line in done.stdout.splitlines():
        if "rows meeting deletion criteria" in line and " 0 rows" not in line:
            logger.info("%s", line.strip())
