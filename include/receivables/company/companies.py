"""The companies: who is connected to which QuickBooks company, and in what state."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row, dict_row

from include.errors import ConfigurationError
from include.quickbooks.entities import SYNCED
from include.receivables.company import budget, quota
from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from psycopg import Connection


logger = logging.getLogger(__name__)

COMPANY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Company:
    """
    One of Peakflo's companies and the QuickBooks company that it is connected to.

    :param company_id: Peakflo's id.
    :param realm_id: QuickBooks' id.
    :param status: of the connection: ``connected``, ``paused``, ``reauthorize`` or ``disconnected``.
    """

    company_id: str
    name: str
    realm_id: str
    status: str


@dataclass(frozen=True, slots=True)
class DueCompany(Company):
    """
    A connected company whose turn it is.

    :param is_import_due: whether change data capture cannot reach back to what was read last.
    """

    is_import_due: bool


@dataclass(frozen=True, slots=True)
class LostCompany(Company):
    """
    A company that has to be connected again.

    :param last_error: what QuickBooks had said.
    """

    last_error: str


def get_company(db: Connection, company_id: str) -> Company:
    """
    Read one company.

    :raises ConfigurationError: when there is none of that id.
    """
    company = find_company(db, company_id)
    if company is None:
        raise ConfigurationError(
            f"There is no company {company_id!r}: connect it first, or pick one of `bin/receivables company list`."
        )
    return company


def find_company(db: Connection, company_id: str) -> Company | None:
    """Read one company, if there is one of that id."""
    with db.cursor(row_factory=class_row(Company)) as cursor:
        return cursor.execute(load("sync/select_company"), {"company_id": company_id}).fetchone()


def get_connected_company(db: Connection, company_id: str) -> Company:
    """
    Read one company whose books may be read.

    :raises ConfigurationError: when there is none of that id or it is not connected.
    """
    company = get_company(db, company_id)
    if company.status != "connected":
        raise ConfigurationError(
            f"Company {company_id!r} is {company.status}, so QuickBooks is not asked: "
            + ("let it go on first." if company.status == "paused" else "connect it again.")
        )
    return company


def name_books(db: Connection, company_id: str, realm_id: str) -> str:
    """Name a QuickBooks company as people know it, as far as it was read: its name there and its id."""
    keys = {"company_id": company_id, "realm_id": realm_id}
    row = db.execute(load("sync/read_source_name"), keys).fetchone()
    return f"{row[0]} ({realm_id})" if row and row[0] else realm_id


def list_companies(db: Connection, company_id: str | None = None) -> list[dict[str, Any]]:
    """List all companies, or the one of an id, with their connection's state and freshness."""
    with db.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(load("sync/list_companies"), {"company_id": company_id}).fetchall()


def count_records(db: Connection, company: Company) -> list[dict[str, Any]]:
    """Count what Peakflo has of a company, per entity, with the sums billed and open."""
    with db.cursor(row_factory=dict_row) as cursor:
        keys = {"company_id": company.company_id, "realm_id": company.realm_id}
        return cursor.execute(load("peakflo/count_records"), keys).fetchall()


def list_due_companies(
    db: Connection, *, reach: timedelta, chosen: Sequence[str] = (), at_intervals: bool = False
) -> list[DueCompany]:
    """
    List the connected companies; while the quota of reads is used up, one an hour.

    :param reach: how far back change data capture is trusted to reach.
    :param chosen: companies that somebody asks for: they are tried whatever is known of the quota.
    :param at_intervals: leave those out that the budget lets wait, see :mod:`include.receivables.company.budget`.
    """
    keys = {
        "entities": [entity.table for entity in SYNCED],
        "reach": reach,
        "chosen": list(chosen),
        "at_intervals": at_intervals,
        "cycle": budget.CYCLE,
        "suspected_after": quota.SUSPECTED_AFTER,
        "probe_every": quota.PROBE_EVERY,
    }
    with db.cursor(row_factory=class_row(DueCompany)) as cursor:
        return cursor.execute(load("sync/list_due_companies"), keys).fetchall()


def list_reauthorize(db: Connection) -> list[LostCompany]:
    """List the companies that are left out until they are connected again."""
    with db.cursor(row_factory=class_row(LostCompany)) as cursor:
        return cursor.execute(load("sync/list_reauthorize")).fetchall()


def check_company_id(company_id: str) -> None:
    """
    Check the form of an id of Peakflo's.

    :raises ConfigurationError: when it has another one.
    """
    if not COMPANY_ID.fullmatch(company_id):
        raise ConfigurationError(
            f"{company_id!r} is no company id: use up to 64 letters, digits, dots, dashes and underscores."
        )


def mark_reauthorize(
    db: Connection, *, company_id: str, realm_id: str, error: BaseException, run_id: int | None = None
) -> None:
    """
    Stop a company until it is connected again, and say so in the log, once.

    :param run_id: the run that met the error; one from before the present connection says nothing of it.
    """
    keys = {"company_id": company_id, "realm_id": realm_id, "error": str(error), "run_id": run_id}
    if db.execute(load("sync/mark_reauthorize"), keys).fetchone() is not None:
        logger.error("Company %s, realm %s, has to be connected again: %s", company_id, realm_id, error)


def set_paused(db: Connection, company: Company, *, is_paused: bool) -> None:
    """
    Pause a connected company, or let a paused one go on.

    :raises ConfigurationError: when the company is in neither of the two states.
    """
    expected, status = ("connected", "paused") if is_paused else ("paused", "connected")
    keys = {"company_id": company.company_id, "status": status, "expected": expected}
    if db.execute(load("sync/set_status"), keys).fetchone() is None:
        raise ConfigurationError(f"Company {company.company_id!r} is {company.status}, not {expected}.")
