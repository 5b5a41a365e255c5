"""
Proves that Peakflo has what QuickBooks has, to the cent; repairs what was missed, and says what explains the rest.

Three readings are compared: the records as QuickBooks answers them now, what is staged and merged, and Intuit's own
reports of what is open. In between, the company is synced, so that what changed while the proof was made is told from
what was missed. What was missed is read and merged, and compared once more.

The cost is bounded: two reports, one call for changes, and as many pages of records as are allowed; what they leave out
is compared in the next nights. All that is open is in the reports each night.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from include.errors import ConfigurationError, ReceivablesError
from include.quickbooks.entities import SYNCED
from include.quickbooks.reports import DoubtfulReportError
from include.receivables.company.locks import realm_transaction
from include.receivables.inbound import jobs
from include.receivables.inbound.merging import merge_pending
from include.receivables.inbound.references import BY_TABLE, read_by_ids
from include.receivables.inbound.staging import check_deletions, stage_records
from include.receivables.inbound.syncing import finish, sync_company
from include.receivables.proof import payments, proofs, records
from include.receivables.proof.balances import Comparison
from include.receivables.proof.frames import read_known
from include.receivables.proof.proofs import Proof
from include.receivables.proof.reading import Reading, facts_of, read_records, read_reports, save_progress
from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    import pandas as pd
    from psycopg import Connection

    from include.quickbooks.client import QuickBooksClient
    from include.receivables.company.access import Access
    from include.receivables.company.batches import Outcome
    from include.receivables.company.companies import Company
    from include.receivables.company.run_context import RunContext
    from include.receivables.company.runs import Run
    from include.receivables.proof.differences import Difference
    from include.receivables.proof.frames import Key
    from include.receivables.proof.reading import Reports

logger = logging.getLogger(__name__)

# With the two reports and the call for changes, a company of up to 1,000 records of each kind takes eight calls.
MOST_PAGES = 20


@dataclass(slots=True)
class _Making:
    """
    A proof in the making.

    :param moved: the records that changed in QuickBooks while they were read.
    :param reason: why the reports prove nothing; empty if they do.
    """

    db: Connection
    quickbooks: QuickBooksClient
    run: Run
    currency: str
    moved: set[Key] = field(default_factory=set)
    reading: Reading = field(default_factory=Reading)
    reports: Reports | None = None
    reason: str = ""

    @property
    def company(self) -> Company:
        """The company."""
        return self.run.company

    @property
    def keys(self) -> dict[str, Any]:
        """What tells the company's rows."""
        return {"company_id": self.company.company_id, "realm_id": self.company.realm_id}


def reconcile(
    access: Access, company_id: str, run_context: RunContext, *, most_pages: int = MOST_PAGES
) -> Outcome:
    """
    Prove one company, repair what was missed, and keep what came of it.

    :param most_pages: how many pages of up to 1,000 records may be read, each a metered call.
    """

    def step(db: Connection, quickbooks: QuickBooksClient, run: Run) -> None:
        try:
            proof = make_proof(db, quickbooks, run, most_pages=most_pages)
        except ReceivablesError as error:
            proofs.save(db, run, Proof(reason=str(error)), calls=quickbooks.calls.metered)
            raise
        proofs.save(db, run, proof, calls=quickbooks.calls.metered)
        logger.log(
            logging.INFO if proof.verdict in ("equal", "explained") else logging.ERROR,
            "Company %s: %s Metered calls: %d.", company_id, proof.sentence, quickbooks.calls.metered,
        )  # fmt: skip

    return jobs.run_step(access, company_id, run_context, step)


