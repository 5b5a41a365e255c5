"""
Whether a month's reads last, and how fresh the records are meanwhile: 1,000 companies for 30 virtual days.

Starts a PostgreSQL of its own and lives the month through cycle by cycle, see :mod:`tests.support.read_month` for what
is real in it and what is a model. Run it with `.venv/bin/python -m tests.benchmarks.read_budget`; it fails when a
promise is not kept.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from include.receivables.company.budget import ReadLimit
from tests.benchmarks.own_postgres import running_postgres
from tests.support.read_month import Month, quantile
from tests.support.virtual_clock import virtual_database

if TYPE_CHECKING:
    from tests.support.read_month import Figures

# September 2026 has 30 days, 22 of them working days.
END = datetime(2026, 10, 1, tzinfo=UTC)
# A working day's morning in Europe, evening in Asia.
OUTAGE_HOURS = (8, 14)
MOST_WITH_WEBHOOK = timedelta(minutes=5)
MOST_WITHOUT = timedelta(minutes=30)


def main() -> int:
    options = _parser().parse_args()
    limit = ReadLimit.of(options.tier, options.reads)
    first = END - timedelta(days=options.days)
    outage_day = first + timedelta(days=options.days * 2 // 5)
    outage = tuple(outage_day + timedelta(hours=hours) for hours in OUTAGE_HOURS)
    with (
        tempfile.TemporaryDirectory(prefix="read-budget-") as name,
        running_postgres(Path(name)) as postgres,
        virtual_database(postgres, "month") as db,
    ):
        month = Month(
            db,
            limit,
            count=options.companies,
            first=first,
            days=options.days,
            outage=(outage[0], outage[1]),
            seed=options.seed,
        )
        _live(month)
    _print(month.figures, limit.quota)
    broken = list(_broken(month.figures, limit.quota))
    for sentence in broken:
        print(f"NOT KEPT: {sentence}")
    return 1 if broken else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--companies", type=int, default=1000)
    parser.add_argument("--days", type=int, default=30, help="the last of a month of 30")
    parser.add_argument("--tier", default="builder")
    parser.add_argument("--reads", type=int, help="in place of the tier's")
    parser.add_argument("--seed", type=int, default=1)
    return parser


def _live(month: Month) -> None:
    started = time.monotonic()
    for number, decided in enumerate(month.live()):
        if number % 288 == 0:
            print(
                f"day {number // 288 + 1:2}: {decided.used:9,} used, {decided.forecast:10,} at full pace,"
                f" {decided.proven_every} with a proven webhook, {decided.unproven_every} without;"
                f" {time.monotonic() - started:.0f} s",
                file=sys.stderr,
                flush=True,
            )


def _print(figures: Figures, quota: int) -> None:
    print(f"| reads of {quota:,} | {figures.total:,} |\n|---|---|")
    for dag_id, reads in figures.reads.most_common():
        print(f"| {dag_id} | {reads:,} ({reads / figures.total:.0%}) |")
    print(f"| cycles in which some waited | {figures.saving_cycles:,} of {figures.cycles:,} |")
    print(f"| companies' turns left out | {figures.waits:,} |")
    print("\n| | companies with a webhook | without |\n|---|---|---|")
    print(f"| changes | {len(figures.delays[True]):,} | {len(figures.delays[False]):,} |")
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("most", 1.0)):
        print(f"| a change is known after, {name} | {_both(figures, share)} |")
    for name, share in (("p95", 0.95), ("most", 1.0)):
        ages = [f"{_age(figures, kind, share)} min" for kind in (True, False)]
        print(f"| age of what is not known yet, each cycle, {name} | {ages[0]} | {ages[1]} |")
    print(f"| longest between two reads | {_write(figures.unread[True])} | {_write(figures.unread[False])} |")


def _broken(figures: Figures, quota: int) -> list[str]:
    with_webhook, without = quantile(figures.delays[True], 0.95), figures.unread[False]
    kept = {
        f"{figures.total:,} reads of {quota:,}": figures.total <= quota,
        f"95 % of the changes with a webhook are known after {with_webhook}": with_webhook
        <= MOST_WITH_WEBHOOK,
        f"a company without a webhook was not read for {without}": without <= MOST_WITHOUT,
        f"a change without a webhook was not known for {max(figures.delays[False])}": max(
            figures.delays[False]
        )
        <= MOST_WITHOUT,
    }
    return [sentence for sentence, is_kept in kept.items() if not is_kept]


def _both(figures: Figures, share: float) -> str:
    return " | ".join(_write(quantile(figures.delays[kind], share)) for kind in (True, False))


def _age(figures: Figures, kind: bool, share: float) -> int:
    counts = figures.ages[kind]
    wanted = share * counts.total()
    passed = 0
    for age in sorted(counts):
        passed += counts[age]
        if passed >= wanted:
            break
    return age


def _write(span: timedelta) -> str:
    return f"{span / timedelta(minutes=1):.1f} min"


if __name__ == "__main__":
    sys.exit(main())
