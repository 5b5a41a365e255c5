"""
Airflow's settings for tests in this process.

Airflow reads them when it is first imported: whatever tests Airflow code imports this module first.
"""

from __future__ import annotations

import atexit
import configparser
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet

from tests.support.databases import urls_of

if TYPE_CHECKING:
    import pytest

    from sandbox.control import SandboxControl

ROOT = Path(__file__).parents[2]
DAGS = ROOT / "dags"
PROVIDER = ROOT / "include/provider"
VERIFIER_TOKEN = "a-verifier-token"


def quickbooks_connection(sandbox: SandboxControl, **changes: str) -> str:
    """
    Return the value of ``AIRFLOW_CONN_QUICKBOOKS`` for a sandbox.

    :param changes: fields of the connection that differ, such as the password.
    """
    connection = {
        "conn_type": "quickbooks",
        "login": "sandbox-client",
        "password": "sandbox-secret",
        "extra": {
            "environment": "sandbox",
            "api_url": sandbox.api_url,
            "discovery_url": sandbox.discovery_url,
            "redirect_uri": "http://127.0.0.1/callback",
            "webhook_verifier_token": VERIFIER_TOKEN,
        },
    }
    return json.dumps(connection | changes)


def define_connections(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxControl, db_url: str) -> None:
    """
    Define the connections of the sync in the environment.

    :param db_url: the administrator's.
    """
    monkeypatch.setenv("AIRFLOW_CONN_QUICKBOOKS", quickbooks_connection(sandbox))
    for variable, url in urls_of(db_url).items():
        monkeypatch.setenv(variable, url)


def _new_home() -> Path:
    home = Path(tempfile.mkdtemp(prefix="airflow-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    return home


def _set_up() -> None:
    """Write a file of settings: variables would go before those of an installation that a test starts."""
    if "airflow" in sys.modules:
        raise RuntimeError("Airflow was imported before its settings for tests")
    settings = configparser.ConfigParser()
    settings["core"] = {
        "dags_folder": str(DAGS),
        "fernet_key": FERNET_KEY,
        "load_examples": "False",
        "plugins_folder": str(ROOT / "plugins"),
    }
    settings["database"] = {"sql_alchemy_conn": f"sqlite:///{METADATA}"}
    settings["logging"] = {"logging_level": "WARNING"}
    with (HOME / "airflow.cfg").open("w") as file:
        settings.write(file)
    os.environ["AIRFLOW_HOME"] = str(HOME)
    # Airflow finds the connection type there, as on the PYTHONPATH of an installation.
    sys.path.append(str(PROVIDER))


HOME = _new_home()
METADATA = HOME / "airflow.db"
FERNET_KEY = Fernet.generate_key().decode()
_set_up()
