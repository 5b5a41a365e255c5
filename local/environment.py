"""The environment variables that every part of an installation runs with."""

from __future__ import annotations

import json
import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from include import databases
from local.directory import ROLES, ROOT, LocalDirectory
from local.errors import LocalError
from local.files import read_json, write_private
from local.ports import HOST

if TYPE_CHECKING:
    from collections.abc import Mapping

# The receivables database's: who names one has to name them all.
RECEIVABLES = tuple(name for name in databases.USERS if name.startswith("AIRFLOW_CONN_RECEIVABLES_"))
CONNECTIONS = (*databases.USERS, "AIRFLOW_CONN_QUICKBOOKS")
# What no part of Airflow is told: it changes the schema, or belongs to another program.
NOT_FOR_AIRFLOW = (databases.OWNER, databases.PEAKFLO_APP)
# Names those of the connections that are the installation's own, so that they can be told from ones given to it.
OWN = "RECEIVABLES_OWN_CONNECTIONS"
SANDBOX_APP = ("sandbox-client", "sandbox-secret")
# Where Python finds our own packages: the repository, what Airflow imports at its start, and its connection type.
PYTHON_PATHS = (ROOT, ROOT / "include/airflow_config", ROOT / "include/provider")
# Measured on two cores: a triggered run of one task ends in 0.4 s; idle, the scheduler takes an eighth of one.
TUNING = {
    "AIRFLOW__CORE__PARALLELISM": "16",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE": "20",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_MAX_OVERFLOW": "60",  # more than the API server's threads, or it stalls
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",  # a finished task may hold its slot for so long
}


@dataclass(frozen=True)
class Addresses:
    """
    Where the parts of an installation listen.

    :param databases: the URLs of the databases for each user, by the variables in ``databases.USERS``.
    """

    airflow_port: int
    databases: Mapping[str, str]
    sandbox_port: int | None

    @property
    def airflow(self) -> str:
        """The URL of Airflow's web pages and API."""
        return f"http://{HOST}:{self.airflow_port}"

    @property
    def sandbox(self) -> str:
        """The URL of the QuickBooks sandbox."""
        return f"http://{HOST}:{self.sandbox_port}"


def build(directory: LocalDirectory, addresses: Addresses) -> dict[str, str]:
    """
    Return the variables of an installation.

    A connection or a setting for tuning that the caller's environment has goes before ours.

    :raises LocalError: when the caller names a receivables database for some of its users only.
    """
    secret = read_json(directory.secrets)
    connections = dict(addresses.databases)
    if addresses.sandbox_port:
        connections["AIRFLOW_CONN_QUICKBOOKS"] = _sandbox_connection(
            addresses, secret["webhook_verifier_token"]
        )
    given = {name: os.environ[name] for name in (*TUNING, *CONNECTIONS) if os.environ.get(name)}
    missing = [name for name in RECEIVABLES if name not in given]
    if 0 < len(missing) < len(RECEIVABLES):
        raise LocalError(
            "The environment names a receivables database, but not for each of its users: "
            f"set {', '.join(missing)}, too."
        )
    return {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "PYTHONPATH": os.pathsep.join(map(str, PYTHON_PATHS)),
        "RECEIVABLES_LOCAL_DIR": str(directory.path),
        "SANDBOX_WEBHOOK_VERIFIER_TOKEN": secret["webhook_verifier_token"],
        "AIRFLOW_API_URL": addresses.airflow,
        "AIRFLOW_HOME": str(directory.airflow),
        "AIRFLOW__API__BASE_URL": addresses.airflow,
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": str(addresses.airflow_port),
        "AIRFLOW__API__SECRET_KEY": secret["api_secret_key"],
        "AIRFLOW__API_AUTH__JWT_SECRET": secret["jwt_secret"],
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{addresses.airflow}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__FERNET_KEY": secret["fernet_key"],
        "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",  # the default asks a name server
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(directory.passwords),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(
            f"{user}:{role}" for user, role in ROLES.items()
        ),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": addresses.databases["AIRFLOW_CONN_AIRFLOW_DB"].replace(
            "postgresql:", "postgresql+psycopg2:"
        ),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(directory.logs / "tasks"),
        OWN: " ".join(name for name in connections if name not in given),
        **TUNING,
        **connections,
        **given,
    }


def forget_own_connections(path: Path) -> None:
    """
    Take the connections out of this process's environment that came from the installation's own file.

    A shell that has read the file names no other QuickBooks or database with them.
    """
    variables = read_env_file(path)
    for name in variables.get(OWN, "").split():
        if os.environ.get(name) == variables[name]:
            del os.environ[name]


def _sandbox_connection(addresses: Addresses, verifier_token: str) -> str:
    client_id, client_secret = SANDBOX_APP
    return json.dumps(
        {
            "conn_type": "quickbooks",
            "login": client_id,
            "password": client_secret,
            "extra": {
                "environment": "sandbox",
                "api_url": addresses.sandbox,
                "discovery_url": f"{addresses.sandbox}/.well-known/openid_sandbox_configuration",
                "redirect_uri": f"{addresses.airflow}/quickbooks/callback",
                "webhook_verifier_token": verifier_token,
            },
        }
    )


def write_env_file(path: Path, variables: Mapping[str, str]) -> None:
    """Write variables as a file for a shell's ``.`` command."""
    write_private(path, "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()))


def read_env_file(path: Path) -> dict[str, str]:
    """Return the variables of such a file; none where it does not exist."""
    try:
        words = shlex.split(path.read_text())
    except FileNotFoundError:
        return {}
    return dict(word.split("=", 1) for word in words if word != "export")
