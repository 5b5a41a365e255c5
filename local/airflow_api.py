"""The calls of Airflow's REST API that the launcher makes."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import requests

TIMEOUT = 30


class AirflowApi:
    """
    Airflow's REST API, for one user.

    :param url: Airflow's base URL.
    :param user: the user's name.
    :param password: the user's password.
    """

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url
        self._credentials = {"username": user, "password": password}
        self._session = requests.Session()

    def health(self) -> dict[str, Any]:
        """Return what Airflow says about its parts; nothing while it cannot be reached."""
        try:
            answer = self._session.get(f"{self.url}/api/v2/monitor/health", timeout=TIMEOUT)
            return dict(answer.json()) if answer.ok else {}
        except (requests.RequestException, ValueError):
            return {}

    def warm_up(self) -> None:
        """Build the API that the tasks call; the first task would otherwise wait four seconds for it."""
        # Without this user's token, of which that API would complain in its log.
        requests.get(f"{self.url}/execution/health/ping", timeout=TIMEOUT).raise_for_status()

    def create_pool(self, name: str, settings: dict[str, Any]) -> None:
        """Create a pool, unless it exists; one that somebody has resized stays so."""
        if not self._call("GET", f"/pools/{name}").ok:
            self._call("POST", "/pools", json={"name": name, **settings}).raise_for_status()

    def has_dag(self, dag_id: str) -> bool:
        """Tell whether Airflow has read the DAG."""
        return self._call("GET", f"/dags/{dag_id}").ok

    def trigger(self, dag_id: str, conf: dict[str, Any]) -> str:
        """Start a run and return its id."""
        answer = self._call("POST", f"/dags/{dag_id}/dagRuns", json={"logical_date": None, "conf": conf})
        answer.raise_for_status()
        return str(answer.json()["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return a run's state, such as ``running`` or ``success``."""
        answer = self._call("GET", f"/dags/{dag_id}/dagRuns/{quote(run_id)}")
        answer.raise_for_status()
        return str(answer.json()["state"])

    def _call(self, method: str, path: str, **arguments: Any) -> requests.Response:
        if "Authorization" not in self._session.headers:
            self._log_in()
        return self._session.request(method, f"{self.url}/api/v2{path}", timeout=TIMEOUT, **arguments)

    def _log_in(self) -> None:
        answer = self._session.post(f"{self.url}/auth/token", json=self._credentials, timeout=TIMEOUT)
        answer.raise_for_status()
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
