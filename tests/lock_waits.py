"""How long anybody waits for a lock while something is going on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator

EVERY_SECONDS = 0.02

# The longest wait that is going on, one's own included, in a database.
LONGEST = """
    select extract(epoch from max(clock_timestamp() - locks.waitstart))::float
    from pg_locks as locks
    inner join pg_stat_activity as activity on locks.pid = activity.pid
    where not locks.granted and activity.datname = current_database()
"""


@contextmanager
def watch_lock_waits(db_url: str) -> Iterator[list[float]]:
    """Collect, while the block runs, how long the longest wait for a lock has lasted at each look."""
    waits: list[float] = []
    is_over = Event()

    def watch() -> None:
        with psycopg.connect(db_url, autocommit=True) as db:
            while not is_over.wait(EVERY_SECONDS):
                [longest] = db.execute(LONGEST).fetchone() or [None]
                waits.extend([longest] if longest is not None else [])

    with ThreadPoolExecutor(max_workers=1) as pool:
        watching = pool.submit(watch)
        try:
            yield waits
        finally:
            is_over.set()
        watching.result()
