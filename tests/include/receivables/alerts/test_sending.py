from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from include.errors import ChannelError, ConfigurationError, SilentChannelError
from include.receivables.alerts import channels, observing, sending
from include.sql import load
from tests.support.alert_senders import send_and_die, send_into
from tests.support.alerts import BASE_URL, CYCLE, START, Watch, cause, payments
from tests.support.killing import preloaded

ELSEWHERE = preloaded("tests.support.alert_senders")


@pytest.fixture
def watch(db) -> Watch:
    watch = Watch(db)
    watch.add()
    return watch


def test_five_hundred_causes_at_once_are_one_message(watch):
    causes = [cause(f"company-{number}", "reconnect") for number in range(500)]
    watch.look(causes)

    [(_, message)] = watch.courier.given
    assert len(message.items) == 500
    watch.keep_looking(causes, for_=timedelta(hours=1))
    assert len(watch.courier.given) == 1

    watch.keep_looking(for_=timedelta(minutes=15))
    assert [len(message.items) for _, message in watch.courier.given] == [500, 500]


def test_more_than_fit_into_one_message_are_told_in_several(watch):
    watch.look([cause(f"company-{number}", "reconnect") for number in range(sending.MOST_TOLD + 5)])

    assert [len(message.items) for _, message in watch.courier.given] == [sending.MOST_TOLD, 5]


def test_quiet_hours_hold_warnings_back_and_their_end_brings_one_message_of_those_still_open(watch):
    watch.add("office", quiet_from=time(22), quiet_until=time(7))
    watch.now = datetime(2026, 11, 30, 23, 0, tzinfo=UTC)
    over, others = payments("over"), [payments("acme"), payments("globex")]
    watch.keep_looking([over, *others], for_=timedelta(hours=1))
    watch.keep_looking(others, for_=timedelta(hours=6, minutes=56))
    assert watch.courier.told("office") == []
    assert len(watch.courier.told("ops")) == 4  # the third is over

    watch.keep_looking(others, for_=timedelta(hours=2))

    [message] = [message for name, message in watch.courier.given if name == "office"]
    assert {item.company_id for item in message.items} == {"acme", "globex"}


