"""
How long the reminder service waits for its verdicts, through Airflow's API.

Starts an installation of its own with two companies, and prints p50 and p95 of trigger → verdict for 1, 50 and 500
invoices beside a DAG with one empty task, in turns: first on an idle machine, then under load, while 50 companies are
synced over and over and a large one is imported. Run it with `.venv/bin/python -m tests.benchmarks.reminder_latency`;
as root, with `--hosts`, it is what docker-compose.yaml describes, on several hosts, and without the import.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
import uuid
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import psycopg

from local.directory import LocalDirectory
from local.ports import free_port
from sandbox.control import SandboxControl
from tests.support.airflow_client import AirflowClient
from tests.support.fixtures_local import RunningStack, run_command
from tests.support.other_process import Keys
from tests.support.quick_start import connect_as_imported
from tests.support.several_hosts import SeveralHosts
from tests.support.workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DAGS = Path(__file__).parent / "dags"
BUNDLE = "airflow.dag_processing.bundles.local.LocalDagBundle"
BUNDLES = [
    {"name": "dags-folder", "classpath": BUNDLE, "kwargs": {}},
    {"name": "benchmark", "classpath": BUNDLE, "kwargs": {"path": str(DAGS)}},
]
MORE_DAGS = {"AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(BUNDLES)}
FLOOR = "one_empty_task"
REMINDER = "refresh_before_reminder"
SIZES = (1, 50, 500)
BOOKS = {"customers": 300, "invoices": 3000, "payments": 1000}
LARGE = {"customers": 2000, "invoices": 40_000, "payments": 20_000}
COMPANIES = 50
WAIT_SECONDS = 0.02
DAG_SECONDS = 120


@dataclass(frozen=True)
class Airflow:
    """Runs DAGs as the reminder service does."""

    api: AirflowClient

    def run(self, dag_id: str, conf: dict[str, Any]) -> str:
        """Run a DAG to its end and return the run's id."""
        run_id = f"benchmark-{uuid.uuid4()}"
        self.api.trigger(dag_id, run_id, **conf).raise_for_status()
        answer = self.api.call(
            "GET", f"dags/{dag_id}/dagRuns/{run_id}/wait", params={"interval": WAIT_SECONDS}
        )
        last = json.loads(answer.text.strip().rpartition("\n")[2])
        if last["state"] != "success":
            raise RuntimeError(f"{dag_id} {run_id} is {last['state']}: {last}")
        return run_id


def main() -> None:
    options = _parser().parse_args()
    installation = _hosts() if options.hosts else _stack()
    with installation as stack, psycopg.connect(stack.database_url, autocommit=True) as db:
        sandbox = SandboxControl(stack.sandbox_url)
        keys = Keys.of(sandbox, stack.database_url, stack.fernet_key)
        bench = Workbench(keys.access(), sandbox, db)
        admin = AirflowClient(stack, "admin")
        # As the administrator: the reminder service's own user may not run the empty task.
        reminder = Airflow(admin)
        invoices = _import_books(bench)
        _wait_for_dag(admin, FLOOR)
        print(f"{'':32}{'p50 s':>8}{'p95 s':>8}{'above the floor':>18}", flush=True)
        _measure("idle", reminder, invoices, options.runs)
        loads = [lambda: admin.run("quickbooks_to_peakflo")]
        if not options.hosts:
            large = bench.connect(LARGE, company_id="large")
            loads.append(lambda: admin.run("import_company", company_id=large.company_id))
        for number in range(COMPANIES):
            connect_as_imported(bench, f"busy-{number:02}")
        with ExitStack() as at_work:
            for load in loads:
                at_work.enter_context(_repeated(load))
            _measure("under load", reminder, invoices, options.runs)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=20, help="of each kind")
    parser.add_argument("--hosts", action="store_true", help="as docker-compose.yaml says, on several hosts")
    return parser


@contextmanager
def _stack() -> Iterator[RunningStack]:
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "local"
        settings = {name: str(free_port()) for name in ("AIRFLOW_PORT", "POSTGRES_PORT", "SANDBOX_PORT")}
        settings |= MORE_DAGS
        try:
            started = run_command("start", "--detach", directory=directory, **settings)
            if started.returncode:
                raise SystemExit(started.stdout + started.stderr)
            yield RunningStack(LocalDirectory(directory))
        finally:
            run_command("stop", directory=directory)


@contextmanager
def _hosts() -> Iterator[SeveralHosts]:
    with tempfile.TemporaryDirectory() as folder:
        hosts = SeveralHosts(Path(folder), scale={"airflow-worker": 2}, settings=MORE_DAGS)
        with closing(hosts), hosts.visited():
            yield hosts


def _import_books(bench: Workbench) -> list[str]:
    """Connect and import a company, and return its open invoices."""
    company = bench.imported(BOOKS, company_id="bench")
    statement = (
        "select id::text from peakflo.invoice where company_id = %s and status = 'sent' order by id limit %s"
    )
    invoices = [row[0] for row in bench.db.execute(statement, [company.company_id, max(SIZES)])]
    if len(invoices) < max(SIZES):
        raise SystemExit(f"The books have only {len(invoices)} open invoices.")
    return invoices


def _wait_for_dag(admin: AirflowClient, dag_id: str) -> None:
    deadline = time.monotonic() + DAG_SECONDS
    while not admin.call("GET", f"dags/{dag_id}").ok:
        if time.monotonic() > deadline:
            raise SystemExit(f"Airflow has not read {dag_id}.")
        time.sleep(0.5)


def _measure(when: str, airflow: Airflow, invoices: list[str], runs: int) -> None:
    """Run the floor and each size in turns, so that all meet the same machine."""
    seconds: dict[str, list[float]] = {"one empty task": []}
    for number in range(runs + 1):
        for name, run in _kinds(airflow, invoices).items():
            taken = run()
            if number:  # the first of each kind warms things up
                seconds.setdefault(name, []).append(taken)
    floor = statistics.median(seconds["one empty task"])
    for name, taken in seconds.items():
        p50, p95 = statistics.median(taken), statistics.quantiles(taken, n=20)[-1]
        print(f"{when + ', ' + name:32}{p50:>8.3f}{p95:>8.3f}{p50 - floor:>18.3f}", flush=True)


def _kinds(airflow: Airflow, invoices: list[str]) -> dict[str, Callable[[], float]]:
    kinds: dict[str, Callable[[], float]] = {"one empty task": lambda: _timed(lambda: airflow.run(FLOOR, {}))}
    for size in SIZES:
        kinds[f"{size} invoices"] = lambda size=size: _timed(lambda: _remind(airflow, invoices[:size]))
    return kinds


def _timed(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _remind(airflow: Airflow, invoices: list[str]) -> None:
    conf = {"company_id": "bench", "invoice_ids": invoices, "deadline_seconds": 60}
    run_id = airflow.run(REMINDER, conf)
    answer = airflow.api.page(f"companies/bench/reminders/{run_id}").json()
    if len(answer["verdicts"]) != len(invoices) or answer["unknown"]:
        raise RuntimeError(f"{answer['unknown']} of {len(invoices)} verdicts are unknown")


@contextmanager
def _repeated(work: Callable[[], Any]) -> Iterator[None]:
    """Do something over and over in the background."""
    is_over = Event()

    def repeat() -> None:
        while not is_over.is_set():
            work()

    thread = Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


if __name__ == "__main__":
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    main()
