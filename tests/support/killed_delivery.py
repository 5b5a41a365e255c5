"""Delivers a company's payments in a process of its own that is killed at a chosen point."""

from __future__ import annotations

import dataclasses
import os
import signal
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import requests.adapters

from include.errors import BusyError, ReceivablesError
from include.receivables.company import rate_limit
from include.receivables.company.run_context import RunContext
from include.receivables.outbound import delivery_jobs
from include.sql import FOLDER, load
from tests.support.workbench import UNLIMITED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.delivery_trace import Trace
    from tests.support.other_process import Keys

DELIVERED, FAILED, BUSY = 0, 3, 4
ANY = "any"
COMMIT, COMMITTED, SENDING, ANSWERED = "commit", "committed", "sending", "answered"
UNNAMED = "a statement without a name"
# What statements are called.
NAMES = {
    load(name): name
    for name in (str(path.relative_to(FOLDER).with_suffix("")) for path in FOLDER.rglob("*.sql"))
}
API = "/v3/company/"


@dataclass
class Fuse:
    """
    Kills this process the n-th time that a point is reached.

    Points are the moment before each statement, which has its name; before and after each commit; ``sending`` a request
    to QuickBooks, and ``answered`` when its answer has arrived and nobody has looked at it yet, both with where it
    goes; and ``any`` of all these.

    :param reached: the file to which each point is added when it is reached.
    """

    point: str
    left: int
    reached: Path | None = None

    def reach(self, point: str) -> None:
        """Reach a point."""
        if self.reached is not None:
            with self.reached.open("a") as log:
                log.write(f"{point}\n")
        if self.point in (ANY, point):
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class Deliverer:
    """
    Delivers without regard to QuickBooks' limits.

    :param longest: begin with no further payment after that time.
    """

    keys: Keys
    company_id: str
    trace: Trace
    longest: timedelta | None = None
    settled_after: timedelta = field(default=timedelta(0))

    def push(self, point: str, nth: int, reached: Path | None = None) -> None:
        """Deliver, and be killed the n-th time that a point is reached."""
        fuse = Fuse(point, nth, reached)
        rate_limit.MOST = UNLIMITED
        self.trace.watch()
        requests.adapters.HTTPAdapter.send = _burning(fuse)  # type: ignore[method-assign]
        connection = _killable(fuse)
        access = dataclasses.replace(
            self.keys.access(),
            connect=lambda: connection.connect(self.keys.db_url, autocommit=True, prepare_threshold=None),
        )
        try:
            delivery_jobs.deliver(
                access,
                self.company_id,
                RunContext("killed", str(os.getpid())),
                settled_after=self.settled_after,
                longest=self.longest,
            )
        except BusyError:
            raise SystemExit(BUSY) from None
        except ReceivablesError:
            raise SystemExit(FAILED) from None


def _killable(fuse: Fuse) -> type[psycopg.Connection[Any]]:
    """Return the connections of a process that is killed."""

    class Cursor(psycopg.Cursor[Any]):
        def execute(self, query: Any, *arguments: Any, **options: Any) -> Any:
            fuse.reach(NAMES.get(query, UNNAMED))
            return super().execute(query, *arguments, **options)

    class Connection(psycopg.Connection[Any]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.cursor_factory = Cursor

        @contextmanager
        def transaction(self, *arguments: Any, **options: Any) -> Iterator[psycopg.Transaction]:
            with super().transaction(*arguments, **options) as transaction:
                yield transaction
                fuse.reach(COMMIT)
            fuse.reach(COMMITTED)

    return Connection


def _burning(fuse: Fuse) -> Any:
    send = requests.adapters.HTTPAdapter.send

    def send_or_die(self: Any, request: Any, **options: Any) -> Any:
        _, _, path = request.url.partition(API)
        if not path:  # for an access token
            return send(self, request, **options)
        where = path.partition("?")[0].split("/")[1]
        fuse.reach(f"{SENDING} {where}")
        try:
            return send(self, request, **options)
        finally:
            fuse.reach(f"{ANSWERED} {where}")

    return send_or_die
