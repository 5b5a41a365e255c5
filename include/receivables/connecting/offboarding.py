"""A company that leaves: everything that is kept of it goes into a file, and then from the database."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

from psycopg import sql
from psycopg.types.json import Jsonb

from include.errors import ConfigurationError
from include.receivables.company.companies import get_company
from include.receivables.company.locks import company_lock
from include.sql import load

if TYPE_CHECKING:
    from pathlib import Path

    from psycopg import Connection

MANIFEST = "manifest.json"


def offboard(db: Connection, company_id: str, file: Path) -> dict[str, Any]:
    """
    Export a company, then erase it: all in one transaction, so that what is erased is what was exported.

    What vouches for it is an act in the chain of what concerns no single company. Backups, Airflow's own tables and
    the logs of tasks are not the receivables database's: they forget by their retention.

    :param db: the owner's connection.
    :param file: a ZIP with a CSV per table and a manifest; it must not be there yet.
    :return: the manifest, with the file's digest.
    :raises ConfigurationError: when there is no such company, or it is not disconnected, or the file is there.
    """
    company = get_company(db, company_id)
    if company.status != "disconnected":
        raise ConfigurationError(f"{company_id} is {company.status}: disconnect it first.")
    with company_lock(db, company), db.transaction():
        db.execute(sql.SQL("set transaction isolation level repeatable read"))
        manifest = _export(db, company_id, file)
        db.execute(load("sync/erase_company"), {"company_id": company_id})
        done = manifest | {"sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
        act = {"company_id": "", "act": "company.erase", "outcome": "done", "facts": Jsonb(done)}
        db.execute(load("sync/note_act"), act)
    return done


def _export(db: Connection, company_id: str, file: Path) -> dict[str, Any]:
    rows: dict[str, int] = {}
    try:
        with zipfile.ZipFile(file, "x", zipfile.ZIP_DEFLATED) as archive:
            places = db.execute(load("sync/list_company_rows"), {"company_id": company_id}).fetchall()
            for relation, columns, condition in places:
                content = _copy(db, relation, columns, condition)
                rows[relation] = sum(1 for _ in csv.reader(io.StringIO(content.decode()))) - 1
                archive.writestr(f"{relation}.csv", content)
            manifest = {"company_id": company_id, "rows": rows}
            archive.writestr(MANIFEST, json.dumps(manifest, indent=2))
    except FileExistsError:
        raise ConfigurationError(f"{file} is there already: name a new file.") from None
    return manifest


def _copy(db: Connection, relation: str, columns: str, condition: str) -> bytes:
    """Copy rows as CSV; what the statement is put together from comes from the database, which has quoted it."""
    parts = (sql.SQL(part) for part in (columns, relation, condition))
    statement = sql.SQL("copy (select {} from {} where {}) to stdout with (format csv, header)").format(
        *parts
    )
    with db.cursor().copy(statement) as rows:
        return b"".join(rows)
