from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
import pytest

from include.receivables.alerts import observing
from tests.support.alerts import CYCLE, START, Watch, cause, payments


@pytest.fixture
def watch(db) -> Watch:
    watch = Watch(db)
    watch.add()
    return watch


def open_alerts(db) -> list[tuple]:
    return db.execute(
        "select company_id, code, detail from sync.alert where closed_at is null order by 1, 2, 3"
    ).fetchall()


def test_a_cause_is_told_once_however_long_it_lasts(watch):
    watch.keep_looking([cause()], for_=timedelta(hours=6))

    assert watch.courier.told("ops") == [("opened", "acme", "not_fresh")]


def test_its_end_is_told_once_and_only_after_it_has_been_gone_for_ten_minutes(watch):
    watch.look([cause()])
    watch.keep_looking(for_=timedelta(minutes=10))
    assert watch.courier.told("ops") == [("opened", "acme", "not_fresh")]

    watch.keep_looking(for_=timedelta(hours=6))

    assert watch.courier.told("ops") == [("opened", "acme", "not_fresh"), ("closed", "acme", "not_fresh")]
    assert open_alerts(watch.db) == []


def test_what_flaps_is_told_once(watch):
    for _ in range(50):
        watch.look([cause()])
        watch.look()
        watch.look()

    assert watch.courier.told("ops") == [("opened", "acme", "not_fresh")]


def test_what_comes_back_after_its_end_is_told_anew(watch):
    for _ in range(2):
        watch.look([cause()])
        watch.keep_looking(for_=timedelta(minutes=15))

    assert [kind for kind, _, _ in watch.courier.told("ops")] == ["opened", "closed", "opened", "closed"]


def test_causes_of_one_code_are_told_apart_by_company_and_detail(watch):
    watch.look([cause(detail="a"), cause(detail="b"), cause("globex", detail="a")])

    assert open_alerts(watch.db) == [
        ("acme", "not_fresh", "a"), ("acme", "not_fresh", "b"), ("globex", "not_fresh", "a"),
    ]  # fmt: skip
    assert len(watch.courier.told("ops")) == 3


def test_what_is_not_to_be_told_opens_nothing(watch):
    watch.look([cause(is_told=False)])

    assert open_alerts(watch.db) == []
    assert watch.courier.given == []


def test_another_count_or_amount_is_kept_and_not_told(watch):
    watch.look([payments(amount="10.00")])
    watch.look([payments(amount="1234567890123.4567", count=7)])

    assert watch.courier.told("ops") == [("opened", "acme", "payments_differ")]
    assert watch.db.execute("select amounts, count from sync.alert").fetchall() == [
        ({"USD": "1234567890123.4567"}, 7)
    ]


def test_what_becomes_dangerous_is_told_once_more(watch):
    for level in ("warning", "danger", "warning", "danger"):
        watch.look([payments(level=level)])

    assert [kind for kind, _, _ in watch.courier.told("ops")] == ["opened", "worsened"]


def test_a_channel_for_dangers_hears_of_a_warning_once_it_is_one(watch):
    watch.add("dangers", level="danger")
    watch.look([payments()])
    assert watch.courier.told("dangers") == []

    watch.look([payments(level="danger")])
    watch.keep_looking(for_=timedelta(minutes=15))

    assert [kind for kind, _, _ in watch.courier.told("dangers")] == ["opened", "closed"]
    assert [kind for kind, _, _ in watch.courier.told("ops")] == ["opened", "worsened", "closed"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, {"acme", "globex", ""}),
        ({"company_id": "acme"}, {"acme"}),
        ({"codes": ["dag_not_running", "proof_failed"]}, {""}),
        ({"company_id": "acme", "codes": ["dag_not_running"]}, set()),
    ],
)
def test_a_channel_hears_of_what_it_is_for(watch, connected, given, told):
    connected("acme")
    watch.add("chosen", **given)

    watch.look([cause("acme"), cause("globex"), cause("", "dag_not_running")])

    assert {company for _, company, _ in watch.courier.told("chosen")} == told


def test_a_new_channel_is_told_of_what_is_open(watch):
    watch.look([cause()])
    watch.keep_looking([cause(), cause("globex")], for_=timedelta(hours=1))
    watch.add("late")

    watch.look([cause(), cause("globex")])

    assert watch.courier.told("late") == [("opened", "acme", "not_fresh"), ("opened", "globex", "not_fresh")]
    assert len(watch.courier.told("ops")) == 2


def test_the_end_is_told_only_where_the_beginning_was(watch):
    watch.look([cause()])
    watch.look()
    watch.add("late")  # the cause is not seen any more: it may be over

    watch.keep_looking(for_=timedelta(minutes=15))

    assert watch.courier.told("late") == []
    assert [kind for kind, _, _ in watch.courier.told("ops")] == ["opened", "closed"]


def test_a_look_that_fails_halfway_changes_nothing(watch):
    watch.look([cause()])
    before = watch.db.execute("select evaluated_at from sync.alert_evaluation").fetchall()

    with pytest.raises(Exception, match="violates check constraint"):
        watch.look([cause("globex"), cause("odd", level="furious")])

    assert open_alerts(watch.db) == [("acme", "not_fresh", "")]
    assert watch.db.execute("select evaluated_at from sync.alert_evaluation").fetchall() == before


def test_a_look_that_changes_nothing_writes_nothing_but_its_time(watch):
    watch.look([cause(), payments()])
    versions = watch.db.execute("select xmin, alert_id from sync.alert order by 2").fetchall()

    watch.look([cause(), payments()])

    assert watch.db.execute("select xmin, alert_id from sync.alert order by 2").fetchall() == versions
    [evaluated_at] = watch.db.execute("select evaluated_at from sync.alert_evaluation").fetchone()
    assert evaluated_at == START + 2 * CYCLE


def test_those_who_look_at_the_same_time_open_one_alert_and_plan_one_message(watch, db_url):
    def look(_number: int) -> None:
        with psycopg.connect(db_url, autocommit=True) as other:
            observing.observe(other, [cause(f"company-{number}") for number in range(40)], START)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(look, range(12)))

    assert watch.db.execute("select count(*), count(distinct company_id) from sync.alert").fetchone() == (
        40,
        40,
    )
    assert watch.db.execute("select count(*) from sync.alert_message").fetchone() == (40,)


def test_a_look_that_comes_late_does_not_turn_the_clock_back(watch):
    watch.look([cause()])
    observing.observe(watch.db, [cause()], START - CYCLE)

    assert watch.db.execute("select evaluated_at from sync.alert_evaluation").fetchone() == (START + CYCLE,)


def test_the_clock_is_the_servers(db):
    assert observing.read_clock(db) <= db.execute("select clock_timestamp()").fetchone()[0]


def test_thirty_quiet_days_bring_no_message(watch):
    watch.add("mail", kind="smtp", recipients=["finance@example.com"])
    watch.now = START
    while watch.now < START + timedelta(days=30):
        watch.look(after=timedelta(minutes=30))

    assert watch.courier.given == []
