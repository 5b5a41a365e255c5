from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psycopg
import pytest

from include.triggers.notification import OUTBOX_DELIVERY
from sandbox.control import SandboxControl
from tests.support.bookkeeper import Bookkeeper
from tests.support.cashier import Cashier
from tests.support.fixtures_local import wait_for_listener
from tests.support.other_process import Keys
from tests.support.workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from tests.support.fixtures_local import RunningStack

# The database wakes the DAG: the next round of its schedule is up to 300 seconds away.
SOON_SECONDS = 30


@pytest.fixture(scope="module")
def cashier(running_stack: RunningStack) -> Iterator[Cashier]:
    """A company of the running stack, which is paused at the end: other tests count those that are connected."""
    sandbox = SandboxControl(running_stack.sandbox_url)
    keys = Keys.of(sandbox, running_stack.database_url, running_stack.env["AIRFLOW__CORE__FERNET_KEY"])
    with psycopg.connect(running_stack.database_url, autocommit=True) as db:
        bench = Workbench(keys.access(), sandbox, db)
        company = bench.imported("demo", company_id="shop")
        sandbox.change_settings(company.realm_id, throttle="off")
        with Bookkeeper(sandbox, company.realm_id) as books:
            taken = Cashier(bench, company, books)
            taken.map_accounts()
            yield taken
        db.execute("update sync.connection set status = 'paused' where company_id = 'shop'")


def seconds_until_delivered(cashier: Cashier, payment_id: UUID) -> float:
    started = time.monotonic()
    while cashier.standing(payment_id) != ("agrees", "delivered"):
        assert time.monotonic() - started < SOON_SECONDS, cashier.delivery(payment_id)
        time.sleep(0.05)
    return time.monotonic() - started


def test_a_payment_is_in_quickbooks_seconds_after_its_commit(cashier: Cashier):
    wait_for_listener(cashier.bench.db, OUTBOX_DELIVERY)
    for invoice in cashier.invoices(5):
        payment_id = cashier.take(invoice)
        print(f"delivered after {seconds_until_delivered(cashier, payment_id):.2f} s")
        assert cashier.states(payment_id) == {"payment": ["made"]}
        assert len(cashier.in_quickbooks()[str(payment_id)]) == 1
