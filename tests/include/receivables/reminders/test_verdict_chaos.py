"""
No reminder goes out for what is settled, whatever QuickBooks fails at; once it answers again, all verdicts are right.

Small by default; ``VERDICT_CHAOS_ROUNDS=1000 VERDICT_CHAOS_SEEDS=1,2`` for more.
"""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from include.errors import ReceivablesError
from include.receivables.reminders.check import ReminderRequest
from include.receivables.reminders.refreshing import refresh_and_judge
from tests.include.receivables.reminders.test_verdict_campaign import WEIGHTS, judge_all, known
from tests.support.oracle import Oracle
from tests.support.quick_start import let_an_hour_pass, pass_the_pause

if TYPE_CHECKING:
    from include.receivables.company.companies import Company
    from tests.support.workbench import Workbench

ROUNDS = int(os.environ.get("VERDICT_CHAOS_ROUNDS", "8"))
SEEDS = [int(seed) for seed in os.environ.get("VERDICT_CHAOS_SEEDS", "1").split(",")]
BOOKS = {"customers": 40, "invoices": 200, "payments": 60}
EVENTS = 25
FAULTS = ("500", "503_html", "429", "401", "reset", "malformed_json", "truncated")
ENTITIES = ("Customer", "Invoice", "Payment", "CreditMemo")
AMOUNTS = {"Customer": "Balance", "Invoice": "Balance", "Payment": "UnappliedAmt", "CreditMemo": "Balance"}
CHANGES = {**WEIGHTS, "merge": 12, "inactivate": 4, "reactivate": 4}


class Trouble:
    """Lets QuickBooks fail in ways that a seed decides; what it fails at may last over several rounds."""

    def __init__(self, bench: Workbench, company: Company, chance: random.Random) -> None:
        self._sandbox = bench.sandbox
        self._realm_id = company.realm_id
        self._chance = chance

    def make(self) -> None:
        """Let something fail from now on, or not any more."""
        self._sandbox.clear_faults()
        self._sandbox.change_settings(self._realm_id, merge_versions=self._chance.random() < 0.5)
        if self._chance.random() < 0.3:
            self._sandbox.serve_truth(self._realm_id)
        if self._chance.random() < 0.5:
            self._fail_at_a_record()
        if self._chance.random() < 0.5:
            self._fail_at_calls()

    def end(self) -> None:
        """Let QuickBooks answer again."""
        self._sandbox.clear_faults()
        self._sandbox.serve_truth(self._realm_id)

    def _fail_at_a_record(self) -> None:
        held = self._sandbox.truth(self._realm_id, records=True)["records"]
        entity = self._chance.choice([entity for entity in ENTITIES if held[entity]])
        record_id = self._chance.choice(held[entity])["Id"]
        if self._chance.random() < 0.5:
            self._sandbox.poison(self._realm_id, entity, record_id)
        else:
            self._sandbox.serve(self._realm_id, entity, record_id, drop=[AMOUNTS[entity]])

    def _fail_at_calls(self) -> None:
        self._sandbox.add_fault(
            self._chance.choice(FAULTS),
            realm=self._realm_id,
            path=self._chance.choice(("cdc", "query", "")),
            entity=self._chance.choice(("", "Invoice", "Customer")),
            probability=self._chance.choice((0.2, 0.5, 1.0)),
        )


@pytest.mark.intuit_changes
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_settled_is_reminded_of_whatever_fails(bench: Workbench, sandbox_profile: str, seed: int):
    company = bench.imported(BOOKS)
    chance = random.Random(seed)
    trouble = Trouble(bench, company, chance)
    sent = 0
    for _ in range(ROUNDS):
        trouble.make()
        bench.sandbox.events(company.realm_id, EVENTS, chance.randrange(10**6), **CHANGES)
        if chance.random() < 0.4:
            sync_if_possible(bench, company)
        sent += count_sent(bench, company)
        bench.sandbox.advance_clock(chance.choice((0, 1, 90, 1500)))

    trouble.end()
    let_an_hour_pass(bench.db)
    pass_the_pause(bench.db)
    bench.sync(company)
    if sandbox_profile:
        # Without an order, what QuickBooks fails at in a list has no name, and only an import proves that it is back.
        bench.import_all(company)
    assert "send" in judge_all(bench, company)
    print(seed, sent)


def sync_if_possible(bench: Workbench, company: Company) -> None:
    try:
        bench.sync(company)
    except ReceivablesError:
        bench.sandbox.clear_faults()


def count_sent(bench: Workbench, company: Company) -> int:
    """Ask about all open invoices, and check with the ledger that those are owed that are to be reminded of."""
    request = ReminderRequest(company.company_id)
    judgement = refresh_and_judge(bench.access, request, bench.run_context(), seconds=20)
    oracle, qbo_ids = Oracle(bench.sandbox, company.realm_id), known(bench, company)
    sent = [verdict for verdict in judgement.verdicts if verdict.verdict == "send"]
    for verdict in sent:
        assert oracle.is_owed(qbo_ids[verdict.invoice_id]), verdict
    return len(sent)
