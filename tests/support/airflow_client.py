"""Airflow's REST API as its users call it, for tests."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import requests

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.fixtures_local import RunningStack
    from tests.support.several_hosts import SeveralHosts

TIMEOUT = 30
DEADLINE_SECONDS = 240
POLL_SECONDS = 0.3
# How far off the next scheduled run has to be for a test that counts what its own run does.
QUIET_SECONDS = 60


class AirflowClient:
    """
    The API for one user.

    :param user: the user's name; anonymous when empty.
    """

    def __init__(self, stack: RunningStack | SeveralHosts, user: str = "") -> None:
        self._stack = stack
        self._session = requests.Session()
        if user:
            credentials = {"username": user, "password": stack.passwords[user]}
            answer = self._session.post(
                f"{self._stack.api_url}/auth/token", json=credentials, timeout=TIMEOUT
            )
            self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def call(self, method: str, path: str, **arguments: Any) -> requests.Response:
        """Make a call below ``/api/v2``."""
        return self._session.request(
            method, f"{self._stack.api_url}/api/v2/{path}", timeout=TIMEOUT, **arguments
        )

    def page(self, path: str, **arguments: Any) -> requests.Response:
        """Read one of our pages inside Airflow."""
        return self._session.get(f"{self._stack.api_url}/quickbooks/{path}", timeout=TIMEOUT, **arguments)

    def trigger(self, dag_id: str, run_id: str | None = None, **conf: Any) -> requests.Response:
        """Ask for a run of a DAG."""
        asked = {"logical_date": None, "conf": conf}
        return self.call(
            "POST", f"dags/{dag_id}/dagRuns", json=asked | ({"dag_run_id": run_id} if run_id else {})
        )

    def run(self, dag_id: str, **conf: Any) -> str:
        """Run a DAG to its end and return the run's id."""
        answer = self.trigger(dag_id, **conf)
        answer.raise_for_status()
        run_id: str = answer.json()["dag_run_id"]
        self.wait(dag_id, run_id)
        return run_id

    def wait(self, dag_id: str, run_id: str) -> str:
        """Wait until a run has ended and return its state."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while (state := self.state(dag_id, run_id)) not in ("success", "failed"):
            assert time.monotonic() < deadline, f"{dag_id} {run_id} is still {state}"
            time.sleep(POLL_SECONDS)
        return state

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the task instances of a run, mapped ones each by itself."""
        answer = self.call(
            "GET", f"dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances", params={"limit": 100}
        )
        answer.raise_for_status()
        tasks: list[dict[str, Any]] = answer.json()["task_instances"]
        return tasks

    def log(self, task: dict[str, Any]) -> str:
        """Return the log of a task's last try."""
        place = f"dags/{task['dag_id']}/dagRuns/{quote(task['dag_run_id'])}/taskInstances/{task['task_id']}"
        answer = self.call(
            "GET",
            f"{place}/logs/{task['try_number']}",
            params={"map_index": task["map_index"], "full_content": True},
            headers={"Accept": "application/json"},
        )
        answer.raise_for_status()
        return answer.text

    def wait_for_quiet(self, dag_id: str) -> None:
        """Wait until no scheduled run of a DAG is under way or about to begin."""
        self.wait_until(lambda: self._is_quiet(dag_id))

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that happens by itself."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, "it never happens"
            time.sleep(POLL_SECONDS)

    def state(self, dag_id: str, run_id: str) -> str:
        """Return the state of a run."""
        answer = self.call("GET", f"dags/{dag_id}/dagRuns/{quote(run_id)}")
        answer.raise_for_status()
        return str(answer.json()["state"])

    def _is_quiet(self, dag_id: str) -> bool:
        active = self.call("GET", f"dags/{dag_id}/dagRuns", params={"state": ["running", "queued"]}).json()
        planned = self.call("GET", f"dags/{dag_id}").json()["next_dagrun_run_after"]
        ahead = datetime.fromisoformat(planned) - datetime.now(UTC)
        return active["total_entries"] == 0 and ahead.total_seconds() > QUIET_SECONDS
