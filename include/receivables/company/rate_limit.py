"""QuickBooks' limit of requests per company, kept by all processes together."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from include.sql import load

if TYPE_CHECKING:
    from include.receivables.company.side_connection import SideConnection

# Intuit allows 10 requests a second and 500 a minute per company; 8 in any second keep clear of both.
MOST = 8
PERIOD = timedelta(seconds=1)


class SharedRateLimiter:
    """
    Lets at most 8 requests a second leave to one realm, whichever process sends them.

    :param realm_id: QuickBooks' id of the company.
    """

    def __init__(self, realm_id: str, *, side: SideConnection) -> None:
        self._keys = {"realm_id": realm_id, "most": MOST, "period": PERIOD}
        self._side = side

    def acquire(self) -> None:
        """Block until the next request may leave."""
        with self._side.use() as db:
            row = db.execute(load("sync/reserve_request"), self._keys).fetchone()
        if row is not None and row[0] > 0:
            time.sleep(float(row[0]))
