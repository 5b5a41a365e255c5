"""What a person may decide about a delivery, and what is to be weighed before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from psycopg.rows import class_row

from include.sql import load

if TYPE_CHECKING:
    from psycopg import Connection

    from include.receivables.company.companies import Company


@dataclass(frozen=True, slots=True)
class Choices:
    """
    What may be decided.

    :param doubt: why a retry may be wrong: the payment ``may_be_there`` in QuickBooks already, or ``was_undone`` there
        by somebody.
    """

    may_retry: bool
    may_ignore: bool
    doubt: Literal["may_be_there", "was_undone"] | None


def read_choices(db: Connection, company: Company, delivery_id: int) -> Choices:
    """Tell what may be decided about one of a company's deliveries; about that of another, nothing."""
    keys = {"company_id": company.company_id, "delivery_id": delivery_id}
    with db.cursor(row_factory=class_row(Choices)) as cursor:
        choices = cursor.execute(load("outbox/read_choices"), keys).fetchone()
    return choices or Choices(may_retry=False, may_ignore=False, doubt=None)
