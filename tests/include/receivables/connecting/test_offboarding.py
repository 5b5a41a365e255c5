"""A company that leaves is in the file, and nowhere else any more."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from typing import TYPE_CHECKING

import psycopg
import pytest

from include.errors import ConfigurationError
from include.receivables.connecting import connections
from include.receivables.connecting.offboarding import MANIFEST, offboard
from include.receivables.views import audit
from tests.support.asking import Asking
from tests.support.bookkeeper import Bookkeeper
from tests.support.cashier import Cashier
from tests.support.databases import for_user, list_filled
from tests.support.rows import audited

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from include.receivables.company.companies import Company
    from tests.support.workbench import Workbench

# What stays: who left, and that their rows were erased.
PROOF = {"sync.audit"}


@pytest.fixture
def owner(db_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(for_user(db_url, "receivables_owner"), autocommit=True) as connection:
        yield connection


def filled(bench: Workbench, company_id: str) -> Company:
    """Have a company of which there is something in as many tables as can be."""
    company = bench.connect("demo", company_id=company_id)
    bench.import_all(company)
    Asking(bench, company).judgement()
    cashier = Cashier(bench, company, Bookkeeper(bench.sandbox, company.realm_id))
    cashier.map_accounts()
    [invoice] = cashier.invoices(1)
    cashier.take(invoice)
    cashier.push()
    bench.sync(company)
    return company


def leave(bench: Workbench, company: Company) -> None:
    connections.disconnect_company(bench.db, company, app=bench.access.app, cipher=bench.access.cipher)


def tables_that_name(db: psycopg.Connection, company: Company) -> set[str]:
    """Search all rows of all tables, whatever column it may be in."""
    found = set()
    for table in list_filled(db):
        query = f"select exists (select from {table} as kept where kept::text ~ %s)"
        [does] = db.execute(query, [rf"\m({company.company_id}|{company.realm_id})\M"]).fetchone() or [False]
        if does:
            found.add(table)
    return found


def test_all_of_it_is_in_the_file_and_nothing_in_the_database(
    bench: Workbench, owner: psycopg.Connection, tmp_path: Path
):
    company, other = filled(bench, "leaving"), filled(bench, "staying")
    leave(bench, company)
    before, others = tables_that_name(bench.db, company), tables_that_name(bench.db, other)
    counted = {table: rows_of(bench.db, table) for table in others}
    file = tmp_path / "leaving.zip"

    done = offboard(owner, "leaving", file)

    assert tables_that_name(bench.db, company) == PROOF
    assert tables_that_name(bench.db, other) == others
    with zipfile.ZipFile(file) as archive:
        exported = {
            name.removesuffix(".csv"): list(csv.DictReader(io.StringIO(archive.read(name).decode())))
            for name in archive.namelist()
            if name != MANIFEST
        }
        assert json.loads(archive.read(MANIFEST))["rows"] == {
            name: len(rows) for name, rows in exported.items()
        }
    assert {name for name, rows in exported.items() if rows} >= before
    assert "token" not in " ".join(exported["sync.connection"][0]).replace("token_expires", "").replace(
        "token_hard_expires", ""
    )
    # What the other company has was neither exported nor touched.
    left = {table: rows_of(bench.db, table) for table in others}
    assert {
        table: counted[table] - rows
        for table, rows in left.items()
        if table not in PROOF | {"sync.audit_head"}
    } == {table: len(exported.get(table, [])) for table in left if table not in PROOF | {"sync.audit_head"}}
    assert audit.check(bench.db) == []
    [entry] = audited(bench.db, "company.erase")
    assert entry["company_id"] == ""
    assert entry["facts"]["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest() == done["sha256"]
    assert bench.sync(other).company_id == "staying"


def rows_of(db: psycopg.Connection, table: str) -> int:
    [count] = db.execute(f"select count(*) from {table}").fetchone() or [0]
    return int(count)


def test_a_company_that_is_connected_stays(bench: Workbench, owner: psycopg.Connection, tmp_path: Path):
    company = bench.imported("demo")
    before = tables_that_name(bench.db, company)
    with pytest.raises(ConfigurationError, match="is connected: disconnect it first"):
        offboard(owner, company.company_id, tmp_path / "x.zip")
    assert tables_that_name(bench.db, company) == before
    assert not (tmp_path / "x.zip").exists()


def test_an_earlier_file_is_not_overwritten_and_nothing_is_erased(
    bench: Workbench, owner: psycopg.Connection, tmp_path: Path
):
    company = bench.imported("demo")
    leave(bench, company)
    before = tables_that_name(bench.db, company)
    (tmp_path / "x.zip").write_text("another's")
    with pytest.raises(ConfigurationError, match="is there already"):
        offboard(owner, company.company_id, tmp_path / "x.zip")
    assert tables_that_name(bench.db, company) == before


def test_books_that_another_company_has_taken_over_stay(
    bench: Workbench, owner: psycopg.Connection, tmp_path: Path
):
    company = bench.imported("demo")
    leave(bench, company)
    bench.db.execute(
        "insert into sync.connection (company_id, realm_id, status) values ('heir', %s, 'connected')",
        [company.realm_id],
    )
    staged = rows_of(bench.db, "staging.invoice")
    offboard(owner, company.company_id, tmp_path / "x.zip")
    assert rows_of(bench.db, "staging.invoice") == staged > 0
    assert rows_of(bench.db, "peakflo.invoice") == 0


def test_neither_the_sync_nor_the_pages_erase(bench: Workbench, db_url: str, tmp_path: Path):
    company = bench.imported("demo")
    leave(bench, company)
    for user in ("receivables_sync", "receivables_pages"):
        with psycopg.connect(for_user(db_url, user), autocommit=True) as db:
            db.execute("set receivables.companies = '*'")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                offboard(db, company.company_id, tmp_path / f"{user}.zip")
    assert rows_of(bench.db, "peakflo.invoice") > 0
