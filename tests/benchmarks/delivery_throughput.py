"""
How fast payments go from Peakflo's table to QuickBooks, and how long one takes.

Starts a durable PostgreSQL and a sandbox of its own, both on this machine, and prints the rate of a backlog, with and
without a journal entry each, and the time from the commit of a single payment to its record as delivered. Intuit's
limits are kept to unless told otherwise: 8 requests a second and company are then what bounds the rate. Run it with
`.venv/bin/python -m tests.benchmarks.delivery_throughput`.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from cryptography.fernet import Fernet

from include.migrate import migrate
from include.receivables import pace
from tests.benchmarks.own_postgres import running_postgres
from tests.bookkeeper import Bookkeeper
from tests.cashier import Cashier
from tests.other_process import Keys
from tests.sandbox_process import running_sandbox
from tests.workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import Iterator

SINGLE = 20


def main() -> None:
    options = _parser().parse_args()
    if options.unlimited:
        pace.MOST = 100_000
    with tempfile.TemporaryDirectory(prefix="delivery-") as folder, ExitStack() as stack:
        cashier = stack.enter_context(_cashier(Path(folder), options.latency))
        _print_backlog("payments", cashier, options.payments, {})
        _print_backlog(
            "payments with a journal entry", cashier, options.payments // 2, {"processing_fee": "1.10"}
        )
        _print_single(cashier)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--payments", type=int, default=200)
    parser.add_argument(
        "--latency", type=float, default=0, metavar="MS", help="of each of QuickBooks' answers"
    )
    parser.add_argument("--unlimited", action="store_true", help="as if Intuit had no limits")
    return parser


def _print_backlog(name: str, cashier: Cashier, count: int, extra: dict[str, str]) -> None:
    for invoice in cashier.invoices(count):
        cashier.take(invoice, **extra)
    started = time.perf_counter()
    outcome = cashier.push()
    seconds = time.perf_counter() - started
    assert outcome.entities["payment"]["merged"] == count
    print(f"{count} {name}: {seconds:.1f} s, {count / seconds:.1f} a second, {outcome.calls} metered calls")


def _print_single(cashier: Cashier) -> None:
    seconds = []
    for invoice in cashier.invoices(SINGLE):
        cashier.take(invoice)
        started = time.perf_counter()
        cashier.push()
        seconds.append(time.perf_counter() - started)
    print(
        f"a single payment: {statistics.median(seconds) * 1000:.0f} ms, at most {max(seconds) * 1000:.0f} ms"
    )


@contextmanager
def _cashier(folder: Path, latency: float) -> Iterator[Cashier]:
    with running_postgres(folder) as postgres, running_sandbox(folder) as sandbox:
        sandbox.change_settings(throttle="off")
        url = postgres.url("receivables")
        with psycopg.connect(url, autocommit=True) as db:
            migrate(db)
            bench = Workbench(Keys.of(sandbox, url, Fernet.generate_key().decode()).access(), sandbox, db)
            company = bench.imported("demo", company_id="acme")
            with Bookkeeper(sandbox, company.realm_id) as books:
                cashier = Cashier(bench, company, books)
                cashier.map_accounts()
                sandbox.change_settings(company.realm_id, latency_ms=latency)
                yield cashier


if __name__ == "__main__":
    main()
