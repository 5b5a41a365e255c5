"""Reads all that a decision about a payment rests on, in one statement."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
from psycopg.rows import dict_row

from include.receivables.outbound import payloads, preflight
from include.receivables.outbound.account_mapping import Account, Mapping
from include.receivables.outbound.model import Decision, Json, Record, Situation, Stray
from include.receivables.outbound.payment_targets import Target
from include.receivables.outbound.preflight import Facts, Surroundings
from include.sql import load

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg import Connection

    from include.receivables.company.companies import Company
    from include.receivables.outbound.model import Document

# Intuit keeps silent about how long a request id is remembered; 24 hours were relied upon, half of that is sure.
REPLAY_WINDOW = timedelta(hours=12)
# A database that did nothing for longer may have been put back to an earlier day: what it sent since, it does not know.
LONGEST_GAP = timedelta(hours=1)
# A request whose answer was lost may still be at work: it is not repeated before the client would have given up.
SETTLED_AFTER = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Patience:
    """
    What is relied upon of QuickBooks and the line to it.

    :param settled_after: how long after a request its effect can be seen, if it has one.
    :param replay_window: for how long QuickBooks recognises a repeated request id.
    """

    settled_after: timedelta = SETTLED_AFTER
    replay_window: timedelta = REPLAY_WINDOW


def read_situation(
    db: Connection, company: Company, payment_id: UUID, patience: Patience | None = None
) -> Situation | None:
    """
    Read a payment's situation; within a transaction, the payment cannot be changed by others until the end.

    :return: nothing if the company has no such payment, or it is none that Peakflo took.
    """
    patience = patience or Patience()
    keys = {
        "company_id": company.company_id,
        "payment_id": payment_id,
        "longest_gap": LONGEST_GAP,
    }
    with db.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(load("outbox/read_situation"), keys).fetchone()
    return None if row is None else _situation(row, company, patience)


def _situation(row: Json, company: Company, patience: Patience) -> Situation:
    facts = msgspec.convert(row, Facts)
    around = Surroundings(
        targets=tuple(_list(row["targets"], Target)),
        mapping=_mapping(row),
        receivables=tuple(json.loads(row["receivables"])),
    )
    records = tuple(_list(row["records"], Record))
    closed_door = preflight.closed_door(facts, company)
    snapshot = payloads.parse(row["snapshot"])
    decisions = tuple(_list(row["decisions"], Decision))
    return Situation(
        payment_id=facts.payment_id,
        realm_id=facts.realm_id,
        now=facts.read_at,
        snapshot=snapshot,
        is_active=facts.status == "active",
        is_settled=facts.settled_at is not None,
        check=closed_door or preflight.check(facts, around, decisions, snapshot),
        expected=_expected(facts, around, records),
        records=records,
        strays=tuple(_list(row["strays"], Stray)),
        decisions=decisions,
        survivors=payloads.parse(row["survivors"]),
        closed_door=closed_door,
        can_read=closed_door is None or closed_door.code == preflight.AUTO_SYNC_OFF,
        settled_after=patience.settled_after,
        replay_window=patience.replay_window,
        queued_at=row["queued_at"],
        stands=tuple(json.loads(row["stands"] or "[]")),
    )


def _mapping(row: Json) -> Mapping:
    accounts = {
        (each["purpose"], each["detail"]): Account(
            each["qbo_id"], each["name"], each["type"], each["currency"], each["status"]
        )
        for each in json.loads(row["accounts"])
    }
    return Mapping(accounts, row["home_currency"])


def _list(text: str, kind: Any) -> list[Any]:
    found: list[Any] = msgspec.convert(json.loads(text, parse_float=Decimal), list[kind])
    return found


# What QuickBooks should hold


def _expected(facts: Facts, around: Surroundings, records: tuple[Record, ...]) -> dict[Document, Json | None]:
    """Build both documents as Peakflo says now, on the accounts on which they were booked, if these can be told."""
    if facts.customer_qbo_id is None or any(target.qbo_id is None for target in around.targets):
        return {}
    try:
        return _build(facts, around, records)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        # What was found, and never sent, may be as odd as anything that is read.
        return {}


def _build(facts: Facts, around: Surroundings, records: tuple[Record, ...]) -> dict[Document, Json | None]:
    held = {record.document: record for record in records if record.qbo_id is not None}
    outgoing = preflight.outgoing(facts, around.targets, _booked_accounts(held))
    entry = held.get("journal_entry")
    needs_entry = payloads.needs_adjustment(outgoing)
    expected: dict[Document, Json | None] = {
        "journal_entry": payloads.plain(payloads.adjustment(outgoing)) if needs_entry else None
    }
    if not outgoing.written_off:
        expected["payment"] = payloads.plain(payloads.payment(outgoing))
    elif entry is not None and entry.qbo_id is not None:
        expected["payment"] = payloads.plain(payloads.payment(outgoing, payloads.LinkedEntry(entry.qbo_id)))
    return expected


def _booked_accounts(held: dict[Document, Record]) -> payloads.Accounts:
    said = {document: _said(record) for document, record in held.items()}
    entry_lines = said.get("journal_entry", {}).get("Line") or []
    accounts: dict[str, str] = {}
    for line in entry_lines:
        if line:
            reference = (line.get("JournalEntryLineDetail") or {}).get("AccountRef") or {}
            accounts.setdefault(str(line.get("Description")), str(reference.get("value", "")))
    deposit = (said.get("payment", {}).get("DepositToAccountRef") or {}).get("value")
    return payloads.Accounts(
        deposit=str(deposit or payloads.deposit_of(entry_lines) or ""),
        receivable=accounts.get(payloads.RECEIVABLE, ""),
        processing_fees=accounts.get(payloads.PROCESSING_FEE, ""),
        rounding=accounts.get(payloads.ROUNDING, ""),
        withholding_tax={
            payloads.tax_type_of(name): account
            for name, account in accounts.items()
            if name.startswith(payloads.WITHHOLDING_TAX)
        },
    )


def _said(record: Record) -> Json:
    """Return what was sent; of a record that was found, what was found."""
    return record.payload or (record.answer.content if record.answer else {})
