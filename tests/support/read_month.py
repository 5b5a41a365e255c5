"""
A month of many companies in virtual time: who is read when, with the real decision, against a cheap model of reads.

What is real: :mod:`include.receivables.company.budget`, the statements that list due companies and those that store
webhooks' events, on a real Postgres with a clock of its own. What is a model: QuickBooks, its changes and its webhook,
and a read, which takes no time and brings all that changed.

* Bookkeepers work from 9 to 18 in their time zone, a tenth as much at weekends, two and a half times as much around the
  turn of a month. Of the companies 5 % are busy (12 times a day), 35 % usual (twice), 60 % idle (once in seven days);
  each time 1 to 8 records change within ten minutes.
* The webhook gathers changes for three minutes, as it may be set to at Intuit, then delivers within ten seconds; it is
  read at the end of the minute. One delivery in fifty is lost, and all of six hours are. 5 % of the companies have no
  webhook at all; the others' had told of their last change when the month began.
* 30 % of the companies have a reminder run each morning (3 reads); all have their reference data refreshed (7 reads)
  and are proved (8 reads), daily or weekly; three reads in ten that bring something take one more, of a record that
  others point at.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from include.quickbooks.entities import SYNCED
from include.receivables.company import budget, companies
from include.receivables.inbound import reference_data, webhook_events
from include.receivables.inbound.syncing import REACH
from include.receivables.inbound.webhooks import Delivery, Event
from include.receivables.proof import proofs
from tests.support.virtual_clock import set_clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import psycopg

    from include.receivables.company.budget import Budget, ReadLimit

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
GATHERED_FOR = timedelta(minutes=3)
LOST = 0.02
REFERENCE_ENTITIES = [entity.table for group in reference_data.GROUPS.values() for entity in group]
SESSIONS = {"busy": 12.0, "usual": 2.0, "idle": 1 / 7}

SYNC, WEBHOOK, REMINDER, REFERENCE, PROOF = (
    "quickbooks_to_peakflo",
    "read_webhook_events",
    "refresh_before_reminder",
    "refresh_reference_data",
    "reconcile_receivables",
)
# When the nightly ones run, as their DAGs say.
REFRESHED_AT, PROVED_AT = (3, 17), (3, 43)
# Of a company with up to 1,000 records of each kind, as docs/proof.md says.
PROOF_READS = 8

CONNECT = """
with company as (
    insert into peakflo.company (company_id, realm_id, name)
    select id, id, id from unnest(%(all)s::text[]) as id
    returning company_id
),

connected as (
    insert into sync.connection (company_id, realm_id, status) select company_id, company_id, 'connected' from company
),

proven as (
    insert into sync.webhook_proof (realm_id, changed_at, announced_at, received_at)
    select id, now() - interval '3 days', now() - interval '3 days', now() - interval '3 days' + interval '3 minutes'
    from unnest(%(told)s::text[]) as id
)

insert into staging.cursor (realm_id, entity, changed_since)
select company_id, entity, now() from company cross join unnest(%(entities)s::text[]) as entity
"""
READ = """
with read as (
    select id from unnest(%(read)s::text[]) as id
),

changed as (
    insert into sync.webhook_proof as kept (realm_id, changed_at)
    select id, changed_at from unnest(%(changed)s::text[], %(changed_ats)s::timestamptz[]) as given (id, changed_at)
    on conflict (realm_id) do update
    set changed_at = excluded.changed_at
    where kept.changed_at is null or kept.changed_at < excluded.changed_at
),

logged as (
    insert into sync.run (company_id, realm_id, dag_id, dag_run_id, state, ended_at, calls)
    select id, id, %(dag_id)s, now()::text, 'success', now(), 1 from read
),

answered as (
    update sync.webhook_event set read_at = now() from read where realm_id = id and read_at is null
)

