from __future__ import annotations

import itertools
import os
import random
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from include.receivables.outbound import deliveries
from include.receivables.outbound.sending import SETTLED_AFTER
from tests.support import killed_delivery
from tests.support.airflow_settings import FERNET_KEY
from tests.support.killed_delivery import ANY
from tests.support.killing import PATIENCE, preloaded, wait_until, when_free
from tests.support.other_process import Keys
from tests.support.workbench import Workbench

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext as Processes
    from multiprocessing.context import ForkServerProcess as Process
    from uuid import UUID

    import psycopg

    from sandbox.control import SandboxControl
    from tests.support.cashier import Cashier

# Each combination once, unless more is asked for.
DELIVERIES = int(os.environ.get("DELIVERY_KILLS", "0"))
# How QuickBooks treats a repeated request id.
MEMORIES = {
    "honoured": {"requestid_mode": "honour"},
    "ignored": {"requestid_mode": "ignore"},
    "expired": {"requestid_mode": "honour", "requestid_window_seconds": 0},
}
MOST_STEPS = 300
WITH_ENTRY = {"processing_fee": "2", "rounding_amount": "3"}


class Request(NamedTuple):
    """
    A request of a delivery.

    :param nth: which of the writes it is that one round of deliveries sends.
    :param path: where it goes.
    """

    leg: str
    operation: str
    nth: int
    path: str
    columns: dict[str, str]


REQUESTS = {
    "payment": Request("payment", "create", 1, "payment", {}),
    "journal entry": Request("adjustment", "create", 1, "journalentry", WITH_ENTRY),
    "payment with journal entry": Request("payment", "create", 2, "payment", WITH_ENTRY),
    "void": Request("payment", "void", 1, "payment", WITH_ENTRY),
    "deletion of journal entry": Request("adjustment", "void", 2, "journalentry", WITH_ENTRY),
}
# At which step of a request the process dies.
STEPS = {
    "before the intent": "before outbox/intend",
    "before the intent is committed": "after outbox/intend",
    "before the request leaves": "sending",
    "while QuickBooks answers": "answered",
    "before the answer is recorded": "before outbox/mark_delivered",
    "before the record is committed": "after outbox/end_attempt",
    "after the record": "next after outbox/end_attempt",
}
# Or while it waits for an answer, and what then becomes of the request: the sandbox's fault, and its seconds.
WAITS = {"while a request waits that is lost": ("timeout", 5.0), "while a request waits": ("slow", 0.2)}
# How long after its death somebody looks.
SOON, LATE = "soon", "half a day later"
# QuickBooks has nothing of these when it is asked, and it recognises no request id any more. Whether they are under way
# or were lost, no client can tell: a person decides.
UNDECIDABLE = {
    (request, step)
    for request in ("payment", "journal entry", "payment with journal entry")
    for step in ("before the request leaves", "while a request waits that is lost")
}


class Cell(NamedTuple):
    """One combination of what is sent, where the process dies, and when somebody looks."""

    request: str
    step: str
    found: str


CELLS = [Cell(*each) for each in itertools.product(REQUESTS, (*STEPS, *WAITS), (SOON, LATE))]


