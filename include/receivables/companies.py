"""The companies: who is connected to which QuickBooks company, and in what state."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row, dict_row

from include.errors import ConfigurationError
from include.quickbooks.entities import SYNCED
from include.receivables.staging import queue_all
from include.sql import load

if TYPE_CHECKING:
    from datetime import timedelta

    from psycopg import Connection

    from include.quickbooks.oauth import OAuthApp
    from include.receivables.tokens import TokenCipher

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
    with db.cursor(row_factory=class_row(Company)) as cursor:
        company = cursor.execute(load("sync/select_company"), {"company_id": company_id}).fetchone()
    if company is None:
        raise ConfigurationError(
            f"There is no company {company_id!r}: connect it first, or pick one of `bin/receivables company list`."
        )
    return company


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


def list_companies(db: Connection, company_id: str | None = None) -> list[dict[str, Any]]:
    """List all companies, or the one of an id, with their connection's state and freshness."""
    with db.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(load("sync/list_companies"), {"company_id": company_id}).fetchall()


def count_records(db: Connection, company: Company) -> list[dict[str, Any]]:
    """Count what Peakflo has of a company, per entity, with the sums billed and open."""
    with db.cursor(row_factory=dict_row) as cursor:
        keys = {"company_id": company.company_id, "realm_id": company.realm_id}
        return cursor.execute(load("peakflo/count_records"), keys).fetchall()


def list_due_companies(db: Connection, *, reach: timedelta) -> list[DueCompany]:
    """
    List the connected companies.

    :param reach: how far back change data capture is trusted to reach.
    """
    entities = [entity.table for entity in SYNCED]
    with db.cursor(row_factory=class_row(DueCompany)) as cursor:
        return cursor.execute(
            load("sync/list_due_companies"), {"entities": entities, "reach": reach}
        ).fetchall()


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
    _check_ids(company_id, realm_id)
    keys = {"company_id": company_id, "realm_id": realm_id}
    _check_realm_is_free(db, keys)
    tokens = app.refresh(refresh_token)
    had_realm = any(row["realm_id"] == realm_id for row in list_companies(db, company_id))
    with db.transaction():
        db.execute(load("sync/save_company"), {**keys, "name": name})
        db.execute(load("sync/save_connection"), {**keys, "connected_by": connected_by})
        db.execute(load("sync/save_tokens"), {**keys, **cipher.encrypt_tokens(tokens)})
        if not had_realm:
            queue_all(db, realm_id)
    return get_company(db, company_id)


def _check_ids(company_id: str, realm_id: str) -> None:
    if not COMPANY_ID.fullmatch(company_id):
        raise ConfigurationError(
            f"{company_id!r} is no company id: use up to 64 letters, digits, dots, dashes and underscores."
        )
    if not (realm_id.isascii() and realm_id.isdigit()):
        raise ConfigurationError(f"{realm_id!r} is no QuickBooks company id: it has to be digits only.")


def _check_realm_is_free(db: Connection, keys: dict[str, str]) -> None:
    user = db.execute(load("sync/find_realm_user"), keys).fetchone()
    if user is not None:
        raise ConfigurationError(
            f"QuickBooks company {keys['realm_id']} is connected to company {user[0]!r} already: disconnect that first."
        )


def disconnect_company(db: Connection, company: Company, *, app: OAuthApp, cipher: TokenCipher) -> None:
    """
    Take the app's access back at Intuit and forget the tokens; records and mappings stay.

    :raises UnreachableError: when Intuit cannot be asked; the company then stays connected.
    """
    keys = {"company_id": company.company_id}
    row = db.execute(load("sync/read_refresh_token"), keys).fetchone()
    if row is not None and row[0] is not None:
        app.revoke(cipher.decrypt(row[0]))
    db.execute(load("sync/mark_disconnected"), keys)


def set_paused(db: Connection, company: Company, *, is_paused: bool) -> None:
    """
    Pause a connected company, or let a paused one go on.

    :raises ConfigurationError: when the company is in neither of the two states.
    """
    expected, status = ("connected", "paused") if is_paused else ("paused", "connected")
    keys = {"company_id": company.company_id, "status": status, "expected": expected}
    if db.execute(load("sync/set_status"), keys).fetchone() is None:
        raise ConfigurationError(f"Company {company.company_id!r} is {company.status}, not {expected}.")