update staging.cursor set changed_since = now() from read where realm_id = id
"""
REFRESH = """
insert into sync.run (company_id, realm_id, dag_id, dag_run_id, state, ended_at, calls, counts)
select id, id, 'refresh_reference_data', now()::text, 'success', now(), 7, jsonb_object_agg(entity, '{}'::jsonb)
from unnest(%(read)s::text[]) as id cross join unnest(%(entities)s::text[]) as entity
group by id
"""
PROVE = """
insert into proof.proof (company_id, realm_id, run_id, verdict, calls)
select id, id, 1, 'equal', %(calls)s from unnest(%(read)s::text[]) as id
"""
COUNT = """
insert into sync.api_call as kept (realm_id, day, dag_id, kind, calls, metered)
select id, (now() at time zone 'utc')::date, %(dag_id)s, %(kind)s, %(calls)s, %(calls)s
from unnest(%(read)s::text[]) as id
on conflict (realm_id, day, dag_id, kind) do update
set calls = kept.calls + excluded.calls, metered = kept.metered + excluded.metered
"""


@dataclass(slots=True)
class ModelCompany:
    """
    A company, and what QuickBooks has changed of it that Peakflo does not know yet.

    :param utc_offset: of its office, in hours.
    """

    company_id: str
    activity: str
    utc_offset: int
    has_webhook: bool
    has_reminders: bool
    read_at: datetime
    unknown: list[datetime] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Gathering:
    """
    A delivery of the webhook that is being gathered.

    :param received_at: when it comes, if it is not lost on the way.
    """

    until: datetime
    received_at: datetime
    is_lost: bool


@dataclass
class Figures:
    """
    What came of a month.

    :param reads: by DAG.
    :param delays: how long each change was unknown, of companies with a webhook (True) and without.
    :param ages: how old the oldest unknown change was, each cycle and company, in minutes.
    :param unread: the longest time between two reads, likewise.
    :param waits: companies left out of a cycle, in all.
    :param saving_cycles: in how many cycles some were.
    """

    reads: Counter[str] = field(default_factory=Counter)
    delays: dict[bool, list[timedelta]] = field(default_factory=lambda: {True: [], False: []})
    ages: dict[bool, Counter[int]] = field(default_factory=lambda: {True: Counter(), False: Counter()})
    unread: dict[bool, timedelta] = field(default_factory=lambda: {True: timedelta(0), False: timedelta(0)})
    bounds: Counter[timedelta] = field(default_factory=Counter)
    waits: int = 0
    cycles: int = 0
    saving_cycles: int = 0

    @property
    def total(self) -> int:
        """All reads."""
        return self.reads.total()


class Month:
    """
    Some days of some companies.

    :param first: midnight of the first day, in UTC.
    :param outage: when no webhook comes.
    """

    def __init__(
        self,
        db: psycopg.Connection,
        limit: ReadLimit,
        *,
        count: int,
        first: datetime,
        days: int,
        outage: tuple[datetime, datetime],
        seed: int = 1,
    ) -> None:
        self.figures = Figures()
        self._db, self._limit, self._outage = db, limit, outage
        self._first, self._days = first, days
        self._random = random.Random(seed)
        self.companies = {each.company_id: each for each in self._make(count)}
        self._changes = self._foresee()
        self._deliveries: defaultdict[datetime, dict[str, datetime]] = defaultdict(dict)
        self._gathering: dict[str, Gathering] = {}
        self._event_ids = itertools.count()
        self._is_reserved = False

    def live(self) -> Iterator[Budget]:
        """Live through the days, cycle by cycle."""
        self._connect()
        for number in range(self._days * 24 * 60):
            now = self._first + (number + 1) * MINUTE
            self._change(now)
            deliveries = self._deliveries.pop(now, {})
            is_cycle = (number + 1) % 5 == 0
            reminded = self._reminded(now)
            night_work = self._night_work(now)
            if not (deliveries or is_cycle or reminded or night_work):
                continue
            set_clock(self._db, now)
            self._deliver(now, deliveries)
            self._count(REMINDER, "query", reminded, calls=3)
            if night_work:
                night_work()
            if is_cycle:
                yield self._cycle(now)

    def _cycle(self, now: datetime) -> Budget:
        self._note_ages(now)
        decided = budget.decide(self._db, self._limit)
        due = companies.list_due_companies(self._db, reach=REACH, at_intervals=True)
        self._read(SYNC, now, [each.company_id for each in due])
        self._is_reserved = decided.is_reserved
        figures = self.figures
        figures.cycles += 1
        figures.saving_cycles += decided.is_saving
        figures.waits += len(self.companies) - len(due)
        figures.bounds[decided.proven_every] += 1
        return decided

    def _make(self, count: int) -> Iterator[ModelCompany]:
        for number in range(count):
            yield ModelCompany(
                company_id=f"company-{number:04}",
                activity=self._random.choices(("busy", "usual", "idle"), (5, 35, 60))[0],
                utc_offset=self._random.choice((-8, -5, 0, 5, 8, 10)),
                has_webhook=self._random.random() >= 0.05,
                has_reminders=self._random.random() < 0.3,
                read_at=self._first,
            )

    def _foresee(self) -> dict[datetime, list[tuple[str, datetime]]]:
        """Make up all changes, by the minute after which they are there."""
        changes = defaultdict(list)
        for company, day in itertools.product(self.companies.values(), range(self._days)):
            for at in self._sessions(company, self._first + day * DAY):
                for _ in range(self._random.randint(1, 8)):
                    changed_at = at + timedelta(seconds=self._random.uniform(0, 600))
                    changes[_minute_after(changed_at)].append((company.company_id, changed_at))
        return changes

    def _sessions(self, company: ModelCompany, midnight: datetime) -> list[datetime]:
        expected = SESSIONS[company.activity]
        if midnight.weekday() >= 5:
            expected *= 0.1
        if (midnight + 2 * DAY).day <= 4:
            expected *= 2.5
        count = sum(self._random.random() < expected / 100 for _ in range(100))
        opens_at = midnight + timedelta(hours=(9 - company.utc_offset) % 24)
        return [opens_at + timedelta(hours=self._random.uniform(0, 9)) for _ in range(count)]

    def _connect(self) -> None:
        set_clock(self._db, self._first)
        told = [each.company_id for each in self.companies.values() if each.has_webhook]
        entities = [entity.table for entity in SYNCED]
        self._db.execute(CONNECT, {"all": list(self.companies), "told": told, "entities": entities})

    def _change(self, now: datetime) -> None:
        for company_id, changed_at in sorted(self._changes.pop(now, ()), key=lambda change: change[1]):
            company = self.companies[company_id]
            company.unknown.append(changed_at)
            if company.has_webhook:
                self._announce(company_id, changed_at)

    def _announce(self, company_id: str, changed_at: datetime) -> None:
        """Let the webhook gather a change: with those that are waiting, or as the first of a delivery."""
        gathering = self._gathering.get(company_id)
        if gathering is None or gathering.until < changed_at:
            until = changed_at + GATHERED_FOR
            received_at = until + timedelta(seconds=self._random.uniform(0, 10))
            is_lost = self._random.random() < LOST or self._outage[0] <= received_at < self._outage[1]
            gathering = self._gathering[company_id] = Gathering(until, received_at, is_lost)
        if not gathering.is_lost:
            self._deliveries[_minute_after(gathering.received_at)][company_id] = changed_at

    def _deliver(self, now: datetime, deliveries: dict[str, datetime]) -> None:
        if not deliveries:
            return
        events = [
            Event(f"event-{next(self._event_ids)}", company_id, "invoice", "1", "update", changed_at)
            for company_id, changed_at in deliveries.items()
        ]
        webhook_events.store(self._db, Delivery(events, others=0, odd=0))
        if not self._is_reserved:
            self._read(WEBHOOK, now, list(deliveries))

    def _read(self, dag_id: str, now: datetime, company_ids: list[str]) -> None:
        changed, with_more = {}, []
        for company_id in company_ids:
            company = self.companies[company_id]
            kind = company.has_webhook
            self.figures.unread[kind] = max(self.figures.unread[kind], now - company.read_at)
            company.read_at = now
            if company.unknown:
                changed[company_id] = max(company.unknown)
                self.figures.delays[kind] += [now - changed_at for changed_at in company.unknown]
                company.unknown.clear()
                if self._random.random() < 0.3:
                    with_more.append(company_id)
        self._db.execute(
            READ,
            {
                "dag_id": dag_id,
                "read": company_ids,
                "changed": list(changed),
                "changed_ats": list(changed.values()),
            },
        )
        self._count(dag_id, "cdc", company_ids)
        self._count(dag_id, "query", with_more)

    def _refresh(self) -> None:
        due = reference_data.list_due(self._db, reach=REACH)
        self._db.execute(REFRESH, {"read": due, "entities": REFERENCE_ENTITIES})
        self._count(REFERENCE, "query", due, calls=len(REFERENCE_ENTITIES))

    def _prove(self) -> None:
        due = proofs.list_due(self._db, reach=REACH)
        self._db.execute(PROVE, {"read": due, "calls": PROOF_READS})
        self._count(PROOF, "query", due, calls=PROOF_READS)

    def _count(self, dag_id: str, kind: str, company_ids: Iterable[str], *, calls: int = 1) -> None:
        read = list(company_ids)
        if read:
            self._db.execute(COUNT, {"dag_id": dag_id, "kind": kind, "calls": calls, "read": read})
            self.figures.reads[dag_id] += calls * len(read)

    def _note_ages(self, now: datetime) -> None:
        for company in self.companies.values():
            age = (now - company.unknown[0]) // MINUTE if company.unknown else 0
            self.figures.ages[company.has_webhook][age] += 1

    def _reminded(self, now: datetime) -> list[str]:
        if now.minute:
            return []
        return [
            each.company_id
            for each in self.companies.values()
            if each.has_reminders and (now.hour + each.utc_offset) % 24 == 9 and now.weekday() < 5
        ]

    def _night_work(self, now: datetime) -> Callable[[], None] | None:
        return {REFRESHED_AT: self._refresh, PROVED_AT: self._prove}.get((now.hour, now.minute))


def _minute_after(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0) + MINUTE


def quantile(values: list[timedelta], share: float) -> timedelta:
    """Tell what that share of some values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
