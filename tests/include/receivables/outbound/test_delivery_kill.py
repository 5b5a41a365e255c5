from __future__ import annotations

import itertools
import os
import random
import re
import signal
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from include.receivables import outbound
from include.receivables.outbound import decisions
from include.receivables.outbound.situation import REPLAY_WINDOW, SETTLED_AFTER
from tests.support import killed_delivery
from tests.support.delivery_trace import Trace
from tests.support.fuse import ANSWERED, ANY, COMMIT, COMMITTED, SENDING, UNNAMED
from tests.support.killed_delivery import Deliverer
from tests.support.killing import PATIENCE, preloaded, wait_until, when_free

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.context import ForkServerContext as Processes
    from multiprocessing.context import ForkServerProcess as Process
    from uuid import UUID

    from tests.support.cashier import Cashier
    from tests.support.other_process import Keys

# Each combination once, unless more is asked for.
DELIVERIES = int(os.environ.get("DELIVERY_KILLS", "0"))
# How QuickBooks treats a repeated request id.
MEMORIES = {
    "honoured": {"requestid_mode": "honour"},
    "ignored": {"requestid_mode": "ignore"},
    "expired": {"requestid_mode": "honour", "requestid_window_seconds": 0},
}
MOST_STEPS = 400
WITH_ENTRY = {"processing_fee": "2", "rounding_amount": "3"}
# How long after its death somebody looks.
SOON, LATE = "soon", "half a day later"
AGES = {SOON: SETTLED_AFTER, LATE: REPLAY_WINDOW}
# The modules that a delivery runs through, and what of theirs is no part of one.
MODULES = ("acting", "delivering", "delivery_jobs", "looking", "records", "situation", "standings", "work")
NO_PART = {"outbox/list_due_companies", "outbox/lock_queued"}


@dataclass(frozen=True)
class Work:
    """
    What a deliverer has to do when it dies.

    :param leaves: where its requests go, one after another.
    :param before: what happened to the payment before: it was ``delivered``, ``forgotten`` by a database that was
        restored, or ``voided`` by hand; none of it if it is taken only now.
    :param fault: what strikes the first request to a path: its kind and the path.
    :param longest: how long the deliverer has.
    """

    leaves: tuple[str, ...]
    columns: dict[str, str] = field(default_factory=dict)
    before: str = ""
    is_cancelled: bool = False
    is_deleted: bool = False
    fault: tuple[str, str] | None = None
    longest: timedelta | None = None


ENTRY, PAYMENT, QUERY = "journalentry", "payment", "query"
WORKS = {
    "payment": Work((PAYMENT,)),
    "payment with journal entry": Work((ENTRY, PAYMENT), WITH_ENTRY),
    "payment whose answer is lost": Work((PAYMENT, QUERY), fault=("lost_answer", PAYMENT)),
    "payment that is lost": Work((PAYMENT, QUERY, QUERY, PAYMENT), fault=("reset", PAYMENT)),
    "journal entry whose answer is lost": Work(
        (ENTRY, QUERY, PAYMENT), WITH_ENTRY, fault=("lost_answer", ENTRY)
    ),
    "journal entry that is lost": Work(
        (ENTRY, QUERY, QUERY, ENTRY, PAYMENT), WITH_ENTRY, fault=("reset", ENTRY)
    ),
    "cancellation": Work((PAYMENT, ENTRY), WITH_ENTRY, "delivered", is_cancelled=True),
    "void whose answer is lost": Work(
        (PAYMENT, QUERY, ENTRY), WITH_ENTRY, "delivered", is_cancelled=True, fault=("lost_answer", PAYMENT)
    ),
    "void that is lost": Work(
        (PAYMENT, QUERY, PAYMENT, ENTRY),
        WITH_ENTRY, "delivered", is_cancelled=True, fault=("reset", PAYMENT),
    ),
    "deletion whose answer is lost": Work(
        (PAYMENT, ENTRY, QUERY), WITH_ENTRY, "delivered", is_cancelled=True, fault=("lost_answer", ENTRY)
    ),
    "deletion that is lost": Work(
        (PAYMENT, ENTRY, QUERY, ENTRY),
        WITH_ENTRY, "delivered", is_cancelled=True, fault=("reset", ENTRY),
    ),
    "payment that is met in QuickBooks": Work((), before="forgotten"),
    "cancellation of what was voided by hand": Work((ENTRY,), WITH_ENTRY, "voided", is_cancelled=True),
    "payment that Peakflo no longer has": Work((), is_deleted=True),
    "payment for which no time is left": Work((), longest=timedelta(0)),
}  # fmt: skip


