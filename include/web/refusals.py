"""Webhook deliveries that are refused: counted in memory, so that whoever sends them costs no connection each."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter

import psycopg
from fastapi.concurrency import run_in_threadpool
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from include.errors import UnreachableError
from include.hooks.receivables_db import WebhookDbHook
from include.receivables.inbound import webhook_events
from include.web.database import lend

log = logging.getLogger(__name__)

SAVE_SECONDS = 2.0
# Beyond these, the sender is only told to wait. Intuit repeats what is refused after 10 seconds and later.
ANSWERED = RateLimitItemPerMinute(60)


class Refusals:
    """The refusals of one process, by their reason, until they are saved."""

    def __init__(self) -> None:
        self._unsaved: Counter[str] = Counter()
        self._saving: asyncio.Task[None] | None = None
        self._windows = MovingWindowRateLimiter(MemoryStorage())

    def add(self, reason: str) -> None:
        """Count a refusal, and have it saved soon."""
        self._unsaved[reason] += 1
        if self._saving is None or self._saving.done():
            self._saving = asyncio.create_task(self._save_soon())

    def is_burst(self) -> bool:
        """Count a refusal whose sender has proved nothing; whether there were too many of them lately."""
        return not self._windows.hit(ANSWERED)

    async def close(self) -> None:
        """Save what is not saved yet; what the database does not take now is lost."""
        if self._saving is not None:
            self._saving.cancel()
        await self._save()

    async def _save_soon(self) -> None:
        while self._unsaved:
            await asyncio.sleep(SAVE_SECONDS)
            await self._save()

    async def _save(self) -> None:
        totals, self._unsaved = self._unsaved, Counter()
        if totals and not await run_in_threadpool(_store, totals):
            self._unsaved += totals


def _store(totals: Counter[str]) -> bool:
    told = ", ".join(f"{total} {reason}" for reason, total in totals.items())
    try:
        with lend(WebhookDbHook) as db:
            webhook_events.count_refusals(db, totals)
    except (UnreachableError, psycopg.OperationalError):
        log.warning("Webhook deliveries refused: %s. The database does not answer to count them.", told)
        return False
    log.warning("Webhook deliveries refused: %s.", told)
    return True
