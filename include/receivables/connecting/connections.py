"""Which company is connected to which QuickBooks company: made, replaced and ended."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psycopg

from include.errors import ConfigurationError
from include.receivables.company.companies import check_company_id, get_company
from include.receivables.inbound.staging import queue_all
from include.sql import load

if TYPE_CHECKING:
    from psycopg import Connection

    from include.quickbooks.oauth import OAuthApp
    from include.receivables.company.companies import Company
    from include.receivables.company.tokens import TokenCipher


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

    Its connection's problems are over. If it had other books before, what is known of the new ones takes effect: the
    company's own facts at once, all else that is staged with the next merge.

    :param tokens: encrypted, see :meth:`include.receivables.company.tokens.TokenCipher.encrypt_tokens`.
    :raises psycopg.errors.UniqueViolation: when another company has just been connected to the realm.
    """
    keys = {"company_id": company_id, "realm_id": realm_id}
    before = db.execute(load("sync/lock_connection"), keys).fetchone()
    db.execute(load("sync/save_company"), keys | {"name": name})
    db.execute(load("sync/save_connection"), keys | {"connected_by": connected_by})
    db.execute(load("sync/save_tokens"), keys | tokens)
    db.execute(load("sync/resolve_connection_problems"), keys)
    if before is not None and before[0] == realm_id:
        return
    queue_all(db, realm_id)
    if before is None:
        return
    for statement in ("peakflo/merge_company_info", "peakflo/merge_preferences"):
        # What does not fit is told by the next merge.
        with suppress(psycopg.DataError), db.transaction():
            db.execute(load(statement), keys | {"qbo_ids": []})


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
