"""Fixtures that run what bin/start runs: a PostgreSQL alone, or everything."""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psycopg
import pytest

from local.directory import ROOT, LocalDirectory
from local.embedded_postgres import EmbeddedPostgres
from local.environment import CONNECTIONS, read_env_file
from local.ports import free_port
from sandbox.control import SandboxControl
from tests.support.other_process import Keys
from tests.support.workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

START_SECONDS = 240
# The triggerer listens some seconds after a DAG was read.
LISTENING_SECONDS = 120
# Who listens to a channel: the first statement after it has connected is to do so.
LISTENING = """
    select pid
    from pg_stat_activity
    where datname = current_database() and application_name = 'listen ' || %s and state = 'idle' and query <> ''
"""
FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


BUNDLES = "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"
STATSD_PORT = "AIRFLOW__METRICS__STATSD_PORT"


def more_dags(directory: Path) -> Path:
    """Return where an installation has further DAGs."""
    return directory / "more_dags"


def bundles(directory: Path) -> str:
    """Return Airflow's setting for its usual DAGs and further ones."""
    local = "airflow.dag_processing.bundles.local.LocalDagBundle"
    folders: dict[str, dict[str, str]] = {"dags-folder": {}, "more": {"path": str(more_dags(directory))}}
    return json.dumps(
        [{"name": name, "classpath": local, "kwargs": kwargs} for name, kwargs in folders.items()]
    )


@dataclass(frozen=True)
class RunningStack:
    """
    A whole installation that runs for the tests.

    :param settings: the variables that it was started with, and is each time that it is started again.
    """

    directory: LocalDirectory
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def env(self) -> dict[str, str]:
        """The variables to run a command against it with."""
        return {**os.environ, **read_env_file(self.directory.env)}

    @property
    def api_url(self) -> str:
        """The URL of Airflow."""
        return self.env["AIRFLOW_API_URL"]

    @property
    def passwords(self) -> dict[str, str]:
        """The password of each Airflow user."""
        return dict(json.loads(self.directory.passwords.read_text()))

    @property
    def sandbox_url(self) -> str:
        """The URL of its QuickBooks sandbox."""
        return str(json.loads(self.env["AIRFLOW_CONN_QUICKBOOKS"])["extra"]["api_url"])

    @property
    def webhook_url(self) -> str:
        """Where its Airflow is told of changes."""
        return f"{self.api_url}/quickbooks/webhook"

    @property
    def database_url(self) -> str:
        """The administrator's URL of its receivables database."""
        return EmbeddedPostgres(self.directory.postgres).url("receivables")

    @property
    def fernet_key(self) -> str:
        """The key of its secrets."""
        return self.env["AIRFLOW__CORE__FERNET_KEY"]

    @property
    def statsd_port(self) -> int:
        """Where it sends Airflow's metrics, whether anybody listens or not."""
        return int(self.settings[STATSD_PORT])

    @property
    def more_dags(self) -> Path:
        """A folder of further DAGs, empty unless a test puts one there."""
        return more_dags(self.directory.path)

    def airflow(self, *arguments: str) -> None:
        """Run one of Airflow's own commands against it, to its end."""
        command = [ROOT / ".venv/bin/airflow", *arguments]
        env = self.env | self.settings
        done = subprocess.run(
            command, env=env, capture_output=True, text=True, timeout=START_SECONDS, check=False
        )
        assert done.returncode == 0, done.stderr

    def command(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command below bin/ against it, to its end."""
        return run_command(name, *arguments, directory=self.directory.path, **self.settings)


def run_command(
    name: str, *arguments: str, directory: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command below bin/ with its data in a directory, and none of the caller's connections."""
    inherited = {key: value for key, value in os.environ.items() if key not in CONNECTIONS}
    return subprocess.run(
        [ROOT / "bin" / name, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
        env={**inherited, "RECEIVABLES_LOCAL_DIR": str(directory), **variables},
    )


def switch_webhooks(stack: RunningStack, *, is_on: bool) -> str:
    """Let the sandbox tell Airflow of changes or not, and return whom it told before; most tests count each call."""
    sandbox = SandboxControl(stack.sandbox_url)
    before = str(sandbox.webhooks()["settings"]["endpoint"])
    sandbox.change_webhooks(endpoint=stack.webhook_url if is_on else "")
    return before


def wait_for_listener(db: psycopg.Connection, channel: str) -> None:
    """Wait until Airflow is woken by what the receivables database notifies."""
    deadline = time.monotonic() + LISTENING_SECONDS
    while db.execute(LISTENING, [channel]).fetchone() is None:
        assert time.monotonic() < deadline, f"nobody listens to {channel}"
        time.sleep(0.2)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what uses the installation together, in whatever order the tests are."""
    items.sort(key=lambda item: not _uses_stack(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Function, nextitem: pytest.Item | None) -> Iterator[None]:
    """Stop the installation after the last test that uses it: idle, it takes a quarter of a core from the others."""
    stack = item.funcargs.get("running_stack")
    yield
    if stack and not _uses_stack(nextitem):
        stack.command("stop")


def _uses_stack(item: pytest.Item | None) -> bool:
    return "running_stack" in getattr(item, "fixturenames", ())


@pytest.fixture(scope="session")
def embedded_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL with empty databases, fast and not durable."""
    postgres = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), settings=FAST)
    postgres.start()
    yield postgres
    postgres.stop()


@pytest.fixture(scope="session")
def running_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """What `bin/start --detach` starts, with the demo company in it and no webhooks; one for the whole session."""
    directory = tmp_path_factory.mktemp("local")
    ports = {name: str(free_port()) for name in ("AIRFLOW_PORT", "POSTGRES_PORT", "SANDBOX_PORT")}
    try:
        more_dags(directory).mkdir()
        settings = {
            BUNDLES: bundles(directory),
            "AIRFLOW__METRICS__STATSD_ON": "True",
            STATSD_PORT: str(free_port()),
        }
        started = run_command("start", "--detach", directory=directory, **ports, **settings)
        assert started.returncode == 0, started.stdout + started.stderr
        stack = RunningStack(LocalDirectory(directory), settings)
        assert switch_webhooks(stack, is_on=False) == stack.webhook_url
        yield stack
    finally:
        run_command("stop", directory=directory)


@pytest.fixture(scope="module")
def running_stack_bench(running_stack: RunningStack) -> Iterator[Workbench]:
    """Companies of the running installation; a test pauses its own at the end: others count the connected ones."""
    sandbox = SandboxControl(running_stack.sandbox_url)
    keys = Keys.of(sandbox, running_stack.database_url, running_stack.fernet_key)
    with psycopg.connect(running_stack.database_url, autocommit=True) as db:
        yield Workbench(keys.access(), sandbox, db)
