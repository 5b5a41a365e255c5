from __future__ import annotations

import contextlib
import os
import random
from typing import TYPE_CHECKING, Any

import pytest

from include.errors import ReceivablesError

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from tests.cashier import Cashier

PAYMENTS = int(os.environ.get("DELIVERY_CAMPAIGN_PAYMENTS", "60"))
ROUND = 30
ROUNDS_TO_END = 40
# The kind of fault, and how likely it strikes a request.
FAULTS = {
    "lost_answer": 0.08,
    "reset": 0.05,
    "truncated": 0.04,
    "malformed_json": 0.04,
    "500": 0.04,
    "503_html": 0.03,
    "429": 0.01,
}


class Campaign:
    """Payments taken, cancelled, delivered and synced in a random order, over a line that loses answers."""

    def __init__(self, cashier: Cashier, seed: int) -> None:
        self.cashier = cashier
        self.random = random.Random(seed)
        self.amounts: dict[UUID, str] = {}
        self.cancelled: set[UUID] = set()

    def break_line(self) -> None:
        realm = self.cashier.company.realm_id
        sandbox = self.cashier.bench.sandbox
        mode = self.random.choice(("honour", "ignore"))
        sandbox.change_settings(realm, requestid_mode=mode)
        for kind, probability in FAULTS.items():
            for path in ("payment", "journalentry", "query"):
                sandbox.add_fault(kind, realm=realm, path=path, probability=probability)

    def mend_line(self) -> None:
        self.cashier.bench.sandbox.clear_faults()

    def round(self, count: int) -> None:
        invoices = self.cashier.invoices(count)
        self.break_line()
        for invoice in invoices:
            self.take(invoice)
            if self.random.random() < 0.1:
                self.attempt(self.cashier.push)
            if self.random.random() < 0.05:
                self.attempt(lambda: self.cashier.bench.sync(self.cashier.company))
            if self.random.random() < 0.1:
                self.cancel()
        self.attempt(self.cashier.push)
        self.mend_line()

    def take(self, invoice: dict[str, Any]) -> None:
        amount = self.random.choice(("100", "40.25", "99.99"))
        extra = self.random.choice(({}, {}, {"processing_fee": "1.10"}))
        if amount == "99.99":
            extra = extra | {"rounding_amount": "0.01"}
        self.amounts[self.cashier.take(invoice, amount, **extra)] = amount

    def cancel(self) -> None:
        payment_id = self.random.choice(sorted(self.amounts))
        self.cashier.cancel(payment_id)
        self.cancelled.add(payment_id)

    def attempt(self, work: Callable[[], object]) -> None:
        # The line is bad: what was not done is done later.
        with contextlib.suppress(ReceivablesError):
            work()

    def finish(self) -> None:
        for _ in range(ROUNDS_TO_END):
            self.cashier.bench.sync(self.cashier.company)
            self.cashier.push()
            if not self.open():
                return
        pytest.fail(f"not finished: {self.open()}")

    def open(self) -> list[dict[str, Any]]:
        rows = self.cashier.rows("outbox.delivery", company_id=self.cashier.company.company_id)
        return [row for row in rows if row["state"] not in ("delivered", "withdrawn")]


@pytest.mark.timeout(120 + PAYMENTS)
def test_over_a_bad_line_every_payment_is_in_quickbooks_exactly_once(cashier: Cashier):
    campaign = Campaign(cashier, seed=8)
    for _ in range(PAYMENTS // ROUND):
        campaign.round(ROUND)
    campaign.finish()

    in_quickbooks = cashier.in_quickbooks()
    for payment_id, amount in campaign.amounts.items():
        records = in_quickbooks.get(str(payment_id), [])
        if payment_id in campaign.cancelled:
            assert [record for record in records if record["TotalAmt"]] == []
        else:
            assert [f"{record['TotalAmt']:.2f}" for record in records] == [f"{float(amount):.2f}"]
    entries = cashier.in_quickbooks("JournalEntry")
    assert max(len(each) for each in entries.values()) == 1
    assert not entries.keys() & {str(payment_id) for payment_id in campaign.cancelled}
    assert cashier.problems() == []
    assert lost_answers(cashier) > PAYMENTS / 20

    assert_nothing_comes_back(cashier, len(campaign.amounts))


def lost_answers(cashier: Cashier) -> int:
    return len([row for row in cashier.rows("outbox.attempt") if row["outcome"] == "unknown"])


def assert_nothing_comes_back(cashier: Cashier, taken: int) -> None:
    """Assert that the echoes are recognised: no payment of ours is there twice, and nothing is left to send."""
    own = cashier.rows("peakflo.payment", origin="peakflo")
    before = cashier.rows("peakflo.payment")
    for _ in range(3):
        cashier.bench.sync(cashier.company)
        assert cashier.push().entities == {}
    assert cashier.rows("peakflo.payment") == before
    assert len(own) == taken
    sources = [row["source_id"] for row in before if row["source_id"]]
    assert len(sources) == len(set(sources))
