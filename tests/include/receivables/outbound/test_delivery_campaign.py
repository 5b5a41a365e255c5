from __future__ import annotations

import logging
import os
import time
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from tests.support.cashier import Cashier
from tests.support.delivery_campaign import INVOICED, MOST_LIKELY, Campaign
from tests.support.delivery_trace import Trace
from tests.support.killing import preloaded
from tests.support.workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.context import ForkServerContext as Processes
    from pathlib import Path

    import psycopg

    from include.receivables.company.companies import Company
    from sandbox.control import SandboxControl
    from tests.support.bookkeeper import Bookkeeper
    from tests.support.delivery_ledger import Ledger
    from tests.support.other_process import Keys

PAYMENTS = int(os.environ.get("DELIVERY_CAMPAIGN_PAYMENTS", "40"))
SEED = int(os.environ.get("DELIVERY_CAMPAIGN_SEED", "8"))
COMPANIES = 4
KINDS_OF_FAULT = 15

logger = logging.getLogger(__name__)


@pytest.fixture
def trace(db_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trace:
    watching = Trace(db_url, tmp_path / "requests")
    watching.watch_here(monkeypatch)
    return watching


@pytest.fixture(scope="module")
def processes() -> Processes:
    return preloaded("tests.support.delivery_worker")


@pytest.fixture
def cashiers(
    keys: Keys, sandbox: SandboxControl, db: psycopg.Connection, keep_books: Callable[[Company], Bookkeeper]
) -> list[Cashier]:
    bench = Workbench(keys.access(), sandbox, db)
    opened = [bench.imported("empty") for _ in range(COMPANIES)]
    return [Cashier(bench, company, keep_books(company)) for company in opened]


@pytest.mark.timeout(240 + PAYMENTS)
def test_whatever_breaks_every_payment_is_in_quickbooks_exactly_once(
    cashiers: list[Cashier], keys: Keys, processes: Processes, trace: Trace
):
    started = time.monotonic()
    campaign = Campaign(cashiers, keys, processes, trace, SEED)
    campaign.run(PAYMENTS)
    seconds = time.monotonic() - started

    assert not campaign.is_under_way()
    standings = {(row["kind"], row["code"]) for row in cashiers[0].rows("outbox.delivery")}
    assert standings == {("agrees", "delivered"), ("agrees", "cancelled")}
    states = {row["state"] for row in cashiers[0].rows("outbox.record")}
    assert states <= {"made", "undone", "absent"}
    assert trace.objections(cashiers[0].bench.db) == []
    for ledger in campaign.ledgers:
        assert_each_once(campaign, ledger)
        assert_books_agree(campaign, ledger)
        assert_nothing_comes_back(ledger.cashier)
    moves = cashiers[0].rows("outbox.move")
    logger.info(
        "%d payments, %d cancelled, seed %d, %.0f s, %d moves, struck: %s",
        len(campaign.taken), len(campaign.cancelled), SEED, seconds, len(moves), dict(campaign.happened),
    )  # fmt: skip
    if PAYMENTS >= 30:
        assert len([row for row in moves if row["to_state"] == "unknown"]) > PAYMENTS / 20
    if PAYMENTS >= 500:
        assert len(campaign.happened) == KINDS_OF_FAULT + 1  # disconnecting is no fault
        assert min(campaign.happened.values()) > 5


def assert_each_once(campaign: Campaign, ledger: Ledger) -> None:
    """Assert that QuickBooks has what counts once each, and nothing else of Peakflo's."""
    cashier, active = ledger.cashier, campaign.active(ledger.cashier)
    records = cashier.in_quickbooks()
    live = {name: [each["TotalAmt"] for each in found if each["TotalAmt"]] for name, found in records.items()}
    assert {name: totals for name, totals in live.items() if totals} == {
        str(payment_id): [taken.amount] for payment_id, taken in active.items()
    }
    assert all(len(found) == 1 for found in records.values())
    entries = cashier.in_quickbooks("JournalEntry")
    assert {name: len(found) for name, found in entries.items()} == {
        str(payment_id): 1 for payment_id, taken in active.items() if taken.extra
    }
    assert ledger.paid() == {taken.invoice["source_id"]: [taken.amount] for taken in active.values()}


def assert_books_agree(campaign: Campaign, ledger: Ledger) -> None:
    """Assert that both sides' books are right to the cent."""
    cashier = ledger.cashier
    assert ledger.moved() == ledger.expected(campaign.active(cashier).values())
    assert ledger.is_balanced
    cashier.bench.sync(cashier.company)
    for payment_id, taken in campaign.taken.items():
        if taken.cashier is cashier:
            settled = 0 if payment_id in campaign.cancelled else taken.settled
            due = cashier.invoice(taken.invoice["source_id"])["amount_due"]
            assert due == Decimal(INVOICED) - settled


def assert_nothing_comes_back(cashier: Cashier) -> None:
    """Assert that the echoes are recognised: no payment of ours is there twice, and nothing is left to send."""
    assert cashier.problems() == []
    before = cashier.rows("peakflo.payment", company_id=cashier.company.company_id)
    for _ in range(3):
        cashier.bench.sync(cashier.company)
        assert cashier.push().entities == {}
    assert cashier.rows("peakflo.payment", company_id=cashier.company.company_id) == before
    assert all(row["origin"] == "peakflo" for row in before)
    sources = [row["source_id"] for row in before if row["source_id"]]
    assert len(sources) == len(set(sources))


def test_without_the_three_keys_payments_are_there_twice(
    cashiers: list[Cashier], keys: Keys, processes: Processes, trace: Trace
):
    """The control: the same campaign, but QuickBooks gets to see neither request id nor reference nor marker."""
    campaign = Campaign(cashiers, keys, processes, trace, SEED, is_keyless=True, least_likely=MOST_LIKELY)
    campaign.run(40)
    paid = [payments for ledger in campaign.ledgers for payments in ledger.paid().values()]
    logger.info("%d of %d payments are there more than once", sum(len(each) > 1 for each in paid), len(paid))
    assert max(map(len, paid)) > 1
    assert any(
        ledger.moved() != ledger.expected(campaign.active(ledger.cashier).values())
        for ledger in campaign.ledgers
    )
