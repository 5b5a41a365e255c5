"""
How long it takes from a payment applied in QuickBooks to its row in ``peakflo.payment``, through the webhook.

Starts an installation of its own as `bin/start` does, imports a company into it, applies payments to invoices one after
the other, and prints the seconds of each, their median and the slowest, with what the delivery of the event and the
DAG run took of them. Run it with `.venv/bin/python -m tests.benchmarks.webhook_latency`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from local.directory import LocalDirectory
from local.ports import free_port
from sandbox.control import SandboxControl
from tests.support.bookkeeper import Bookkeeper
from tests.support.fixtures_local import RunningStack, run_command, wait_for_listener
from tests.support.other_process import Keys
from tests.support.workbench import Workbench

if TYPE_CHECKING:
    from psycopg import Connection

SOON_SECONDS = 60
POLL_SECONDS = 0.01
TIMES = """
select event.received_at, run.started_at, clock_timestamp()
from peakflo.payment as payment
inner join sync.webhook_event as event
    on event.entity = 'payment' and event.realm_id = payment.realm_id and event.qbo_id = payment.source_id
inner join staging.record as record
    on record.entity = 'payment' and record.realm_id = payment.realm_id and record.qbo_id = payment.source_id
inner join sync.run as run on record.run_id = run.run_id
where payment.source_id = %s and payment.realm_id = %s
"""


@dataclass(frozen=True)
class Sample:
    """
    One payment's way, in seconds from when QuickBooks had it.

    :param received: until its event was stored.
    :param started: until a run that reads it had begun.
    :param merged: until Peakflo had it.
    """

    received: float
    started: float
    merged: float


def main() -> None:
    options = _parser().parse_args()
    with tempfile.TemporaryDirectory() as folder:
        directory = LocalDirectory(Path(folder) / "local")
        try:
            stack = _start(directory)
            with psycopg.connect(stack.database_url, autocommit=True) as db:
                samples = _measure(stack, db, options.payments, options.pause)
        finally:
            run_command("stop", directory=directory.path)
    _print(samples)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--payments", type=int, default=20)
    parser.add_argument("--pause", type=float, default=3.0, help="seconds between two payments")
    return parser


def _start(directory: LocalDirectory) -> RunningStack:
    ports = {name: str(free_port()) for name in ("AIRFLOW_PORT", "POSTGRES_PORT", "SANDBOX_PORT")}
    started = run_command("start", "--detach", directory=directory.path, **ports)
    if started.returncode:
        raise SystemExit(started.stdout + started.stderr)
    return RunningStack(directory)


def _measure(stack: RunningStack, db: Connection, payments: int, pause: float) -> list[Sample]:
    sandbox = SandboxControl(stack.sandbox_url)
    keys = Keys.of(sandbox, stack.database_url, stack.env["AIRFLOW__CORE__FERNET_KEY"])
    company = Workbench(keys.access(), sandbox, db).imported("demo", company_id="bench")
    sandbox.change_settings(company.realm_id, throttle="off")
    wait_for_listener(db, "webhook_event")
    with Bookkeeper(sandbox, company.realm_id) as books:
        customer = books.customer("Benchmark")
        invoices = [books.invoice(customer, "100") for _ in range(payments + 1)]
        samples = []
        for invoice in invoices:
            time.sleep(pause)
            samples.append(_pay(db, books, company.realm_id, customer, invoice))
    return samples[1:]  # the first one warms things up


def _pay(db: Connection, books: Bookkeeper, realm_id: str, customer: str, invoice: str) -> Sample:
    payment = books.pay(customer, "100", ("Invoice", invoice, "100"))
    paid_at = time.time()
    deadline = time.monotonic() + SOON_SECONDS
    while (times := db.execute(TIMES, [payment, realm_id]).fetchone()) is None:
        if time.monotonic() > deadline:
            raise SystemExit(f"Payment {payment} did not come within {SOON_SECONDS} s.")
        time.sleep(POLL_SECONDS)
    received, started, merged = (moment.timestamp() - paid_at for moment in times)
    print(f"received {received:5.2f}   read from {started:5.2f}   in Peakflo {merged:5.2f}", flush=True)
    return Sample(received, started, merged)


def _print(samples: list[Sample]) -> None:
    for name in ("received", "started", "merged"):
        taken = [getattr(sample, name) for sample in samples]
        print(f"{name:10} median {statistics.median(taken):5.2f} s   slowest {max(taken):5.2f} s")


if __name__ == "__main__":
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    main()
