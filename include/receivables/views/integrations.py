"""What people see of all companies at once: a page of them, and what is left of the quota that they share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from psycopg.rows import class_row

from include.sql import load

if TYPE_CHECKING:
    from psycopg import Connection

STATUSES = ("connected", "paused", "reauthorize", "disconnected")
PAGE_SIZE = 50
MOST_SEARCHED = 100


@dataclass(frozen=True, slots=True)
class Integration:
    """
    A company in the list.

    :param source_name: the name that it has in QuickBooks; unknown until its books are read.
    :param last_sync_at: the end of the last run that succeeded.
    :param fresh_until: up to which moment of QuickBooks' clock all its records are known.
    :param late_after: how old they may be.
    :param metered_calls: of this month, in UTC.
    """

    company_id: str
    name: str
    source_name: str | None
    realm_id: str
    status: str
    last_sync_at: datetime | None
    fresh_until: datetime | None
    late_after: timedelta
    open_problems: int
    waiting_payments: int
    metered_calls: int

    @property
    def is_stale(self) -> bool:
        """Whether the records should be fresher than they are."""
        if self.status != "connected":
            return False
        return self.fresh_until is None or datetime.now(UTC) - self.fresh_until > self.late_after


@dataclass(frozen=True, slots=True)
class Integrations:
    """
    A page of companies.

    :param counts: how many the search finds, by status.
    :param page: its number, from 1.
    """

    rows: list[Integration]
    counts: dict[str, int]
    page: int
    pages: int


def list_integrations(db: Connection, *, search: str = "", status: str = "", page: int = 1) -> Integrations:
    """
    List a page of the companies by name.

    :param search: a part of a name or an id; everything when empty.
    :param status: of the connection; any when empty.
    :param page: a number beyond the last page is taken for the last.
    """
    wanted = search.strip()[:MOST_SEARCHED]
    keys = {"pattern": f"%{_literally(wanted)}%" if wanted else None, "status": status or None}
    counted: dict[str, int] = dict(db.execute(load("sync/count_integrations"), keys).fetchall())
    counts = {each: counted.get(each, 0) for each in STATUSES}
    found = counts.get(status, 0) if status else sum(counts.values())
    pages = max(1, -(-found // PAGE_SIZE))
    page = min(max(page, 1), pages)
    with db.cursor(row_factory=class_row(Integration)) as cursor:
        portion = {"skipped": (page - 1) * PAGE_SIZE, "most": PAGE_SIZE}
        rows = cursor.execute(load("sync/list_integrations"), keys | portion).fetchall()
    return Integrations(rows, counts, page, pages)


def _literally(text: str) -> str:
    """Take away what the signs of a pattern mean."""
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
