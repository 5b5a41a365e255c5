"""PostgreSQL, the QuickBooks sandbox and Airflow on this machine, as one thing that starts and stops."""

from __future__ import annotations

import importlib.metadata
import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

import psycopg
import requests
from psycopg import sql

from include import databases
from local import environment
from local.airflow_api import AirflowApi
from local.directory import ROOT
from local.embedded_postgres import EmbeddedPostgres
from local.errors import LocalError
from local.files import read_json
from local.heartbeats import Heartbeats
from local.ports import HOST, Ports
from local.state import State, end
from local.supervisor import ORPHAN_SECONDS, Component, Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.directory import LocalDirectory

# Below 32768: a port above may be the near end of anybody's connection.
PORTS = {"AIRFLOW_PORT": 8080, "POSTGRES_PORT": 25432, "SANDBOX_PORT": 8081}
AIRFLOW = (
    Component("api-server", "airflow", ("api-server",)),
    # Tasks' logs are read from the disk; to serve them would open a port on every network interface.
    Component("scheduler", "airflow", ("scheduler", "--skip-serve-logs")),
    Component("dag-processor", "airflow", ("dag-processor",)),
    Component("triggerer", "airflow", ("triggerer", "--skip-serve-logs")),
)
HEARTBEATS = {  # the names in Airflow's health report
    "scheduler": "latest_scheduler_heartbeat",
    "dag_processor": "latest_dag_processor_heartbeat",
    "triggerer": "latest_triggerer_heartbeat",
}
POOLS = ROOT / "include/airflow_pools.json"
START_SECONDS = 180


