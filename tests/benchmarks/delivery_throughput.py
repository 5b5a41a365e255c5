"""
How fast payments go from Peakflo's table to QuickBooks, how long one takes, and what it costs.

Starts a durable PostgreSQL and a sandbox of its own, both on this machine, and prints the rate of a backlog of one
company, with and without a journal entry each, the time from the commit of a single payment to its record as
delivered, and the rate of many companies with as many processes as Airflow's pool has slots. Medians of several rounds.
Intuit's limits are kept to unless told otherwise: 8 requests a second and company are then what bounds the rate. Run it
with `.venv/bin/python -m tests.benchmarks.delivery_throughput`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from cryptography.fernet import Fernet

from include.migrate import migrate
from include.receivables.company import batches, rate_limit
from include.receivables.company.run_context import RunContext
from include.receivables.outbound import delivery_jobs
from include.receivables.outbound.work import list_due_companies
from tests.benchmarks.own_postgres import running_postgres
from tests.support.bookkeeper import Bookkeeper
from tests.support.cashier import Cashier
from tests.support.other_process import Keys
from tests.support.sandbox_process import ROOT, running_sandbox
from tests.support.workbench import UNLIMITED, Workbench

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.pool import Pool

POOL = "quickbooks_delivery"
SINGLE = 20
WITH_ENTRY = {"processing_fee": "1.10"}


@dataclass(frozen=True)
class Delivered:
    """What a backlog took."""

    seconds: float
    writes: int
    metered: int
    refused: int


class Desk:
    """
    Companies that take payments, and the processes that deliver them.

    :param most: requests a second and company.
    """

    def __init__(
        self, bench: Workbench, keys: Keys, pool: Pool, cashiers: Sequence[Cashier], most: int
    ) -> None:
        self.bench = bench
        self._keys = keys
        self._pool = pool
        self._cashiers = cashiers
        self._most = most

    def deliver(self, companies: int, payments: int, columns: dict[str, str]) -> Delivered:
        """Have a backlog in each of some companies, and deliver all of it as the DAG does."""
        cashiers = self._cashiers[:companies]
        self._unlimited(is_on=True)
        for cashier in cashiers:
            for invoice in cashier.invoices(payments):
                cashier.take(invoice, **columns)
            self.bench.sandbox.reset_calls(cashier.company.realm_id)
        self._unlimited(is_on=False)
        dealt = batches.split(list_due_companies(self.bench.db))
        started = time.perf_counter()
        tasks = [
            self._pool.apply_async(_deliver, (self._keys, batch, number, self._most))
            for number, batch in enumerate(dealt)
        ]
        delivered = sum(task.get() for task in tasks)
        seconds = time.perf_counter() - started
        assert delivered == companies * payments
        counts = [self.bench.sandbox.calls(cashier.company.realm_id) for cashier in cashiers]
        return Delivered(
            seconds,
            writes=sum(count["core"] for count in counts),
            metered=sum(count["metered"] for count in counts),
            refused=sum(
                number for count in counts for status, number in count["by_status"].items() if status != "200"
            ),
        )

    def time_single(self) -> float:
        """Return how long a single payment takes that waits for no other, in seconds."""
        self._unlimited(is_on=True)
        [invoice] = self._cashiers[0].invoices(1)
        self._cashiers[0].take(invoice)
        started = time.perf_counter()
        self._cashiers[0].push()
        return time.perf_counter() - started

    def _unlimited(self, *, is_on: bool) -> None:
        """Prepare without regard to the limits, which are in force while it is measured."""
        rate_limit.MOST = UNLIMITED if is_on else self._most
        is_limited = not is_on and self._most != UNLIMITED
        self.bench.sandbox.change_settings(throttle="on" if is_limited else "off")
        self.bench.db.execute("truncate sync.rate_limit")
        time.sleep(1 if is_limited else 0)  # what was asked before counts no more


def _deliver(keys: Keys, batch: list[str], number: int, most: int) -> int:
    """Deliver for a batch of companies, as one of the DAG's tasks."""
    rate_limit.MOST = most
    outcomes = [
        delivery_jobs.deliver(keys.access(), each, RunContext("benchmark", str(number))) for each in batch
    ]
    return sum(outcome.entities["payment"]["merged"] for outcome in outcomes)


def main() -> None:
    options = _parser().parse_args()
    slots = json.loads((ROOT / "include" / "airflow_pools.json").read_text())[POOL]["slots"]
    with tempfile.TemporaryDirectory(prefix="delivery-") as folder, ExitStack() as stack:
        pool = stack.enter_context(multiprocessing.get_context("spawn").Pool(slots))
        desk = _open_desk(stack, Path(folder), pool, options)
        rounds = options.rounds
        _print(
            "one company", [desk.deliver(1, options.payments, {}) for _ in range(rounds)], options.payments
        )
        _print(
            "one company, with a journal entry each",
            [desk.deliver(1, options.payments, WITH_ENTRY) for _ in range(rounds)],
            options.payments,
        )
        singles = [desk.time_single() * 1000 for _ in range(SINGLE)]
        print(f"a single payment: {statistics.median(singles):.0f} ms, at most {max(singles):.0f} ms")
        each = options.payments // 4
        _print(
            f"{options.companies} companies, {slots} processes",
            [desk.deliver(options.companies, each, {}) for _ in range(rounds)],
            options.companies * each,
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--payments", type=int, default=200, help="of one company; of many, a quarter each")
    parser.add_argument("--companies", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--latency", type=float, default=0, metavar="MS", help="of each of QuickBooks' answers"
    )
    parser.add_argument("--unlimited", action="store_true", help="as if Intuit had no limits")
    return parser


def _print(name: str, rounds: Sequence[Delivered], count: int) -> None:
    seconds = statistics.median(each.seconds for each in rounds)
    writes, metered = rounds[0].writes / count, sum(each.metered for each in rounds)
    print(
        f"{name}: {count} payments in {seconds:.1f} s, {60 * count / seconds:.0f} a minute; {writes:g} writes each, "
        f"{metered} metered calls, {sum(each.refused for each in rounds)} refused",
        flush=True,
    )


def _open_desk(stack: ExitStack, folder: Path, pool: Pool, options: argparse.Namespace) -> Desk:
    postgres = stack.enter_context(running_postgres(folder))
    sandbox = stack.enter_context(running_sandbox(folder))
    sandbox.change_settings(throttle="off", latency_ms=options.latency)
    url = postgres.url("receivables")
    db = stack.enter_context(psycopg.connect(url, autocommit=True))
    migrate(db)
    keys = Keys.of(sandbox, url, Fernet.generate_key().decode())
    bench = Workbench(keys.access(), sandbox, db)
    most = UNLIMITED if options.unlimited else rate_limit.MOST
    rate_limit.MOST = UNLIMITED
    cashiers = []
    for _ in range(options.companies):
        company = bench.imported("empty")
        books = stack.enter_context(Bookkeeper(sandbox, company.realm_id))
        cashiers.append(Cashier(bench, company, books))
        cashiers[-1].map_accounts()
    return Desk(bench, keys, pool, cashiers, most)


if __name__ == "__main__":
    main()
