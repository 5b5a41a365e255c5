"""A company that takes payments through Peakflo: its books, its mapped accounts, and the payments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from psycopg import sql

from include.receivables.outbound import account_mapping, delivery_jobs
from include.receivables.outbound.situation import read_situation
from tests.support.rows import insert

if TYPE_CHECKING:
    from include.receivables.company.companies import Company
    from include.receivables.outbound.preflight_answers import Answer
    from sandbox.control import SandboxControl
    from tests.support.bookkeeper import Bookkeeper
    from tests.support.workbench import Workbench

Json = dict[str, Any]

# Purposes and the names of the accounts that every company of the sandbox has for them.
USUAL_ACCOUNTS = {
    ("deposit_currency", "USD"): "Checking",
    ("deposit_wallet", "PayNow"): "Savings",
    ("processing_fees", ""): "Payment Processing Fees",
    ("rounding", ""): "Rounding",
    ("withholding_tax_receivable", ""): "Withholding Tax Receivable",
}


@dataclass(frozen=True)
class Applied:
    """What a payment is applied to, by its QuickBooks id."""

    target_type: str
    qbo_id: str
    amount: str
    withholding_tax_amount: str = "0"
    withholding_tax_type: str | None = None
    rounding_amount: str = "0"


@dataclass
class Payer:
    """
    A company with one customer, at work in its books and in Peakflo.

    :param customer: the customer's QuickBooks id.
    """

    bench: Workbench
    company: Company
    books: Bookkeeper
    customer: str

    @property
    def sandbox(self) -> SandboxControl:
        return self.bench.sandbox

    def peakflo_id(self, table: str, qbo_id: str) -> UUID:
        """Return Peakflo's id of a record that has been merged."""
        statement = sql.SQL("select id from {} where company_id = %s and realm_id = %s and source_id = %s")
        keys = [self.company.company_id, self.company.realm_id, qbo_id]
        row = self.bench.db.execute(statement.format(sql.Identifier("peakflo", table)), keys).fetchone()
        assert row is not None, f"{table} {qbo_id} has not been merged"
        return row[0]

    def account(self, name: str) -> str:
        """Return the QuickBooks id of an account."""
        accounts = self.sandbox.truth(self.company.realm_id, records=True)["records"]["Account"]
        return next(account["Id"] for account in accounts if account["Name"] == name)

    def map_account(self, purpose: str, detail: str, account: str) -> None:
        """Map a purpose to an account of a name."""
        account_mapping.save_account(
            self.bench.db, self.company, purpose, detail, self.account(account), mapped_by="test"
        )

    def take(self, amount: str, *applied: Applied, **columns: Any) -> UUID:
        """Take a payment in Peakflo, as its service does: all rows in one transaction."""
        payment_id = uuid4()
        row = {
            "company_id": self.company.company_id,
            "realm_id": self.company.realm_id,
            "id": payment_id,
            "customer_id": self.peakflo_id("customer", self.customer),
            "payment_date": date(2026, 11, 20),
            "amount": Decimal(amount),
            "currency": "USD",
            "settled_at": datetime.now(UTC),
        }
        with self.bench.db.transaction():
            insert(self.bench.db, "payment", row | columns)
            for position, each in enumerate(applied, 1):
                insert(self.bench.db, "payment_allocation", self._allocation(payment_id, position, each))
        return payment_id

    def check(self, payment_id: UUID) -> Answer:
        """Check a payment before it goes to QuickBooks."""
        situation = read_situation(self.bench.db, self.company, payment_id)
        assert situation is not None
        return situation.check

    def deliver(self, payment_id: UUID) -> Json:
        """Deliver what is due, and return a payment as QuickBooks has it then."""
        delivery_jobs.deliver(self.bench.access, self.company.company_id, self.bench.run_context())
        statement = """
            select delivery.code, delivery.sentence, payment.source_id
            from outbox.delivery
            inner join peakflo.payment on delivery.payment_id = payment.id
            where payment_id = %s
        """
        row = self.bench.db.execute(statement, [payment_id]).fetchone()
        assert row is not None
        code, sentence, qbo_id = row
        assert code == "delivered", sentence
        return self.books.read("Payment", qbo_id)

    def _allocation(self, payment_id: UUID, position: int, applied: Applied) -> Json:
        return {
            "company_id": self.company.company_id,
            "payment_id": payment_id,
            "position": position,
            "target_type": applied.target_type,
            "target_id": self.peakflo_id(applied.target_type, applied.qbo_id),
            "amount": Decimal(applied.amount),
            "withholding_tax_amount": Decimal(applied.withholding_tax_amount),
            "withholding_tax_type": applied.withholding_tax_type,
            "rounding_amount": Decimal(applied.rounding_amount),
        }


def invoice(qbo_id: str, amount: str, **more: Any) -> Applied:
    """Apply to an invoice."""
    return Applied("invoice", qbo_id, amount, **more)


def credit(qbo_id: str, amount: str) -> Applied:
    """Take from a credit note."""
    return Applied("credit_note", qbo_id, amount)


def open_company(bench: Workbench, keep_books: Any, *, currency: str = "USD") -> Payer:
    """Set up a company with the usual accounts and one customer, who is billed in a currency."""
    company = bench.imported("empty")
    books = keep_books(company)
    payer = Payer(bench, company, books, books.customer("Riverbend", CurrencyRef={"value": currency}))
    bench.sync(company)
    for (purpose, detail), account in USUAL_ACCOUNTS.items():
        payer.map_account(purpose, detail, account)
    return payer
