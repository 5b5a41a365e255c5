"""
What is measured of the sync, for a system that keeps figures over time.

All are read from the database at one moment, none is counted along the way: so a killed task loses none, and what was
measured twice says the same twice. A state that nothing is in is measured as 0, so that the figure of before does not
stand for ever.

What is of a company has no other tag: OpenTelemetry's SDK keeps 2,000 combinations of tags per name, and throws those
beyond together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row

from include.receivables.alerts.causes import ORDER
from include.receivables.alerts.facts import DELIVERY
from include.receivables.reminders.verdict_records import DAG_ID as REMINDER
from include.sql import load

if TYPE_CHECKING:
    from decimal import Decimal

    from psycopg import Connection


@dataclass(frozen=True, slots=True)
class Measure:
    """
    One figure.

    :param name: ends in its unit, unless it is a count: ``_seconds``, ``_amount`` (in the company's home currency).
        Counts of a while end in ``_hour`` or ``_month``.
    :param tags: what it is of, such as a company; one at most.
    """

    name: str
    tags: dict[str, str]
    value: Decimal


def measure(db: Connection) -> list[Measure]:
    """Measure everything, in a few statements however many companies there are."""
    statements: dict[str, dict[str, Any]] = {
        "sync/measure_app": {"codes": list(ORDER)},
        "sync/measure_companies": {},
        "outbox/measure_payments": {"dag_id": DELIVERY},
        "reminders/measure_verdicts": {"dag_id": REMINDER},
        "proof/measure_proofs": {},
    }
    with db.cursor(row_factory=class_row(Measure)) as cursor:
        return [
            measured
            for statement, keys in statements.items()
            for measured in cursor.execute(load(statement), keys).fetchall()
        ]
