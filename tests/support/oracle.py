"""What a reminder run has to say of each invoice, worked out in Python from what the sandbox's books hold."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from tests.support.truth import read_truth

if TYPE_CHECKING:
    from include.receivables.reminders.verdicts import Verdict
    from sandbox.control import SandboxControl

Json = dict[str, Any]
Key = tuple[str, str]

NOTHING = Decimal(0)
# The sandbox's companies name no time zone, so theirs is QuickBooks' own.
ZONE = ZoneInfo("America/Los_Angeles")


@dataclass(frozen=True)
class Expected:
    """The verdict on one invoice; the totals are those of its customer in its currency."""

    verdict: str
    reasons: frozenset[str]
    amount_due: Decimal | None
    total_due: Decimal | None
    total_overdue: Decimal | None

    @classmethod
    def of(cls, verdict: Verdict) -> Expected:
        """Return what a verdict says, in the same form."""
        codes = [reason.code for reason in verdict.reasons]
        assert len(codes) == len(set(codes))
        return cls(
            verdict.verdict,
            frozenset(codes),
            verdict.amount_due,
            verdict.total_due,
            verdict.total_overdue,
        )


class Oracle:
    """
    Knows one company's books as they are now.

    :param sandbox: the sandbox that holds them.
    """

    def __init__(self, sandbox: SandboxControl, realm_id: str) -> None:
        truth = read_truth(sandbox, realm_id)
        records = truth["records"]
        self._today = datetime.fromtimestamp(sandbox.clock()["now"], ZONE).date()
        self._deleted = set(truth["deleted"]["Invoice"])
        self._invoices = {record["Id"]: record for record in records["Invoice"]}
        self._customers = {record["Id"]: record for record in records["Customer"]}
        self._payments = records["Payment"]
        self._unapplied = self._money(records["Payment"], "UnappliedAmt")
        self._credits = self._money(records["CreditMemo"], "RemainingCredit")
        self._owed = defaultdict(
            Decimal, {each: Decimal(owed) for each, owed in truth["receivables"].items()}
        )
        self._open: dict[str, Decimal] = defaultdict(Decimal)
        self._due: dict[Key, Decimal] = defaultdict(Decimal)
        self._overdue: dict[Key, Decimal] = defaultdict(Decimal)
        for record in records["Invoice"]:
            customer, currency = record["CustomerRef"]["value"], record["CurrencyRef"]["value"]
            self._open[customer] += record["Balance"]
            self._due[customer, currency] += record["Balance"]
            if date.fromisoformat(record["DueDate"]) < self._today:
                self._overdue[customer, currency] += record["Balance"]
        self._billed_to: dict[str, list[str]] = defaultdict(list)
        for each in records["Customer"]:
            if each.get("BillWithParent") and "ParentRef" in each:
                self._billed_to[each["ParentRef"]["value"]].append(each["Id"])

    @property
    def invoices(self) -> list[str]:
        """The Ids of all invoices, deleted ones included."""
        return [*self._invoices, *self._deleted]

    @property
    def open(self) -> set[str]:
        """The Ids of the open invoices."""
        return {qbo_id for qbo_id, record in self._invoices.items() if record["Balance"] > 0}

    @property
    def customers(self) -> list[str]:
        """The Ids of all customers, inactive ones included."""
        return list(self._customers)

    def open_of(self, customers: set[str]) -> set[str]:
        """Return the Ids of some customers' open invoices."""
        return {each for each in self.open if self._invoices[each]["CustomerRef"]["value"] in customers}

    def expect(self, qbo_id: str) -> Expected:
        """Return the right verdict on an invoice."""
        invoice = self._invoices.get(qbo_id)
        if invoice is None:
            assert qbo_id in self._deleted
            return Expected("hold", frozenset({"deleted"}), None, None, None)
        customer = self._customers[invoice["CustomerRef"]["value"]]
        reasons = set() if customer["Active"] else {"customer_archived"}
        if invoice["Balance"] > 0:
            reasons |= self._covers(invoice)
        elif invoice["TotalAmt"] == 0 and invoice.get("PrivateNote", "").startswith("Voided"):
            reasons.add("voided")
        else:
            reasons.add("paid")
            reasons |= {"future_dated_payment"} if self._is_paid_in_future(qbo_id) else set()
        due, overdue = self._totals(invoice)
        return Expected("hold" if reasons else "send", frozenset(reasons), invoice["Balance"], due, overdue)

    def is_owed(self, qbo_id: str) -> bool:
        """
        Tell by the ledger alone whether an invoice is owed: whatever else is posted does not pay for it.

        That is so if, were all other invoices left unpaid, whoever may pay would still owe something.
        """
        invoice = self._invoices[qbo_id]
        payers = self._payers(invoice)
        groups = [payers[:length] for length in range(1, len(payers) + 1)]
        family = self._family(invoice)
        return all(
            sum((self._owed[each] - self._open[each] for each in group), invoice["Balance"]) > 0
            for group in ([*groups, family] if family else groups)
        )

    def _covers(self, invoice: Json) -> set[str]:
        payments: list[tuple[Decimal, date]] = []
        paid = credited = other = NOTHING
        family = self._family(invoice)
        spare = sum((self._open[each] - self._owed[each] for each in family), NOTHING)
        readings: list[tuple[Decimal, Decimal, Decimal, Decimal, list[tuple[Decimal, date]]]] = []
        if family:
            readings.append((spare, NOTHING, NOTHING, spare, []))
        for customer in self._payers(invoice):
            key = (customer, invoice["CurrencyRef"]["value"])
            payments += self._unapplied[key]
            of_payments = sum((amount for amount, _ in self._unapplied[key]), NOTHING)
            of_credits = sum((amount for amount, _ in self._credits[key]), NOTHING)
            paid, credited = paid + of_payments, credited + of_credits
            other += self._open[customer] - self._owed[customer] - of_payments - of_credits
            readings.append((paid + credited + other, paid, credited, other, list(payments)))
        needed = invoice["Balance"]
        cover, paid, credited, other, counted = max(reversed(readings), key=lambda reading: reading[0])
        if cover < needed:
            return set()
        used_up = min(other, NOTHING)
        reasons = set()
        if paid + used_up >= needed:
            reasons.add("covered_by_payment")
        if credited + used_up >= needed:
            reasons.add("covered_by_credit")
        if other >= needed:
            reasons.add("covered_by_other")
        reasons = reasons or {"covered"}
        if reasons & {"covered_by_payment", "covered"} and any(day > self._today for _, day in counted):
            reasons.add("future_dated_payment")
        return reasons

    def _payers(self, invoice: Json) -> list[str]:
        """Return the customer and all whom it is a sub-customer of, as far as they pay in the invoice's currency."""
        payers = [invoice["CustomerRef"]["value"]]
        while (parent := self._customers[payers[-1]].get("ParentRef")) is not None:
            payers.append(parent["value"])
        currency = invoice["CurrencyRef"]["value"]
        return [each for each in payers if self._customers[each]["CurrencyRef"]["value"] == currency]

    def _family(self, invoice: Json) -> list[str]:
        """Return all who are billed together with the customer; none for one who gets its own bills."""
        head = customer = invoice["CustomerRef"]["value"]
        while self._customers[head].get("BillWithParent") and "ParentRef" in self._customers[head]:
            head = self._customers[head]["ParentRef"]["value"]
        return [] if head == customer else self._billed_by(head)

    def _billed_by(self, head: str) -> list[str]:
        return [head, *(member for child in self._billed_to[head] for member in self._billed_by(child))]

    def _is_paid_in_future(self, qbo_id: str) -> bool:
        return any(
            link["TxnType"] == "Invoice" and link["TxnId"] == qbo_id
            for payment in self._payments
            if date.fromisoformat(payment["TxnDate"]) > self._today
            for line in payment["Line"]
            for link in line["LinkedTxn"]
        )

    def _totals(self, invoice: Json) -> tuple[Decimal, Decimal]:
        key = (invoice["CustomerRef"]["value"], invoice["CurrencyRef"]["value"])
        return self._due[key], self._overdue[key]

    @staticmethod
    def _money(records: list[Json], rest: str) -> dict[Key, list[tuple[Decimal, date]]]:
        """Return what is left of payments or credits, and their dates, by customer and currency."""
        money = defaultdict(list)
        for record in records:
            if record[rest] > 0:
                key = (record["CustomerRef"]["value"], record["CurrencyRef"]["value"])
                money[key].append((record[rest], date.fromisoformat(record["TxnDate"])))
        return money
