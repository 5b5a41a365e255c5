"""What causes are told from: a few statements, however many companies there are."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from psycopg.rows import class_row

from include.errors import DeletionBrakeError, ThrottledError
from include.quickbooks.entities import SYNCED
from include.receivables.alerts.model import LATE
from include.receivables.company import budget, quota
from include.receivables.inbound.syncing import REACH
from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from decimal import Decimal

    from psycopg import Connection

    from include.receivables.company.quota import ReadQuota

SYNC = "quickbooks_to_peakflo"
DELIVERY = "peakflo_to_quickbooks"
PROOF = "reconcile_receivables"
# By whom a company is imported.
IMPORTERS = ("import_company", "bin/receivables")
# A signature that is wrong once may be a stray; one that Intuit makes is repeated within it.
FORGED_WITHIN = timedelta(hours=1)
# A webhook comes within minutes, as a rule; Intuit tries again what it could not deliver.
WEBHOOK_MARGIN = timedelta(hours=1)
SILENCE = timedelta(hours=24)
# When no company was read for longer than from one cycle to the next, it is no longer the trouble of each.
NONE_READ = timedelta(minutes=8)
# A night, and as long as the proofs of all companies may take.
PROVED_WITHIN = timedelta(hours=30)
# What stops companies and is told under its own name.
OTHERWISE_TOLD = (DeletionBrakeError.code, ThrottledError.code)

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class CompanyState:
    """
    How a company is connected and how far its books are read.

    :param fresh_until: up to which moment of QuickBooks' clock all is known; None before the first read.
    :param late_after: how old that may be before the company is late.
    :param is_imported: whether a sync can go on from there.
    :param is_held: whether somebody is at work on its books.
    :param import_state: of the last import since it was connected, as ``sync.run`` has it.
    :param proved_at: when both sides were last compared, whatever came of it.
    :param proof_error: what kept the last proof from being made, or from proving anything.
    """

    company_id: str
    status: str
    status_since: datetime
    connected_at: datetime
    last_error: str | None
    consent_ends_at: datetime | None
    fresh_until: datetime | None
    late_after: timedelta
    is_imported: bool
    is_held: bool
    import_state: str | None
    import_started_at: datetime | None
    import_ended_at: datetime | None
    import_error_code: str | None
    import_error: str | None
    proved_at: datetime | None
    proof_error: str | None
    read_at: datetime

    @property
    def is_importing(self) -> bool:
        """Whether an import is at work."""
        return self.import_state == "running" and self.is_held

    @property
    def may_be_read_since(self) -> datetime:
        """Since when nothing has kept its syncs from reading it."""
        moments = (self.connected_at, self.status_since, self.import_ended_at)
        return max(moment for moment in moments if moment is not None)


@dataclass(frozen=True, slots=True)
class OpenProblems:
    """
    Open problems of one company and code.

    :param direction: ``inbound`` or ``connection``.
    """

    company_id: str
    direction: str
    code: str
    problems: int
    since: datetime
    last_seen_at: datetime
    message: str
    remedy: str
    owner: str


@dataclass(frozen=True, slots=True)
class Held:
    """
    The payments of one company that wait, or differ, for one reason and in one currency.

    :param late_payments: of them, those that have for longer than the next rounds take.
    :param queued_payments: of them, those that are looked at again with the next delivery.
    :param owner: who acts, as their problems say; None of those that wait.
    :param remedies: how many different ones their problems have.
    """

    company_id: str
    kind: str
    code: str
    currency: str
    payments: int
    amount: Decimal
    late_payments: int
    late_amount: Decimal
    queued_payments: int
    since: datetime
    owner: str | None
    message: str | None
    remedy: str | None
    remedies: int


@dataclass(frozen=True, slots=True)
class AppState:
    """
    What concerns all companies.

    :param cycle_started_at: when the latest cycle of syncs began.
    :param cycles_since: since when the cycles go on again, if they had stopped a moment ago.
    :param answered_since: since when companies are read again, if for some minutes none was.
    :param queued_since: since when the first payment is queued that could be looked at.
    :param delivered_at: when the latest round of deliveries began that is in the log.
    :param forged: webhook deliveries with a wrong signature, of late.
    :param metered_calls: of this month.
    :param monthly_reads: how many a month has.
    :param proved_at: when a company was last proved.
    :param longest_unproved: how long ago that may be.
    :param is_proof_due: whether syncs were at work so long ago that there was a night for proofs since.
    """

    read_at: datetime
    cycle_started_at: datetime | None
    cycles_since: datetime | None
    answered_since: datetime | None
    queued_since: datetime | None
    delivered_at: datetime | None
    forged: int
    forged_since: datetime | None
    metered_calls: int
    monthly_reads: int
    proved_at: datetime | None
    longest_unproved: timedelta
    is_proof_due: bool


@dataclass(frozen=True, slots=True)
class CommonFailure:
    """
    Why no company is read, where several have it in common.

    :param since: when it was met first.
    :param answered_at: when the last one was read; None if that is longer ago than any may be late.
    """

    code: str
    companies: int
    since: datetime
    message: str
    remedy: str
    owner: str
    answered_at: datetime | None


@dataclass(frozen=True, slots=True)
class SilentWebhook:
    """A company of whose changes QuickBooks no longer tells, and when it last did."""

    company_id: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class FailedProof:
    """
    The last proof of a company, if it found what nobody can explain, or proved nothing.

    :param amount: in the home currency, what has no cause.
    :param differences: how many have none.
    """

    company_id: str
    made_at: datetime
    verdict: str
    reason: str | None
    home_currency: str
    amount: Decimal
    differences: int


@dataclass(frozen=True, slots=True)
class Facts:
    """All that causes are told from."""

    companies: list[CompanyState]
    problems: dict[str, list[OpenProblems]]
    held: dict[str, list[Held]]
    proofs: dict[str, FailedProof]
    app: AppState
    common: CommonFailure | None
    quota: ReadQuota
    silent: list[SilentWebhook]


def read_facts(db: Connection, company_ids: Sequence[str] | None) -> Facts:
    """
    Read all that causes are told from.

    :param company_ids: of the companies to look at; all when None.
    """
    chosen = {"company_ids": None if company_ids is None else list(company_ids)}
    books = {
        "entities": [entity.table for entity in SYNCED],
        "dag_ids": list(IMPORTERS),
        "reach": REACH,
    }
    webhooks = {"silence": SILENCE, "margin": WEBHOOK_MARGIN}
    dags = {"dag_id": SYNC, "delivery_dag_id": DELIVERY, "late": LATE, "pause": NONE_READ}
    reads = {"quota": budget.ReadLimit().quota, "cycle": budget.CYCLE, "period": FORGED_WITHIN}
    nights = {"proved_within": PROVED_WITHIN, "daily_work_every": budget.DAILY_WORK_EVERY}
    common = _rows(db, CommonFailure, "sync/read_common_failure", dags | {"others": list(OTHERWISE_TOLD)})
    [app] = _rows(db, AppState, "sync/read_app_state", dags | reads | nights)
    return Facts(
        companies=_rows(db, CompanyState, "sync/list_company_states", chosen | books),
        problems=_by_company(_rows(db, OpenProblems, "sync/count_open_problems", chosen)),
        held=_by_company(_rows(db, Held, "outbox/count_held", chosen | {"late": LATE})),
        proofs={each.company_id: each for each in _rows(db, FailedProof, "proof/list_failed", chosen)},
        app=app,
        common=common[0] if common else None,
        quota=quota.read(db),
        silent=_rows(db, SilentWebhook, "sync/list_silent_webhooks", chosen | webhooks),
    )


def _rows(db: Connection, kind: type[Row], statement: str, keys: dict[str, Any]) -> list[Row]:
    with db.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(load(statement), keys).fetchall()


def _by_company(rows: Iterable[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        found[row.company_id].append(row)
    return found
