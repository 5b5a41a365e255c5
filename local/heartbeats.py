"""Which parts of Airflow run, but do nothing any more."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.airflow_api import AirflowApi

# Of the installation's parts, the names in Airflow's health report.
REPORTED = {"scheduler": "scheduler", "dag-processor": "dag_processor", "triggerer": "triggerer"}
ASK_EVERY_SECONDS = 15
# Airflow calls a part unhealthy once it has not reported for half a minute; on a busy machine it may take so long to
# start.
PATIENCE_SECONDS = 120


class Heartbeats:
    """
    Tells which parts of Airflow hang.

    A scheduler that has lost its database may wait for ever for its own workers instead of ending, so that a look at
    its process is not enough.

    :param patience: for how many seconds a part may be unhealthy.
    :param ask_every: how many seconds apart Airflow is asked.
    """

    def __init__(
        self, api: AirflowApi, *, patience: float = PATIENCE_SECONDS, ask_every: float = ASK_EVERY_SECONDS
    ) -> None:
        self._api = api
        self._patience = patience
        self._ask_every = ask_every
        self._asked_at = 0.0
        self._silent_since: dict[str, float] = {}

    def hanging(self) -> list[str]:
        """Return the parts that hang, each once; nothing is known of them while the API server does not answer."""
        now = time.monotonic()
        if now - self._asked_at < self._ask_every:
            return []
        self._asked_at = now
        silent = self._silent()
        self._silent_since = {part: self._silent_since.get(part, now) for part in silent}
        hanging = [part for part, since in self._silent_since.items() if now - since >= self._patience]
        for part in hanging:
            del self._silent_since[part]
        return hanging

    def _silent(self) -> list[str]:
        health = self._api.health()
        return [part for part, name in REPORTED.items() if health.get(name, {}).get("status") == "unhealthy"]
