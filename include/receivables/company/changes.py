"""What has changed in Peakflo's tables and nobody was told of yet, per company."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row

from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection


@dataclass(frozen=True, slots=True)
class Change:
    """
    What some runs of a company have changed.

    :param run_ids: the runs in ``sync.run``.
    :param entities: per entity: how many records were merged, and deleted. Nothing of a run that was killed: it may
        have changed any.
    """

    company_id: str
    realm_id: str
    run_ids: list[int]
    entities: dict[str, dict[str, int]]

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


def take(db: Connection, company_ids: Sequence[str]) -> list[Change]:
    """
    Take what companies have to tell: each change is taken once.

    Whoever dies before it has told leaves that untold; what is told is in Peakflo's tables all the same.
    """
    with db.cursor(row_factory=class_row(Change)) as cursor:
        return cursor.execute(load("sync/take_changes"), {"company_ids": list(company_ids)}).fetchall()
