"""What a proof came to, and how it is kept."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from psycopg.types.json import Jsonb

from include.receivables.company import budget, companies
from include.receivables.proof.differences import NOTHING
from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, timedelta
    from decimal import Decimal

    from psycopg import Connection

    from include.receivables.company.runs import Run
    from include.receivables.proof.balances import CustomerBalance
    from include.receivables.proof.differences import Difference

Json = dict[str, Any]
Verdict = Literal["equal", "explained", "differs", "not_proved"]


@dataclass(frozen=True, slots=True)
class Proof:
    """
    What was compared, and what came of it.

    :param reason: why nothing was proved; empty if it was.
    :param report_day: up to the end of which day the reports were read.
    :param counts: per entity: ``quickbooks`` (None unless all were read), ``peakflo``, ``compared``, ``whole``.
    """

    reason: str = ""
    home_currency: str | None = None
    report_day: date | None = None
    differences: Sequence[Difference] = ()
    customers: Sequence[CustomerBalance] = ()
    counts: Json = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """Whether both sides are equal, or what is left is explained; what was repaired is equal by now."""
        left = [each for each in self.differences if not each.is_repaired]
        if any(not each.is_explained for each in left):
            return "differs"
        if self.reason:
            return "not_proved"
        return "explained" if left else "equal"

    @property
    def difference_total(self) -> Decimal:
        """What all differences come to, each taken as positive."""
        return sum((abs(each.amount) for each in self.differences), NOTHING)

    @property
    def explained_total(self) -> Decimal:
        """How much of it has a known cause."""
        return sum((abs(each.amount) for each in self.differences if each.is_explained), NOTHING)

    @property
    def repaired(self) -> int:
        """How many differences are no more."""
        return sum(each.is_repaired for each in self.differences)

    @property
    def sentence(self) -> str:
        """What came of it, for a log."""
        left = len(self.differences) - self.repaired
        said = {
            "equal": "Peakflo and QuickBooks are equal, to the cent",
            "explained": f"Peakflo and QuickBooks differ in {left} respects, each of a known cause",
            "differs": f"Peakflo and QuickBooks differ in {left} respects, of which nobody knows why some do",
            "not_proved": "Nothing was proved",
        }[self.verdict]
        because = f": {self.reason}" if self.reason else "."
        return f"{said}{because} Repaired: {self.repaired}."


def list_due(db: Connection, *, reach: timedelta, chosen: Sequence[str] = ()) -> list[str]:
    """
    List the companies to prove: those that somebody asks for, or all that can be, unless reads are saved.

    :param reach: as for :func:`include.receivables.company.companies.list_due_companies`.
    """
    due = [
        company.company_id
        for company in companies.list_due_companies(db, reach=reach, chosen=chosen)
        if not company.is_import_due
    ]
    every = budget.read(db).daily_work_every
    if chosen:
        return [company_id for company_id in due if company_id in chosen]
    if every is None:
        return due
    proved = {row[0] for row in db.execute(load("proof/list_proved"), {"period": every})}
    return [company_id for company_id in due if company_id not in proved]


def save(db: Connection, run: Run, proof: Proof, *, calls: int) -> int:
    """
    Keep a proof.

    :param calls: the metered calls that it took.
    :return: its number.
    """
    is_proved = bool(proof.customers) or not proof.reason
    keys = {
        "company_id": run.company.company_id,
        "realm_id": run.company.realm_id,
        "run_id": run.run_id,
        "verdict": proof.verdict,
        "reason": proof.reason or None,
        "home_currency": proof.home_currency,
        "report_day": proof.report_day,
        "quickbooks_total": _total(proof, "quickbooks") if is_proved else None,
        "peakflo_total": _total(proof, "peakflo") if is_proved else None,
        "difference_total": proof.difference_total,
        "explained_total": proof.explained_total,
        "repaired": proof.repaired,
        "counts": Jsonb(proof.counts),
        "calls": calls,
        "customers": json.dumps([_customer(each) for each in proof.customers]),
        "differences": json.dumps(
            [_difference(number, each) for number, each in enumerate(proof.differences, 1)]
        ),
    }
    row = db.execute(load("proof/save"), keys).fetchone()
    if row is None:
        raise LookupError("the proof was not saved")
    proof_id: int = row[0]
    return proof_id


def _total(proof: Proof, side: str) -> Decimal:
    return sum((getattr(each, side) for each in proof.customers), NOTHING)


def _customer(each: CustomerBalance) -> Json:
    return {
        "customer_id": each.customer_id,
        "name": each.name,
        "quickbooks": str(each.quickbooks),
        "peakflo": str(each.peakflo),
    }


def _difference(position: int, each: Difference) -> Json:
    whole = each.complete()
    return {
        "position": position,
        "class": whole.class_name,
        "entity": whole.entity,
        "qbo_id": whole.qbo_id,
        "name": whole.name,
        "customer_id": whole.customer_id,
        "customer_name": whole.customer_name,
        "field": whole.field,
        "quickbooks": whole.quickbooks,
        "peakflo": whole.peakflo,
        "amount": str(whole.amount),
        "is_explained": whole.is_explained,
        "is_repaired": whole.is_repaired,
        "sentence": whole.sentence,
        "remedy": whole.remedy,
        "owner": whole.owner,
    }