class LocalStack:
    """
    An installation on this machine.

    :param directory: the folder that holds all of it.
    :param say: told of each step.
    """

    def __init__(self, directory: LocalDirectory, say: Callable[[str], None]) -> None:
        self.directory = directory
        self.say = say
        self.has_sandbox = not os.environ.get("AIRFLOW_CONN_QUICKBOOKS")
        self.variables: dict[str, str] = {}
        self.postgres = EmbeddedPostgres(directory.postgres)
        self._supervisor = Supervisor(directory, say)

    @property
    def api_url(self) -> str:
        """The URL of Airflow."""
        return self.variables["AIRFLOW_API_URL"]

    @property
    def sandbox_url(self) -> str | None:
        """The URL of the QuickBooks sandbox; none where the caller named another QuickBooks."""
        return (
            f"http://{HOST}:{read_json(self.directory.ports)['SANDBOX_PORT']}" if self.has_sandbox else None
        )

    def command_environment(self) -> dict[str, str]:
        """Return the variables to run a command against the installation with."""
        return {**os.environ, **self.variables}

    @property
    def passwords(self) -> dict[str, str]:
        """The password of each Airflow user."""
        return dict(read_json(self.directory.passwords))

    @cached_property
    def _heartbeats(self) -> Heartbeats:
        return Heartbeats(self.api())

    def api(self) -> AirflowApi:
        """Return Airflow's API for the administrator."""
        return AirflowApi(self.api_url, "admin", self.passwords["admin"])

    def start(self) -> None:
        """Start everything and return when all of it is healthy."""
        stop_leftovers(self.directory)
        self.directory.make()
        self.postgres.programs.open_to_account(self.directory.path)
        addresses = self._start_postgres()
        self.variables = environment.build(self.directory, addresses)
        environment.write_env_file(self.directory.env, self.variables)
        self._supervisor.environment = {
            name: value for name, value in self.variables.items() if name not in environment.NOT_FOR_AIRFLOW
        }
        for name in environment.NOT_FOR_AIRFLOW:
            os.environ.pop(name, None)
        with ThreadPoolExecutor() as steps:
            started = [
                steps.submit(step)
                for step in (self._migrate_airflow, self._migrate_receivables, self._start_sandbox)
            ]
        for step in started:
            step.result()
        self._start_airflow()

    def mark_ready(self) -> None:
        """Tell other commands that the start has come to its end."""
        self._supervisor.mark_ready()

    def keep_alive(self) -> None:
        """Restart what has died or hangs."""
        if self.postgres.postmaster() is None:
            self.say(f"PostgreSQL died, restarting: see {self.postgres.log}")
            self.postgres.start()
        for part in self._heartbeats.hanging():
            self._supervisor.end_hanging(part)
        self._supervisor.restart_dead()

    def stop(self) -> None:
        """Stop everything; the data stays."""
        self._supervisor.stop()
        self.postgres.stop()
        State(self.directory.state).clear()

    def _start_postgres(self) -> environment.Addresses:
        wanted = {name: os.environ[name] for name in PORTS if os.environ.get(name)}
        ports = Ports(self.directory.ports, wanted, self.say)
        port = {name: ports.choose(name, default) for name, default in PORTS.items()}
        self.postgres.wanted_port = port["POSTGRES_PORT"]
        self.postgres.start()
        self.say(f"PostgreSQL {self.postgres.programs.version} is ready on port {port['POSTGRES_PORT']}")
        return environment.Addresses(
            airflow_port=port["AIRFLOW_PORT"],
            databases=self.postgres.urls(),
            sandbox_port=port["SANDBOX_PORT"] if self.has_sandbox else None,
        )

    def _migrate_airflow(self) -> None:
        """Create or upgrade Airflow's tables; the database remembers for which version that was done."""
        version = f"tables of Airflow {importlib.metadata.version('apache-airflow')}"
        with psycopg.connect(self.postgres.url("airflow", "airflow"), autocommit=True) as connection:
            found = connection.execute(
                "select shobj_description(oid, 'pg_database') from pg_database where datname = 'airflow'"
            ).fetchone()
            if found == (version,):
                return
            self.say("Creating or upgrading Airflow's tables …")
            self._supervisor.run(Component("airflow-migrate", "airflow", ("db", "migrate")))
            connection.execute(sql.SQL("comment on database airflow is {}").format(version))

    def _migrate_receivables(self) -> None:
        owner = {databases.OWNER: self.variables[databases.OWNER]}
        self._supervisor.run(Component("receivables-migrate", "include.migrate"), **owner)
        self.say("The receivables database is up to date")

    def _start_sandbox(self) -> None:
        if not self.has_sandbox:
            return
        port = str(read_json(self.directory.ports)["SANDBOX_PORT"])
        webhook = f"{self.api_url}/quickbooks/webhook"
        arguments = ("--port", port, "--data", str(self.directory.sandbox_data), "--webhook-url", webhook)
        self._supervisor.start(Component("sandbox", "sandbox", arguments))
        self._wait_until(lambda: _answers(f"http://{HOST}:{port}/control/health"), "the sandbox")
        self.say(f"The QuickBooks sandbox is ready on port {port}")

    def _start_airflow(self) -> None:
        self.say("Starting Airflow …")
        started_at = datetime.now(UTC)
        for component in AIRFLOW:
            self._supervisor.start(component)
        api = self.api()
        self._wait_until(lambda: bool(api.health()), "Airflow's API")
        for name, settings in read_json(POOLS).items():
            api.create_pool(name, settings)
        api.warm_up()
        self._wait_until(lambda: _beat_since(api, started_at), "Airflow")
        self.say(f"Airflow is ready on {self.api_url}")

    def _wait_until(self, is_done: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not is_done():
            self._supervisor.check()
            if time.monotonic() > deadline:
                raise LocalError(f"{what} is not ready after {START_SECONDS} s; see {self.directory.logs}.")
            time.sleep(0.1)


def _beat_since(api: AirflowApi, started_at: datetime) -> bool:
    """Tell whether each part of Airflow has reported since; an old report may be of an earlier start."""
    health = api.health()
    beats = [health.get(name, {}).get(beat) for name, beat in HEARTBEATS.items()]
    return all(beat and datetime.fromisoformat(beat) > started_at for beat in beats)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False


def stop_leftovers(directory: LocalDirectory) -> bool:
    """
    End what a killed launcher has left behind.

    :return: whether there was anything.
    """
    state = State(directory.state)
    members = state.components().values()
    has_any = any(member.session() for member in members)
    end(members, ORPHAN_SECONDS)
    postgres = EmbeddedPostgres(directory.postgres)
    has_any = has_any or postgres.postmaster() is not None
    postgres.stop()
    state.clear()
    return has_any
