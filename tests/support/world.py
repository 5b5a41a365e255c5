"""Some companies in virtual time: QuickBooks, the DAGs as often as they are scheduled, and whoever is told of what."""

from __future__ import annotations

import json
import random
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import psycopg

from include.errors import ReceivablesError, RetryableError
from include.receivables.alerts import telling
from include.receivables.alerts.facts import DELIVERY, SYNC
from include.receivables.company import batches, budget, companies
from include.receivables.company.budget import ReadLimit
from include.receivables.company.run_context import RunContext
from include.receivables.inbound import jobs, webhook_events, webhooks
from include.receivables.inbound.syncing import REACH
from include.receivables.inbound.webhooks import RefusedDeliveryError
from include.receivables.outbound import delivery_jobs, work
from include.receivables.proof import proofs
from include.receivables.proof.reconciling import reconcile
from tests.support.airflow_settings import FERNET_KEY, VERIFIER_TOKEN
from tests.support.alerts import BASE_URL, Watch
from tests.support.bookkeeper import Bookkeeper
from tests.support.cashier import Cashier
from tests.support.intuit import sign
from tests.support.other_process import Keys, die_in_mid_run, run_elsewhere
from tests.support.virtual_clock import set_clock_for_all, virtual_database
from tests.support.workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from include.receivables.alerts.channels import Channel
    from include.receivables.alerts.sending import Courier
    from include.receivables.alerts.wording import Item, Message
    from include.receivables.company.access import Access
    from include.receivables.company.batches import Outcome
    from include.receivables.company.companies import Company
    from local.embedded_postgres import EmbeddedPostgres
    from sandbox.control import SandboxControl

    Job = Callable[[Access, str, RunContext], Outcome]

