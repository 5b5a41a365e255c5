"""Delivers a company's payments in a process of its own that is killed at a chosen step."""

from __future__ import annotations

import dataclasses
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
import requests.adapters

from include.errors import BusyError, ReceivablesError
from include.receivables.company import rate_limit
from include.receivables.company.run_context import RunContext
from include.receivables.outbound import delivery_jobs
from include.sql import load
from tests.support.workbench import UNLIMITED

if TYPE_CHECKING:
    from tests.support.other_process import Keys

DELIVERED, FAILED, BUSY = 0, 3, 4
ANY = "any"
# The statements that steps are named after, and what to call their texts.
NAMES = {load(name): name for name in ("outbox/intend", "outbox/mark_delivered", "outbox/end_attempt")}


@dataclass
class Fuse:
    """
    Kills this process the n-th time that a step is reached.

    Steps are ``before`` and ``after`` a statement, ``sending`` a write to QuickBooks, ``answered`` when its answer has
    arrived and nobody has looked at it yet, and ``any`` of all these.
    """

    step: str
    left: int
    _next: str = ""

    def reach(self, *steps: str) -> None:
        """Reach a step, by any of its names."""
        if self.step == ANY or self.step in steps:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def before(self, statement: str) -> None:
        """Reach the moment before a statement: what went before it is committed, unless it is in a transaction."""
        self.reach(f"before {statement}", f"next after {self._next}")
        self._next = ""

    def after(self, statement: str) -> None:
        """Reach the moment after a statement: in a transaction, it is not committed."""
        self.reach(f"after {statement}")
        self._next = statement


def push(keys: Keys, company_id: str, step: str, nth: int) -> None:
    """Deliver without regard to QuickBooks' limits, and be killed the n-th time that a step is reached."""
    fuse = Fuse(step, nth)
    rate_limit.MOST = UNLIMITED
    requests.adapters.HTTPAdapter.send = _burning(fuse)  # type: ignore[method-assign]

    class Cursor(psycopg.Cursor[Any]):
        def execute(self, query: Any, *arguments: Any, **options: Any) -> Any:
            name = NAMES.get(query, "")
            fuse.before(name)
            super().execute(query, *arguments, **options)
            fuse.after(name)
            return self

    access = dataclasses.replace(
        keys.access(),
        connect=lambda: psycopg.connect(
            keys.db_url, autocommit=True, prepare_threshold=None, cursor_factory=Cursor
        ),
    )
    try:
        delivery_jobs.deliver(access, company_id, RunContext("killed", str(os.getpid())))
    except BusyError:
        raise SystemExit(BUSY) from None
    except ReceivablesError:
        raise SystemExit(FAILED) from None


def _burning(fuse: Fuse) -> Any:
    send = requests.adapters.HTTPAdapter.send

    def send_or_die(self: Any, request: Any, **options: Any) -> Any:
        is_write = "requestid=" in request.url
        if is_write:
            fuse.reach("sending")
        answer = send(self, request, **options)
        if is_write:
            fuse.reach("answered")
        return answer

    return send_or_die
