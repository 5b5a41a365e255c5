"""Peakflo's side of the outbox: takes payments for invoices, and delivers them."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

from psycopg.rows import dict_row

from include.receivables.outbound import account_mapping, delivery_jobs
from include.receivables.outbound.rules import set_rules
from tests.support.rows import insert

if TYPE_CHECKING:
    from collections.abc import Mapping

    from include.receivables.company.batches import Outcome
    from include.receivables.company.companies import Company
    from tests.support.bookkeeper import Bookkeeper
    from tests.support.workbench import Workbench

Json = dict[str, Any]

LENIENT = 100
PURPOSES = {
    ("deposit_currency", "USD"): "Checking",
    ("processing_fees", ""): "Bank Charges",
    ("rounding", ""): "Bank Charges",
}


@dataclass
class Cashier:
    """
    Takes payments in one company, whose books are written by somebody else.

    :param today: the date that the payments bear.
    """

    bench: Workbench
    company: Company
    books: Bookkeeper
    today: date = field(default_factory=lambda: date(2026, 1, 5))

    def map_accounts(self, accounts: Mapping[tuple[str, str], str] = PURPOSES) -> None:
        """Choose the accounts that payments move, by their names, and let any rounding pass."""
        set_rules(self.bench.db, self.company, rounding_limit=LENIENT)
        for (purpose, detail), name in accounts.items():
            account_mapping.save_account(
                self.bench.db, self.company, purpose, detail, self.account(name), mapped_by="test"
            )

    def account(self, name: str) -> str:
        """Return QuickBooks' id of an account."""
        row = self.bench.db.execute(
            "select source_id from peakflo.account where company_id = %s and name = %s",
            [self.company.company_id, name],
        ).fetchone()
        assert row is not None, name
        return str(row[0])

    def invoices(self, count: int, amount: str = "100") -> list[Json]:
        """Have invoices written to one customer in QuickBooks, and sync them."""
        customer = self.books.customer(f"Customer {uuid.uuid4().hex[:8]}")
        ids = [self.books.invoice(customer, amount, TxnDate="2026-01-02") for _ in range(count)]
        self.bench.sync(self.company)
        return [self.invoice(qbo_id) for qbo_id in ids]

    def invoice(self, qbo_id: str) -> Json:
        """Return an invoice as Peakflo has it."""
        with self.bench.db.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute(
                "select * from peakflo.invoice where company_id = %s and source_id = %s",
                [self.company.company_id, qbo_id],
            ).fetchone()
        assert row is not None
        return row

    def take(self, invoice: Json, amount: str = "100", **columns: Any) -> uuid.UUID:
        """
        Take a payment for one invoice.

        :param columns: further columns of the payment or, if they are its own, of the allocation.
        """
        payment_id = uuid.uuid4()
        allocation = {
            name: columns.pop(name)
            for name in ("withholding_tax_amount", "withholding_tax_type", "rounding_amount")
            if name in columns
        }
        payment = {
            "company_id": self.company.company_id,
            "id": payment_id,
            "realm_id": self.company.realm_id,
            "customer_id": invoice["customer_id"],
            "payment_date": self.today,
            "amount": Decimal(amount),
            "currency": "USD",
            "settled_at": "2026-01-05T10:00:00Z",
            **columns,
        }
        with self.bench.db.transaction():
            insert(self.bench.db, "payment", payment)
            insert(
                self.bench.db,
                "payment_allocation",
                {
                    "company_id": self.company.company_id,
                    "payment_id": payment_id,
                    "position": 1,
                    "target_type": "invoice",
                    "target_id": invoice["id"],
                    "target_source_id": invoice["source_id"],
                    "amount": Decimal(amount),
                    **allocation,
                },
            )
        return payment_id

    def cancel(self, payment_id: uuid.UUID) -> None:
        """Cancel a payment in Peakflo."""
        self.bench.db.execute("update peakflo.payment set status = 'voided' where id = %s", [payment_id])

    def push(self, *, settled_after: timedelta = timedelta(0)) -> Outcome:
        """Deliver what is due."""
        return delivery_jobs.deliver(
            self.bench.access, self.company.company_id, self.bench.run_context(), settled_after=settled_after
        )

    def delivery(self, payment_id: uuid.UUID) -> Json:
        """Return where a payment stands."""
        [found] = self.rows("outbox.delivery", payment_id=payment_id)
        return found

    def standing(self, payment_id: uuid.UUID) -> tuple[str, str]:
        """Return where a payment stands, and its code."""
        delivery = self.delivery(payment_id)
        return delivery["kind"], delivery["code"]

    def records(self, payment_id: uuid.UUID, document: str = "payment") -> list[Json]:
        """Return the records of a payment, by generation."""
        rows = self.rows("outbox.record", payment_id=payment_id, document=document)
        return sorted(rows, key=lambda row: row["generation"])

    def record(self, payment_id: uuid.UUID, document: str = "payment") -> Json:
        """Return the last record of a payment."""
        return self.records(payment_id, document)[-1]

    def states(self, payment_id: uuid.UUID) -> dict[str, list[str]]:
        """Return the states of a payment's records, by document and generation."""
        documents = {row["document"] for row in self.rows("outbox.record", payment_id=payment_id)}
        return {
            document: [row["state"] for row in self.records(payment_id, document)] for document in documents
        }

    def problems(self) -> list[str]:
        """Return the codes of the open outbound problems."""
        return [
            row["code"]
            for row in self.rows("sync.problem", company_id=self.company.company_id)
            if row["direction"] == "outbound" and row["state"] == "open"
        ]

    def rows(self, table: str, **keys: Any) -> list[Json]:
        """Return rows of a table."""
        where = " and ".join(f"{name} = %({name})s" for name in keys) or "true"
        with self.bench.db.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(f"select * from {table} where {where} order by 1", keys).fetchall()  # type: ignore[arg-type]

    def in_quickbooks(self, entity: str = "Payment") -> dict[str, list[Json]]:
        """Return the records that carry Peakflo's marker, by the payment that they name."""
        url = f"{self.bench.sandbox.base_url}/control/companies/{self.company.realm_id}/truth?records=1"
        with urlopen(url) as answer:
            records = json.loads(answer.read(), parse_float=Decimal)["records"][entity]
        found: dict[str, list[Json]] = {}
        for record in records:
            note = record.get("PrivateNote", "")
            if "Peakflo payment " in note:
                found.setdefault(note[-36:], []).append(record)
        return found
