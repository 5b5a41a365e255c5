"""Peakflo's service at work in the database, with nothing around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from tests.support.rows import insert

if TYPE_CHECKING:
    import psycopg

Json = dict[str, Any]

COMPANY = {"company_id": "acme", "realm_id": "9130"}
OTHER = {"company_id": "other", "realm_id": "9131"}


class Desk:
    """
    Takes payments of companies whose own money is USD, from customers who pay in EUR.

    Each company has one customer, one invoice over 100 and one credit note over 30.
    """

    def __init__(self, db: psycopg.Connection) -> None:
        self.db = db
        self.ids = {company["company_id"]: self._open(company) for company in (COMPANY, OTHER)}

    def pay(self, *allocations: Json, **columns: Any) -> UUID:
        """Enter a payment of the first company's and its allocations in one transaction."""
        payment_id = uuid4()
        row = {
            "company_id": "acme",
            "id": payment_id,
            "customer_id": self.ids["acme"]["customer"],
            "payment_date": "2026-11-20",
            "amount": 100,
            "currency": "EUR",
        }
        with self.db.transaction():
            insert(self.db, "payment", row | columns)
            for position, allocation in enumerate(allocations, 1):
                self.apply(payment_id, position, **allocation)
        return payment_id

    def apply(
        self, payment_id: UUID, position: int, db: psycopg.Connection | None = None, **columns: Any
    ) -> None:
        """Apply a payment, to the first company's invoice or credit note unless said otherwise."""
        row = {"company_id": "acme", "payment_id": payment_id, "position": position, "target_type": "invoice"}
        target = self.ids["acme"].get(columns.get("target_type", "invoice"))
        insert(db or self.db, "payment_allocation", row | {"target_id": target} | columns)

    def add_customer(self, company_id: str, realm_id: str) -> UUID:
        """Enter a customer of a company and of one of its QuickBooks companies."""
        customer_id = uuid4()
        row = {
            "company_id": company_id,
            "realm_id": realm_id,
            "id": customer_id,
            "company_name": "Riverbend",
            "bill_with_parent": False,
            "status": "active",
            "currency": "EUR",
        }
        insert(self.db, "customer", row)
        return customer_id

    def count(self, table: str = "peakflo.payment") -> int:
        """Return how many rows a table has."""
        row = self.db.execute(f"select count(*) from {table}").fetchone()  # type: ignore[arg-type]
        assert row is not None
        return int(row[0])

    def _open(self, company: dict[str, str]) -> dict[str, UUID]:
        insert(self.db, "company", company | {"name": "Acme", "home_currency": "USD"})
        ids = {"customer": self.add_customer(**company), "invoice": uuid4(), "credit_note": uuid4()}
        common = {**company, "customer_id": ids["customer"], "currency": "EUR"}
        amounts = {"sub_total": 100, "total_discount": 0, "total_tax_amount": 0, "amount_due": 100}
        invoice = {"id": ids["invoice"], "total_amount": 100, "status": "sent"}
        insert(self.db, "invoice", common | amounts | invoice)
        credit_note = {"id": ids["credit_note"], "total_amount": 30, "remaining_credit": 30, "status": "open"}
        insert(self.db, "credit_note", common | credit_note)
        return ids
