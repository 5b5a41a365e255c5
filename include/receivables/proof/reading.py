"""What a proof reads of QuickBooks: two reports, and as many pages of records as it may."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from include.quickbooks import reports
from include.quickbooks.entities import SYNCED
from include.quickbooks.paging import Position, read_pages
from include.quickbooks.records import OLDEST
from include.receivables.inbound.staging import content_hash
from include.receivables.proof.frames import COMPARED, VERSION, frame
from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime
    from decimal import Decimal

    import pandas as pd
    from psycopg import Connection

    from include.quickbooks.client import QuickBooksClient
    from include.quickbooks.entities import Entity
    from include.quickbooks.records import Page, Record
    from include.quickbooks.reports import OpenTransaction
    from include.receivables.company.companies import Company


@dataclass(frozen=True, slots=True)
class Stretch:
    """
    A part of an entity's records, in the order of their creation, that was read whole.

    :param since: created from then on; None for the first.
    :param before: and earlier than that; None for all that there are.
    """

    entity: Entity
    since: datetime | None
    before: datetime | None

    @property
    def is_whole(self) -> bool:
        """Whether that is every record there is."""
        return self.since is None and self.before is None


@dataclass(slots=True)
class Reading:
    """
    What was read.

    :param pages: as they came, to be staged where they say something else.
    :param stretches: which records those are, an entity each.
    """

    pages: list[Page] = field(default_factory=list)
    stretches: list[Stretch] = field(default_factory=list)

    def records(self, entity: Entity) -> dict[str, Record]:
        """Return what was read of an entity, by Id."""
        return {
            record.qbo_id: record for page in self.pages if page.entity is entity for record in page.records
        }

    def ids(self, entity: Entity) -> set[str]:
        """Return the Ids of all that was met of an entity, readable or not."""
        return {qbo_id for page in self.pages if page.entity is entity for qbo_id in page.ids}


@dataclass(frozen=True, slots=True)
class Reports:
    """
    What Intuit's own reports say, in the home currency.

    :param balances: of each customer, without its sub-customers.
    """

    day: date
    balances: Mapping[str, Decimal]
    transactions: Sequence[OpenTransaction]


def read_records(
    db: Connection, quickbooks: QuickBooksClient, company: Company, *, most_pages: int
) -> Reading:
    """
    Read records page by page, those first that were compared the longest ago; what is left is read another night.

    :param most_pages: how many pages of up to 1,000 records, each a metered call.
    """
    progress: dict[str, tuple[datetime | None, datetime | None]] = {
        entity: (since, finished_at)
        for entity, since, finished_at in db.execute(
            load("proof/read_progress"), {"realm_id": company.realm_id}
        )
    }
    reading = Reading()

    def turn(entity: Entity) -> datetime:
        return progress.get(entity.table, (None, None))[1] or OLDEST

    for entity in sorted(SYNCED, key=turn):
        if len(reading.pages) >= most_pages:
            break
        since = progress.get(entity.table, (None, None))[0]
        following: Position | None = None
        for portion in read_pages(quickbooks, entity, position=Position(since), reads_ahead=False):
            reading.pages.append(portion.page)
            following = portion.following
            # What was created in one second is one stretch, however many pages it takes.
            if following and following.created_since != since and len(reading.pages) >= most_pages:
                break
        reading.stretches.append(Stretch(entity, since, following.created_since if following else None))
    return reading


def save_progress(db: Connection, company: Company, reading: Reading) -> None:
    """Note how far records were compared."""
    for stretch in reading.stretches:
        keys = {"realm_id": company.realm_id, "entity": stretch.entity.table, "created_since": stretch.before}
        db.execute(load("proof/save_progress"), keys)


def read_reports(quickbooks: QuickBooksClient, day: date, currency: str) -> Reports:
    """
    Read what QuickBooks' reports say is open at the end of a day; two metered calls.

    :raises DoubtfulReportError: if one is cut, or of something else.
    """
    balances = reports.customer_balances(quickbooks.report(reports.CUSTOMER_BALANCE, day, currency))
    transactions = reports.open_transactions(quickbooks.report(reports.OPEN_TRANSACTIONS, day, currency))
    return Reports(day, balances, transactions)


def facts_of(db: Connection, company: Company, reading: Reading) -> pd.DataFrame:
    """Return what the records that were read say, by entity and Id, and in which version."""
    rows: list[dict[str, Any]] = []
    for stretch in reading.stretches:
        records = reading.records(stretch.entity)
        rows += _facts(db, company, stretch.entity, records) if records else []
    return frame(rows, (*VERSION, *COMPARED))


def _facts(
    db: Connection, company: Company, entity: Entity, records: Mapping[str, Record]
) -> list[dict[str, Any]]:
    keys = {
        "realm_id": company.realm_id,
        "entity": entity.table,
        "qbo_ids": list(records),
        "payloads": [record.payload for record in records.values()],
    }
    with db.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(load("proof/read_facts"), keys).fetchall()
    return [row | {"entity": entity.table} | _version(records[row["qbo_id"]]) for row in rows]


def _version(record: Record) -> dict[str, Any]:
    return {
        "content_hash": content_hash(record).hex(),
        "sync_token": record.sync_token,
        "updated_at": record.updated_at,
    }
