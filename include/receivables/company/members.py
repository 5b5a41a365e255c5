"""Who sees and acts on which companies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from include.errors import ConfigurationError
from include.receivables.company.companies import get_company
from include.sql import load

if TYPE_CHECKING:
    from psycopg import Connection

ALL = "*"


def list_members(db: Connection) -> list[dict[str, Any]]:
    """List who is named for which companies."""
    with db.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(load("sync/list_members")).fetchall()


def give(db: Connection, kind: str, member: str, company_id: str) -> None:
    """
    Let a user, a group or a login see a company.

    :param db: the owner's connection: neither the sync nor the pages may say who sees what.
    :param company_id: ``*`` for all.
    :raises ConfigurationError: when there is no such company.
    """
    if company_id != ALL:
        get_company(db, company_id)
    db.execute(load("sync/add_member"), {"kind": kind, "member": member, "company_id": company_id})


def take(db: Connection, kind: str, member: str, company_id: str) -> None:
    """
    Let them see it no longer.

    :raises ConfigurationError: when they were not named for it.
    """
    keys = {"kind": kind, "member": member, "company_id": company_id}
    if not db.execute(load("sync/remove_member"), keys).rowcount:
        raise ConfigurationError(f"The {kind} {member!r} is not named for the company {company_id!r}.")
