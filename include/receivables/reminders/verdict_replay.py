"""Judges kept verdicts again, from the evidence that was kept with them and from what QuickBooks had said."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
from psycopg.rows import dict_row

from include.receivables.reminders.facts import Evidence
from include.receivables.reminders.verdicts import judge
from include.sql import load

if TYPE_CHECKING:
    from psycopg import Connection

# How many rows one fetch brings: evidence is large.
PORTION = 500


@dataclass(frozen=True, slots=True)
class Difference:
    """
    A verdict that would be another one today.

    :param rules_version: of the rules by which it was judged.
    :param kept: what was said.
    :param judged: what would be said now, or why that cannot be told.
    """

    company_id: str
    reminder_run_id: str
    invoice_id: str
    rules_version: int
    kept: str
    judged: str


@dataclass(slots=True)
class Replay:
    """
    What came of it.

    :param counts: how many verdicts are the same, differ, or were given without_evidence, where nothing was read.
    """

    counts: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)


def replay(db: Connection, company_id: str | None = None) -> Replay:
    """
    Judge all kept verdicts again, of one company or of all.

    :param db: read only.
    """
    done = Replay()
    with db.transaction(), db.cursor("kept_verdicts", row_factory=dict_row) as cursor:
        cursor.itersize = PORTION
        for row in cursor.execute(load("reminders/list_evidence"), {"company_id": company_id}):
            _compare(done, row)
    return done


def _compare(done: Replay, row: dict[str, Any]) -> None:
    if not row["evidence"]:
        done.counts["without_evidence"] += 1
        return
    kept, judged = _kept(row), _judged_again(row)
    if kept == judged:
        done.counts["same"] += 1
        return
    done.counts["different"] += 1
    done.differences.append(
        Difference(
            row["company_id"],
            row["reminder_run_id"],
            str(row["invoice_id"]),
            row["rules_version"],
            kept,
            judged,
        )
    )


def _kept(row: dict[str, Any]) -> str:
    return _said(row["verdict"], row["reasons"], row["amount_due"], row["total_due"], row["total_overdue"])


def _judged_again(row: dict[str, Any]) -> str:
    try:
        evidence = Evidence.from_json(row["evidence"])
    except msgspec.ValidationError as error:
        return f"cannot be judged by today's rules, which rest on other facts ({error})"
    said = row["said_balance"]
    if said is not None and Decimal(said) != evidence.facts.amount_due:
        return f"QuickBooks had said {said}, the evidence says {evidence.facts.amount_due}"
    verdict = judge(evidence.facts, evidence.freshness)
    codes = [reason.code for reason in verdict.reasons]
    return _said(verdict.verdict, codes, verdict.amount_due, verdict.total_due, verdict.total_overdue)


def _said(verdict: str, reasons: list[str], *amounts: Decimal | None) -> str:
    """Put a verdict into words that can be compared and read."""
    texts = ["-" if amount is None else f"{amount:.2f}" for amount in amounts]
    because = f" ({', '.join(reasons)})" if reasons else ""
    return f"{verdict}{because}: due {texts[0]}, in all {texts[1]}, overdue {texts[2]}"
