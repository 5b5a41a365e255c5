"""Months of bad luck in a minute: payments taken and cancelled while everything on their way to QuickBooks breaks."""

from __future__ import annotations

import random
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from include.errors import ReceivablesError
from include.receivables.connecting import connections
from tests.support.delivery_ledger import ACCOUNTS, Ledger, Taken
from tests.support.delivery_worker import Worker
from tests.support.killing import PATIENCE
from tests.support.quick_start import pass_the_pause

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.context import ForkServerContext as Processes
    from multiprocessing.context import ForkServerProcess as Process
    from uuid import UUID

    from tests.support.cashier import Cashier, Json
    from tests.support.delivery_trace import Trace
    from tests.support.other_process import Keys

WORKERS = 2
MOST_LIKELY = 0.1
# What QuickBooks and the line to it do. A slow answer comes after the worker has given it up.
LINE_FAULTS: dict[str, dict[str, Any]] = {
    "lost_answer": {},
    "reset": {},
    "truncated": {},
    "malformed_json": {},
    "slow": {"seconds": 0.7},
    "timeout": {"seconds": 0.05},
    "500": {},
    "503_html": {},
    "429": {},
    "401": {},
    "403_3100": {},
}
PATHS = ("payment", "journalentry", "query")
ROUND = 50
# How many payments may be under way before the next is taken, and for how long to wait for that.
MOST_UNDER_WAY = 10
LONGEST_WAIT = 0.5
# What is left to nobody but a person, or needs nothing any more.
AT_REST = ("agrees", "differs", "ignored")
# What is on its way: to be looked at, or sent without an answer yet.
UNDER_WAY = """
select payment_id
from outbox.queue
where company_id = any(%(companies)s)
union
select payment_id
from outbox.record
where company_id = any(%(companies)s) and state in ('intended', 'sent', 'unknown', 'undoing')
union
select payment_id
from outbox.delivery
where company_id = any(%(companies)s) and kind <> all(%(at_rest)s)
"""
CONNECTED = "select company_id from sync.connection where status = 'connected'"
INVOICED = "1000"


