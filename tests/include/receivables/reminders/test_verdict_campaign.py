"""
No reminder goes out for what is settled in any way, judged against the sandbox's ledger; and judged again from the
evidence, each verdict is the same.

Small by default; ``VERDICT_CAMPAIGN_INVOICES=1000000 VERDICT_CAMPAIGN_SEEDS=1,2`` for a campaign.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from include.receivables.reminders.check import ReminderRequest
from include.receivables.reminders.refreshing import refresh_and_judge
from include.receivables.reminders.verdict_replay import replay
from tests.support.oracle import Expected, Oracle

if TYPE_CHECKING:
    from uuid import UUID

    from include.receivables.company.companies import Company
    from tests.support.workbench import Workbench

INVOICES = int(os.environ.get("VERDICT_CAMPAIGN_INVOICES", "3000"))
SEEDS = [int(seed) for seed in os.environ.get("VERDICT_CAMPAIGN_SEEDS", "1,2").split(",")]
BOOKS = {"customers": 120, "invoices": 900, "payments": 350}
# A campaign's books are larger, so that each reading brings more to judge.
LARGE_BOOKS = {"customers": 600, "invoices": 6000, "payments": 2500}
IS_LARGE = INVOICES > 100_000
EVENTS = 60
# What settles invoices otherwise than by payments and credit memos is as common as those, and often linked to them.
WEIGHTS = {"journal": 12, "deposit": 10, "check": 10, "merge": 4, "new_sub_customer": 8, "pay_journal": 4}
WEIGHTS |= {"settle_other": 20, "edit_other": 4, "delete_other": 4}


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_that_is_settled_in_any_way_is_reminded_of(bench: Workbench, seed: int):
    company = bench.imported(LARGE_BOOKS if IS_LARGE else BOOKS)
    chance = random.Random(seed)
    judged: Counter[str] = Counter()
    while judged["send"] + judged["hold"] < INVOICES / len(SEEDS):
        bench.sandbox.events(company.realm_id, EVENTS, chance.randrange(10**6), **WEIGHTS)
        if chance.random() < 0.3:
            bench.sync(company)
        judged += judge_all(bench, company)
        bench.sandbox.advance_clock(chance.choice((0, 1, 90, 1500)))

    # Of large books the changes come in several answers: what changed in the second of the first is in doubt.
    assert judged["unknown"] <= (INVOICES / len(SEEDS) / 20 if IS_LARGE else 0)
    assert judged["covered_by_other"]
    replayed = replay(bench.db)
    assert (replayed.differences, set(replayed.counts)) == ([], {"same"})
    print(seed, dict(judged))


def judge_all(bench: Workbench, company: Company) -> Counter[str]:
    """Judge all open invoices, and compare each verdict with the ledger."""
    request = ReminderRequest(company.company_id)
    judgement = refresh_and_judge(bench.access, request, bench.run_context(), seconds=120)
    assert judgement.cause == ""
    oracle = Oracle(bench.sandbox, company.realm_id)
    qbo_ids = known(bench, company)
    seen: Counter[str] = Counter()
    for verdict in judgement.verdicts:
        qbo_id = qbo_ids[verdict.invoice_id]
        if verdict.verdict == "send":
            assert oracle.is_owed(qbo_id), (qbo_id, verdict)
        expected, said = oracle.expect(qbo_id), Expected.of(verdict)
        if "deleted" not in expected.reasons and said.reasons != {"unexplained_balance"}:
            assert said == expected, qbo_id
        seen.update([verdict.verdict, *said.reasons])
    assert {qbo_ids[verdict.invoice_id] for verdict in judgement.verdicts} >= oracle.open
    return seen


def known(bench: Workbench, company: Company) -> dict[UUID, str]:
    """Return QuickBooks' Ids of the invoices by Peakflo's."""
    statement = "select peakflo_id, qbo_id from mapping.invoice where realm_id = %s"
    return dict(bench.db.execute(statement, [company.realm_id]).fetchall())