def make_proof(db: Connection, quickbooks: QuickBooksClient, run: Run, *, most_pages: int) -> Proof:
    """
    Compare, repair, and compare again.

    :raises ConfigurationError: when the company was not imported yet.
    :raises DeletionBrakeError: when more vanished than a healthy company deletes.
    """
    making = _Making(db, quickbooks, run, _home_currency(db, run.company))
    _read(making, most_pages)
    known, found = _mend(making)
    opened, comparison = _compare_open(making, known)
    left = [each for each in found if not each.is_repaired]
    payments.look_again(db, run.company)
    held = payments.list_held(db, run.company)
    save_progress(db, run.company, making.reading)
    names = _names(making)
    return Proof(
        reason=making.reason,
        home_currency=making.currency,
        report_day=making.reports.day if making.reports else None,
        differences=[
            replace(each, customer_name=each.customer_name or names.get(each.customer_id))
            for each in (*found, *_without(opened, left), *held)
        ],
        customers=comparison.customers() if comparison else (),
        counts=_counts(making.reading, known),
    )


def _read(making: _Making, most_pages: int) -> None:
    """Read what is compared; then sync, which tells what changed meanwhile."""
    db, company = making.db, making.company
    before = _versions(making)
    making.reading = read_records(db, making.quickbooks, company, most_pages=most_pages)
    try:
        making.reports = read_reports(making.quickbooks, _report_day(making), making.currency)
    except DoubtfulReportError as error:
        making.reason = str(error)
    sync_company(db, making.quickbooks, making.run)
    after = _versions(making)
    making.moved = {key for key, version in after.items() if before.get(key) != version}


def _versions(making: _Making) -> dict[Key, str]:
    rows = making.db.execute(load("proof/list_versions"), making.keys)
    return {(entity, qbo_id): version for entity, qbo_id, version in rows}


def _mend(making: _Making) -> tuple[pd.DataFrame, list[Difference]]:
    """Repair the records that differ, and tell which are well by now."""
    known = read_known(making.db, making.company)
    found, vanished = _compare_records(making, known), _list_vanished(making, known)
    if not (found or vanished or any(page.odd for page in making.reading.pages)):
        return known, []
    _repair(making, found, vanished)
    known = read_known(making.db, making.company)
    told = _tell_repaired(found, _compare_records(making, known))
    return known, told + records.tell_deleted(known, vanished)


def _compare_records(making: _Making, known: pd.DataFrame) -> list[Difference]:
    read = facts_of(making.db, making.company, making.reading)
    missed = records.find_missed(known, read, making.moved)
    return missed + _without(records.find_unmerged(known), missed)


def _list_vanished(making: _Making, known: pd.DataFrame) -> list[Key]:
    met = {entity.table: making.reading.ids(entity) for entity in SYNCED}
    return records.find_vanished(known, making.reading.stretches, met, making.moved)


def _repair(making: _Making, found: Collection[Difference], vanished: Collection[Key]) -> None:
    """Stage again what was read otherwise, ask for what vanished, and merge both and what was not merged."""
    wrong = {(each.entity, each.qbo_id) for each in found}
    extra = {(each.entity, each.qbo_id) for each in found if each.field == "extra"}
    for table, qbo_ids in _by_entity(vanished).items():
        check_deletions(making.db, making.run, BY_TABLE[table], sorted(qbo_ids))
    _stage_again(making, wrong)
    _read_again(making, {*vanished, *extra})
    _merge(making, wrong)
    for each in found:
        # There is nothing to merge of what QuickBooks never had; a proof that was killed may have found that out.
        if {"extra", "status"}.intersection(each.field.split(", ")):
            keys = {"entity": each.entity, "qbo_id": each.qbo_id}
            making.db.execute(load("peakflo/mark_deleted"), making.keys | keys)


def _stage_again(making: _Making, wrong: Collection[Key]) -> None:
    """Put the versions that were read in the place of others that are staged, which are no newer."""
    for page in making.reading.pages:
        table = page.entity.table
        differing = [record for record in page.records if (table, record.qbo_id) in wrong]
        if differing or page.odd:
            doubted = {"entity": table, "qbo_ids": [record.qbo_id for record in differing]}
            with realm_transaction(making.db, making.company.realm_id):
                making.db.execute(load("proof/doubt"), making.keys | doubted)
                stage_records(making.db, making.run, replace(page, records=differing))


