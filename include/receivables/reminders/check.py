"""One reminder run of one company: reads, merges and judges, and keeps the verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import class_row

from include.errors import ReceivablesError, UnreachableError
from include.quickbooks.calls import CallCounts
from include.quickbooks.entities import CUSTOMER, INVOICE, SYNCED
from include.receivables.company import problems, runs
from include.receivables.company.deadline import Deadline
from include.receivables.company.locks import realm_transaction
from include.receivables.company.side_connection import SideConnection
from include.receivables.inbound.merging import merge_pending
from include.receivables.inbound.references import BY_TABLE, select_left_behind, settle_left_behind
from include.receivables.inbound.staging import read_cursor
from include.receivables.inbound.syncing import OVERLAP
from include.receivables.outbound.delivering import settle_queued
from include.receivables.outbound.work import Work
from include.receivables.reminders.fact_reads import read_facts
from include.receivables.reminders.facts import Facts, Freshness
from include.receivables.reminders.judgement import Judgement
from include.receivables.reminders.reads import DatabaseUnreachableError, LateError, ReminderReader, cause_of
from include.receivables.reminders.verdict_records import insert_verdicts
from include.receivables.reminders.verdicts import judge, unknown
from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from psycopg import Connection

    from include.quickbooks.entities import Entity
    from include.receivables.company.access import Access
    from include.receivables.company.companies import Company
    from include.receivables.company.runs import Run
    from include.receivables.reminders.reads import Reads
    from include.receivables.reminders.verdicts import Verdict

# Kept from the deadline for merging and judging what was read; of a short one, a quarter.
MERGE_SECONDS = 0.5
# How long after the deadline the last statement may end.
GRACE_SECONDS = 0.5
CONNECT_SECONDS = 3.05
# Somebody waits: tokens that last for this run are left to the sync to renew.
TOKEN_MARGIN = timedelta(minutes=1)
# What the database says of a statement that took too long, be it at work or waiting for a lock.
OVERDUE = (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable)


@dataclass(frozen=True, slots=True)
class ReminderRequest:
    """
    What a reminder run is about; without invoices and customers, all open invoices of the company.

    :param customer_ids: customers whose open invoices are judged beside the named ones.
    """

    company_id: str
    invoice_ids: tuple[UUID, ...] = ()
    customer_ids: tuple[UUID, ...] = ()

    @property
    def is_open_ended(self) -> bool:
        """Whether invoices may join that were not known before the reading."""
        return bool(self.customer_ids) or not self.invoice_ids

    @property
    def scope(self) -> dict[str, Any]:
        """The request as parameters of a statement."""
        return {
            "invoice_ids": list(self.invoice_ids),
            "customer_ids": list(self.customer_ids),
            "is_all": not (self.invoice_ids or self.customer_ids),
        }


@dataclass(frozen=True, slots=True)
class Target:
    """
    An invoice to judge.

    :param qbo_id: None for one that the company does not have.
    """

    invoice_id: UUID
    qbo_id: str | None
    is_elsewhere: bool


def connect(access: Access) -> Connection:
    """
    Connect to the receivables database.

    :raises DatabaseUnreachableError: when it does not answer.
    """
    try:
        return access.connect()
    except UnreachableError as error:
        raise DatabaseUnreachableError(str(error)) from error


def limit_waits(db: Connection, seconds: float) -> None:
    """Let no statement, and so no wait for a lock, last longer from now on."""
    # Zero would mean without a limit.
    milliseconds = max(1, round(seconds * 1000))
    db.execute(load("reminders/limit_waits"), {"milliseconds": str(milliseconds)})


def find_targets(
    db: Connection, company: Company, statement: str, request: ReminderRequest, **more: Any
) -> list[Target]:
    """Find invoices with a statement, within what the request is about."""
    keys = {"company_id": company.company_id, "realm_id": company.realm_id} | request.scope | more
    with db.cursor(row_factory=class_row(Target)) as cursor:
        return cursor.execute(load(statement), keys).fetchall()


class ReminderCheck:
    """
    The check of one company's invoices, from the log's first line to its last.

    :param targets: the invoices known before the reading.
    """

    def __init__(
        self,
        db: Connection,
        run: Run,
        request: ReminderRequest,
        reminder_run_id: str,
        targets: Iterable[Target],
        deadline: Deadline,
    ) -> None:
        self._db = db
        self._run = run
        self._request = request
        self._reminder_run_id = reminder_run_id
        self._targets = {target.invoice_id: target for target in targets}
        self._deadline = deadline

    def refuse(self, error: ReceivablesError) -> Judgement:
        """Judge without asking QuickBooks."""
        verdicts = self._all_unknown(cause_of(error))
        insert_verdicts(self._db, self._run, self._reminder_run_id, verdicts)
        runs.end_concurrent_run(self._db, self._run, CallCounts(), error, is_news=False)
        return Judgement(verdicts, error)

    def refresh(self, access: Access) -> Judgement:
        """Read, merge and judge; what came too late or not at all is left out."""
        side = SideConnection(lambda: connect(access))
        left = self._deadline.left
        reading = Deadline(left - min(MERGE_SECONDS, left / 4))
        quickbooks = access.client(
            self._run.company,
            side,
            connect_timeout=max(0.01, min(CONNECT_SECONDS, reading.left)),
            read_timeout=max(0.01, reading.left),
            token_margin=TOKEN_MARGIN,
        )
        reader = ReminderReader(quickbooks, self._run, reading)
        try:
            verdicts = self._read_and_judge(reader)
        except OVERDUE:
            reader.reads.errors.append(
                LateError("The receivables database was busy until the deadline: try again.")
            )
            verdicts = self._all_unknown("deadline")
            limit_waits(self._db, GRACE_SECONDS)
            insert_verdicts(self._db, self._run, self._reminder_run_id, verdicts)
        finally:
            reader.close_after(quickbooks, side)
        error = next(iter(reader.reads.errors), None)
        runs.end_concurrent_run(self._db, self._run, quickbooks.calls, error)
        return Judgement(verdicts, error, has_news=self._run.has_news)

    def _all_unknown(self, cause: str) -> list[Verdict]:
        return [_unknown_target(target, cause) for target in self._targets.values()]

    def _read_and_judge(self, reader: ReminderReader) -> list[Verdict]:
        """
        Ask for everything at once, and a second time only for what others point at and is not there.

        Staging, merging and judging are one transaction, so that no other process changes what is judged; none is
        open while QuickBooks is asked.
        """
        db, realm_id = self._db, self._run.company.realm_id
        self._ask(reader)
        reader.wait()
        limit_waits(db, self._deadline.left)
        with realm_transaction(db, realm_id):
            reader.stage(db)
            wanted = self._still_wanted(reader.reads)
            if not wanted:
                return self._merge_and_judge(reader, wanted)
        for table in sorted({table for table, _ in wanted}):
            self._ask_for(reader, BY_TABLE[table], [qbo_id for of, qbo_id in wanted if of == table])
        reader.wait()
        limit_waits(db, self._deadline.left)
        with realm_transaction(db, realm_id):
            reader.stage(db)
            return self._merge_and_judge(reader, wanted)

    def _ask(self, reader: ReminderReader) -> None:
        db, realm_id = self._db, self._run.company.realm_id
        cursor = read_cursor(db, realm_id, SYNCED)
        reader.ask_for_changes(None if cursor is None else cursor - OVERLAP)
        self._ask_for(reader, INVOICE, self._qbo_ids())
        self._ask_for(reader, CUSTOMER, self._customers())

    def _ask_for(self, reader: ReminderReader, entity: Entity, qbo_ids: list[str]) -> None:
        unreadable = problems.list_unreadable(self._db, self._run.company, entity.table)
        reader.ask_for(entity, qbo_ids, unreadable)

    def _qbo_ids(self) -> list[str]:
        return [target.qbo_id for target in self._targets.values() if target.qbo_id is not None]

    def _customers(self) -> list[str]:
        """List the customers of the invoices, as staged, and all whom they are sub-customers of."""
        keys = {"realm_id": self._run.company.realm_id, "qbo_ids": self._qbo_ids()}
        return [row[0] for row in self._db.execute(load("reminders/find_customers"), keys)]

    def _still_wanted(self, reads: Reads) -> set[tuple[str, str]]:
        """
        List the records that others point at and that were not asked for, and those that a merge may have moved.

        :return: staging tables and Ids.
        """
        company = self._run.company
        keys = {"company_id": company.company_id, "realm_id": company.realm_id}
        wanted = {(CUSTOMER.table, qbo_id) for qbo_id in self._customers()}
        for statement in ("staging/select_missing_references", "staging/select_outdated_links"):
            for table, qbo_ids in self._db.execute(load(statement), keys).fetchall():
                wanted |= {(table, qbo_id) for qbo_id in qbo_ids}
        asked = {(table, qbo_id) for table, qbo_id in wanted if reads.was_asked(table, qbo_id)}
        # Whatever was asked for at the same time as the changes may be from before the merge that they tell of.
        return (wanted - asked) | select_left_behind(self._db, self._run)

    def _merge_and_judge(self, reader: ReminderReader, wanted: set[tuple[str, str]]) -> list[Verdict]:
        reads = reader.reads
        settle_left_behind(self._db, self._run, wanted - reads.causes.keys())
        merge_pending(self._db, self._run)
        settle_queued(Work(self._db, reader.quickbooks, self._run))
        problems.resolve_merged(self._db, self._run.company)
        if self._request.is_open_ended:
            self._add_opened(reads)
        facts = read_facts(self._db, self._run, reads, self._targets)
        verdicts = [
            judge(facts[target.invoice_id], _freshness(facts[target.invoice_id], reads))
            if target.invoice_id in facts
            else _unknown_target(target, reads.cause(INVOICE, target.qbo_id or "") or "not_merged")
            for target in self._targets.values()
        ]
        insert_verdicts(self._db, self._run, self._reminder_run_id, verdicts)
        return verdicts

    def _add_opened(self, reads: Reads) -> None:
        """Add the invoices that the reading brought, new or open again."""
        changed = {"qbo_ids": reads.ids(INVOICE)}
        for target in find_targets(
            self._db, self._run.company, "reminders/find_opened", self._request, **changed
        ):
            self._targets.setdefault(target.invoice_id, target)


def _freshness(facts: Facts, reads: Reads) -> Freshness:
    return Freshness(
        reads.read_at.get((INVOICE.table, facts.qbo_id)),
        invoice=reads.cause(INVOICE, facts.qbo_id),
        customer=reads.cause(CUSTOMER, facts.customer_qbo_id),
        changes=reads.changes_cause,
    )


def _unknown_target(target: Target, cause: str) -> Verdict:
    """Return the verdict on an invoice that could not be checked, or that is not the company's at all."""
    if target.qbo_id is not None:
        return unknown(target.invoice_id, cause)
    return unknown(target.invoice_id, "other_company" if target.is_elsewhere else "invoice_not_found")
