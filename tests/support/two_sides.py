"""Whether Peakflo's own payments are in QuickBooks as Peakflo says."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

from tests.support import truth
from tests.support.delivery_model import trace

if TYPE_CHECKING:
    from uuid import UUID

    from tests.support.cashier import Cashier

Json = dict[str, Any]

OUTBOX = ("record", "move", "delivery", "queue", "decision")
# A request left, and nobody knows what became of it.
UNDECIDED = {"intended", "sent", "unknown", "undoing"}
NOTHING = Decimal(0)


def books(cashier: Cashier) -> bytes:
    """Return all that QuickBooks holds of the company, to the byte."""
    url = f"{cashier.bench.sandbox.base_url}/control/companies/{cashier.company.realm_id}/truth?records=1"
    with urlopen(url) as answer:
        content: bytes = answer.read()
    return content


def versions(cashier: Cashier) -> dict[str, Any]:
    """Return where every row lies and who wrote it."""
    found: dict[str, Any] = dict(truth.versions(cashier.bench.db))
    for table in OUTBOX:
        statement = f"select ctid::text, xmin::text from outbox.{table} order by 1"
        found[f"outbox.{table}"] = cashier.bench.db.execute(statement).fetchall()  # type: ignore[arg-type]
    return found


def disagreements(cashier: Cashier) -> list[str]:
    """
    Return one sentence for each way in which the two sides differ; none when all is well at rest.

    A payment of Peakflo's may differ only if its standing says so.
    """
    rows = Rows(cashier)
    found = [sentence for payment in rows.payments for sentence in rows.compare(payment)]
    found += truth.differences(
        cashier.bench.db,
        cashier.bench.sandbox,
        cashier.company,
        but=truth.REFRESHED,
        own=rows.own | {None},
    )
    found += trace.broken_rules(rows.records, cashier.rows("outbox.move"))
    balance = json.loads(books(cashier))["trial_balance"]
    if balance["debits"] != balance["credits"]:
        found.append(f"The books hold {balance['debits']} of debits and {balance['credits']} of credits")
    return found


class Rows:
    """Both sides of Peakflo's own payments."""

    def __init__(self, cashier: Cashier) -> None:
        company = {"company_id": cashier.company.company_id}
        self.payments = [
            row for row in cashier.rows("peakflo.payment", **company) if row["origin"] == "peakflo"
        ]
        self._allocations = _by_payment(cashier.rows("peakflo.payment_allocation", **company))
        self._deliveries = {row["payment_id"]: row for row in cashier.rows("outbox.delivery", **company)}
        self.records = cashier.rows("outbox.record", **company)
        self._had = _by_payment(self.records)
        self._codes: dict[UUID, set[str]] = defaultdict(set)
        self._open: dict[UUID, set[str]] = defaultdict(set)
        for problem in cashier.rows("sync.problem", **company, direction="outbound"):
            if problem["state"] != "resolved":
                self._codes[problem["peakflo_id"]].add(problem["code"])
            if problem["state"] == "open":
                self._open[problem["peakflo_id"]].add(problem["code"])
        self._invoices = {row["id"]: row["source_id"] for row in cashier.rows("peakflo.invoice", **company)}
        self._records = cashier.in_quickbooks()
        self._entries = cashier.in_quickbooks("JournalEntry")
        rows = cashier.rows("outbox.record", **company, document="payment")
        self.own: set[str | None] = {row["qbo_id"] for row in rows}

    def compare(self, payment: Json) -> list[str]:
        """Return what is wrong with one payment."""
        key = str(payment["id"])
        records = [record for record in self._records.get(key, []) if record["TotalAmt"]]
        entries = [entry for entry in self._entries.get(key, []) if _posted(entry)]
        delivery = self._deliveries[payment["id"]]
        codes = self._codes[payment["id"]]
        found = [
            f"{key}: there are {len(each)} of it, and no problem says so"
            for each in (records, entries)
            if len(each) > 1 and not codes
        ]
        found += [
            f"{key}: its {row['document']} is still {row['state']}"
            for row in self._had[payment["id"]]
            if row["state"] in UNDECIDED and not codes
        ]
        if (delivery["kind"] == "differs") != bool(self._open[payment["id"]]):
            found.append(f"{key}: {delivery['kind']}, and its problems are {codes or 'none'}")
        if found or delivery["kind"] != "agrees":
            return found
        if payment["status"] != "active" or payment["settled_at"] is None:
            return [f"{key}: it does not count, and yet is there"] if records or entries else []
        if not records:
            return [f"{key}: it is not there"]
        return self._compare_money(payment, records[0], entries)

    def _compare_money(self, payment: Json, record: Json, entries: list[Json]) -> list[str]:
        applied: dict[str, Decimal] = defaultdict(Decimal)
        written_off = NOTHING
        for allocation in self._allocations[payment["id"]]:
            extra = allocation["withholding_tax_amount"] + allocation["rounding_amount"]
            applied[f"Invoice {self._invoices[allocation['target_id']]}"] += allocation["amount"] + extra
            written_off += extra
        if written_off:
            applied[f"JournalEntry {entries[0]['Id'] if entries else None}"] = abs(written_off)
        expected = {
            "amount": payment["amount"],
            "date": payment["payment_date"],
            "applied": dict(applied),
            "id": payment["source_id"],
            "fee": payment["processing_fee"],
        }
        actual = {
            "amount": record["TotalAmt"],
            "date": date.fromisoformat(record["TxnDate"]),
            "applied": {
                f"{link['TxnType']} {link['TxnId']}": line["Amount"]
                for line in record["Line"]
                for link in line["LinkedTxn"]
            },
            "id": record["Id"],
            "fee": sum((_fee(entry) for entry in entries), NOTHING),
        }
        return [
            f"{payment['id']}: {name} {actual[name]} instead of {expected[name]}"
            for name in expected
            if actual[name] != expected[name]
        ]


def _by_payment(rows: list[Json]) -> dict[UUID, list[Json]]:
    found: dict[UUID, list[Json]] = defaultdict(list)
    for row in rows:
        found[row["payment_id"]].append(row)
    return found


def _posted(entry: Json) -> Decimal:
    return sum((Decimal(line["Amount"]) for line in entry["Line"]), NOTHING)


def _fee(entry: Json) -> Decimal:
    return sum(
        (
            Decimal(line["Amount"])
            for line in entry["Line"]
            if line["Description"] == "Processing fee"
            and line["JournalEntryLineDetail"]["PostingType"] == "Debit"
        ),
        NOTHING,
    )