@dataclass
class Campaign:
    """
    Payments of some companies, delivered by workers that contend for them.

    :param is_keyless: whether QuickBooks gets to see none of the keys by which a payment is recognised.
    :param least_likely: how often each kind of fault strikes at least; at most, it is one in ten.
    :param happened: how often each kind of fault struck.
    """

    cashiers: list[Cashier]
    keys: Keys
    processes: Processes
    trace: Trace
    seed: int
    is_keyless: bool = False
    least_likely: float = 0
    taken: dict[UUID, Taken] = field(default_factory=dict)
    cancelled: set[UUID] = field(default_factory=set)
    happened: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.stop = self.processes.Event()
        self.workers: list[Process] = []
        self.disconnected: list[Cashier] = []
        self.bench = self.cashiers[0].bench
        # What may go wrong beside the line.
        self.mishaps: dict[str, Callable[[], None]] = {
            "worker_killed": self.kill_worker,
            "database_lost": self.lose_database,
            "token_expired": self.expire_token,
            "requestid_forgotten": self.forget_requests,
        }

    def prepare(self, count: int) -> list[tuple[Cashier, Json]]:
        """Have invoices, open for much more than is paid, so that a payment too many would be taken."""
        for cashier in self.cashiers:
            cashier.map_accounts(ACCOUNTS)
        shares = Counter(self.random.choice(range(len(self.cashiers))) for _ in range(count))
        invoices = [
            (self.cashiers[each], invoice)
            for each, share in shares.items()
            for invoice in self.cashiers[each].invoices(share, INVOICED)
        ]
        self.random.shuffle(invoices)
        self.ledgers = [Ledger(cashier) for cashier in self.cashiers]
        return invoices

    def run(self, count: int) -> None:
        """Take so many payments while everything breaks, mend it, and have the rest delivered."""
        invoices = self.prepare(count)
        try:
            self.workers = [self.start_worker() for _ in range(WORKERS)]
            for first in range(0, count, ROUND):
                self.break_line()
                for cashier, invoice in invoices[first : first + ROUND]:
                    self.step(cashier, invoice)
                self.mend_line()
            self.finish()
        finally:
            self.stop.set()
            for worker in self.workers:
                worker.join(PATIENCE)

    def step(self, cashier: Cashier, invoice: Json) -> None:
        self.take(cashier, invoice)
        if self.random.random() < 0.1:
            self.cancel()
        if self.random.random() < 0.04:
            self.sync(self.random.choice(self.cashiers))
        if self.random.random() < 0.03:
            self.disconnect()
        if self.random.random() < 0.1:
            self.connect_again()
        for name, cause in self.mishaps.items():
            if self.random.random() < self.likely[name]:
                cause()
                self.happened[name] += 1
        self.wait_for_workers()

    def take(self, cashier: Cashier, invoice: Json) -> None:
        amount = self.random.choice(("100", "40.25", "99.99"))
        extra: dict[str, str] = self.random.choice(({}, {}, {"processing_fee": "1.10"}))
        if self.random.random() < 0.2:
            extra = extra | {"rounding_amount": "0.01"}
        if self.random.random() < 0.2:
            extra = extra | {"withholding_tax_amount": "2.05", "withholding_tax_type": "VAT"}
        payment_id = cashier.take(invoice, amount, **extra)
        self.taken[payment_id] = Taken(cashier, invoice, Decimal(amount), extra)

    def cancel(self) -> None:
        payment_id = self.random.choice(sorted(self.taken))
        self.taken[payment_id].cashier.cancel(payment_id)
        self.cancelled.add(payment_id)

    def sync(self, cashier: Cashier) -> None:
        # The line is bad: what is not read now is read later.
        with suppress(ReceivablesError):
            self.bench.sync(cashier.company)

    def disconnect(self) -> None:
        connected = [cashier for cashier in self.cashiers if cashier not in self.disconnected]
        if len(connected) > 1:
            cashier = self.random.choice(connected)
            access = self.bench.access
            connections.disconnect_company(
                self.bench.db, cashier.company, app=access.app, cipher=access.cipher
            )
            self.disconnected.append(cashier)
            self.happened["disconnected"] += 1

    def connect_again(self) -> None:
        """Connect what was disconnected, by hand or because QuickBooks would accept its tokens no more."""
        rows = self.cashiers[0].rows("sync.connection")
        lost = {row["company_id"] for row in rows if row["status"] != "connected"}
        for cashier in self.cashiers:
            if cashier.company.company_id in lost:
                self.connect(cashier)
        self.disconnected.clear()

    def connect(self, cashier: Cashier) -> None:
        company, access = cashier.company, self.bench.access
        connections.connect_company(
            self.bench.db,
            company_id=company.company_id,
            name=company.name,
            realm_id=company.realm_id,
            refresh_token=self.bench.sandbox.tokens(company.realm_id)["refresh_token"],
            connected_by="test",
            app=access.app,
            cipher=access.cipher,
        )

    def start_worker(self) -> Process:
        told = Worker(self.keys, self.trace, self.random.randrange(1_000_000), self.is_keyless)
        worker = self.processes.Process(target=told.run, args=(self.stop,))
        worker.start()
        return worker

    def kill_worker(self) -> None:
        victim = self.workers.pop(self.random.randrange(WORKERS))
        victim.kill()
        victim.join(PATIENCE)
        self.workers.append(self.start_worker())

    def lose_database(self) -> None:
        self.bench.db.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
            " order by random() limit 1"
        )

    def expire_token(self) -> None:
        self.bench.sandbox.expire(self.random.choice(self.cashiers).company.realm_id)

    def forget_requests(self) -> None:
        realm = self.random.choice(self.cashiers).company.realm_id
        mode = self.random.choice(
            ({"requestid_mode": "ignore"}, {"requestid_window_seconds": 0}, {"requestid_mode": "honour"})
        )
        self.bench.sandbox.change_settings(realm, **mode)

    def break_line(self) -> None:
        """Let each kind of fault strike as often as this round has it."""
        kinds = (*LINE_FAULTS, *self.mishaps)
        self.likely = {kind: self.random.uniform(self.least_likely, MOST_LIKELY) for kind in kinds}
        for kind, options in LINE_FAULTS.items():
            for path in PATHS:
                self.bench.sandbox.add_fault(kind, path=path, probability=self.likely[kind], **options)

    def mend_line(self) -> None:
        for rule in self.bench.sandbox.faults():
            self.happened[rule["kind"]] += rule["hits"]
        self.bench.sandbox.clear_faults()

    def wait_for_workers(self) -> None:
        """Let the workers keep up somewhat, so that payments are taken and cancelled while others are under way."""
        deadline = time.monotonic() + LONGEST_WAIT
        while self.count_under_way() > MOST_UNDER_WAY and time.monotonic() < deadline:
            time.sleep(0.02)

    def count_under_way(self) -> int:
        connected = [company_id for (company_id,) in self.bench.db.execute(CONNECTED)]
        return self._count_under_way(connected)

    def _count_under_way(self, companies: list[str]) -> int:
        keys = {"companies": companies, "at_rest": list(AT_REST)}
        return self.bench.db.execute(UNDER_WAY, keys).rowcount

    def finish(self) -> None:
        """Have everything delivered, now that nothing breaks any more."""
        deadline = time.monotonic() + 3 * PATIENCE + len(self.taken) / 10
        while self.is_under_way() and time.monotonic() < deadline:
            # A worker that was killed while it renewed a token may leave one that is refused: minutes would be waited.
            pass_the_pause(self.bench.db)
            self.connect_again()
            for cashier in self.cashiers:
                self.sync(cashier)
            time.sleep(0.1)

    def is_under_way(self) -> bool:
        return self._count_under_way([cashier.company.company_id for cashier in self.cashiers]) > 0

    def active(self, cashier: Cashier) -> dict[UUID, Taken]:
        """Return what was taken in a company and not cancelled."""
        return {
            payment_id: taken
            for payment_id, taken in self.taken.items()
            if taken.cashier is cashier and payment_id not in self.cancelled
        }