def test_quiet_hours_hold_no_danger_back(watch):
    watch.add("office", quiet_from=time(22), quiet_until=time(7))
    watch.now = datetime(2026, 11, 30, 23, 0, tzinfo=UTC)
    watch.look([cause(), payments()])
    assert watch.courier.told("office") == [("opened", "acme", "not_fresh")]

    watch.look([cause(), payments(level="danger")])

    assert watch.courier.told("office") == [
        ("opened", "acme", "not_fresh"), ("opened", "acme", "payments_differ"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("zone", "quiet_from", "quiet_until", "at", "is_quiet"),
    [
        ("UTC", "22:00", "07:00", "2026-11-30 21:59:59Z", False),
        ("UTC", "22:00", "07:00", "2026-11-30 22:00Z", True),
        ("UTC", "22:00", "07:00", "2026-12-01 00:00Z", True),
        ("UTC", "22:00", "07:00", "2026-12-01 06:59:59Z", True),
        ("UTC", "22:00", "07:00", "2026-12-01 07:00Z", False),
        ("UTC", "12:00", "13:00", "2026-12-01 12:30Z", True),
        ("UTC", "12:00", "13:00", "2026-12-01 11:59Z", False),
        ("UTC", "00:00", "08:00", "2026-12-01 00:00Z", True),
        ("Asia/Singapore", "22:00", "07:00", "2026-11-30 14:00Z", True),
        ("Asia/Singapore", "22:00", "07:00", "2026-11-30 23:00Z", False),
        # Berlin's clock goes from 02:00 to 03:00 on 29 March 2026, and from 03:00 back to 02:00 on 25 October.
        ("Europe/Berlin", "22:00", "07:00", "2026-03-28 05:59Z", True),
        ("Europe/Berlin", "22:00", "07:00", "2026-03-29 04:59Z", True),
        ("Europe/Berlin", "22:00", "07:00", "2026-03-29 05:00Z", False),
        ("Europe/Berlin", "22:00", "02:30", "2026-03-29 00:59Z", True),
        ("Europe/Berlin", "22:00", "02:30", "2026-03-29 01:00Z", False),
        ("Europe/Berlin", "22:00", "07:00", "2026-10-25 05:59Z", True),
        ("Europe/Berlin", "22:00", "07:00", "2026-10-25 06:00Z", False),
        ("Europe/Berlin", "02:00", "03:00", "2026-10-25 00:30Z", True),
        ("Europe/Berlin", "02:00", "03:00", "2026-10-25 01:30Z", True),
        ("Europe/Berlin", "02:00", "03:00", "2026-10-25 02:00Z", False),
    ],
)
def test_quiet_hours_are_those_of_the_clock_on_the_wall(watch, zone, quiet_from, quiet_until, at, is_quiet):
    hours = {"quiet_from": time.fromisoformat(quiet_from), "quiet_until": time.fromisoformat(quiet_until)}
    watch.add("office", time_zone=zone, **hours)
    watch.now = datetime.fromisoformat(at)

    watch.look([payments()], after=timedelta())

    assert (watch.courier.told("office") == []) is is_quiet


def test_a_channel_that_fails_keeps_no_other_from_its_messages_and_gets_its_own_later(watch):
    watch.add("broken")
    watch.courier.broken["broken"] = ChannelError("It answered 500.")
    sent = watch.look([cause()])
    assert (sent.messages, sent.failed) == (1, ["broken"])
    watch.look([cause(), payments()])

    del watch.courier.broken["broken"]
    watch.look([cause(), payments()])

    assert sorted(watch.courier.told("broken")) == sorted(watch.courier.told("ops"))
    assert len([name for name, _ in watch.courier.given if name == "broken"]) == 1
    assert channels.get_channel(watch.db, "broken").failures == 0


def test_a_channel_that_keeps_failing_fails_the_run_by_name_and_reason(watch):
    watch.courier.broken["ops"] = ConfigurationError("The Airflow connection 'ops' is not defined.")
    for _ in range(channels.FAILS_AFTER - 1):
        watch.look([cause()])
        sending.check_channels(watch.db)

    watch.look([cause()])

    with pytest.raises(SilentChannelError, match=r"ops: The Airflow connection 'ops' is not defined\."):
        sending.check_channels(watch.db)
    [channel] = channels.list_channels(watch.db)
    assert (channel.failures, channel.failing_since) == (3, START + CYCLE)


def test_what_was_over_before_a_failing_channel_took_it_is_told_neither_way(watch):
    watch.courier.broken["ops"] = ChannelError("No.")
    watch.look([cause()])
    watch.keep_looking(for_=timedelta(minutes=30))

    watch.courier.broken.clear()
    watch.keep_looking(for_=timedelta(minutes=30))

    assert watch.courier.given == []


def test_a_lost_answer_has_the_same_message_sent_once_more_under_its_id(watch):
    watch.courier.broken["ops"] = ChannelError("No answer.", is_uncertain=True)
    watch.look([cause()])
    [batch_id] = watch.db.execute("select batch_id from sync.alert_message").fetchone()
    watch.courier.broken.clear()

    # What is new meanwhile does not become a part of it.
    watch.look([cause(), cause("globex")])
    watch.look([cause(), cause("globex")])

    told = [
        (message.message_id, [item.company_id for item in message.items])
        for _, message in watch.courier.given
    ]
    assert (str(batch_id), ["acme"]) in told
    assert sorted(ids for _, ids in told) == [["acme"], ["globex"]]


def test_an_end_whose_beginning_may_have_arrived_is_told_after_it(watch):
    watch.courier.broken["ops"] = ChannelError("No answer.", is_uncertain=True)
    watch.look([cause()])
    watch.keep_looking(for_=timedelta(minutes=30))
    watch.courier.broken.clear()

    watch.keep_looking(for_=timedelta(minutes=30))

    assert [kind for kind, _, _ in watch.courier.told("ops")] == ["opened", "closed"]


def test_recipients_that_were_refused_are_shown_and_the_message_is_not_sent_again(watch):
    watch.courier.refused = ["gone@example.com"]
    watch.look([cause()])
    watch.look([cause()])

    assert len(watch.courier.given) == 1
    channel = channels.get_channel(watch.db, "ops")
    assert channel.last_error == "The mail server refuses gone@example.com: correct the recipients."


def test_a_removed_channel_is_told_nothing_more_and_its_name_is_free(watch):
    watch.courier.broken["ops"] = ChannelError("No.")
    watch.look([cause()])
    channels.remove_channel(watch.db, "ops")
    watch.courier.broken.clear()
    watch.add("ops")

    watch.look([cause()])

    assert watch.courier.told("ops") == [("opened", "acme", "not_fresh")]


def test_a_test_says_whether_a_channel_works_and_ends_its_failing(watch):
    watch.courier.broken["ops"] = ChannelError("It answered 404.")
    for _ in range(3):
        watch.look([cause()])
    with pytest.raises(SilentChannelError, match=r"ops does not work: It answered 404\."):
        sending.send_test(watch.db, watch.courier, "ops", by="admin", base_url=BASE_URL)
    watch.courier.broken.clear()

    sending.send_test(watch.db, watch.courier, "ops", by="admin", base_url=BASE_URL)

    sending.check_channels(watch.db)
    [(_, message)] = watch.courier.given
    assert "admin has sent this message" in message.text
    with pytest.raises(ConfigurationError, match="There is no channel 'nobody'"):
        sending.send_test(watch.db, watch.courier, "nobody", by="admin", base_url=BASE_URL)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_sender_that_is_killed_beside_the_handing_over_loses_nothing(watch, db_url, tmp_path, moment):
    """Only a kill between the handing over and its record has a message arrive twice, under one id."""
    observing.observe(watch.db, [cause()], watch.now)
    taken = tmp_path / "taken"

    process = ELSEWHERE.Process(target=send_and_die, args=(db_url, str(taken), watch.now, moment))
    process.start()
    process.join(60)
    assert process.exitcode == -9
    assert watch.send().messages == 0  # somebody may be at work on it

    watch.keep_looking([cause()], for_=sending.LEASE)
    watch.keep_looking([cause()], for_=timedelta(hours=1))

    assert watch.courier.told("ops") == [("opened", "acme", "not_fresh")]
    ids = taken.read_text().split() if taken.exists() else []
    assert ids == ([watch.courier.given[0][1].message_id] if moment == "after" else [])


def test_senders_at_the_same_time_send_each_message_once(watch, db_url, tmp_path):
    for number in range(20):
        watch.add(f"channel-{number}")
    observing.observe(watch.db, [cause(f"c-{number}") for number in range(30)], watch.now)
    files = [str(tmp_path / f"sender-{number}") for number in range(4)]
    processes = [ELSEWHERE.Process(target=send_into, args=(db_url, file, watch.now)) for file in files]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)

    told = [tuple(json.loads(line)) for file in files for line in Path(file).read_text().splitlines()]
    assert len(told) == len(set(told)) == 21 * 30