@dataclass
class Scene:
    """
    A company whose deliverer dies again and again.

    :param orphans: the combinations that were left to a person.
    :param taken: the payments, by what they were killed in.
    """

    cashier: Cashier
    keys: Keys
    processes: Processes
    orphans: set[Cell] = field(default_factory=set)
    taken: dict[UUID, Request] = field(default_factory=dict)

    def prepare(self, cells: list[Cell]) -> list[tuple[Cell, dict[str, Any], UUID | None]]:
        """Have an invoice for each combination, and what is to be undone delivered before."""
        prepared = []
        for cell, invoice in zip(cells, self.cashier.invoices(len(cells), "1000"), strict=True):
            is_void = REQUESTS[cell.request].operation == "void"
            prepared.append((cell, invoice, self.take(cell, invoice) if is_void else None))
        self.cashier.push()
        return prepared

    def take(self, cell: Cell, invoice: dict[str, Any]) -> UUID:
        request = REQUESTS[cell.request]
        payment_id = self.cashier.take(invoice, "97", **request.columns)
        self.taken[payment_id] = request
        return payment_id

    def play(self, cell: Cell, invoice: dict[str, Any], delivered: UUID | None) -> None:
        """Let a deliverer die, and the next one find out."""
        if delivered is None:
            payment_id = self.take(cell, invoice)
        else:
            payment_id = delivered
            self.cashier.cancel(delivered)
        self.die(cell)
        if cell.found == LATE:
            self.cashier.bench.db.execute(
                "update outbox.delivery set first_sent_at = first_sent_at - interval '12 hours' where state = 'sending'"
            )
        when_free(self.cashier.push)
        self.decide(cell, payment_id)
        assert set(self.cashier.states(payment_id).values()) == {"delivered"}, cell

    def die(self, cell: Cell) -> None:
        request = REQUESTS[cell.request]
        if cell.step in STEPS:
            assert self.push_and_die(STEPS[cell.step], request.nth) == -signal.SIGKILL, cell
            return
        kind, seconds = WAITS[cell.step]
        carried_out = self.writes() + request.nth
        self.push_and_wait(request, kind, seconds)
        if kind == "slow":
            # Whoever looks before QuickBooks has carried it out finds nothing, and must not send another.
            when_free(lambda: self.cashier.push(settled_after=SETTLED_AFTER))
            wait_until(lambda: self.writes() >= carried_out)

    def push_and_die(self, step: str, nth: int) -> int | None:
        """Deliver in another process that is killed at a step; a lock of the one before it is waited for."""
        while True:
            process = self.start(step, nth)
            process.join(PATIENCE)
            if process.exitcode != killed_delivery.BUSY:
                return process.exitcode

    def push_and_wait(self, request: Request, kind: str, seconds: float) -> None:
        """Deliver in another process that is killed while QuickBooks is at work on a request."""
        sandbox, realm = self.cashier.bench.sandbox, self.cashier.company.realm_id
        sandbox.add_fault(kind, realm=realm, path=request.path, method="POST", count=1, seconds=seconds)
        process = self.start(ANY, 0)
        wait_until(lambda: sandbox.faults()[0]["hits"] == 1)
        process.kill()
        process.join(PATIENCE)
        assert process.exitcode == -signal.SIGKILL
        sandbox.clear_faults()

    def start(self, step: str, nth: int) -> Process:
        company_id = self.cashier.company.company_id
        process = self.processes.Process(target=killed_delivery.push, args=(self.keys, company_id, step, nth))
        process.start()
        return process

    def writes(self) -> int:
        """Return how many writes QuickBooks has carried out."""
        return self.cashier.bench.sandbox.calls(self.cashier.company.realm_id)["core"]

    def decide(self, cell: Cell, payment_id: UUID) -> None:
        """Decide as a person what no client can: it is not there, so it is sent anew."""
        for row in self.cashier.rows("outbox.delivery", payment_id=payment_id, state="possible_orphan"):
            self.orphans.add(cell)
            deliveries.retry(self.cashier.bench.db, self.cashier.company, row["delivery_id"])
        if cell in self.orphans:
            self.cashier.push()

    def assert_each_once(self) -> None:
        """Assert that QuickBooks has each payment and each journal entry once, and nothing of what was cancelled."""
        payments, entries = self.cashier.in_quickbooks(), self.cashier.in_quickbooks("JournalEntry")
        for payment_id, request in self.taken.items():
            is_void = request.operation == "void"
            assert [record["TotalAmt"] for record in payments[str(payment_id)]] == [0 if is_void else 97]
            needed = bool(request.columns) and not is_void
            assert len(entries.get(str(payment_id), [])) == needed
        assert self.cashier.problems() == []


@pytest.fixture
def keys(sandbox: SandboxControl, db_url: str) -> Keys:
    return Keys.of(sandbox, db_url, FERNET_KEY)


@pytest.fixture
def bench(keys: Keys, sandbox: SandboxControl, db: psycopg.Connection) -> Workbench:
    """The usual bench, with keys that other processes can be told."""
    return Workbench(keys.access(), sandbox, db)


@pytest.fixture(scope="module")
def processes() -> Processes:
    return preloaded("tests.support.killed_delivery")


@pytest.fixture
def scene(cashier: Cashier, keys: Keys, processes: Processes) -> Scene:
    return Scene(cashier, keys, processes)


@pytest.mark.timeout(300 + DELIVERIES)
@pytest.mark.parametrize("memory", MEMORIES)
def test_a_delivery_killed_at_any_step_is_made_exactly_once(scene: Scene, memory: str):
    scene.cashier.bench.sandbox.change_settings(scene.cashier.company.realm_id, **MEMORIES[memory])
    rounds = max(1, -(-DELIVERIES // (len(CELLS) * len(MEMORIES))))
    for seed in range(rounds):
        cells = random.Random(seed).sample(CELLS, len(CELLS))
        for each in scene.prepare(cells):
            scene.play(*each)
    scene.assert_each_once()
    assert {(cell.request, cell.step) for cell in scene.orphans} == UNDECIDABLE
    assert {cell.found for cell in scene.orphans} == {LATE}


def test_nor_does_it_matter_before_or_after_which_statement(scene: Scene):
    """What lies between the named steps, with nothing but the search to tell what was done."""
    scene.cashier.bench.sandbox.change_settings(scene.cashier.company.realm_id, requestid_mode="ignore")
    cell = Cell("payment with journal entry", "", SOON)
    kills = 0
    for nth in range(1, MOST_STEPS, 1 if DELIVERIES else 7):
        [(_, invoice, _)] = scene.prepare([cell])
        payment_id = scene.take(cell, invoice)
        if scene.push_and_die(ANY, nth) != -signal.SIGKILL:
            break
        kills += 1
        when_free(scene.cashier.push)
        assert set(scene.cashier.states(payment_id).values()) == {"delivered"}, nth
    else:
        pytest.fail("a delivery takes more steps than were tried")
    assert kills > 10
    scene.assert_each_once()
