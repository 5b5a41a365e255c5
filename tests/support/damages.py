"""Ways in which a copy of books goes wrong: each does one damage, and says what a proof has to tell of it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from psycopg.rows import dict_row

if TYPE_CHECKING:
    from collections.abc import Callable

    from include.receivables.company.companies import Company
    from tests.support.bookkeeper import Bookkeeper
    from tests.support.workbench import Workbench

Row = dict[str, Any]
HOUR = 3600
TABLES = {
    "account": "account",
    "customer": "customer",
    "invoice": "invoice",
    "payment": "payment",
    "credit_memo": "credit_note",
}


class Expected(NamedTuple):
    """
    What a proof has to tell.

    :param field: what the respect has to name.
    """

    class_name: str
    entity: str
    qbo_id: str
    field: str
    is_repaired: bool = True


@dataclass
class Vandal:
    """
    Somebody who damages a copy of books, or keeps from it what the books say.

    :param seed: makes the choice of records repeatable.
    """

    bench: Workbench
    company: Company
    books: Bookkeeper
    seed: int
    taken: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    @property
    def doubled(self) -> str:
        """An Id that QuickBooks never gave."""
        return str(9_000_000 + self.seed)

    # In Peakflo's tables

    def another_cent_due(self) -> Expected | None:
        return self._set("invoice", "amount_due = amount_due + 0.01", "open", "status = 'sent'")

    def another_total(self) -> Expected | None:
        return self._set("invoice", "total_amount = total_amount - 1", "total")

    def another_customer(self) -> Expected | None:
        other = (
            "(select max(id::text)::uuid from peakflo.customer as other where other.id <> kept.customer_id)"
        )
        return self._set("invoice", f"customer_id = {other}", "owner_id")

    def another_due_date(self) -> Expected | None:
        return self._set(
            "invoice",
            "due_date = due_date - 40",
            "due_date",
            "due_date_basis = 'quickbooks' and status <> 'cancelled'",
        )

    def an_invoice_taken_for_deleted(self) -> Expected | None:
        return self._set(
            "invoice", "deleted_at = now(), status = 'cancelled'", "status", "status in ('sent', 'paid')"
        )

    def an_open_invoice_taken_for_cancelled(self) -> Expected | None:
        return self._set("invoice", "status = 'cancelled'", "status", "status = 'sent'")

    def another_rate(self) -> Expected | None:
        return self._set("invoice", "exchange_rate = 7", "rate")

    def more_unapplied(self) -> Expected | None:
        return self._set("payment", "unapplied_amount = unapplied_amount + 0.01", "open", "status = 'active'")

    def a_payment_taken_for_voided(self) -> Expected | None:
        return self._set("payment", "status = 'voided'", "status", "status = 'active'")

    def a_cent_allocated_more(self) -> Expected | None:
        row = self._pick(
            "payment",
            "status = 'active' and exists (select from peakflo.payment_allocation as a where "
            "a.company_id = kept.company_id and a.payment_id = kept.id)",
        )
        if row is None:
            return None
        self._execute(
            "update peakflo.payment_allocation set amount = amount + 0.01 where payment_id = %s and position = 1",
            row["id"],
        )
        return Expected("missed_change", "payment", row["source_id"], "links")

    def an_allocation_lost(self) -> Expected | None:
        row = self._pick(
            "payment",
            "status = 'active' and exists (select from peakflo.payment_allocation as a where "
            "a.company_id = kept.company_id and a.payment_id = kept.id)",
        )
        if row is None:
            return None
        self._execute("delete from peakflo.payment_allocation where payment_id = %s", row["id"])
        return Expected("missed_change", "payment", row["source_id"], "links")

    def less_credit(self) -> Expected | None:
        return self._set(
            "credit_memo", "remaining_credit = remaining_credit + 0.01", "open", "status <> 'voided'"
        )

    def another_balance_of_a_customer(self) -> Expected | None:
        return self._set("customer", "balance = balance + 1", "open")

    def another_balance_of_an_account(self) -> Expected | None:
        return self._set("account", "balance = balance - 0.01", "open")

    def a_row_lost(self) -> Expected | None:
        row = self._pick("invoice")
        if row is None:
            return None
        self._execute("delete from peakflo.invoice where id = %s", row["id"])
        return Expected("missed_change", "invoice", row["source_id"], "missing")

    def a_row_doubled(self) -> Expected | None:
        row = self._pick("invoice", "status = 'sent'")
        double = ("invoice", self.doubled)
        if row is None or double in self.taken:
            return None
        self.taken.add(double)
        columns = ", ".join(name for name in row if name not in ("id", "source_id"))
        self._execute(
            f"insert into peakflo.invoice (id, source_id, {columns}) select gen_random_uuid(), %s, {columns} "
            "from peakflo.invoice where id = %s",
            self.doubled,
            row["id"],
        )
        return Expected("missed_change", "invoice", self.doubled, "extra")

    # In what is staged

    def a_staged_amount_altered(self) -> Expected | None:
        row = self._pick("invoice", "status = 'sent'")
        if row is None:
            return None
        self._silently(
            "update staging.record set payload = payload || jsonb_build_object('Balance', (payload ->> "
            "'Balance')::numeric + 0.01) where realm_id = %s and entity = 'invoice' and qbo_id = %s",
            self.company.realm_id,
            row["source_id"],
        )
        self._execute("update peakflo.invoice set amount_due = amount_due + 0.01 where id = %s", row["id"])
        return Expected("missed_change", "invoice", row["source_id"], "open")

    def never_read(self) -> Expected | None:
        row = self._pick("credit_memo") or self._pick("invoice")
        if row is None:
            return None
        entity = row["entity"]
        self._silently(
            "delete from staging.record where realm_id = %s and entity = %s and qbo_id = %s",
            self.company.realm_id,
            entity,
            row["source_id"],
        )
        self._execute(f"delete from peakflo.{TABLES[entity]} where id = %s", row["id"])
        return Expected("missed_change", entity, row["source_id"], "missing")

    def taken_for_deleted(self) -> Expected | None:
        row = self._pick("payment", "status = 'active'")
        if row is None:
            return None
        self._silently(
            "update staging.record set deleted_at = qbo_updated_at where realm_id = %s and entity = 'payment' and "
            "qbo_id = %s",
            self.company.realm_id,
            row["source_id"],
        )
        self._execute("delete from peakflo.payment_allocation where payment_id = %s", row["id"])
        self._execute(
            "update peakflo.payment set deleted_at = now(), status = 'deleted' where id = %s", row["id"]
        )
        return Expected("missed_change", "payment", row["source_id"], "status")

    # In QuickBooks, which does not tell

    def a_hidden_deletion(self) -> Expected | None:
        row = self._pick("payment", "status = 'active'")
        return self._secretly(row, lambda: self.books.delete("Payment", row["source_id"]), "deleted")

    def a_hidden_void(self) -> Expected | None:
        row = self._pick("payment", "status = 'active'")
        return self._secretly(row, lambda: self.books.void("Payment", row["source_id"]), "status")

    def a_hidden_change(self) -> Expected | None:
        row = self._pick("customer", "status = 'active'")
        return self._secretly(
            row, lambda: self.books.change("Customer", row["source_id"], DisplayName="Renamed & Sons"), "name"
        )

    def a_hidden_invoice(self) -> Expected | None:
        row = self._pick("customer", "status = 'active' and currency = 'USD'")
        made: list[str] = []
        expected = self._secretly(
            row, lambda: made.append(self.books.invoice(row["source_id"], "33.33")), "missing"
        )
        return expected and Expected("missed_change", "invoice", made[0], "missing")

    # Which is no damage, but money that only the reports know

    def a_journal_on_receivables(self) -> Expected | None:
        row = self._pick("customer", "status = 'active' and currency = 'USD'")
        made: list[str] = []
        expected = self._secretly(row, lambda: made.append(self._journal(row["source_id"])), "open")
        return expected and Expected("other_money", "Journal Entry", made[0], "open", is_repaired=False)

    def _journal(self, customer: str) -> str:
        accounts = dict(
            self.bench.db.execute(
                "select name, source_id from peakflo.account where company_id = %s", [self.company.company_id]
            ).fetchall()
        )
        lines = [
            {
                "Amount": "12.34",
                "DetailType": "JournalEntryLineDetail",
                "JournalEntryLineDetail": {
                    "PostingType": side,
                    "AccountRef": {"value": accounts[account]},
                    "Entity": {"Type": "Customer", "EntityRef": {"value": customer}},
                },
            }
            for side, account in (("Credit", "Accounts Receivable (A/R)"), ("Debit", "Checking"))
        ]
        return str(self.books.write("JournalEntry", Line=lines)["Id"])

    def _secretly(self, row: Row | None, act: Callable[[], object], field_name: str) -> Expected | None:
        """Let something happen in QuickBooks of which no change is read."""
        if row is None:
            return None
        try:
            act()
        except AssertionError:
            return None  # QuickBooks' rules forbid it
        self.bench.sandbox.advance_clock(2 * HOUR)
        self._execute(
            "update staging.cursor set changed_since = %s where realm_id = %s",
            self._sandbox_time(),
            self.company.realm_id,
        )
        return Expected("missed_change", row["entity"], row["source_id"], field_name)

    def _sandbox_time(self) -> Any:
        from datetime import UTC, datetime

        return datetime.fromtimestamp(self.bench.sandbox.clock()["now"], UTC)

    def _set(self, entity: str, change: str, field_name: str, where: str = "true") -> Expected | None:
        row = self._pick(entity, where)
        if row is None:
            return None
        self._execute(f"update peakflo.{TABLES[entity]} as kept set {change} where id = %s", row["id"])
        return Expected("missed_change", entity, row["source_id"], field_name)

    def _pick(self, entity: str, where: str = "true") -> Row | None:
        """Pick a live record that nothing was done to yet."""
        with self.bench.db.cursor(row_factory=dict_row) as cursor:
            rows = cursor.execute(
                f"select * from peakflo.{TABLES[entity]} as kept where company_id = %s and deleted_at is null "  # type: ignore[arg-type]
                f"and source_id ~ '^[0-9]+$' and {where} order by source_id::bigint",
                [self.company.company_id],
            ).fetchall()
        free = [row for row in rows if (entity, row["source_id"]) not in self.taken]
        if not free:
            return None
        row = self.random.choice(free)
        self.taken.add((entity, row["source_id"]))
        return Tagged(row, entity=entity)

    def _execute(self, statement: str, *keys: Any) -> None:
        self.bench.db.execute(statement, keys)  # type: ignore[arg-type]

    def _silently(self, statement: str, *keys: Any) -> None:
        """Write to what is staged without what its triggers would do about it."""
        with self.bench.db.transaction():
            self.bench.db.execute("set local session_replication_role = replica")
            self._execute(statement, *keys)


class Tagged(dict[str, Any]):
    """A row that knows of which entity it is, beside its columns."""

    def __init__(self, row: Row, *, entity: str) -> None:
        super().__init__(row)
        self.entity = entity

    def __missing__(self, name: str) -> Any:
        if name == "entity":
            return self.entity
        raise KeyError(name)


DAMAGES: tuple[str, ...] = (
    "another_cent_due",
    "another_total",
    "another_customer",
    "another_due_date",
    "an_invoice_taken_for_deleted",
    "an_open_invoice_taken_for_cancelled",
    "another_rate",
    "more_unapplied",
    "a_payment_taken_for_voided",
    "a_cent_allocated_more",
    "an_allocation_lost",
    "less_credit",
    "another_balance_of_a_customer",
    "another_balance_of_an_account",
    "a_row_lost",
    "a_row_doubled",
    "a_staged_amount_altered",
    "never_read",
    "taken_for_deleted",
    "a_hidden_deletion",
    "a_hidden_void",
    "a_hidden_change",
    "a_hidden_invoice",
    "a_journal_on_receivables",
)
