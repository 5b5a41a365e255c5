"""Proves a company in a process of its own that is killed at a chosen point."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING

from include.receivables.company import rate_limit
from include.receivables.company.run_context import RunContext
from include.receivables.proof.reconciling import reconcile
from tests.support.fuse import Fuse, burn, killable
from tests.support.workbench import UNLIMITED

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.other_process import Keys


def prove(keys: Keys, company_id: str, point: str, nth: int, reached: Path | None = None) -> None:
    """Prove, and be killed the n-th time that a point is reached."""
    fuse = Fuse(point, nth, reached)
    rate_limit.MOST = UNLIMITED
    burn(fuse)
    connection = killable(fuse)
    access = dataclasses.replace(
        keys.access(),
        connect=lambda: connection.connect(keys.db_url, autocommit=True, prepare_threshold=None),
    )
    reconcile(access, company_id, RunContext("killed", str(os.getpid())))
