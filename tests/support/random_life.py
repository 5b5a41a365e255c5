"""Random life on both sides of Peakflo's payments."""

from __future__ import annotations

import random
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from psycopg.errors import CheckViolation

from include.errors import ConfigurationError, ReceivablesError
from include.receivables.outbound import decisions

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from tests.support.cashier import Cashier

Json = dict[str, Any]


@dataclass
class Life:
    """
    Random life on both sides: a bookkeeper in QuickBooks, Peakflo's service, and a person who decides.

    :param seed: makes the order of what happens repeatable.
    """

    cashier: Cashier
    seed: int
    taken: list[UUID] = field(default_factory=list)
    done: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self._event_seeds = iter(range(self.seed * 10_000, self.seed * 10_000 + 10_000))
        self._kinds: dict[Callable[[], bool], int] = {
            self.business: 45,
            self.take: 20,
            self.cancel: 7,
            self.take_up: 6,
            self.edit: 5,
            self.edit_back: 2,
            self.touch_payment: 6,
            self.touch_entry: 4,
            self.decide: 5,
        }

    def happen(self, count: int) -> None:
        """Let a number of things happen; what is refused is no event."""
        while count:
            [kind] = self.random.choices(list(self._kinds), list(self._kinds.values()))
            if kind():
                count -= 1
                self.done[kind.__name__] += 1

    def happen_only(self, *names: str) -> None:
        """Let nothing else happen than these, one as likely as the other."""
        self._kinds = dict.fromkeys((getattr(self, name) for name in names), 1)

    def push_over_a_bad_line(self) -> bool:
        """Deliver what is due, while an answer gets lost, or a request, or QuickBooks breaks down."""
        sandbox = self.cashier.bench.sandbox
        kind, path = (
            self.random.choice(("lost_answer", "reset", "500")),
            self.random.choice(("payment", "journalentry")),
        )
        sandbox.add_fault(kind, realm=self.cashier.company.realm_id, path=path, method="POST", count=1)
        self.push()
        sandbox.clear_faults()
        return True

    def sync(self) -> bool:
        """Sync."""
        self.cashier.bench.sync(self.cashier.company)
        return True

    def push(self) -> bool:
        """Deliver what is due."""
        with suppress(ReceivablesError):
            self.cashier.push()
        return True

    def cycle(self) -> None:
        """Sync and deliver, in either order; what fails is done by the next cycle."""
        work = [lambda: self.cashier.bench.sync(self.cashier.company), self.cashier.push]
        self.random.shuffle(work)
        for each in work:
            with suppress(ReceivablesError):
                each()

    def rest(self, cycles: int = 6) -> None:
        """Let both sides come to rest."""
        for _ in range(cycles):
            self.cashier.bench.sync(self.cashier.company)
            self.cashier.push()

    def business(self) -> bool:
        """Something of everything that happens in books, also to Peakflo's payments."""
        realm = self.cashier.company.realm_id
        return bool(self.cashier.bench.sandbox.events(realm, 1, next(self._event_seeds)))

    def take(self) -> bool:
        """Take a payment for an open invoice, or more than one can carry."""
        rows = self.cashier.bench.db.execute(
            "select source_id from peakflo.invoice where company_id = %s and status = 'sent' and deleted_at is null "
            "order by source_id",
            [self.cashier.company.company_id],
        ).fetchall()
        if not rows:
            return False
        invoice = self.cashier.invoice(self.random.choice(rows)[0])
        due = invoice["amount_due"]
        part = (due * self.random.choice((25, 50, 100, 100, 100)) / 100).quantize(Decimal("0.01"))
        extra: Json = {"currency": invoice["currency"]}
        if self.random.random() < 0.3:
            extra["processing_fee"] = min(part, Decimal("0.35"))
        if part > 1 and self.random.random() < 0.2:
            part -= Decimal("0.05")
            extra["rounding_amount"] = Decimal("0.05")
        with suppress(CheckViolation):
            self.taken.append(self.cashier.take(invoice, str(part), **extra))
            return True
        return False

    def cancel(self) -> bool:
        """Cancel a payment in Peakflo."""
        return self._update("set status = 'voided' where status = 'active'")

    def take_up(self) -> bool:
        """Make a cancelled payment count again."""
        return self._update("set status = 'active' where status = 'voided'")

    def edit(self) -> bool:
        """Change a payment's money."""
        change = self.random.choice(
            (
                "amount = amount + 1",
                "processing_fee = 0.20",
                "payment_date = payment_date - 1",
                "note = 'edited'",
            )
        )
        return self._update(f"set {change} where status = 'active' and amount > 1")

    def edit_back(self) -> bool:
        """Change a payment's money back."""
        return self._update("set amount = amount - 1 where status = 'active' and amount > 2")

    def _update(self, change: str) -> bool:
        if not self.taken:
            return False
        key = self.random.choice(self.taken)
        with suppress(CheckViolation):
            statement = f"update peakflo.payment {change} and id = %s"
            return self.cashier.bench.db.execute(statement, [key]).rowcount == 1  # type: ignore[arg-type]
        return False

    def touch_payment(self) -> bool:
        """Change, void or delete one of Peakflo's payments in QuickBooks."""
        records = self._own("Payment")
        if not records:
            return False
        record = self.random.choice(records)
        how = self.random.choice(("void", "delete", "unapply", "restore", "number"))
        return self._write(lambda: self._touch_payment(record, how))

    def _touch_payment(self, record: Json, how: str) -> None:
        bookkeeper = self.cashier.books
        if how == "unapply":
            bookkeeper.change("Payment", record["Id"], Line=[])
        elif how == "number":
            bookkeeper.change("Payment", record["Id"], PaymentRefNum="cheque 7")
        elif how == "restore":
            rows = self.cashier.rows("outbox.record", document="payment", qbo_id=record["Id"])
            sent = next((row["payload"] or row["response"] for row in rows), record)
            bookkeeper.change("Payment", record["Id"], TotalAmt=sent["TotalAmt"], Line=sent["Line"])
        else:
            getattr(bookkeeper, how)("Payment", record["Id"])

    def touch_entry(self) -> bool:
        """Change or delete one of Peakflo's journal entries in QuickBooks."""
        entries = self._own("JournalEntry")
        if not entries:
            return False
        entry = self.random.choice(entries)
        if self.random.random() < 0.5:
            return self._write(lambda: self.cashier.books.delete("JournalEntry", entry["Id"]))
        lines = [{**line, "Amount": float(line["Amount"]) * 2} for line in entry["Line"]]
        return self._write(lambda: self.cashier.books.change("JournalEntry", entry["Id"], Line=lines))

    def decide(self) -> bool:
        """Retry or ignore a payment, where that can be decided."""
        if not self.taken:
            return False
        payment_id = self.random.choice(self.taken)
        choice = self.random.choice((decisions.retry, decisions.retry, decisions.ignore))
        with suppress(ConfigurationError):
            choice(self.cashier.bench.db, self.cashier.company, payment_id, by="test")
            return True
        return False

    def _own(self, entity: str) -> list[Json]:
        records = [record for each in self.cashier.in_quickbooks(entity).values() for record in each]
        return sorted(records, key=lambda record: int(record["Id"]))

    def _write(self, work: Callable[[], object]) -> bool:
        # QuickBooks refuses what its rules forbid.
        with suppress(AssertionError):
            work()
            return True
        return False
