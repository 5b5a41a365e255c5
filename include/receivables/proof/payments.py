"""Compares the payments that Peakflo took with QuickBooks, by what decides about their delivery."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg.rows import dict_row

from include.receivables.outbound import standings
from include.receivables.outbound.codes import WAITS
from include.receivables.outbound.decide import decide
from include.receivables.outbound.model import Standing
from include.receivables.outbound.situation import read_situation
from include.receivables.proof.differences import Difference
from include.sql import load

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg import Connection

    from include.receivables.company.companies import Company


def look_again(db: Connection, company: Company) -> list[UUID]:
    """
    Decide anew about each payment that is said to agree with QuickBooks, and queue those that do not.

    :return: the payments that were queued: their delivery settles or tells them.
    """
    queued = []
    rows = db.execute(
        load("proof/list_agreeing"), {"company_id": company.company_id, "realm_id": company.realm_id}
    )
    for (payment_id,) in rows.fetchall():
        situation = read_situation(db, company, payment_id)
        if situation is None or situation.queued_at is not None:
            continue
        decided = decide(situation)
        if not (isinstance(decided, Standing) and standings.is_settled(situation, decided)):
            db.execute(load("outbox/enqueue"), {"company_id": company.company_id, "payment_id": payment_id})
            queued.append(payment_id)
    return queued


def list_held(db: Connection, company: Company) -> list[Difference]:
    """List the payments that are not in QuickBooks as Peakflo says, each with why."""
    keys = {"company_id": company.company_id, "realm_id": company.realm_id}
    with db.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(load("proof/list_held_payments"), keys).fetchall()
    found = []
    for row in rows:
        wait = WAITS.get(row["code"]) if row["kind"] == "waits" else None
        is_on_its_way = row["is_queued"] or (wait is not None and wait.is_usual(row["age"]))
        why = row["message"] or row["sentence"] or "Something about it changed, and it is looked at again."
        found.append(
            Difference(
                "in_flight" if is_on_its_way else "held_payment",
                "payment",
                row["qbo_id"] or "",
                "delivery",
                f"Payment {row['delivery_id']} of {row['amount']:,.2f}: {why}",
                peakflo=f"{row['amount']:f}",
                amount=-row["amount"],
                name=row["name"] or f"delivery {row['delivery_id']}",
                customer_id=row["customer_id"] or "",
                customer_name=row["customer_name"],
                remedy="" if is_on_its_way else row["cure"] or (wait.remedy if wait else ""),
                owner=None if is_on_its_way else row["actor"] or (wait.owner if wait else None),
            )
        )
    return found
