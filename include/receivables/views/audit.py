"""Who did what, and whether anybody has changed what was written down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row, dict_row

from include.errors import ConfigurationError
from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection


@dataclass(frozen=True, slots=True)
class Finding:
    """
    Something that is not as it was written down.

    :param company_id: whose; empty for what concerns no single company.
    """

    company_id: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Head:
    """
    The end of a company's chain of acts: whoever keeps it elsewhere can tell later whether it was ever the end.

    :param company_id: empty for the chain of what concerns no single company.
    :param number: how many acts the chain has.
    :param hash: of the last one and all before it, in hexadecimal digits.
    """

    company_id: str
    number: int
    hash: str

    def __str__(self) -> str:
        return f"{self.company_id}:{self.number}:{self.hash}"

    @classmethod
    def of(cls, text: str) -> Head:
        """
        Read a head as it is printed.

        :raises ConfigurationError: when it is none.
        """
        company_id, _, rest = text.partition(":")
        number, _, digits = rest.partition(":")
        if not (number.isdecimal() and len(digits) == 64 and set(digits) <= set("0123456789abcdef")):
            raise ConfigurationError(
                f"{text!r} is no end of a chain: give COMPANY:NUMBER:HASH as it was printed."
            )
        return cls(company_id, int(number), digits)


def list_acts(db: Connection, company_id: str | None = None, *, most: int = 100) -> list[dict[str, Any]]:
    """List what was done and what was denied, the latest first."""
    with db.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(load("sync/list_audit"), {"company_id": company_id, "most": most}).fetchall()


def check(db: Connection, earlier: Sequence[Head] = ()) -> list[Finding]:
    """
    Find what was changed, put in or taken out since it was written down.

    :param earlier: ends that chains have had.
    """
    with db.transaction():
        # All of it as it was at one moment.
        db.execute("set transaction isolation level repeatable read, read only")
        with db.cursor(row_factory=class_row(Finding)) as cursor:
            found = cursor.execute(load("sync/check_audit")).fetchall()
        return found + [
            Finding(head.company_id, f"The chain has never had the end {head}.")
            for head in earlier
            if not _has_had(db, head)
        ]


def list_heads(db: Connection) -> list[Head]:
    """List where the chains end."""
    with db.cursor(row_factory=class_row(Head)) as cursor:
        return cursor.execute(load("sync/list_audit_heads")).fetchall()


def _has_had(db: Connection, head: Head) -> bool:
    keys = {"company_id": head.company_id, "number": head.number, "hash": head.hash}
    row = db.execute(load("sync/has_audited"), keys).fetchone()
    return row is not None and bool(row[0])
