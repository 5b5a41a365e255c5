"""
### Nothing

One task that does nothing: the floor under every run of a DAG with one task.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import dag, task

from include.dag_defaults import REMINDER_POOL, REMINDER_PRIORITY, REMINDER_QUEUE


@dag(schedule=None, max_active_runs=64, doc_md=__doc__)
def one_empty_task() -> None:
    @task(
        pool=REMINDER_POOL,
        queue=REMINDER_QUEUE,
        priority_weight=REMINDER_PRIORITY,
        weight_rule="absolute",
    )
    def do_nothing() -> dict[str, Any]:
        return {}

    do_nothing()


one_empty_task()
