"""
### Do something when a company's receivables have changed

A DAG that Airflow runs after the asset `peakflo_receivables` was updated: after a sync, an import, an early read, a
refresh or a reminder run that changed something in `peakflo.*`. Each event is about one company; its extra says what
changed:

```json
{"company_id": "demo", "realm_id": "4620816365", "run_ids": [17],
 "entities": {"invoice": {"merged": 3, "deleted": 0}, "payment": {"merged": 1, "deleted": 0}}}
```

An idle cycle makes no event. Airflow gathers events that come while a run is under way into the next run. `entities` is
empty after a killed run, which may have changed anything. To try it, copy this file into the folder of DAGs.
"""

from __future__ import annotations

import logging
from typing import Any

from airflow.sdk import Asset, dag, get_current_context, task

PEAKFLO_RECEIVABLES = Asset("peakflo_receivables")
COMPANY_ID = "demo"

logger = logging.getLogger(__name__)


@dag(
    schedule=[PEAKFLO_RECEIVABLES],
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["receivables", "example"],
)
def receivables_changes() -> None:
    @task
    def count_changes() -> dict[str, int]:
        """Count the records of one company that have changed, by entity."""
        events = get_current_context()["triggering_asset_events"][PEAKFLO_RECEIVABLES]
        changed = count([event.extra for event in events], COMPANY_ID)
        logger.info("Company %s: %s.", COMPANY_ID, changed or "nothing has changed")
        return changed

    count_changes()


def count(extras: list[dict[str, Any]], company_id: str) -> dict[str, int]:
    """Add up what events say of a company."""
    changed: dict[str, int] = {}
    for extra in extras:
        if extra.get("company_id") == company_id:
            for entity, counts in extra["entities"].items():
                changed[entity] = changed.get(entity, 0) + counts["merged"] + counts["deleted"]
    return changed


receivables_changes()
