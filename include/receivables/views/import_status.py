"""How far the import of a company is, for somebody who watches it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from psycopg.rows import class_row

from include.quickbooks.entities import SYNCED
from include.receivables.inbound.importing import IMPORTED, Progress
from include.receivables.inbound.syncing import REACH
from include.sql import load

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import Connection

    from include.receivables.company.companies import Company

State = Literal["waiting", "running", "interrupted", "failed", "stopped", "done"]

LABELS = {
    "term": "Payment terms",
    "payment_method": "Payment methods",
    "company_info": "Company",
    "preferences": "Preferences",
    "tax_rate": "Tax rates",
    "tax_code": "Tax codes",
    "account": "Accounts",
    "customer": "Customers",
    "invoice": "Invoices",
    "credit_memo": "Credit notes",
    "payment": "Payments",
}
# Reading each entity, and comparing the counts in the end.
STEPS = len(IMPORTED) + 1
LONGEST_ERROR = 500


@dataclass(frozen=True, slots=True)
class EntityProgress:
    """
    How many records of an entity are in.

    :param state: ``Waiting``, ``Reading`` or ``Done``.
    """

    entity: str
    label: str
    records: int
    state: Literal["Waiting", "Reading", "Done"]


@dataclass(frozen=True, slots=True)
class ImportStatus:
    """
    How an import stands.

    :param is_due: whether the books have to be imported before a sync can keep them up to date.
    :param sentence: how it stands, and what to do if anything.
    :param finished: steps of :data:`STEPS`.
    :param run_id: the import's last row in ``sync.run``.
    :param dag_run_id: the DAG run of that.
    """

    state: State
    is_due: bool
    sentence: str
    entities: tuple[EntityProgress, ...]
    finished: int
    connected_at: datetime
    run_id: int | None
    dag_run_id: str | None


@dataclass(frozen=True, slots=True)
class _Facts:
    connected_at: datetime
    run_id: int | None
    dag_run_id: str | None
    run_state: str | None
    error: str | None
    is_held: bool
    is_due: bool


def read_import(db: Connection, company: Company) -> ImportStatus:
    """Read how the import of a company's books stands."""
    keys = {"company_id": company.company_id, "reach": REACH, "entities": [entity.table for entity in SYNCED]}
    with db.cursor(row_factory=class_row(_Facts)) as cursor:
        facts = cursor.execute(load("sync/read_import"), keys).fetchone()
    if facts is None:
        raise LookupError("the company has no connection")
    state = _state(company, facts)
    realm = {"realm_id": company.realm_id}
    entities = (
        _finished_entities(db, realm)
        if state == "done"
        else _read_entities(db, realm, is_running=state == "running")
    )
    return ImportStatus(
        state=state,
        is_due=facts.is_due,
        sentence=_sentence(company, facts, state, entities),
        entities=entities,
        finished=STEPS if state == "done" else sum(each.state == "Done" for each in entities),
        connected_at=facts.connected_at,
        run_id=facts.run_id,
        dag_run_id=facts.dag_run_id,
    )


def _state(company: Company, facts: _Facts) -> State:
    if facts.run_state == "running":
        return "running" if facts.is_held else "interrupted"
    if facts.run_state == "success" or (facts.run_state is None and not facts.is_due):
        return "done"
    if company.status != "connected":
        return "stopped"
    return "failed" if facts.run_state == "failed" else "waiting"


def _finished_entities(db: Connection, keys: dict[str, str]) -> tuple[EntityProgress, ...]:
    staged: dict[str, int] = dict(db.execute(load("staging/count_records"), keys).fetchall())
    return tuple(
        EntityProgress(entity.table, LABELS[entity.table], staged.get(entity.table, 0), "Done")
        for entity in IMPORTED
    )


def _read_entities(db: Connection, keys: dict[str, str], *, is_running: bool) -> tuple[EntityProgress, ...]:
    with db.cursor(row_factory=class_row(Progress)) as cursor:
        rows = cursor.execute(load("staging/read_progress"), keys).fetchall()
    progress = {each.entity: each for each in rows}
    finished = {each.entity for each in rows if each.finished_at is not None}
    current = next((entity.table for entity in IMPORTED if entity.table not in finished), None)
    listed = []
    for table in (entity.table for entity in IMPORTED):
        records = progress[table].records_read if table in progress else 0
        is_current = is_running and table == current
        state: Any = "Done" if table in finished else "Reading" if is_current else "Waiting"
        listed.append(EntityProgress(table, LABELS[table], records, state))
    return tuple(listed)


def _sentence(company: Company, facts: _Facts, state: State, entities: tuple[EntityProgress, ...]) -> str:
    match state:
        case "waiting":
            return (
                "The import waits for Airflow to start it. If nothing happens for a minute, see whether Airflow's "
                "scheduler runs."
            )
        case "running" if all(each.state == "Done" for each in entities):
            return "Everything is read. The counts are being compared with QuickBooks."
        case "running":
            reading = next(each.label for each in entities if each.state == "Reading")
            return f"Reading {reading.lower()} from QuickBooks."
        case "interrupted":
            return (
                "The import was interrupted, most likely because Airflow was restarted. What it had read is kept: it "
                "goes on by itself within some minutes, or at once if you press Retry."
            )
        case "failed":
            error = (facts.error or "").partition(": ")[2] or facts.error or "The log has the reason."
            return f"The import failed. {error[:LONGEST_ERROR]}"
        case "stopped":
            return f"The import cannot go on while the company is {company.status}."
        case "done":
            return "Connected. Everything is imported, and the counts agree with QuickBooks."
