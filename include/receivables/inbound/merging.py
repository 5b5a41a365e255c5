"""staging → mapping → peakflo: gives new records an id and merges what changed, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.receivables.company import problems
from include.receivables.company.locks import realm_transaction
from include.receivables.inbound.apply_or_reject import apply_or_reject
from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg
    from psycopg import Connection

    from include.receivables.company.runs import Run

PORTION = 2000


@dataclass(frozen=True, slots=True)
class Merge:
    """
    How one staged entity reaches Peakflo.

    :param entity: the staging table.
    :param statement: merges records and returns which it could, and how many it changed and deleted.
    :param mapped_as: the mapping table, when the entity has an identity in Peakflo.
    :param details: statements for the records' own parts, such as an invoice's lines.
    :param recognise: maps what Peakflo itself sent to QuickBooks, before the rest is given new ids.
    """

    entity: str
    statement: str
    mapped_as: str = ""
    details: tuple[str, ...] = ()
    recognise: str = ""


# What others lean on, and Peakflo has no table for: it queues them.
QUEUES = (
    Merge("term", "staging/queue_term_records"),
    Merge("payment_method", "staging/queue_method_payments"),
)
# In this order, a record meets what it points at: customers before invoices.
MERGES = (
    Merge("company_info", "peakflo/merge_company_info"),
    Merge("preferences", "peakflo/merge_preferences"),
    Merge("account", "peakflo/merge_accounts", mapped_as="account"),
    Merge("tax_rate", "peakflo/merge_tax_rates", mapped_as="tax_rate"),
    Merge("tax_code", "peakflo/merge_tax_codes", mapped_as="tax_code"),
    Merge("customer", "peakflo/merge_customers", mapped_as="customer"),
    Merge(
        "invoice",
        "peakflo/merge_invoices",
        mapped_as="invoice",
        details=(
            "peakflo/delete_invoice_lines",
            "peakflo/merge_invoice_lines",
            "peakflo/link_payment_allocations",
        ),
    ),
    Merge(
        "credit_memo",
        "peakflo/merge_credit_notes",
        mapped_as="credit_note",
        details=("peakflo/link_payment_allocations",),
    ),
    Merge(
        "payment",
        "peakflo/merge_payments",
        mapped_as="payment",
        details=(
            "peakflo/delete_payment_allocations",
            "peakflo/merge_payment_allocations",
            "outbox/queue_read",
        ),
        recognise="mapping/map_own_payments",
    ),
    Merge("journal_entry", "outbox/queue_read"),
)


def merge_pending(db: Connection, run: Run) -> None:
    """
    Merge all staged versions that have not been merged yet, in one transaction.

    A record that points at one we lack stays queued; one that Peakflo's tables refuse becomes a problem and stays
    queued too; neither stops the others.
    """
    with realm_transaction(db, run.company.realm_id):
        _map_merged_customers(db, run)
        waiting = _select_unmerged(db, run)
        have_queued = [_merge_entity(db, run, merge, waiting) for merge in QUEUES]
        if any(have_queued):
            waiting = _select_unmerged(db, run)
        for merge in MERGES:
            _merge_entity(db, run, merge, waiting)


def _map_merged_customers(db: Connection, run: Run) -> None:
    keys = {"company_id": run.company.company_id, "realm_id": run.company.realm_id}
    [has_news] = db.execute(load("mapping/has_merge_news"), keys).fetchone() or (False,)
    if has_news:
        db.execute(load("mapping/map_merged_customers"), keys)


def _select_unmerged(db: Connection, run: Run) -> dict[str, list[str]]:
    return dict(db.execute(load("staging/select_unmerged"), {"realm_id": run.company.realm_id}).fetchall())


def _merge_entity(db: Connection, run: Run, merge: Merge, unmerged: dict[str, list[str]]) -> bool:
    """Merge what waits of an entity; tell whether anything did."""
    waiting = unmerged.get(merge.entity)
    if not waiting:
        return False
    company = run.company
    keys = {
        "company_id": company.company_id,
        "realm_id": company.realm_id,
        "entity": merge.entity,
        "qbo_ids": waiting,
    }
    with run.timing(merge.entity):
        if merge.recognise:
            db.execute(load(merge.recognise), keys)
        if merge.mapped_as:
            # All of them before the first is merged: a customer may come before its parent.
            db.execute(load("mapping/map_records"), keys | {"mapped_as": merge.mapped_as})
        for first in range(0, len(waiting), PORTION):
            _merge_portion(db, run, merge, waiting[first : first + PORTION])
    return True


def _merge_portion(db: Connection, run: Run, merge: Merge, waiting: list[str]) -> None:
    def work(qbo_ids: Sequence[str]) -> None:
        _merge_records(db, run, merge, list(qbo_ids))

    def refuse(qbo_id: str, error: psycopg.Error) -> None:
        if _mark_deleted(db, run, merge, qbo_id):
            return
        problems.report_record(
            db,
            run.company,
            merge.entity,
            qbo_id,
            "unmergeable",
            f"QuickBooks' {merge.entity} {qbo_id} does not fit Peakflo's tables: {error.diag.message_primary}.",
        )

    apply_or_reject(db, waiting, work, refuse)


def _mark_deleted(db: Connection, run: Run, merge: Merge, qbo_id: str) -> bool:
    """Delete a refused record in Peakflo, too, if it is deleted in QuickBooks: what it contained no longer matters."""
    keys = {
        "company_id": run.company.company_id,
        "realm_id": run.company.realm_id,
        "entity": merge.entity,
        "qbo_id": qbo_id,
    }
    row = db.execute(load("peakflo/mark_deleted"), keys).fetchone()
    return bool(row and row[0])


def _merge_records(db: Connection, run: Run, merge: Merge, qbo_ids: list[str]) -> None:
    keys = {
        "company_id": run.company.company_id,
        "realm_id": run.company.realm_id,
        "entity": merge.entity,
        "mapped_as": merge.mapped_as,
        "qbo_ids": qbo_ids,
    }
    resolved, merged, deleted, *_ = db.execute(load(merge.statement), keys).fetchone() or ([], 0, 0)
    done = keys | {"resolved": resolved}
    for statement in merge.details:
        db.execute(load(statement), done)
    db.execute(load("staging/unqueue"), done)
    counts = run.counts[merge.entity]
    counts.merged += merged
    counts.deleted += deleted
