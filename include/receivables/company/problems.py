"""What cannot sync: one row per record and cause, with the cure and who has to act."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from include.errors import (
    ConfigurationError,
    DeletionBrakeError,
    DiskFullError,
    NoTokenError,
    ReauthorizeError,
    ReceivablesError,
    RecordError,
    RetryableError,
    ThrottledError,
)
from include.quickbooks.records import NO_ID
from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from psycopg import Connection

    from include.quickbooks.records import Odd
    from include.receivables.company.companies import Company

# The first class that fits tells the cure and who has to act.
CURES: tuple[tuple[type[Exception], str, str], ...] = (
    (ReauthorizeError, "Connect the company again, signed in to QuickBooks as an admin.", "admin"),
    (
        DeletionBrakeError,
        "Look into QuickBooks whether these records were deleted on purpose; if so, believe it on the company's page.",
        "bookkeeper",
    ),
    (ConfigurationError, "Correct the setting that the message names.", "data engineer"),
    (
        ThrottledError,
        "Nothing: the next sync catches up. If it stays, the monthly quota is used up.",
        "nobody",
    ),
    (
        NoTokenError,
        "Nothing: QuickBooks is asked again by itself. If it stays, look at Intuit's status and at the app's keys.",
        "nobody",
    ),
    (
        DiskFullError,
        "Make room on the disk of the receivables database: the next sync goes on from there.",
        "data engineer",
    ),
    (RetryableError, "Nothing: the next sync catches up.", "nobody"),
    (Exception, "Read the task's log; the next sync tries again.", "data engineer"),
)


def report_record(
    db: Connection,
    company: Company,
    entity: str,
    qbo_id: str,
    code: str,
    message: str,
    *,
    closed_by: str = "sync",
) -> None:
    """
    Report a record that cannot be taken in, while the others go on.

    :param entity: the staging table.
    :param code: a stable name of the cause.
    :param closed_by: what finds out that it is well again.
    """
    _report(
        db,
        company,
        direction="inbound",
        entity=entity,
        qbo_id=qbo_id,
        code=code,
        message=message,
        cure=f"Correct the record in QuickBooks; the next {closed_by} takes it in and closes this.",
        actor="bookkeeper",
    )


def report_unreadable(db: Connection, company: Company, odd: Odd) -> None:
    """Report a record of which QuickBooks' answer cannot be read."""
    report_record(
        db,
        company,
        odd.entity.table,
        odd.qbo_id,
        "unreadable",
        f"QuickBooks' {odd.entity.name} {odd.qbo_id} cannot be read: {odd.reason}.",
        # Without an Id it cannot be asked for, nor be told among those that are well.
        closed_by="sync" if odd.has_id else "import",
    )


def report_failure(db: Connection, company: Company, error: BaseException) -> None:
    """Report why a company could not be synced."""
    cure, actor = cure_of(error)
    _report(
        db,
        company,
        direction="connection",
        entity="",
        qbo_id="",
        code=code_of(error),
        message=str(error),
        cure=cure,
        actor=actor,
    )


def cure_of(error: BaseException) -> tuple[str, str]:
    """Return what is to be done about an error, and who does it."""
    return next((cure, actor) for kind, cure, actor in CURES if isinstance(error, kind) or kind is Exception)


def say_failure(company_id: str, error: BaseException, place: str) -> str:
    """
    Say in one line that a company failed: why, what cures it, and where to see it.

    :param place: the address of the company's page, or the command that shows it.
    """
    cause = " ".join(str(error).split()) or type(error).__name__
    return f"Company {company_id}: not done. {cause.rstrip('.')}. Cure: {cure_of(error)[0]} See {place}"


def code_of(error: BaseException) -> str:
    """Return a stable name of an error's cause."""
    return error.code if isinstance(error, ReceivablesError) else type(error).__name__


def resolve_failures(db: Connection, company: Company) -> None:
    """Close a company's own problems once it was read whole: to read or to send a part of it proves less."""
    keys = {"company_id": company.company_id, "realm_id": company.realm_id}
    db.execute(
        load("sync/resolve_problems"), keys | {"direction": "connection", "entity": "", "qbo_ids": None}
    )


def list_unreadable(db: Connection, company: Company, entity: str) -> set[str]:
    """List the records of an entity that could not be read when they were read last."""
    keys = {"company_id": company.company_id, "realm_id": company.realm_id, "entity": entity}
    return {row[0] for row in db.execute(load("sync/list_unreadable"), keys)}


def resolve_unreadable(db: Connection, company: Company, entity: str, qbo_ids: Collection[str]) -> None:
    """Close the problems of records that could not be read, once they were read or are gone."""
    # There is seldom any, and to send the Ids of a page takes longer than to ask.
    if well := list_unreadable(db, company, entity).intersection(qbo_ids):
        keys = {"company_id": company.company_id, "realm_id": company.realm_id, "entity": entity}
        db.execute(load("sync/resolve_unreadable"), keys | {"qbo_ids": list(well)})


def resolve_nameless(db: Connection, company: Company, entity: str, met: Sequence[str]) -> None:
    """Close the problems of records without an Id that a reading of all of their entity did not meet again."""
    resolve_unreadable(db, company, entity, _list_nameless(db, company, entity).difference(met))


def has_nameless(db: Connection, company: Company, entity: str) -> bool:
    """Tell whether there are records of an entity without an Id, of which nobody can say how many they are."""
    return bool(_list_nameless(db, company, entity))


def resolve_merged(db: Connection, company: Company) -> None:
    """Close the problems of records that have been taken in by now."""
    db.execute(
        load("sync/resolve_merged_problems"), {"company_id": company.company_id, "realm_id": company.realm_id}
    )


def report_waiting(db: Connection, company: Company, entities: Sequence[str]) -> None:
    """Report the records that still wait for one they point at, after everything was tried to find it."""
    keys = {"company_id": company.company_id, "realm_id": company.realm_id, "entities": list(entities)}
    for entity, qbo_id in db.execute(load("staging/select_waiting"), keys).fetchall():
        report_record(
            db,
            company,
            entity,
            qbo_id,
            "missing_reference",
            f"QuickBooks' {entity} {qbo_id} points at a record that QuickBooks does not have, or that cannot be read.",
        )


def check_none_open(db: Connection, company_id: str) -> None:
    """
    Make sure that all of a company's records went in.

    :raises RecordError: when some did not.
    """
    open_problems = db.execute(load("sync/list_open_problems"), {"company_id": company_id}).fetchall()
    if open_problems:
        messages = " ".join(row[0] for row in open_problems[:5])
        raise RecordError(f"Records that did not go in ({len(open_problems)}): {messages}")


def _list_nameless(db: Connection, company: Company, entity: str) -> set[str]:
    return {qbo_id for qbo_id in list_unreadable(db, company, entity) if qbo_id.startswith(NO_ID)}


def _report(db: Connection, company: Company, **problem: Any) -> None:
    keys = {"company_id": company.company_id, "realm_id": company.realm_id}
    db.execute(load("sync/report_problem"), keys | problem)