class Request(NamedTuple):
    """
    A request that a deliverer waits for.

    :param nth: which of the writes of its work it is.
    """

    work: str
    nth: int


WAITED_FOR = [
    Request("payment", 1),
    Request("payment with journal entry", 1),
    Request("payment with journal entry", 2),
    Request("cancellation", 1),
    Request("cancellation", 2),
]
# It dies while it waits for an answer, and what then becomes of the request: the sandbox's fault, and its seconds.
WAITS = {"a request that is lost": ("timeout", 5.0), "a request that is carried out later": ("slow", 0.2)}

# QuickBooks has nothing of these when it is asked, and it recognises no request id any more. Whether they are under way
# or were lost, no client can tell: a person decides.
UNDECIDABLE = {
    ("payment", COMMITTED),
    ("payment", f"{SENDING} {PAYMENT}"),
    ("payment", "a request that is lost"),
    ("payment with journal entry", f"{SENDING} {ENTRY}"),
    ("payment with journal entry", f"{SENDING} {PAYMENT}"),
    ("payment with journal entry", "a request that is lost"),
    ("payment that is lost", f"{SENDING} {QUERY}"),
}


class Cell(NamedTuple):
    """
    One combination of what is done, where the process dies, and when somebody looks.

    :param point: of a fuse, or what it waits for.
    :param nth: which time that it reaches the point; or which write it waits for.
    """

    work: str
    point: str
    nth: int
    found: str


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
    trace: Trace
    folder: Path
    orphans: set[Cell] = field(default_factory=set)
    taken: dict[UUID, Work] = field(default_factory=dict)

    def learn(self) -> dict[str, list[str]]:
        """Do each kind of work once undisturbed, and return what points it reaches."""
        reached = {}
        for number, (name, (invoice, payment_id)) in enumerate(
            zip(WORKS, self.prepare(list(WORKS)), strict=True)
        ):
            work = WORKS[name]
            payment_id = self.begin(work, invoice, payment_id)
            self.strike(work)
            log = self.folder / f"points-{number}"
            process = self.start(work, ANY, 0, log)
            process.join(PATIENCE)
            assert process.exitcode == killed_delivery.DELIVERED, name
            self.cashier.bench.sandbox.clear_faults()
            reached[name] = log.read_text().splitlines()
            when_free(self.push)
            self.assert_at_rest(work, payment_id, name)
        return reached

    def prepare(self, works: list[str]) -> list[tuple[dict[str, Any], UUID | None]]:
        """Have an invoice for each piece of work, and delivered what has to be there before."""
        prepared = []
        for name, invoice in zip(works, self.cashier.invoices(len(works), "1000"), strict=True):
            work = WORKS[name]
            prepared.append((invoice, self.take(work, invoice) if work.before else None))
        self.push()
        self.hear_of_others()
        return prepared

    def hear_of_others(self) -> None:
        """Have read back what was done before, so that the deliverer has but one thing to do."""
        self.cashier.bench.sync(self.cashier.company)
        self.push()

    def take(self, work: Work, invoice: dict[str, Any]) -> UUID:
        payment_id = self.cashier.take(invoice, "97", **work.columns)
        self.taken[payment_id] = work
        return payment_id

    def begin(self, work: Work, invoice: dict[str, Any], payment_id: UUID | None) -> UUID:
        """Let happen what the work is about."""
        payment_id = payment_id or self.take(work, invoice)
        if work.before == "forgotten":
            self._forget(payment_id)
        if work.before == "voided":
            self.hear_of_others()
            self.cashier.books.void("Payment", self.cashier.record(payment_id)["qbo_id"])
            self.cashier.bench.sync(self.cashier.company)
        if work.is_cancelled:
            self.cashier.cancel(payment_id)
        if work.is_deleted:
            for table, key in (("payment_allocation", "payment_id"), ("payment", "id")):
                self.cashier.bench.db.execute(f"delete from peakflo.{table} where {key} = %s", [payment_id])
        return payment_id

    def _forget(self, payment_id: UUID) -> None:
        """Lose what the database knows of having sent a payment."""
        db, keys = self.cashier.bench.db, [self.cashier.company.company_id, payment_id]
        own = "select record_id from outbox.record where company_id = %s and payment_id = %s"
        db.execute(f"delete from outbox.move where record_id in ({own})", keys)
        db.execute(f"delete from outbox.record where record_id in ({own})", keys)
        db.execute("select outbox.enqueue(%s, array[%s]::uuid[])", keys)

    def play(self, cell: Cell, invoice: dict[str, Any], payment_id: UUID | None) -> None:
        """Let a deliverer die, and the next one find out."""
        work = WORKS[cell.work]
        payment_id = self.begin(work, invoice, payment_id)
        self.die(cell, work)
        expects_orphan = cell.found == LATE and self.is_undecidable(payment_id)
        self.age(cell.found)
        when_free(self.push)
        assert (self.cashier.delivery(payment_id)["code"] == "possible_orphan") == expects_orphan, cell
        if expects_orphan:
            # No client can tell whether the request is under way or lost: a person decides that it is not there.
            self.orphans.add(cell)
            decisions.retry(self.cashier.bench.db, self.cashier.company, payment_id, by="test")
            self.push()
        self.assert_at_rest(work, payment_id, cell)

    def is_undecidable(self, payment_id: UUID) -> bool:
        """Tell whether a request may have left of which QuickBooks has nothing."""
        records = {"payment": "Payment", "journal_entry": "JournalEntry"}
        return any(
            row["state"] in ("sent", "unknown")
            and not self.cashier.in_quickbooks(records[row["document"]]).get(str(payment_id))
            for row in self.cashier.rows("outbox.record", payment_id=payment_id)
        )

    def age(self, found: str) -> None:
        """Let time pass for what left and was not decided."""
        self.cashier.bench.db.execute(
            "update outbox.record set first_sent_at = first_sent_at - %(age)s, sent_at = sent_at - %(age)s,"
            " looked_at = looked_at - %(age)s where state in ('sent', 'unknown', 'undoing')",
            {"age": AGES[found]},
        )

    def push(self) -> None:
        self.cashier.push(settled_after=SETTLED_AFTER)

    def die(self, cell: Cell, work: Work) -> None:
        if cell.point not in WAITS:
            self.strike(work)
            assert self.push_and_die(work, cell.point, cell.nth) == -signal.SIGKILL, cell
            self.cashier.bench.sandbox.clear_faults()
            return
        kind, seconds = WAITS[cell.point]
        carried_out = self.writes() + cell.nth
        self.push_and_wait(work, work.leaves[cell.nth - 1], kind, seconds)
        if kind == "slow":
            # Whoever looks before QuickBooks has carried it out finds nothing, and must not send another.
            when_free(self.push)
            wait_until(lambda: self.writes() >= carried_out)

    def strike(self, work: Work) -> None:
        """Let a fault strike the first request to where the work's fault is."""
        if work.fault is not None:
            kind, path = work.fault
            realm = self.cashier.company.realm_id
            self.cashier.bench.sandbox.add_fault(
                kind, realm=realm, path=path, method="POST", count=1, seconds=0
            )

    def push_and_die(self, work: Work, point: str, nth: int) -> int | None:
        """Deliver in another process that is killed at a point; a lock of the one before it is waited for."""
        while True:
            process = self.start(work, point, nth)
            process.join(PATIENCE)
            if process.exitcode != killed_delivery.BUSY:
                return process.exitcode

    def push_and_wait(self, work: Work, path: str, kind: str, seconds: float) -> None:
        """Deliver in another process that is killed while QuickBooks is at work on a request."""
        sandbox, realm = self.cashier.bench.sandbox, self.cashier.company.realm_id
        sandbox.add_fault(kind, realm=realm, path=path, method="POST", count=1, seconds=seconds)
        process = self.start(work, ANY, 0)
        wait_until(lambda: sandbox.faults()[0]["hits"] == 1)
        process.kill()
        process.join(PATIENCE)
        assert process.exitcode == -signal.SIGKILL
        sandbox.clear_faults()

    def start(self, work: Work, point: str, nth: int, reached: Path | None = None) -> Process:
        deliverer = Deliverer(self.keys, self.cashier.company.company_id, self.trace, work.longest)
        process = self.processes.Process(target=deliverer.push, args=(point, nth, reached))
        process.start()
        return process

    def writes(self) -> int:
        """Return how many writes QuickBooks has carried out."""
        return self.cashier.bench.sandbox.calls(self.cashier.company.realm_id)["core"]

    def assert_at_rest(self, work: Work, payment_id: UUID, about: object) -> None:
        """Assert that a payment is where it belongs, and that nothing is left to be done about it."""
        code = "payment_unknown" if work.is_deleted else "cancelled" if work.is_cancelled else "delivered"
        assert self.cashier.standing(payment_id) == ("agrees", code), about
        last = {document: states[-1] for document, states in self.cashier.states(payment_id).items()}
        assert set(last.values()) == set({"delivered": {"made"}, "cancelled": {"undone"}}.get(code, ())), (
            about
        )
        assert self.cashier.rows("outbox.queue", payment_id=payment_id) == [], about

    def assert_each_once(self) -> None:
        """Assert that QuickBooks has each payment and each journal entry once, and nothing of what was cancelled."""
        payments, entries = self.cashier.in_quickbooks(), self.cashier.in_quickbooks("JournalEntry")
        for payment_id, work in self.taken.items():
            is_gone = work.is_cancelled or work.is_deleted
            there = [] if work.is_deleted else [0 if work.is_cancelled else 97]
            assert [record["TotalAmt"] for record in payments.get(str(payment_id), [])] == there
            assert len(entries.get(str(payment_id), [])) == (bool(work.columns) and not is_gone)
        assert self.cashier.problems() == []
        assert self.trace.objections(self.cashier.bench.db) == []


