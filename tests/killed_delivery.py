"""Delivers a company's payments in a process of its own that is killed at a chosen step."""

from __future__ import annotations

import dataclasses
import os
import signal
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg

from include.errors import BusyError, ReceivablesError
from include.receivables import delivery_jobs
from include.receivables.jobs import Occasion

if TYPE_CHECKING:
    from tests.other_process import Keys

DELIVERED, FAILED, BUSY = 0, 3, 4


class Countdown:
    """Kills this process at its n-th statement, before the database gets to see it."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def step(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def push(keys: Keys, company_id: str, steps: int, settled_seconds: float = 0) -> None:
    """
    Deliver, and be killed before the n-th statement of all connections; never, if there are fewer.

    Between two statements lies everything that leaves the process: a commit, or a request to QuickBooks.
    """
    countdown = Countdown(steps)

    class Connection(psycopg.Connection[Any]):
        def execute(self, *arguments: Any, **options: Any) -> Any:
            countdown.step()
            return super().execute(*arguments, **options)

    access = dataclasses.replace(
        keys.access(),
        connect=lambda: Connection.connect(keys.db_url, autocommit=True, prepare_threshold=None),
    )
    try:
        delivery_jobs.push(
            access,
            company_id,
            Occasion("killed", str(os.getpid())),
            settled_after=timedelta(seconds=settled_seconds),
        )
    except BusyError:
        raise SystemExit(BUSY) from None
    except ReceivablesError:
        raise SystemExit(FAILED) from None
