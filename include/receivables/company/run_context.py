"""On whose behalf a piece of work runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class RunContext:
    """
    On whose behalf a piece of work runs, for the sync log.

    :param dag_run_id: the DAG run's id, or one that the command line makes up.
    :param clear_number: how often somebody has cleared the DAG run, or tasks of it: what went through before is done
        again then, unlike at a retry.
    :param asked_at: when the DAG run was asked for, or was due; None of the command line.
    """

    dag_id: str
    dag_run_id: str
    try_number: int = 1
    clear_number: int = 0
    asked_at: datetime | None = None

    @classmethod
    def of(cls, context: Any) -> RunContext:
        """Return that of an Airflow task, from its context."""
        instance, dag_run = context["ti"], context["dag_run"]
        return cls(
            instance.dag_id,
            instance.run_id,
            instance.try_number,
            dag_run.clear_number or 0,
            dag_run.run_after,
        )
