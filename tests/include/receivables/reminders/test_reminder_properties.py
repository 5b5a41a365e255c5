from __future__ import annotations

import random
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from include.receivables.reminders.check import ReminderRequest
from include.receivables.reminders.refreshing import refresh_and_judge
from tests.support.expected import peakflo_id
from tests.support.oracle import Expected, Oracle
from tests.support.truth import read_truth
from tests.support.workload import Workload

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from include.receivables.company.companies import Company
    from tests.support.bookkeeper import Bookkeeper
    from tests.support.workbench import Workbench

EVENTS = 150
DEADLINE_SECONDS = 30


@dataclass
class Customers:
    """What a company's customers do that random business events do not."""

    books: Bookkeeper
    bench: Workbench
    realm_id: str
    random: random.Random

    def act(self) -> None:
        """Do one of them, unless QuickBooks refuses it or there is nothing to do it with."""
        with suppress(AssertionError, IndexError):
            acts = (self._pay_later, self._pay_in_advance, self._pay_for_all, self._leave, self._withdraw)
            self.random.choice(acts)()

    def _pay_later(self) -> None:
        """Enter a payment of an invoice with a date in the future."""
        invoice = self._open_invoice()
        customer = invoice["CustomerRef"]["value"]
        part = str(invoice["Balance"]) if self.random.random() < 0.7 else "1.00"
        applied = ("Invoice", invoice["Id"], part)
        self.books.pay(customer, part, applied, TxnDate=self._soon(), CurrencyRef=invoice["CurrencyRef"])

    def _pay_in_advance(self) -> None:
        """Enter a payment that covers an invoice and is not applied to it, now or in the future."""
        invoice = self._open_invoice()
        when = {"TxnDate": self._soon()} if self.random.random() < 0.5 else {}
        total = str(invoice["Balance"] - self.random.choice((0, 0, 1)))
        self.books.pay(invoice["CustomerRef"]["value"], total, CurrencyRef=invoice["CurrencyRef"], **when)

    def _pay_for_all(self) -> None:
        """Enter a payment of a parent customer, or a credit for it, that is not applied."""
        children = [each for each in self._records("Customer") if "ParentRef" in each]
        parent = self.random.choice(children)["ParentRef"]["value"]
        enter = self.random.choice((self.books.pay, self.books.credit))
        enter(parent, self.random.choice(("5000", "50")))

    def _leave(self) -> None:
        """Archive a customer who once bought something and owes nothing on balance."""
        buyers = {each["CustomerRef"]["value"] for each in self._records("Invoice")}
        even = [
            each["Id"]
            for each in self._records("Customer")
            if each["Active"] and each["Id"] in buyers and each["BalanceWithJobs"] == 0
        ]
        self.books.change("Customer", self.random.choice(even), Active=False)

    def _withdraw(self) -> None:
        """Void or delete an invoice."""
        withdraw = self.random.choice((self.books.void, self.books.delete))
        withdraw("Invoice", self._open_invoice()["Id"])

    def _open_invoice(self):
        return self.random.choice([each for each in self._records("Invoice") if each["Balance"] > 0])

    def _records(self, entity: str):
        return read_truth(self.bench.sandbox, self.realm_id)["records"][entity]

    def _soon(self) -> str:
        now = datetime.fromtimestamp(self.bench.sandbox.clock()["now"], UTC)
        return (now + timedelta(days=self.random.randint(2, 40))).date().isoformat()


@dataclass
class ReminderService:
    """Asks before it reminds, about anything, and compares each verdict with the books."""

    bench: Workbench
    company: Company
    random: random.Random
    seen: Counter[str] = field(default_factory=Counter)

    def ask(self) -> None:
        """Ask about some invoices, some customers, both, or all."""
        oracle = Oracle(self.bench.sandbox, self.company.realm_id)
        known = self._known()
        invoices = self._some([each for each in oracle.invoices if each in known])
        customers = self._some(oracle.customers)
        kind = self.random.choice(("invoices", "customers", "both", "all"))
        invoices = invoices if kind in ("invoices", "both") else []
        customers = customers if kind in ("customers", "both") else []
        judgement = refresh_and_judge(
            self.bench.access,
            ReminderRequest(
                self.company.company_id,
                tuple(self._id("invoice", each) for each in invoices),
                tuple(self._id("customer", each) for each in customers),
            ),
            self.bench.run_context(),
            seconds=DEADLINE_SECONDS,
        )
        assert judgement.cause == ""
        ids = {self._id("invoice", each): each for each in oracle.invoices}
        verdicts = {ids[verdict.invoice_id]: verdict for verdict in judgement.verdicts}
        wanted = oracle.open if kind == "all" else oracle.open_of(set(customers))
        assert verdicts.keys() >= wanted | set(invoices)
        for qbo_id, verdict in verdicts.items():
            expected = oracle.expect(qbo_id)
            if verdict.verdict == "send":
                assert oracle.is_owed(qbo_id), qbo_id
            if expected.amount_due is not None:
                assert Expected.of(verdict) == expected, qbo_id
            else:
                assert (verdict.verdict, verdict.amount_due) == ("hold", None), qbo_id
                assert "deleted" in Expected.of(verdict).reasons
            self.seen.update([verdict.verdict, *Expected.of(verdict).reasons])

    def _known(self) -> set[str]:
        """Return the Ids of the invoices that Peakflo knows, so that they can be asked about."""
        statement = "select qbo_id from mapping.invoice where realm_id = %s"
        return {row[0] for row in self.bench.db.execute(statement, [self.company.realm_id])}

    def _some(self, qbo_ids: list[str]) -> list[str]:
        return self.random.sample(qbo_ids, min(len(qbo_ids), self.random.choice((1, 5, 40))))

    def _id(self, table: str, qbo_id: str) -> UUID:
        found = peakflo_id(self.company.realm_id, table, qbo_id)
        assert found is not None
        return found


@pytest.mark.intuit_changes
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_each_verdict_is_what_the_books_say(
    bench: Workbench, keep_books: Callable[[Company], Bookkeeper], seed: int
):
    company = bench.imported()
    chance = random.Random(seed)
    customers = Customers(keep_books(company), bench, company.realm_id, chance)
    service = ReminderService(bench, company, chance)
    for _ in Workload(bench, company, seed).chunks(EVENTS, most=25):
        for _ in range(3):
            customers.act()
        if chance.random() < 0.4:
            bench.sync(company)
        service.ask()

    assert service.seen.keys() >= {
        "send", "paid", "voided", "deleted", "customer_archived", "future_dated_payment", "covered_by_payment",
    }  # fmt: skip
    assert service.seen["unknown"] == 0
    print(service.seen)
