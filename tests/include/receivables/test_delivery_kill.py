from __future__ import annotations

import multiprocessing
import signal
import time
from typing import TYPE_CHECKING

import pytest
from cryptography.fernet import Fernet

from tests import killed_delivery
from tests.cashier import Cashier
from tests.other_process import Keys
from tests.workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.context import ForkServerContext as Processes
    from uuid import UUID

    import psycopg

    from include.receivables.companies import Company
    from include.sandbox.control import SandboxControl
    from tests.bookkeeper import Bookkeeper

PATIENCE = 20  # seconds
MOST_STEPS = 60
# How QuickBooks treats a repeated request id.
MEMORIES = {
    "honoured": {"requestid_mode": "honour"},
    "ignored": {"requestid_mode": "ignore"},
    "expired": {"requestid_mode": "honour", "requestid_window_seconds": 0},
}


@pytest.fixture
def keys(sandbox: SandboxControl, db_url: str) -> Keys:
    return Keys.of(sandbox, db_url, Fernet.generate_key().decode())


@pytest.fixture
def bench(keys: Keys, sandbox: SandboxControl, db: psycopg.Connection) -> Workbench:
    """The usual bench, with keys that other processes can be told."""
    return Workbench(keys.access(), sandbox, db)


@pytest.fixture
def cashier(bench: Workbench, keep_books: Callable[[Company], Bookkeeper]) -> Cashier:
    company = bench.imported("demo", company_id="acme")
    taken = Cashier(bench, company, keep_books(company))
    taken.map_accounts()
    return taken


@pytest.fixture(scope="module")
def processes() -> Processes:
    """Starts processes in milliseconds: everything is imported once, before the fork."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.killed_delivery"])
    return context


def push_and_die(processes: Processes, keys: Keys, steps: int) -> int | None:
    """Deliver in another process that is killed at a step; a lock of the one before it is waited for."""
    deadline = time.monotonic() + PATIENCE
    while True:
        process = processes.Process(target=killed_delivery.push, args=(keys, "acme", steps))
        process.start()
        process.join(PATIENCE)
        if process.exitcode != killed_delivery.BUSY:
            return process.exitcode
        assert time.monotonic() < deadline


def deliver_in_the_end(processes: Processes, keys: Keys, cashier: Cashier, payment_id: UUID) -> None:
    for _ in range(3):
        push_and_die(processes, keys, steps=0)
        if set(cashier.states(payment_id).values()) == {"delivered"}:
            return
    pytest.fail(f"not delivered: {cashier.rows('outbox.delivery', payment_id=payment_id)}")


def count_in_quickbooks(cashier: Cashier, payment_id: UUID) -> tuple[int, int]:
    payments, entries = cashier.in_quickbooks(), cashier.in_quickbooks("JournalEntry")
    return len(payments.get(str(payment_id), [])), len(entries.get(str(payment_id), []))


@pytest.mark.parametrize("memory", MEMORIES)
def test_a_delivery_killed_at_any_step_is_made_exactly_once(
    cashier: Cashier, keys: Keys, processes: Processes, memory: str
):
    cashier.bench.sandbox.change_settings(cashier.company.realm_id, **MEMORIES[memory])
    invoices = cashier.invoices(MOST_STEPS)
    killed = 0
    for steps, invoice in enumerate(invoices, start=1):
        payment_id = cashier.take(invoice, "97", processing_fee="2", rounding_amount="3")
        if push_and_die(processes, keys, steps) != -signal.SIGKILL:
            break
        killed += 1
        deliver_in_the_end(processes, keys, cashier, payment_id)
        assert count_in_quickbooks(cashier, payment_id) == (1, 1), steps
    assert 20 < killed < MOST_STEPS
    assert cashier.problems() == []
    cashier.bench.sync(cashier.company)
    assert {cashier.invoice(each["source_id"])["amount_due"] for each in invoices[:killed]} == {0}


@pytest.mark.parametrize("memory", MEMORIES)
def test_a_delivery_found_half_a_day_after_the_kill_is_adopted_or_left_to_a_person(
    cashier: Cashier, keys: Keys, processes: Processes, memory: str
):
    cashier.bench.sandbox.change_settings(cashier.company.realm_id, **MEMORIES[memory])
    outcomes = set()
    for steps, invoice in enumerate(cashier.invoices(24), start=8):
        payment_id = cashier.take(invoice)
        push_and_die(processes, keys, steps)
        before = count_in_quickbooks(cashier, payment_id)
        cashier.bench.db.execute(
            "update outbox.delivery set first_sent_at = first_sent_at - interval '12 hours' where state = 'sending'"
        )
        push_and_die(processes, keys, steps=0)
        state = cashier.states(payment_id)["payment create"]
        outcomes.add(state)
        if state == "possible_orphan":
            assert before == (0, 0)
            assert count_in_quickbooks(cashier, payment_id) == (0, 0)
        else:
            assert state == "delivered"
            assert count_in_quickbooks(cashier, payment_id) == (1, 0)
    assert outcomes == {"delivered", "possible_orphan"}


def test_without_its_keys_a_payment_whose_answer_was_lost_is_there_twice(cashier: Cashier):
    """The control: what the tests above count can go wrong, and they would see it."""
    cashier.bench.sandbox.change_settings(cashier.company.realm_id, requestid_mode="ignore")
    [invoice] = cashier.invoices(1, "200")
    payment_id = cashier.take(invoice, "100")
    realm = cashier.company.realm_id
    cashier.bench.sandbox.add_fault("lost_answer", realm=realm, path="payment", method="POST", count=1)
    cashier.bench.sandbox.add_fault("500", realm=realm, path="query")
    with pytest.raises(Exception, match="QuickBooks"):
        cashier.push()
    cashier.bench.sandbox.clear_faults()
    [[record]] = cashier.in_quickbooks().values()
    cashier.books.change("Payment", record["Id"], PaymentRefNum="overwritten")
    cashier.push()
    assert count_in_quickbooks(cashier, payment_id) == (2, 0)