def test_a_claim_waits_for_the_one_before_it_and_finds_nothing_left(watch, db_url):
    watch.look([cause(), cause("globex")], after=timedelta())
    watch.add("late")
    observing.observe(watch.db, [cause(), cause("globex")], watch.now)
    channel_id = channels.get_channel(watch.db, "late").channel_id
    keys = {"channel_id": channel_id, "moment": watch.now, "lease": sending.LEASE, "most": 10}
    with psycopg.connect(db_url, autocommit=True) as other:
        other.execute("set lock_timeout = '200ms'")
        with watch.db.transaction():
            mine = watch.db.execute(load("sync/claim_messages"), keys | {"batch_id": uuid4()}).fetchall()
            with pytest.raises(psycopg.errors.LockNotAvailable):
                other.execute(load("sync/claim_messages"), keys | {"batch_id": uuid4()})
        assert len(mine) == 2
        assert other.execute(load("sync/claim_messages"), keys | {"batch_id": uuid4()}).fetchall() == []


def test_a_channel_that_breaks_in_an_unforeseen_way_keeps_no_other_from_its_messages(watch):
    watch.courier.broken["ops"] = ZeroDivisionError("with a secret")
    watch.add("other")
    sent = watch.look([cause()])
    assert (sent.failed, watch.courier.told("other")) == (["ops"], [("opened", "acme", "not_fresh")])
    assert channels.get_channel(watch.db, "ops").last_error == "It broke with ZeroDivisionError."

    watch.courier.broken.clear()
    watch.keep_looking([cause()], for_=timedelta(minutes=10))

    assert watch.courier.told("ops") == [("opened", "acme", "not_fresh")]
