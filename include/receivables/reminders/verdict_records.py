"""Verdicts as rows, and as what a reminder run answers."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from include.receivables.reminders.verdicts import RULES_VERSION
from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal
    from uuid import UUID

    from psycopg import Connection

    from include.receivables.company.companies import Company
    from include.receivables.company.runs import Run
    from include.receivables.reminders.judgement import Judgement
    from include.receivables.reminders.verdicts import Verdict

DAG_ID = "refresh_before_reminder"
# An answer, and a page of what is kept, list no more verdicts than this.
MOST_LISTED = 1000
RANK: dict[str, int] = {"send": 0, "hold": 1, "unknown": 2}


def insert_verdicts(db: Connection, run: Run, reminder_run_id: str, verdicts: Sequence[Verdict]) -> None:
    """Keep the verdicts of a reminder run."""
    keys = {
        "company_id": run.company.company_id,
        "dag_run_id": reminder_run_id,
        "run_id": run.run_id,
        "rules_version": RULES_VERSION,
        "verdicts": Jsonb([_row(verdict) for verdict in verdicts]),
    }
    db.execute(load("reminders/insert_verdicts"), keys)


def answer(reminder_run_id: str, company_id: str, judgement: Judgement) -> dict[str, Any]:
    """Return a reminder run's answer as plain data, the invoices to send first."""
    counts: Counter[str] = Counter(verdict.verdict for verdict in judgement.verdicts)
    ordered = sorted(judgement.verdicts, key=lambda verdict: (RANK[verdict.verdict], str(verdict.invoice_id)))
    return {
        "reminder_run_id": reminder_run_id,
        "company_id": company_id,
        **{kind: counts[kind] for kind in RANK},
        "error": {"code": judgement.cause, "message": str(judgement.error)} if judgement.error else None,
        "verdicts": [_entry(verdict) for verdict in ordered[:MOST_LISTED]],
        "left_out": max(0, len(ordered) - MOST_LISTED),
    }


def read_answer(
    db: Connection, company: Company, reminder_run_id: str, *, after: UUID | None = None
) -> dict[str, Any] | None:
    """
    Read what a reminder run of a company found: nothing but its task writes that.

    :param after: go on after this invoice, the last of the page before.
    :return: as plain data, or None of a run that kept nothing.
    """
    keys = {"dag_id": DAG_ID, "dag_run_id": reminder_run_id, "company_id": company.company_id}
    with db.cursor(row_factory=dict_row) as cursor:
        run = cursor.execute(load("reminders/read_run"), keys).fetchone()
        if run is None:
            return None
        page = {"run_id": run["run_id"], "after": after, "most": MOST_LISTED + 1}
        rows = cursor.execute(load("reminders/list_verdicts"), keys | page).fetchall()
    listed = rows[:MOST_LISTED]
    return {
        "reminder_run_id": reminder_run_id,
        "company_id": company.company_id,
        **{name: run[name] for name in ("state", *RANK, "error")},
        "verdicts": [_kept_entry(row) for row in listed],
        "next": str(listed[-1]["invoice_id"]) if len(rows) > MOST_LISTED else None,
    }


def _kept_entry(row: dict[str, Any]) -> dict[str, Any]:
    amounts = ("amount_due", "customer_total_due", "customer_total_overdue")
    return row | {
        "invoice_id": str(row["invoice_id"]),
        **{name: _text(row[name]) for name in amounts},
        **{name: None if row[name] is None else row[name].isoformat() for name in ("due_date", "expires_at")},
    }


def _entry(verdict: Verdict) -> dict[str, Any]:
    return {
        "invoice_id": str(verdict.invoice_id),
        "verdict": verdict.verdict,
        "reasons": [reason.code for reason in verdict.reasons],
        "amount_due": _text(verdict.amount_due),
        "currency": verdict.currency,
        "due_date": None if verdict.due_date is None else verdict.due_date.isoformat(),
        "due_date_basis": verdict.due_date_basis,
        "customer_total_due": _text(verdict.total_due),
        "customer_total_overdue": _text(verdict.total_overdue),
        "expires_at": None if verdict.expires_at is None else verdict.expires_at.isoformat(),
    }


def _row(verdict: Verdict) -> dict[str, Any]:
    return _entry(verdict) | {
        "customer_id": None if verdict.customer_id is None else str(verdict.customer_id),
        "reasons": [reason.as_json() for reason in verdict.reasons],
        "qbo_sync_token": verdict.sync_token,
        "read_at": None if verdict.read_at is None else verdict.read_at.isoformat(),
        "evidence": verdict.evidence,
    }


def _text(amount: Decimal | None) -> str | None:
    """Write an amount with its cents, and with more digits only where it has them."""
    if amount is None:
        return None
    cents = f"{amount:.2f}"
    return cents if amount == type(amount)(cents) else f"{amount.normalize():f}"
