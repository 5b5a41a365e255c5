"""What is wrong, of all companies or of one, as far as somebody can do something about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from psycopg.rows import class_row

from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from decimal import Decimal

    from psycopg import Connection

# Three cycles that did not come: a fourth will hardly do so by itself.
LATE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Cause:
    """
    Something that is not as it should be.

    :param company_id: empty for what concerns all companies.
    :param code: a stable name, such as ``reconnect``.
    :param detail: tells causes of one code apart; empty if there can be one only.
    :param owner: who acts: ``admin``, ``data engineer``, ``bookkeeper``, or ``nobody`` when it passes by itself.
    :param action: what a page offers.
    :param amounts: of money that it concerns, per currency.
    :param count: of records that it concerns.
    :param is_told: whether it is worth a message.
    """

    company_id: str
    code: str
    detail: str
    level: Literal["danger", "warning"]
    sentence: str
    remedy: str
    owner: str
    action: str
    amounts: Mapping[str, Decimal]
    count: int
    since: datetime | None
    is_told: bool


def list_causes(db: Connection, company_id: str | None = None) -> list[Cause]:
    """
    List what is wrong.

    :param company_id: only with this company.
    """
    keys = {"company_id": company_id, "longest_gap": LATE}
    with db.cursor(row_factory=class_row(Cause)) as cursor:
        return cursor.execute(load("sync/list_causes"), keys).fetchall()