def _read_again(making: _Making, keys: Iterable[Key]) -> None:
    for table, qbo_ids in _by_entity(keys).items():
        read_by_ids(making.db, making.quickbooks, making.run, BY_TABLE[table], sorted(qbo_ids))


def _merge(making: _Making, keys: Collection[Key]) -> None:
    """Merge records again, whatever their state, and all that waits."""
    queued = {"entities": [entity for entity, _ in keys], "qbo_ids": [qbo_id for _, qbo_id in keys]}
    with realm_transaction(making.db, making.company.realm_id):
        making.db.execute(load("proof/queue"), making.keys | queued)
    merge_pending(making.db, making.run)
    finish(making.db, making.run)


def _tell_repaired(found: Collection[Difference], left: Collection[Difference]) -> list[Difference]:
    """Tell what was repaired from what was not."""
    return [each.repaired() for each in _without(found, left)] + list(left)


def _compare_open(making: _Making, known: pd.DataFrame) -> tuple[list[Difference], Comparison | None]:
    """Compare with Intuit's reports; what nobody can explain is read once more before it is told."""
    if making.reports is None:
        return [], None
    comparison = _comparison(making, known, making.reports)
    found = comparison.find()
    doubtful = {
        (each.entity, each.qbo_id)
        for each in found
        if each.class_name == "unknown" and each.entity in BY_TABLE
    }
    if not doubtful:
        return found, comparison
    _read_again(making, doubtful)
    _merge(making, doubtful)
    comparison = _comparison(making, read_known(making.db, making.company), making.reports)
    left = comparison.find()
    mended = [
        replace(each, class_name="missed_change").repaired()
        for each in _without(found, left)
        if (each.entity, each.qbo_id) in doubtful
    ]
    return mended + left, comparison


def _comparison(making: _Making, known: pd.DataFrame, reports: Reports) -> Comparison:
    rows = making.db.execute(load("outbox/list_own_entries"), making.keys)
    own_entries = {row[0] for row in rows}
    return Comparison(known, reports, making.moved, making.currency, own_entries, _names(making))


def _without(found: Iterable[Difference], known: Iterable[Difference]) -> list[Difference]:
    """Leave out what is among others, lest its money be counted twice."""
    keys = {(each.entity, each.qbo_id) for each in known}
    return [each for each in found if (each.entity, each.qbo_id) not in keys]


def _by_entity(keys: Iterable[Key]) -> dict[str, set[str]]:
    grouped: dict[str, set[str]] = defaultdict(set)
    for entity, qbo_id in keys:
        grouped[entity].add(qbo_id)
    return grouped


def _counts(reading: Reading, known: pd.DataFrame) -> dict[str, dict[str, int | bool | None]]:
    """Count what was compared, per entity."""
    whole = {stretch.entity.table for stretch in reading.stretches if stretch.is_whole}
    alive = known[known["peakflo_status"].notna() & known["peakflo_status"].ne("deleted")]
    return {
        entity.table: {
            "quickbooks": len(reading.ids(entity)) if entity.table in whole else None,
            "peakflo": int(alive["entity"].eq(entity.table).sum()),
            "compared": len(reading.ids(entity)),
            "whole": entity.table in whole,
        }
        for entity in SYNCED
    }


def _home_currency(db: Connection, company: Company) -> str:
    row = db.execute(load("sync/read_home_currency"), {"company_id": company.company_id}).fetchone()
    if row is None or row[0] is None:
        raise ConfigurationError(
            f"Company {company.company_id!r} has not been imported yet: import it first."
        )
    currency: str = row[0]
    return currency


def _report_day(making: _Making) -> date:
    """Return a day after which no document is dated: the reports have to be of all that is open."""
    row = making.db.execute(load("proof/read_latest_day"), making.keys).fetchone()
    end_of_next_year = date(datetime.now(UTC).year + 1, 12, 31)
    return max(end_of_next_year, row[0]) if row and row[0] else end_of_next_year


def _names(making: _Making) -> Mapping[str, str]:
    return dict(making.db.execute(load("proof/list_customer_names"), making.keys).fetchall())
