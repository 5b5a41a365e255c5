"""A company whose records are staged and merged as a test writes them, without a QuickBooks."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from include.quickbooks.calls import CallCounts
from include.quickbooks.entities import BY_NAME
from include.quickbooks.records import Page, Record
from include.receivables.company import companies
from include.receivables.company.run_context import RunContext
from include.receivables.company.runs import Run, company_run
from include.receivables.connecting import connections
from include.receivables.inbound import staging
from include.receivables.inbound.merging import merge_pending

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

Json = dict[str, Any]

REALM = "9130000000000001"
TOKENS = {
    "access_token": "",
    "refresh_token": "",
    "expires_in": timedelta(hours=1),
    "refresh_expires_in": timedelta(days=100),
    "refresh_hard_expires_in": None,
}


@dataclass(frozen=True, slots=True)
class Staged:
    """What a test does with such a company."""

    db: psycopg.Connection
    run: Run

    def merge(self, entity: str, *payloads: Json) -> None:
        """Stage records, each in a version after the one before, and merge them."""
        [(now, version)] = self.rows("select now(), count(*) from staging.version")
        records = [
            Record(each["Id"], version, now, False, json.dumps(each, default=float).encode())
            for each in payloads
        ]
        staging.stage_page(self.db, self.run, Page(BY_NAME[entity], records, now))
        merge_pending(self.db, self.run)

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return what a statement finds."""
        return self.db.execute(statement, values).fetchall()

    def problems(self) -> dict[tuple[str, str], str]:
        """Return the messages of the records that did not go in, by entity and Id."""
        found = self.rows(
            "select entity, qbo_id, code, message from sync.problem where direction = 'inbound' and state = 'open'"
        )
        assert {code for _, _, code, _ in found} <= {"unmergeable"}
        return {(entity, qbo_id): message for entity, qbo_id, _, message in found}


@contextmanager
def staged_company(db: psycopg.Connection) -> Iterator[Staged]:
    """Connect a company with one customer, whose Id is 1."""
    connection = {"company_id": "acme", "name": "Acme", "realm_id": REALM, "connected_by": "test"}
    connections.record_connection(db, **connection, tokens=TOKENS)
    company = companies.get_company(db, "acme")
    with company_run(db, company, RunContext("test", "staged"), calls=CallCounts()) as run:
        books = Staged(db, run)
        books.merge("Customer", {"Id": "1", "DisplayName": "Ada", "Active": True, "Balance": 0})
        yield books
