"""The companies: who is connected to which QuickBooks company, and in what state."""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import class_row, dict_row

from include.errors import ConfigurationError
from include.quickbooks.entities import SYNCED
from include.receivables import quota
from include.receivables.staging import queue_all
from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from psycopg import Connection

    from include.quickbooks.oauth import OAuthApp
    from include.receivables.tokens import TokenCipher

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


def list_due_companies(db: Connection, *, reach: timedelta, chosen: Sequence[str] = ()) -> list[DueCompany]:
    """
    List the connected companies; while the quota of reads is used up, one an hour.

    :param reach: how far back change data capture is trusted to reach.
    :param chosen: companies that somebody asks for: they are tried whatever is known of the quota.
    """
    keys = {
        "entities": [entity.table for entity in SYNCED],
        "reach": reach,
        "chosen": list(chosen),
        "suspected_after": quota.SUSPECTED_AFTER,
        "probe_every": quota.PROBE_EVERY,
    }
    with db.cursor(row_factory=class_row(DueCompany)) as cursor:
        return cursor.execute(load("sync/list_due_companies"), keys).fetchall()


def connect_company(
    db: Connection,
    *,
    company_id: str,
    name: str,
    realm_id: str,
    refresh_token: str,
    connected_by: str,
    app: OAuthApp,
    cipher: TokenCipher,
) -> Company:
    """
    Connect a company whose refresh token is known already, such as one moved from another system.

    The token is exchanged at once: that proves it, and nobody else can use it from then on. What is staged already of a
    realm that is new to the company is merged for it with its next sync or import.

    :raises ConfigurationError: when an id is malformed, or another company uses the realm.
    :raises ReauthorizeError: when QuickBooks does not accept the refresh token.
    """
    check_company_id(company_id)
    check_realm_id(realm_id)
    user = find_realm_user(db, company_id, realm_id)
    if user is not None:
        raise ConfigurationError(
            f"QuickBooks company {realm_id} is connected to company {user!r} already: disconnect that first."
        )
    tokens = app.refresh(refresh_token)
    with db.transaction():
        record_connection(
            db,
            company_id=company_id,
            name=name,
            realm_id=realm_id,
            connected_by=connected_by,
            tokens=cipher.encrypt_tokens(tokens),
        )
    return get_company(db, company_id)


def record_connection(
    db: Connection, *, company_id: str, name: str, realm_id: str, connected_by: str, tokens: dict[str, Any]
) -> None:
    """
    Record that a company is connected from now on, in the caller's transaction.

    If it had other books before, what is known of the new ones takes effect: the company's own facts at once, all else
    that is staged with the next merge.

    :param tokens: encrypted, see :meth:`include.receivables.tokens.TokenCipher.encrypt_tokens`.
    :raises psycopg.errors.UniqueViolation: when another company has just been connected to the realm.
    """
    keys = {"company_id": company_id, "realm_id": realm_id}
    before = db.execute(load("sync/lock_connection"), keys).fetchone()
    db.execute(load("sync/save_company"), keys | {"name": name})
    db.execute(load("sync/save_connection"), keys | {"connected_by": connected_by})
    db.execute(load("sync/save_tokens"), keys | tokens)
    if before is not None and before[0] == realm_id:
        return
    queue_all(db, realm_id)
    if before is None:
        return
    for statement in ("peakflo/merge_company_info", "peakflo/merge_preferences"):
        # What does not fit is told by the next merge.
        with suppress(psycopg.DataError), db.transaction():
            db.execute(load(statement), keys | {"qbo_ids": []})


def check_company_id(company_id: str) -> None:
    """
    Check the form of an id of Peakflo's.

    :raises ConfigurationError: when it has another one.
    """
    if not COMPANY_ID.fullmatch(company_id):
        raise ConfigurationError(
            f"{company_id!r} is no company id: use up to 64 letters, digits, dots, dashes and underscores."
        )


def check_realm_id(realm_id: str) -> None:
    """
    Check the form of an id of QuickBooks'.

    :raises ConfigurationError: when it has another one.
    """
    if not (realm_id.isascii() and realm_id.isdigit()):
        raise ConfigurationError(f"{realm_id!r} is no QuickBooks company id: it has to be digits only.")


def find_realm_user(db: Connection, company_id: str, realm_id: str) -> str | None:
    """Return the other company that is connected to a QuickBooks company, if there is one."""
    keys = {"company_id": company_id, "realm_id": realm_id}
    row = db.execute(load("sync/find_realm_user"), keys).fetchone()
    return None if row is None else str(row[0])


def disconnect_company(db: Connection, company: Company, *, app: OAuthApp, cipher: TokenCipher) -> None:
    """
    Take the app's access back at Intuit and forget the tokens; records and mappings stay.

    The connection is locked meanwhile, so that no token is taken back that another process just replaced.

    :raises UnreachableError: when Intuit cannot be asked; the company then stays connected.
    """
    keys = {"company_id": company.company_id}
    with db.transaction():
        row = db.execute(load("sync/lock_connection"), keys).fetchone()
        if row is not None and row[2] is not None:
            app.revoke(cipher.decrypt(row[2]))
        db.execute(load("sync/mark_disconnected"), keys)


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
