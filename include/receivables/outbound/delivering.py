"""Outbox → QuickBooks: looks at a company's payments, one after another, until each has come to a standing."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import psycopg

from include.errors import (
    QuotaError,
    ReceivablesError,
    RecordError,
    RetryableError,
    ThrottledError,
    UnreachableError,
)
from include.receivables.outbound import acting, standings
from include.receivables.outbound.decide import decide
from include.receivables.outbound.model import Adopt, Move, Standing
from include.receivables.outbound.situation import read_situation
from include.receivables.outbound.work import Work, wake
from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

logger = logging.getLogger(__name__)

# So many payments one after another about which QuickBooks gives no answer: it is down, not troubled by one of them.
DOWN_AFTER = 2
# How many payments are settled in passing.
MOST_SETTLED = 100
# No payment takes so many steps at once, whatever comes between.
MOST_STEPS = 20


def deliver_company(work: Work) -> None:
    """
    Look at each payment on which something changed or that has not come to rest.

    The caller holds the company's deliveries, see :func:`include.receivables.outbound.work.delivery_lock`.

    :raises UnreachableError: at the end, when QuickBooks gave no answer about a payment; the others went on unless it
        gave none about several.
    :raises ThrottledError: likewise, when it refused to be read; what needs no reading went on.
    :raises ReceivablesError: when QuickBooks does not take requests at all; the rest stays as it is.
    """
    this_round = _Round(work)
    for payment_id, is_queued in _in_turn(work):
        work.run.counts["payment"].read += 1
        this_round.take(payment_id, is_queued=is_queued)
    this_round.end()


def deliver(work: Work, payment_id: UUID, *, is_queued: bool = True) -> None:
    """Take one step after another for a payment, until it stands where nothing is to be done right now."""
    if not is_queued and _rests(work, payment_id):
        return
    for _ in range(MOST_STEPS):
        act = _decide(work, payment_id)
        if act is None:
            return
        act()
    logger.error("Payment %s comes to no rest.", payment_id)


def _rests(work: Work, payment_id: UUID) -> bool:
    """
    Tell whether a payment on which nothing changed still stands where it stood.

    It is not locked for that, which is a write.
    """
    situation = read_situation(work.db, work.company, payment_id, work.patience)
    decided = None if situation is None else decide(situation)
    return (
        situation is not None and isinstance(decided, Standing) and standings.is_settled(situation, decided)
    )


def _decide(work: Work, payment_id: UUID) -> Callable[[], None] | None:
    """Decide what is next, and commit to it; nothing is left to do where the payment stands then."""
    keys = {"company_id": work.company.company_id, "payment_id": payment_id}
    while True:
        with work.db.transaction():
            work.db.execute(load("outbox/lock_payment"), keys)
            situation = read_situation(work.db, work.company, payment_id, work.patience)
            if situation is None:
                work.db.execute(load("outbox/forget"), keys)
                return None
            decided = decide(situation)
            if isinstance(decided, Standing):
                standings.settle(work.db, work.company, situation, decided)
                return None
            act = acting.commit(work, situation, decided)
        if act is not None:
            return act


def settle_queued(work: Work) -> None:
    """
    Have queued payments follow what was read of them as far as nothing has to be asked, in the caller's transaction.

    Those that somebody else is at work on stay queued, those beyond a number that takes a moment, and any that fails.
    """
    keys = {"company_id": work.company.company_id, "most": MOST_SETTLED}
    for (payment_id,) in work.db.execute(load("outbox/lock_queued"), keys).fetchall():
        try:
            with work.db.transaction():
                _settle_queued(work, payment_id)
        except (ReceivablesError, psycopg.OperationalError):
            raise
        except Exception:
            logger.exception("Payment %s failed.", payment_id)


def _settle_queued(work: Work, payment_id: UUID) -> None:
    for _ in range(MOST_STEPS):
        situation = read_situation(work.db, work.company, payment_id, work.patience)
        decided = None if situation is None else decide(situation)
        if situation is None or not isinstance(decided, Standing | Move | Adopt):
            return
        if isinstance(decided, Standing):
            standings.settle(work.db, work.company, situation, decided)
            return
        acting.commit(work, situation, decided)


class _Round:
    """One payment after another; one that fails does not stop the others."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._first: RetryableError | None = None
        self._in_a_row = 0

    def take(self, payment_id: UUID, *, is_queued: bool) -> None:
        """Work on one payment."""
        try:
            deliver(self._work, payment_id, is_queued=is_queued)
        except UnreachableError as error:
            self._pass_over(payment_id, error)
            return
        except RecordError as error:
            # What it would undo cannot be read, of which the sync tells.
            self._wait(payment_id, error)
        except QuotaError as error:
            self._leave(payment_id, error)
            return
        except (ReceivablesError, psycopg.OperationalError):
            raise
        except Exception as error:
            logger.exception("Payment %s failed.", payment_id)
            standings.set_aside(self._work.db, self._work.company, payment_id, error)
        self._in_a_row = 0

    def end(self) -> None:
        """Raise the first failure that was passed over, so that the run shows it."""
        if self._first is not None:
            raise self._first

    def _wait(self, payment_id: UUID, error: ReceivablesError) -> None:
        """Say where a payment stands about which QuickBooks cannot be asked."""
        logger.warning("Payment %s has to wait: %s", payment_id, error)
        work = self._work
        standings.refresh(work.db, work.company, payment_id, work.patience, is_cut_off=True)

    def _leave(self, payment_id: UUID, error: QuotaError) -> None:
        """Leave what needs a read until there are reads again; that QuickBooks refused one just now is news."""
        self._wait(payment_id, error)
        if isinstance(error.__cause__, ThrottledError):
            self._first = self._first or error.__cause__

    def _pass_over(self, payment_id: UUID, error: UnreachableError) -> None:
        self._wait(payment_id, error)
        self._first = self._first or error
        self._in_a_row += 1
        if self._in_a_row == DOWN_AFTER:
            self.end()


def _in_turn(work: Work) -> Iterator[tuple[UUID, bool]]:
    """Go through what is due, each payment once, and whether it is queued; more may come meanwhile."""
    tried: set[UUID] = set()
    keys = {"company_id": work.company.company_id, "realm_id": work.company.realm_id}
    while due := [row for row in work.db.execute(load("outbox/list_due"), keys) if row[0] not in tried]:
        for payment_id, is_queued in due:
            if work.is_time_up:
                wake(work.db, work.company)
                return
            tried.add(payment_id)
            yield payment_id, is_queued
