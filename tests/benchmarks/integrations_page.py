"""
How soon the integrations page begins to come, over thousands of companies.

Starts a durable PostgreSQL and an Airflow API server of its own on this machine, fills the database, and asks for the
page over HTTP as a signed-in user. Run it with `.venv/bin/python -m tests.benchmarks.integrations_page`.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from include.migrate import migrate
from tests.benchmarks.own_postgres import running_postgres
from tests.support.fixtures_web import WEB_DATABASE, running_web
from tests.support.many_companies import add_companies
from tests.support.sandbox_process import running_sandbox

if TYPE_CHECKING:
    from tests.support.fixtures_web import Browser

WARM_UP = 3
PAGES = ("", "?page=30", "?q=robotics", "?status=reauthorize", "?q=nobody")


def main() -> None:
    options = _parser().parse_args()
    with tempfile.TemporaryDirectory(prefix="integrations-") as name, ExitStack() as stack:
        folder = Path(name)
        postgres = stack.enter_context(running_postgres(folder))
        sandbox = stack.enter_context(running_sandbox(folder))
        with psycopg.connect(postgres.url("postgres"), autocommit=True) as server:
            server.execute(f"create database {WEB_DATABASE}")
        with psycopg.connect(postgres.url(WEB_DATABASE), autocommit=True) as db:
            migrate(db)
            add_companies(db, options.companies, runs=options.runs, days=options.days)
            db.execute("vacuum analyze")
        browser = stack.enter_context(running_web(postgres, sandbox, folder / "web")).as_("viewer")
        for page in PAGES:
            _measure(browser, page, options.times)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--companies", type=int, default=3000)
    parser.add_argument("--runs", type=int, default=300, help="of each company in the sync log")
    parser.add_argument("--days", type=int, default=90, help="of calls in the ledger")
    parser.add_argument("--times", type=int, default=20)
    return parser


def _measure(browser: Browser, page: str, times: int) -> None:
    taken = []
    for _ in range(WARM_UP + times):
        started = time.perf_counter()
        with browser.get(page, stream=True) as answer:
            next(answer.iter_content(1))
            taken.append(time.perf_counter() - started)
    size = len(browser.get(page).content)
    milliseconds = sorted(1000 * each for each in taken[WARM_UP:])
    print(
        f"/quickbooks/{page:24} first byte: median {statistics.median(milliseconds):6.1f} ms,"
        f" most {milliseconds[-1]:6.1f} ms; {size / 1024:.0f} KiB"
    )


if __name__ == "__main__":
    main()
