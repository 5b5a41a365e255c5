"""What a reminder run has to say of each invoice, worked out in Python from what the sandbox's books hold."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from tests.truth import read_truth

if TYPE_CHECKING:
    from include.receivables.verdicts import Verdict
    from include.sandbox.control import SandboxControl

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

    def _covers(self, invoice: Json) -> set[str]:
        payments = [each for key in self._payers(invoice) for each in self._unapplied[key]]
        paid = sum((amount for amount, _ in payments), NOTHING)
        credited = sum((amount for key in self._payers(invoice) for amount, _ in self._credits[key]), NOTHING)
        needed = invoice["Balance"]
        reasons = set()
        if paid >= needed:
            reasons.add("covered_by_payment")
        if credited >= needed:
            reasons.add("covered_by_credit")
        if not reasons and paid + credited >= needed:
            reasons.add("covered")
        if reasons - {"covered_by_credit"} and any(day > self._today for _, day in payments):
            reasons.add("future_dated_payment")
        return reasons

    def _payers(self, invoice: Json) -> list[Key]:
        """Return the customer and all whom it is a sub-customer of, in the invoice's currency."""
        payers = []
        customer_id = invoice["CustomerRef"]["value"]
        while customer_id is not None:
            payers.append((customer_id, invoice["CurrencyRef"]["value"]))
            customer_id = self._customers[customer_id].get("ParentRef", {}).get("value")
        return payers

    def _is_paid_in_future(self, qbo_id: str) -> bool:
        return any(
            link["TxnType"] == "Invoice" and link["TxnId"] == qbo_id
            for payment in self._payments
            if date.fromisoformat(payment["TxnDate"]) > self._today
            for line in payment["Line"]
            for link in line["LinkedTxn"]
        )

    def _totals(self, invoice: Json) -> tuple[Decimal, Decimal]:
        same = [
            each
            for each in self._invoices.values()
            if each["CustomerRef"]["value"] == invoice["CustomerRef"]["value"]
            and each["CurrencyRef"]["value"] == invoice["CurrencyRef"]["value"]
        ]
        overdue = [each for each in same if date.fromisoformat(each["DueDate"]) < self._today]
        return (
            sum((each["Balance"] for each in same), NOTHING),
            sum((each["Balance"] for each in overdue), NOTHING),
        )

    @staticmethod
    def _money(records: list[Json], rest: str) -> dict[Key, list[tuple[Decimal, date]]]:
        """Return what is left of payments or credits, and their dates, by customer and currency."""
        money = defaultdict(list)
        for record in records:
            if record[rest] > 0:
                key = (record["CustomerRef"]["value"], record["CurrencyRef"]["value"])
                money[key].append((record[rest], date.fromisoformat(record["TxnDate"])))
        return money
