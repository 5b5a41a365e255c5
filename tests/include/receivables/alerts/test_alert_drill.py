"""Months of causes that come, go, flap and get worse, through channels that fail, in virtual time."""

from __future__ import annotations

import os
import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

import pytest

from include.errors import ChannelError
from include.receivables.alerts import observing, sending
from include.receivables.alerts.observing import PAUSE
from tests.support.alerts import BASE_URL, KeepingCourier, Watch, cause

SEEDS = [int(seed) for seed in os.environ.get("ALERT_DRILL_SEEDS", "1,2,3").split(",")]
LOOKS = int(os.environ.get("ALERT_DRILL_LOOKS", "250"))
WITHIN = timedelta(minutes=10)
COMPANIES = ("", "acme", "globex", "initech")
CODES = ("reconnect", "not_fresh", "payments_differ")
# How many looks a cause stays, or stays away: many that flap, some that last.
STAYS = (1, 1, 2, 3, 5, 20, 60)

Key = tuple[str, str]


@dataclass
class Life:
    """A cause: whether it is there, how bad it is, and for how many more looks it stays so."""

    is_there: bool = False
    level: str = "warning"
    left: int = 0

    def live(self, chance: random.Random) -> None:
        if self.left == 0:
            self.is_there = not self.is_there and chance.random() < 0.6
            self.level = chance.choice(("warning", "danger"))
            self.left = chance.choice(STAYS)
        self.left -= 1
        if self.is_there and chance.random() < 0.05:
            self.level = "danger"


@dataclass
class Expected:
    """What a channel that never fails and is never quiet has to be told, worked out cause by cause."""

    told: dict[Key, list[tuple[str, datetime]]] = field(default_factory=lambda: defaultdict(list))
    _levels: dict[Key, str] = field(default_factory=dict)
    _gone: dict[Key, datetime] = field(default_factory=dict)

    def look(self, seen: dict[Key, str], now: datetime) -> None:
        for key, level in seen.items():
            self._gone.pop(key, None)
            if key not in self._levels:
                self.told[key].append(("opened", now))
                self._levels[key] = level
            elif level == "danger" and self._levels[key] == "warning":
                self.told[key].append(("worsened", now))
                self._levels[key] = "danger"
        for key in set(self._levels) - set(seen):
            if now - self._gone.setdefault(key, now) >= PAUSE:
                self.told[key].append(("closed", now))
                del self._levels[key], self._gone[key]


@dataclass
class DatingCourier(KeepingCourier):
    """Knows when it was given what."""

    now: datetime | None = None
    times: list[datetime] = field(default_factory=list)

    def deliver(self, channel, message) -> list[str]:
        refused = super().deliver(channel, message)
        self.times.append(self.now)
        return refused

    def by_cause(self, channel: str) -> dict[Key, list[tuple[str, datetime]]]:
        told: dict[Key, list[tuple[str, datetime]]] = defaultdict(list)
        for (name, message), at in zip(self.given, self.times, strict=True):
            for item in message.items if name == channel else ():
                told[item.company_id, item.code].append((item.kind, at))
        return told


@pytest.mark.parametrize("seed", SEEDS)
def test_each_cause_is_told_once_in_time_and_once_over(db, connected, seed: int):
    chance = random.Random(seed)
    for company_id in COMPANIES[1:]:
        connected(company_id)
    courier, expected = DatingCourier(), Expected()
    watch = Watch(db, courier)
    watch.add("ops")
    watch.add("weak")
    watch.add("office", quiet_from=time(20), quiet_until=time(8), time_zone="Asia/Singapore")
    watch.add("acme-only", company_id="acme", level="danger")
    lives = {(company_id, code): Life() for company_id in COMPANIES for code in CODES}
    first_seen: dict[Key, datetime] = {}

    for _ in range(LOOKS):
        watch.now = courier.now = watch.now + timedelta(seconds=chance.choice((170, 180, 190, 240)))
        for key, life in lives.items():
            life.live(chance)
            if life.is_there:
                first_seen.setdefault(key, watch.now)
        if chance.random() < 0.1:
            courier.broken = {} if courier.broken else {"weak": failure(chance)}
        seen = {key: life.level for key, life in lives.items() if life.is_there}
        causes = [cause(*key, level=level) for key, level in seen.items()]
        chance.shuffle(causes)
        observing.observe(db, causes, watch.now)
        sending.send_due(db, courier, watch.now, base_url=BASE_URL)
        expected.look(seen, watch.now)
        if chance.random() < 0.2:  # somebody looks at the same time
            observing.observe(db, causes, watch.now)
            sending.send_due(db, courier, watch.now, base_url=BASE_URL)

    told = courier.by_cause("ops")
    assert dict(told) == dict(expected.told)
    assert all(told[key][0][1] - at <= WITHIN for key, at in first_seen.items())
    for channel in ("weak", "office", "acme-only"):
        for key, events in courier.by_cause(channel).items():
            assert_alternating([kind for kind, _ in events])
            # One that heard of it later may have heard of a warning, and of its becoming dangerous again.
            assert count(events, "opened") <= count(expected.told[key], "opened"), (channel, key)
    assert {company for company, _ in courier.by_cause("acme-only")} <= {"acme"}
    assert_quiet(courier)
    assert_nothing_lost(db, courier, watch)


def count(events: list[tuple[str, datetime]], kind: str) -> int:
    return sum(told == kind for told, _ in events)


def failure(chance: random.Random) -> ChannelError:
    return ChannelError("No.", is_uncertain=chance.random() < 0.3)


def assert_alternating(kinds: list[str]) -> None:
    """An alert begins, may become worse once, ends, and only then begins anew."""
    state = "closed"
    for kind in kinds:
        assert (state, kind) in {
            ("closed", "opened"),
            ("opened", "worsened"),
            ("opened", "closed"),
            ("worsened", "closed"),
        }, kinds
        state = kind


def assert_quiet(courier: DatingCourier) -> None:
    """In quiet hours nothing but dangers is told: 20:00 to 08:00 in Singapore is 12:00 to 00:00 in UTC."""
    for (name, message), at in zip(courier.given, courier.times, strict=True):
        if name == "office" and at.hour >= 12:
            assert {item.level for item in message.items} == {"danger"}


def assert_nothing_lost(db, courier: DatingCourier, watch: Watch) -> None:
    """Once all is well everywhere, whoever was told of a beginning is told of its end, and nothing waits."""
    courier.broken = {}
    for _ in range(300):
        watch.now = courier.now = watch.now + timedelta(minutes=5)
        observing.observe(db, [], watch.now)
        sending.send_due(db, courier, watch.now, base_url=BASE_URL)
    for channel in ("ops", "weak", "office", "acme-only"):
        for events in courier.by_cause(channel).values():
            assert events[-1][0] == "closed"
    assert db.execute(
        "select count(*) from sync.alert_message where sent_at is null and dropped_at is null"
    ).fetchone() == (0,)
