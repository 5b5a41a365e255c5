"""
The month's reads as a budget: how often idle companies are read, so that the reads last until its end.

Intuit meters reads and shares its quota among all companies of an app. 1,000 companies that are read every 5 minutes
take 1,000 x 288 x 30 = 8,640,000 reads a month; the Builder tier has 500,000, which is 16.7 a company and day. So,
where somebody has set a budget and it would not last:

1. What does not come round with the cycles goes first, as much as the last week took of it: reads before reminders,
   after webhooks, of references, reference data and imports. It is never throttled.
2. A company whose webhook is proven (``sync.read_interval`` says which are) need not be asked whether something
   changed: it is read when an event tells so, and otherwise only every so many cycles, as few as the rest of the budget
   takes and at most :data:`MOST_PROVEN`, as an event may be lost.
3. Only if that is not enough, the others wait too, at most :data:`MOST_UNPROVEN`, so that none is older than half an
   hour.
4. While cycles are saved, what is done daily is done once a week: to refresh reference data alone would take 210,000
   reads a month, to prove each company 240,000.
5. When no more is left than reminders will take, one company an hour is read, as when QuickBooks refuses reads.

All of it is decided anew in each cycle from what is left, so what was foreseen wrongly is made up for.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from include.errors import ConfigurationError
from include.receivables.company.call_forecast import list_daily_calls, to_come
from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from psycopg import Connection

    from include.receivables.company.call_forecast import DailyCalls

# Intuit's App Partner Program: the reads that a month includes. Builder blocks those beyond, the others charge.
TIERS = {"builder": 500_000, "silver": 1_000_000, "gold": 10_000_000, "platinum": 75_000_000}
DEFAULT_TIER = "builder"

CYCLE = timedelta(minutes=5)
# An event that was lost is made up for after so long at the latest.
MOST_PROVEN = timedelta(hours=6)
# A cycle less than half an hour, so that what is late by one is not older than that.
MOST_UNPROVEN = timedelta(minutes=25)
# Half a day less than a week: it is done at about the same time of a day.
DAILY_WORK_EVERY = timedelta(days=6, hours=12)
# Of the quota, for what our own count does not know: calls in flight, answers that were lost on their way.
MARGIN = 0.02
# Of what reminders are expected to take, for days that are busier than the last week's.
RESERVE = 1.25


@dataclass(frozen=True, slots=True)
class ReadLimit:
    """
    How many reads a month may have.

    :param is_limit: whether somebody said so; else the quota is only what the forecast is held against.
    """

    tier: str = DEFAULT_TIER
    quota: int = TIERS[DEFAULT_TIER]
    is_limit: bool = False

    @classmethod
    def of(cls, tier: object = None, monthly_reads: object = None) -> ReadLimit:
        """
        Read what a connection's extra says.

        :param tier: of :data:`TIERS`.
        :param monthly_reads: a number in place of the tier's.
        :raises ConfigurationError: when there is no such tier or that is no such number.
        """
        name = str(tier or DEFAULT_TIER)
        if name not in TIERS:
            raise ConfigurationError(f"{name!r} is no tier of Intuit's: use {', '.join(TIERS)}.")
        if monthly_reads in (None, ""):
            return cls(name, TIERS[name], is_limit=bool(tier))
        text = str(monthly_reads)
        if isinstance(monthly_reads, bool) or not (
            text.isascii() and text.isdigit() and 0 < int(text) < 10**12
        ):
            raise ConfigurationError(
                f"{text!r} is no number of reads a month: write a whole number such as {TIERS[name]}."
            )
        return cls(name, int(text), is_limit=True)


@dataclass(frozen=True, slots=True)
class Ledger:
    """
    What is decided from.

    :param days: with their calls, those of the month and some before it.
    :param proven: connected companies whose webhook is proven.
    :param unproven: those whose webhook is not.
    """

    now: datetime
    days: Sequence[DailyCalls]
    proven: int
    unproven: int


@dataclass(frozen=True, slots=True)
class Budget:
    """
    How the month's reads are spent.

    :param quota: how many it has.
    :param is_limit: whether they are to last; else everybody is read in each cycle.
    :param companies: that are connected and share them.
    :param used: by all companies so far.
    :param forecast: how many it would have by its end if every company were read in each cycle.
    :param proven_every: how often a company is read whose webhook is proven and of which nothing is heard.
    :param unproven_every: how often the others are.
    :param is_reserved: whether what is left is for reminders only.
    """

    tier: str = DEFAULT_TIER
    quota: int = TIERS[DEFAULT_TIER]
    is_limit: bool = False
    companies: int = 0
    used: int = 0
    forecast: int = 0
    proven_every: timedelta = CYCLE
    unproven_every: timedelta = CYCLE
    is_reserved: bool = False

    @property
    def is_saving(self) -> bool:
        """Whether some companies are not read in each cycle."""
        return self.is_reserved or max(self.proven_every, self.unproven_every) > CYCLE

    @property
    def daily_work_every(self) -> timedelta | None:
        """How often reference data is refreshed and a company is proved; None for whenever it is time to."""
        return DAILY_WORK_EVERY if self.is_saving else None

    @property
    def sentence(self) -> str:
        """How often idle companies are read, and why; nothing as long as all are read in each cycle."""
        if not self.is_saving:
            return ""
        if self.is_reserved:
            return (
                f"What is left of the month's {self.quota:,} reads ({max(0, self.quota - self.used):,}) is kept for "
                "reminders: one company an hour is read."
            )
        others = f", the others up to {minutes(self.unproven_every)}" if self.unproven_every > CYCLE else ""
        return (
            f"Idle companies with a proven webhook wait up to {minutes(self.proven_every)}{others}, because the "
            f"month's {self.quota:,} reads would not last (forecast {self.forecast:,})."
        )

    def explain(self, *, has_webhook: bool) -> str:
        """
        How often a company is read, and why not in each cycle if it is not.

        :param has_webhook: whether its webhook is proven.
        """
        every = self.proven_every if has_webhook else self.unproven_every
        if self.is_reserved:
            return "Read for reminders only: what is left of the month's reads is kept for them."
        if every <= CYCLE:
            return "Read every 5 minutes."
        if has_webhook:
            return (
                f"Read when QuickBooks' webhook tells of a change, and at least every {minutes(every)}: the month's "
                "reads would not last otherwise."
            )
        return (
            f"Read every {minutes(every)}: the month's reads would not last otherwise, and QuickBooks' webhook has not "
            "told of the last change."
        )


def minutes(span: timedelta) -> str:
    """Write an interval as people say it."""
    count = span // timedelta(minutes=1)
    return f"{count} minutes" if count < 120 else f"{count / 60:.3g} hours"


def read(db: Connection) -> Budget:
    """Read what was decided last, and how many reads are used by now."""
    with db.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(load("sync/read_budget")).fetchone() or {}
    return Budget(**{name: value for name, value in row.items() if value is not None})


def decide(db: Connection, limit: ReadLimit) -> Budget:
    """Decide how often companies are read from now on, and save it for whoever lists those that are due."""
    with db.cursor(row_factory=dict_row) as cursor:
        [counted] = cursor.execute(load("sync/count_proven")).fetchall()
    now = counted["now"].astimezone(UTC)
    budget = plan(limit, Ledger(now, list_daily_calls(db), counted["proven"], counted["unproven"]))
    db.execute(load("sync/save_budget"), _saved(budget))
    return budget


def plan(limit: ReadLimit, ledger: Ledger) -> Budget:
    """Decide how often companies are read, see the module."""
    cycles = _cycles_left(ledger.now)
    today = ledger.now.date()
    used = sum(each.app for each in ledger.days if each.day >= today.replace(day=1))
    others = to_come([(each.day, each.app - each.cycles) for each in ledger.days], ledger.now)
    reminders = to_come([(each.day, each.reminders) for each in ledger.days], ledger.now)
    budget = Budget(
        tier=limit.tier,
        quota=limit.quota,
        is_limit=limit.is_limit,
        companies=ledger.proven + ledger.unproven,
        used=used,
        forecast=used + others + round(cycles * (ledger.proven + ledger.unproven)),
    )
    if not limit.is_limit:
        return budget
    left = limit.quota - used
    # Of each cycle's reads, how many the budget has.
    room = (left - MARGIN * limit.quota - others) / cycles
    proven = _stretch(ledger.proven, room - ledger.unproven, MOST_PROVEN)
    unproven = _stretch(ledger.unproven, room - ledger.proven / proven, MOST_UNPROVEN)
    return replace(
        budget,
        proven_every=proven * CYCLE,
        unproven_every=unproven * CYCLE,
        is_reserved=left <= RESERVE * reminders,
    )


def _stretch(companies: int, room: float, most: timedelta) -> int:
    """Tell in how many cycles to read companies once, so that each cycle reads no more than there is room for."""
    if companies <= room:
        return 1
    return min(most // CYCLE, math.ceil(companies / room)) if room > 0 else most // CYCLE


def _cycles_left(now: datetime) -> float:
    first_of_next = (now.replace(day=1) + timedelta(days=32)).replace(
        day=1, hour=0, minute=0, second=0, microsecond=0
    )
    return max(1.0, (first_of_next - now) / CYCLE)


def _saved(budget: Budget) -> Mapping[str, Any]:
    return {name: value for name, value in asdict(budget).items() if name not in ("companies", "used")}
