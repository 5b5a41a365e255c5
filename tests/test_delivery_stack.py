from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from include.triggers.notification import OUTBOX_DELIVERY
from tests.support.bookkeeper import Bookkeeper
from tests.support.cashier import Cashier
from tests.support.fixtures_local import wait_for_listener

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from tests.support.workbench import Workbench


# Less than the time to the next round of the schedule, and enough for a machine that has much else to do.
DEADLINE_SECONDS = 240


@pytest.fixture(scope="module")
def cashier(running_stack_bench: Workbench) -> Iterator[Cashier]:
    """A company of the running stack, which is paused at the end: other tests count those that are connected."""
    bench = running_stack_bench
    company = bench.imported("demo", company_id="shop")
    bench.sandbox.change_settings(company.realm_id, throttle="off")
    with Bookkeeper(bench.sandbox, company.realm_id) as books:
        taken = Cashier(bench, company, books)
        taken.map_accounts()
        yield taken
    bench.db.execute("update sync.connection set status = 'paused' where company_id = 'shop'")


def seconds_until_delivered(cashier: Cashier, payment_id: UUID) -> float:
    started = time.monotonic()
    while cashier.standing(payment_id) != ("agrees", "delivered"):
        assert time.monotonic() - started < DEADLINE_SECONDS, cashier.delivery(payment_id)
        time.sleep(0.05)
    return time.monotonic() - started


def count_runs(cashier: Cashier) -> dict[str, int]:
    """Count the deliveries of the company by what began them."""
    rows = cashier.bench.db.execute(
        "select split_part(dag_run_id, '__', 1), count(*) from sync.run"
        " where company_id = 'shop' and dag_id = 'peakflo_to_quickbooks' group by 1"
    )
    return dict(rows.fetchall())


def test_a_payment_is_in_quickbooks_seconds_after_its_commit(cashier: Cashier):
    wait_for_listener(cashier.bench.db, OUTBOX_DELIVERY)
    for invoice in cashier.invoices(5):
        payment_id = cashier.take(invoice)
        print(f"delivered after {seconds_until_delivered(cashier, payment_id):.2f} s")
        assert cashier.states(payment_id) == {"payment": ["made"]}
        assert len(cashier.in_quickbooks()[str(payment_id)]) == 1
    runs = count_runs(cashier)
    assert runs["asset_triggered"] >= 4, runs
    assert runs.get("scheduled", 0) <= 1, runs
