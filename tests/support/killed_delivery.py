"""Delivers a company's payments in a process of its own that is killed at a chosen point."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from include.errors import BusyError, ReceivablesError
from include.receivables.company import rate_limit
from include.receivables.company.run_context import RunContext
from include.receivables.outbound import delivery_jobs
from tests.support.fuse import Fuse, burn, killable
from tests.support.workbench import UNLIMITED

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.delivery_trace import Trace
    from tests.support.other_process import Keys

DELIVERED, FAILED, BUSY = 0, 3, 4


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
        burn(fuse)
        connection = killable(fuse)
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
