"""
The month's quota of reads, and whether it is used up: Intuit then answers every read 429, for days, and takes writes.

The quota is the app's, so all companies tell of it together: it is used up when no read of any company was answered for
a quarter of an hour, and it is there again with the first one that is. The sync log has all that this takes.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from psycopg.rows import class_row

from include.errors import QuotaError
from include.sql import load

if TYPE_CHECKING:
    from psycopg import Connection

logger = logging.getLogger(__name__)

# A 429 that stays for so long at our low rate is not about speed.
SUSPECTED_AFTER = timedelta(minutes=15)
# Intuit does not meter refused reads; one an hour finds out that there is a quota again.
PROBE_EVERY = timedelta(hours=1)
CURE = "Nothing: it ends with the month. A higher tier at Intuit ends it at once."


@dataclass(frozen=True, slots=True)
class ReadQuota:
    """
    What is known of the quota.

    :param refused_since: since when every read was answered 429; None if the last one was not.
    :param is_probe_due: whether the last one was long enough ago for another try.
    """

    refused_since: datetime | None
    is_used_up: bool
    is_probe_due: bool

    @property
    def sentence(self) -> str:
        """What is wrong, since when, and how it goes on."""
        since = (
            "?" if self.refused_since is None else f"{self.refused_since.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        )
        return (
            f"QuickBooks has answered 429 to every read since {since}: the month's quota of reads is probably used up. "
            "One read an hour finds out when there is a new one; payments go to QuickBooks meanwhile."
        )


def read(db: Connection) -> ReadQuota:
    """Read whether the quota seems to be used up."""
    with db.cursor(row_factory=class_row(ReadQuota)) as cursor:
        row = cursor.execute(
            load("sync/read_quota"), {"suspected_after": SUSPECTED_AFTER, "probe_every": PROBE_EVERY}
        ).fetchone()
    return row or ReadQuota(None, is_used_up=False, is_probe_due=False)


def check(db: Connection) -> None:
    """
    Make sure that a read may be tried.

    :raises QuotaError: when the quota is used up and the last try was less than an hour ago.
    """
    quota = read(db)
    if quota.is_used_up and not quota.is_probe_due:
        raise QuotaError(quota.sentence)


def tell(db: Connection, *, is_news: bool) -> None:
    """
    Tell every connected company that the quota is used up, if it is: one problem each, which its next sync closes.

    :param is_news: whether the log has to say so, too.
    """
    quota = read(db)
    if not quota.is_used_up:
        return
    db.execute(load("sync/report_used_up"), {"message": quota.sentence, "cure": CURE})
    if is_news:
        logger.error("%s", quota.sentence)
