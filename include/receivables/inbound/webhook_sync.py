"""What webhook events name, read without waiting for the next sync: by Id where that is enough, else by a sync."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from include.quickbooks.entities import CUSTOMER, INVOICE
from include.receivables.company import batches
from include.receivables.company.companies import get_connected_company, list_due_companies
from include.receivables.inbound import jobs, webhook_events
from include.receivables.inbound.merging import merge_pending
from include.receivables.inbound.references import fetch_missing, read_by_ids
from include.receivables.inbound.staging import DELETIONS_ALWAYS_BELIEVED
from include.receivables.inbound.syncing import REACH, finish, sync_company
from include.receivables.inbound.webhooks import MERGE
from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection

    from include.quickbooks.client import QuickBooksClient
    from include.quickbooks.entities import Entity
    from include.receivables.company.access import Access
    from include.receivables.company.batches import Outcome
    from include.receivables.company.companies import DueCompany
    from include.receivables.company.run_context import RunContext
    from include.receivables.company.runs import Run
    from include.receivables.inbound.webhook_events import UnreadEvent

logger = logging.getLogger(__name__)

READ_BY_ID = {entity.table: entity for entity in (INVOICE, CUSTOMER)}
# A sync takes one metered call whatever has changed, so it is the cheaper way for two entities, and the safer one for
# many records: it does not believe any number of deletions.
MOST_IDS = DELETIONS_ALWAYS_BELIEVED


def list_due(db: Connection, *, dag_id: str) -> list[DueCompany]:
    """
    List the companies with unread events that can be read now.

    One that is being synced or imported is left out: whoever holds it wakes us when it is free again.

    :param dag_id: whose runs read early.
    """
    with_events = set(webhook_events.list_companies(db, dag_id=dag_id))
    if not with_events:
        return []
    return [
        company
        for company in list_due_companies(db, reach=REACH)
        if company.company_id in with_events and not company.is_import_due
    ]


def read_events(access: Access, company_id: str, run_context: RunContext) -> Outcome:
    """
    Read what a company's unread events name.

    A few records of one entity, invoices or customers, are read by Id. All others take a sync, which brings everything
    that has changed.

    :raises BusyError: when somebody else is at work on the company.
    """
    with access.connect() as db:
        if not webhook_events.list_unread(db, get_connected_company(db, company_id)):
            return batches.Outcome(company_id)
    return jobs.run_step(access, company_id, run_context, _read_unread)


def _read_unread(db: Connection, quickbooks: QuickBooksClient, run: Run) -> None:
    events = webhook_events.list_unread(db, run.company)
    entity = _only_entity(events)
    if entity is None or not _read_by_ids(db, quickbooks, run, entity, events):
        sync_company(db, quickbooks, run)


def _only_entity(events: Sequence[UnreadEvent]) -> Entity | None:
    """Return the entity whose records to read by Id; None if a sync is the better way, as always for a merge."""
    tables = {event.entity for event in events}
    is_merge = any(event.operation == MERGE for event in events)
    if is_merge or len(tables) != 1 or len({event.qbo_id for event in events}) > MOST_IDS:
        return None
    return READ_BY_ID.get(tables.pop())


def _read_by_ids(
    db: Connection, quickbooks: QuickBooksClient, run: Run, entity: Entity, events: Sequence[UnreadEvent]
) -> bool:
    """
    Read the records of some events by Id and merge them.

    :return: whether that was enough. An invoice that is settled otherwise than before is not merged without the
        payments that settle it, nor a customer that is gone without what it had: what Peakflo has must agree with
        itself.
    """
    read_by_ids(db, quickbooks, run, entity, sorted({event.qbo_id for event in events}))
    if _needs_more(db, run):
        logger.info(
            "More has changed with the %s records of company %s.", entity.table, run.company.company_id
        )
        return False
    fetch_missing(db, quickbooks, run)
    with db.transaction():
        merge_pending(db, run)
        webhook_events.mark_these_read(db, run.company, events)
    finish(db, run)
    return True


def _needs_more(db: Connection, run: Run) -> bool:
    keys = {"company_id": run.company.company_id, "realm_id": run.company.realm_id}
    statements = ("staging/is_settled_otherwise", "staging/is_customer_gone")
    return any(db.execute(load(statement), keys).fetchone() == (True,) for statement in statements)
