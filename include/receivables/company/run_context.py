"""On whose behalf a piece of work runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class RunContext:
    """
    On whose behalf a piece of work runs, for the sync log.

    :param dag_run_id: the DAG run's id, or one that the command line makes up.
    :param clear_number: how often somebody has cleared the DAG run, or tasks of it: what went through before is done
        again then, unlike at a retry.
    """

    dag_id: str
    dag_run_id: str
    try_number: int = 1
    clear_number: int = 0

    @classmethod
    def of(cls, context: Any) -> RunContext:
        """Return that of an Airflow task, from its context."""
        instance = context["ti"]
        return cls(
            instance.dag_id, instance.run_id, instance.try_number, context["dag_run"].clear_number or 0
        )