@pytest.fixture(scope="module")
def processes() -> Processes:
    return preloaded("tests.support.killed_delivery")


@pytest.fixture
def scene(
    cashier: Cashier,
    keys: Keys,
    processes: Processes,
    db_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Scene:
    trace = Trace(db_url, tmp_path / "requests")
    trace.watch_here(monkeypatch)
    return Scene(cashier, keys, processes, trace, tmp_path)


@pytest.mark.timeout(900 + 2 * DELIVERIES)
@pytest.mark.parametrize("memory", MEMORIES)
def test_a_delivery_killed_at_any_step_is_made_exactly_once(scene: Scene, memory: str):
    scene.cashier.bench.sandbox.change_settings(scene.cashier.company.realm_id, **MEMORIES[memory])
    learned = scene.learn()
    assert_complete(learned)
    cells = deal(list_cells(learned), list(MEMORIES).index(memory))
    for cell, prepared in zip(cells, scene.prepare([cell.work for cell in cells]), strict=True):
        scene.play(cell, *prepared)
    scene.assert_each_once()
    assert {cell.found for cell in scene.orphans} == {LATE}
    undecidable = {cell for cell in cells if cell.found == LATE and (cell.work, cell.point) in UNDECIDABLE}
    assert undecidable <= scene.orphans


def deal(cells: list[Cell], hand: int) -> list[Cell]:
    """Deal the combinations to the memories: each once to one of them, then each to the next one, and so on."""
    dealt = []
    for turn in range(max(1, -(-DELIVERIES // len(cells)))):
        shuffled = random.Random(turn).sample(cells, len(cells))
        dealt += shuffled[(hand + turn) % len(MEMORIES) :: len(MEMORIES)]
    return dealt


def list_cells(learned: dict[str, list[str]]) -> list[Cell]:
    """List each point that the outbox passes in each kind of work, and each wait."""
    waits = [
        Cell(request.work, wait, request.nth, found)
        for request, wait, found in itertools.product(WAITED_FOR, WAITS, AGES)
    ]
    return [cell for work, reached in learned.items() for cell in list_points(work, reached)] + waits


def list_points(work: str, reached: list[str]) -> Iterator[Cell]:
    """List the points of a kind of work; when somebody looks matters only where a request may be under way."""
    moves = [number for number, point in enumerate(reached) if point in ("outbox/begin", "outbox/move")]
    passed = Counter[str]()
    for number, point in enumerate(reached):
        passed[point] += 1
        if is_of_outbox(point):
            yield Cell(work, point, passed[point], SOON)
            if moves and moves[0] < number <= moves[-1]:
                yield Cell(work, point, passed[point], LATE)


def is_of_outbox(point: str) -> bool:
    return point.startswith(("outbox/", COMMIT, SENDING, ANSWERED))


def assert_complete(learned: dict[str, list[str]]) -> None:
    """
    Assert that what a delivery may do is done by one of the works: each statement, and each request.

    Who adds a statement to the deliverer has to add the work in which it is killed at it.
    """
    reached = {point for points in learned.values() for point in points}
    folder = Path(str(outbound.__file__)).parent
    source = "".join((folder / f"{module}.py").read_text() for module in MODULES)
    assert set(re.findall(r'load\("([a-z_/]+)"\)', source)) - NO_PART == {
        point for point in reached if point.startswith("outbox/")
    }
    assert UNNAMED not in reached
    for name, points in learned.items():
        sent = [point.removeprefix(f"{SENDING} ") for point in points if point.startswith(SENDING)]
        assert sent == list(WORKS[name].leaves), name
        # What changes something leaves right after a commit; a search may ask twice.
        passed = [point for point in points if point.startswith((SENDING, "outbox/", COMMITTED))]
        for before, after in itertools.pairwise(passed):
            if after.startswith(SENDING):
                assert before == COMMITTED or before == after == f"{SENDING} {QUERY}", name


@pytest.mark.timeout(900)
def test_nor_does_it_matter_before_or_after_which_statement(scene: Scene):
    """What lies between the outbox's own steps, with nothing but the search to tell what was done."""
    scene.cashier.bench.sandbox.change_settings(scene.cashier.company.realm_id, requestid_mode="ignore")
    name = "payment with journal entry"
    kills = 0
    for nth in range(1, MOST_STEPS, 1 if DELIVERIES else 3):
        [(invoice, _)] = scene.prepare([name])
        payment_id = scene.take(WORKS[name], invoice)
        if scene.push_and_die(WORKS[name], ANY, nth) != -signal.SIGKILL:
            break
        kills += 1
        scene.age(SOON)
        when_free(scene.push)
        scene.assert_at_rest(WORKS[name], payment_id, nth)
    else:
        pytest.fail("a delivery takes more steps than were tried")
    assert kills > (30 if DELIVERIES else 10)
    scene.assert_each_once()
