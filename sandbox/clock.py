"""The sandbox's time: real time plus an offset, printed as QuickBooks prints it."""

from __future__ import annotations

import time
from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

PACIFIC = ZoneInfo("America/Los_Angeles")


class Clock:
    """
    Real time plus an offset that tests may move.

    :param offset_seconds: how far the sandbox's time is ahead of real time.
    """

    def __init__(self, offset_seconds: float = 0.0) -> None:
        self.offset_seconds = offset_seconds

    def now(self) -> float:
        """Return the sandbox's time as seconds since the epoch."""
        return time.time() + self.offset_seconds

    def today(self) -> date:
        """Return today's date in the company's calendar."""
        return datetime.fromtimestamp(self.now(), PACIFIC).date()


@lru_cache(maxsize=4096)
def record_time(epoch: int) -> str:
    """
    Print the time of a record.

    Intuit: MetaData has whole seconds in US Pacific time, ``2026-11-25T06:29:06-08:00``.
    """
    return datetime.fromtimestamp(epoch, PACIFIC).isoformat(timespec="seconds")


def answer_time(epoch: float) -> str:
    """Print the ``time`` of an answer, which has milliseconds."""
    return datetime.fromtimestamp(epoch, PACIFIC).isoformat(timespec="milliseconds")


def parse_time(text: str) -> float:
    """
    Read a time of a query or of changedSince; without an offset it is US Pacific time.

    :raises ValueError: when the text is not an ISO 8601 date or time.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=PACIFIC)
    return moment.timestamp()
