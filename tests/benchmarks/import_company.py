"""
How fast a company goes from QuickBooks' API to Peakflo's tables, and where the time goes.

Starts a durable PostgreSQL and a sandbox of its own, both on this machine, and prints rates, shares and memory for a
first import, one with nothing changed, a cycle with one percent changed, an idle cycle and a proof; then staging alone
beside a bare COPY of the same payloads. Run it with `.venv/bin/python -m tests.benchmarks.import_company`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import psycopg
from cryptography.fernet import Fernet

from include.migrate import migrate
from include.quickbooks.entities import INVOICE, PAYMENT
from include.quickbooks.oauth import OAuthApp
from include.quickbooks.records import Page, Record
from include.receivables.company import companies
from include.receivables.company.access import Access
from include.receivables.company.run_context import RunContext
from include.receivables.company.runs import Run
from include.receivables.company.tokens import TokenCipher
from include.receivables.connecting import connections
from include.receivables.inbound import jobs
from include.receivables.inbound.staging import stage_page
from include.receivables.proof.reconciling import reconcile
from tests.benchmarks.own_postgres import running_postgres
from tests.support.sandbox_process import running_sandbox

if TYPE_CHECKING:
    from local.embedded_postgres import EmbeddedPostgres

PAGE = 1000


class TimedCursor(psycopg.Cursor):
    """Adds up the time that statements take, seen from the client, by their purpose line."""

    seconds: ClassVar[Counter[str]] = Counter()

    def execute(self, query: Any, *arguments: Any, **options: Any) -> TimedCursor:
        started = time.perf_counter()
        try:
            return super().execute(query, *arguments, **options)
        finally:
            TimedCursor.seconds[str(query).partition("\n")[0]] += time.perf_counter() - started


def main() -> None:
    options = _parser().parse_args()
    books = {"customers": options.customers, "invoices": options.invoices, "payments": options.payments}
    with (
        tempfile.TemporaryDirectory() as folder,
        running_postgres(Path(folder)) as postgres,
        running_sandbox(Path(folder)) as sandbox,
    ):
        with psycopg.connect(postgres.url("receivables"), autocommit=True) as db:
            migrate(db)
        key = Fernet.generate_key().decode()
        access = _access(postgres.url("receivables"), sandbox.base_url, key)
        created = sandbox.create_company(name="Benchmark", books=books)
        # So that no cycle below goes back to the making of the books.
        sandbox.advance_clock(3600)
        sandbox.change_settings(throttle=options.throttle)
        with access.connect() as db:
            connections.connect_company(
                db,
                company_id="bench",
                name="Benchmark",
                realm_id=created["realm_id"],
                refresh_token=created["refresh_token"],
                connected_by="benchmark",
                app=access.app,
                cipher=access.cipher,
            )
        print(
            f"{'':24}{'records':>10}{'calls':>7}{'seconds':>9}{'records/s':>11}   API / Postgres / Python   peak MB"
        )
        where = (postgres.url("receivables"), sandbox.base_url, key)
        _measure("first import", jobs.import_all, where, lists_statements=options.statements)
        _measure("import, nothing changed", jobs.import_all, where, lists_statements=options.statements)
        sandbox.events(created["realm_id"], count=sum(books.values()) // 100, seed=1)
        _measure("cycle, 1 % changed", jobs.sync, where, lists_statements=options.statements)
        _measure("idle cycle", jobs.sync, where, lists_statements=options.statements)
        _measure("proof", reconcile, where, lists_statements=options.statements)
        _compare_with_copy(postgres, created["realm_id"])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--customers", type=int, default=2_000)
    parser.add_argument("--invoices", type=int, default=100_000)
    parser.add_argument("--payments", type=int, default=60_000)
    parser.add_argument("--throttle", choices=("on", "off"), default="on", help="the sandbox's limits")
    parser.add_argument("--statements", action="store_true", help="list the statements that take longest")
    return parser


def _access(db_url: str, sandbox_url: str, key: str) -> Access:
    def connect() -> psycopg.Connection:
        return psycopg.connect(db_url, autocommit=True, prepare_threshold=None, cursor_factory=TimedCursor)

    app = OAuthApp(
        "sandbox-client",
        "sandbox-secret",
        environment="sandbox",
        redirect_uri="http://127.0.0.1/callback",
        discovery_url=f"{sandbox_url}/.well-known/openid_sandbox_configuration",
    )
    return Access(connect=connect, app=app, cipher=TokenCipher(key), api_url=sandbox_url)


def _measure(name: str, job: Any, where: tuple[str, str, str], *, lists_statements: bool) -> None:
    """Run a job in a process of its own, so that its peak memory is its own."""
    with ProcessPoolExecutor(max_workers=1, mp_context=multiprocessing.get_context("spawn")) as pool:
        measured = pool.submit(_run, job, where, name).result()
    seconds = measured["seconds"]
    waiting = seconds - measured["postgres"] - measured["python"]
    shares = " / ".join(
        f"{part / seconds:.0%}" for part in (waiting, measured["postgres"], measured["python"])
    )
    print(
        f"{name:24}{measured['records']:>10,.0f}{measured['calls']:>7.0f}{seconds:>9.2f}"
        f"{measured['records'] / seconds:>11,.0f}   {shares:>25}{measured['megabytes']:>10.0f}",
        flush=True,
    )
    if lists_statements:
        for purpose, spent in measured["statements"]:
            print(f"    {spent:8.2f} s  {purpose}")


def _run(job: Any, where: tuple[str, str, str], name: str) -> dict[str, Any]:
    access = _access(*where)
    started, python = time.perf_counter(), time.thread_time()
    outcome = job(access, "bench", RunContext("benchmark", name))
    seconds = time.perf_counter() - started
    return {
        "records": sum(counts["read"] for counts in outcome.entities.values()),
        "calls": outcome.calls,
        "seconds": seconds,
        "postgres": TimedCursor.seconds.total(),
        "statements": TimedCursor.seconds.most_common(8),
        "python": time.thread_time() - python,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _compare_with_copy(postgres: EmbeddedPostgres, realm_id: str) -> None:
    """Stage the payloads just imported into an empty database, beside a bare COPY of them with a primary key."""
    for entity in (INVOICE, PAYMENT):
        with psycopg.connect(postgres.url("receivables"), autocommit=True) as db:
            rows = db.execute(
                "select qbo_id, sync_token, qbo_updated_at, payload::text, read_at from staging.record "
                "where realm_id = %s and entity = %s order by qbo_id",
                (realm_id, entity.table),
            ).fetchall()
        with psycopg.connect(postgres.url("postgres"), autocommit=True) as server:
            server.execute("drop database if exists copied")
            server.execute("create database copied")
        with psycopg.connect(postgres.url("copied"), autocommit=True, prepare_threshold=None) as db:
            migrate(db)
            db.execute(
                "create table bare (realm_id text, qbo_id text, payload jsonb, primary key (realm_id, qbo_id))"
            )
            db.execute("checkpoint")
            copied = _time_copy(db, realm_id, rows)
            db.execute("checkpoint")
            staged = _time_staging(db, realm_id, entity, rows)
        print(
            f"{entity.name} of {sum(len(row[3]) for row in rows) // len(rows):,} bytes: bare COPY "
            f"{len(rows) / copied:,.0f} records/s, staging {len(rows) / staged:,.0f}, ratio {staged / copied:.2f}",
            flush=True,
        )


def _time_copy(db: psycopg.Connection, realm_id: str, rows: list[Any]) -> float:
    started = time.perf_counter()
    with db.transaction(), db.cursor() as cursor, cursor.copy("copy bare from stdin") as copy:
        for row in rows:
            copy.write_row((realm_id, row[0], row[3]))
    return time.perf_counter() - started


def _time_staging(db: psycopg.Connection, realm_id: str, entity: Any, rows: list[Any]) -> float:
    company = companies.Company("bench", "Benchmark", realm_id, "connected")
    run = Run(1, company, "import_company")
    pages = [
        Page(
            entity,
            [Record(row[0], row[1], row[2], False, row[3].encode()) for row in rows[first : first + PAGE]],
            rows[0][4],
        )
        for first in range(0, len(rows), PAGE)
    ]
    started = time.perf_counter()
    for page in pages:
        stage_page(db, run, page)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