# A Monday morning of a month that is long yet.
START = datetime(2027, 2, 1, 8, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
# A run begins some seconds after its time, each in its own.
MOST_LAG = 30
PROOF, IMPORT, ALERTS = "reconcile_receivables", "import_company", "send_alerts"
PROVED_AT = (3, 43)


class Heard(NamedTuple):
    """What somebody was told of one alert, when, and as part of which message."""

    at: datetime
    message: Message
    item: Item
    link: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells alerts apart."""
        return self.item.company_id, self.item.code, self.item.detail


@dataclass
class World:
    """
    The companies, and the DAGs that work for them.

    :param draw: makes chances repeatable: the seconds after its time at which each run begins.
    :param access: as the DAGs have it, whatever becomes of the keys and addresses.
    :param courier: who hands over what anybody is told; it is heard here when None.
    :param paused: the DAGs that do not run.
    :param limit: of reads, as the connection ``quickbooks`` has it.
    :param slowness: how many times as seldom as usual DAGs run, where days have to pass.
    :param killed: companies whose workers are killed in the middle of a sync.
    :param ahead: how many seconds QuickBooks' clock is ahead of the real one.
    """

    bench: Workbench
    keys: Keys
    draw: random.Random
    stack: ExitStack
    access: Access
    now: datetime = START
    heard: list[Heard] = field(default_factory=list)
    courier: Courier | None = None
    paused: set[str] = field(default_factory=set)
    limit: ReadLimit = field(default_factory=ReadLimit)
    slowness: int = 1
    killed: set[str] = field(default_factory=set)
    ahead: float = 0

    @property
    def db(self) -> psycopg.Connection:
        """A connection of the test's own."""
        return self.bench.db

    @property
    def sandbox(self) -> SandboxControl:
        """QuickBooks."""
        return self.bench.sandbox

    # Companies

    def cashier(self, company_id: str, books: str = "demo") -> Cashier:
        """Import a company in which payments are taken."""
        company = self.bench.imported(books, company_id=company_id)
        self.sandbox.change_settings(company.realm_id, throttle="off")
        keeper = self.stack.enter_context(Bookkeeper(self.sandbox, company.realm_id))
        cashier = Cashier(self.bench, company, keeper)
        cashier.map_accounts()
        return cashier

    def deliver_webhook(self, company: Company, qbo_id: str, token: str = VERIFIER_TOKEN) -> None:
        """Deliver a webhook as Intuit does, which tells of an invoice."""
        entity = {"name": "Invoice", "id": qbo_id, "operation": "Create", "lastUpdated": self.now.isoformat()}
        event = {"realmId": company.realm_id, "dataChangeEvent": {"entities": [entity]}}
        body = json.dumps({"eventNotifications": [event]}).encode()
        try:
            webhooks.check_signature(body, sign(body, token), VERIFIER_TOKEN)
        except RefusedDeliveryError as error:
            webhook_events.count_refusals(self.db, {error.code: 1})
        else:
            webhook_events.store(self.db, webhooks.parse(body))

    # Time

    def live(self, span: timedelta) -> None:
        """Let time pass, and the DAGs run."""
        until = self.now + span
        while self.now < until:
            lags = [(self.draw.uniform(0, MOST_LAG), dag_id) for dag_id in self._due()]
            for seconds, dag_id in sorted(lags):
                self.run(dag_id, after=timedelta(seconds=seconds))
            self.now += MINUTE
        self.set_clocks(self.now)

    def run(self, dag_id: str, *, after: timedelta = timedelta(0)) -> None:
        """Run a DAG, unless it is paused; what fails is left to its next run."""
        if dag_id in self.paused:
            return
        self.set_clocks(self.now + after)
        # Its run is red then, as it is when a task fails.
        with suppress(ReceivablesError, psycopg.Error):
            {SYNC: self._sync, DELIVERY: self._deliver, PROOF: self._prove, ALERTS: self._send_alerts}[
                dag_id
            ]()

    def set_clocks(self, now: datetime) -> None:
        """Let it be this time in the database and at QuickBooks, whose clock goes on and is never set back."""
        set_clock_for_all(self.db, now)
        self.ahead = max(self.ahead, now.timestamp() - time.time())
        self.sandbox.set_clock(self.ahead)

    def _due(self) -> Iterator[str]:
        minute = self.now.hour * 60 + self.now.minute
        if minute % (5 * self.slowness) == 0:
            yield from (SYNC, DELIVERY)
        if minute % (3 * self.slowness) == 0:
            yield ALERTS
        if (self.now.hour, self.now.minute) == PROVED_AT:
            yield PROOF

    # The DAGs

    def _sync(self) -> None:
        with self.access.connect() as db:
            budget.decide(db, self.limit)
            due = companies.list_due_companies(db, reach=REACH, at_intervals=True)
        imports = [each.company_id for each in due if each.is_import_due and IMPORT not in self.paused]
        with suppress(ReceivablesError):
            self._work(IMPORT, imports, jobs.import_all)
        self._work(SYNC, [each.company_id for each in due if not each.is_import_due], self._sync_one)

    def _sync_one(self, access: Access, company_id: str, context: RunContext) -> Outcome:
        if company_id in self.killed:
            run_elsewhere(die_in_mid_run, self.keys, company_id, SYNC)
            raise RetryableError("Its process was killed.")
        return jobs.sync(access, company_id, context)

    def _deliver(self) -> None:
        with self.access.connect() as db:
            due = work.list_due_companies(db)
        self._work(DELIVERY, due, delivery_jobs.deliver)

    def _prove(self) -> None:
        with self.access.connect() as db:
            due = proofs.list_due(db, reach=REACH)
        self._work(PROOF, due, reconcile)

    def _send_alerts(self) -> None:
        with self.access.connect() as db:
            telling.tell(db, self.courier or Ear(self), base_url=BASE_URL)

    def _work(self, dag_id: str, company_ids: Sequence[str], job: Job) -> None:
        context = RunContext(dag_id, f"scheduled__{self.now.isoformat()}")
        if company_ids:
            batches.run_batch(company_ids, lambda company_id: job(self.access, company_id, context))


@dataclass(frozen=True)
class Ear:
    """Hears of everything in a world."""

    world: World

    def deliver(self, channel: Channel, message: Message) -> list[str]:
        items = zip(message.items, message.links, strict=True)
        self.world.heard += [Heard(self.world.now, message, item, link) for item, link in items]
        return []


@contextmanager
def small_world(postgres: EmbeddedPostgres, sandbox: SandboxControl, name: str, seed: int) -> Iterator[World]:
    """Lend a world without a company, in which somebody is told of everything."""
    with virtual_database(postgres, name) as db, ExitStack() as stack:
        keys = Keys.of(sandbox, postgres.url(name), FERNET_KEY)
        world = World(
            Workbench(keys.access(), sandbox, db), keys, random.Random(seed), stack, access=keys.access()
        )
        world.set_clocks(START)
        Watch(db).add("ops")
        yield world
