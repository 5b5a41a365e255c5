from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from include.errors import DeletionBrakeError
from include.quickbooks.calls import CallCounts
from include.quickbooks.entities import INVOICE, PAYMENT, SYNCED
from include.quickbooks.records import OLDEST, Changes, Odd, Page, Record
from include.receivables.company.run_context import RunContext
from include.receivables.company.runs import Run, company_run
from include.receivables.inbound import staging

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from tests.support.workbench import Workbench

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def run(bench: Workbench) -> Iterator[Run]:
    company = bench.connect("empty")
    with company_run(bench.db, company, RunContext("test", "staging"), calls=CallCounts()) as run:
        yield run


def alive(qbo_id: str = "1", token: int = 0, updated_at: datetime = NOON, **fields: Any) -> Record:
    payload = {"Id": qbo_id, "SyncToken": str(token), "updated": updated_at.isoformat(), **fields}
    return Record(qbo_id, token, updated_at, False, json.dumps(payload).encode())


def tombstone(qbo_id: str = "1", deleted_at: datetime = NOON) -> Record:
    return Record(qbo_id, 0, deleted_at, True, json.dumps({"Id": qbo_id, "status": "Deleted"}).encode())


def answer(read_at: datetime, *records: Record) -> Changes:
    found = {entity.name: [] for entity in SYNCED} | {"Invoice": list(records)}
    return Changes(found, read_at, is_full=False)


def stage(db: psycopg.Connection, run: Run, read_at: datetime, *records: Record) -> None:
    staging.stage_changes(db, run, answer(read_at, *records), SYNCED, accept_deletions=True)


def kept(db: psycopg.Connection, qbo_id: str = "1") -> tuple[Any, bool]:
    """Return the text of the staged version and whether it is deleted."""
    row = db.execute(
        "select payload ->> 'text', deleted_at is not null from staging.invoice where qbo_id = %s", [qbo_id]
    ).fetchone()
    assert row is not None
    return row


def problems(db: psycopg.Connection) -> list[tuple[str, str, str]]:
    return db.execute("select qbo_id, code, state from sync.problem order by qbo_id").fetchall()


def test_the_newest_version_stays_whichever_order_the_answers_come_in(db: psycopg.Connection, run: Run):
    # The first three are of one second; the third is a balance that changed without a new SyncToken.
    versions = [
        (NOON + 1 * SECOND, 0, NOON, "first"),
        (NOON + 2 * SECOND, 1, NOON, "edited"),
        (NOON + 3 * SECOND, 1, NOON, "rebalanced"),
        (NOON + 4 * SECOND, 2, NOON + SECOND, "edited again"),
    ]
    for number, order in enumerate(itertools.permutations(range(4))):
        newest = -1
        for index in order:
            read_at, token, updated_at, text = versions[index]
            stage(db, run, read_at, alive(str(number), token, updated_at, text=text))
            newest = max(newest, index)
            assert kept(db, str(number)) == (versions[newest][3], False), order


def test_a_deleted_record_stays_deleted_whichever_order_the_answers_come_in(db: psycopg.Connection, run: Run):
    answers = [
        (NOON + 1 * SECOND, lambda qbo_id: alive(qbo_id, 0, NOON)),
        (NOON + 2 * SECOND, lambda qbo_id: alive(qbo_id, 1, NOON + SECOND)),
        (NOON + 3 * SECOND, lambda qbo_id: tombstone(qbo_id, NOON + 2 * SECOND)),
        (NOON + 4 * SECOND, lambda qbo_id: tombstone(qbo_id, NOON + 2 * SECOND)),
    ]
    for number, order in enumerate(itertools.permutations(answers)):
        for read_at, record in order:
            stage(db, run, read_at, record(str(number)))
        assert kept(db, str(number))[1] is True


def test_a_record_deleted_within_the_second_of_its_last_edit_is_deleted(db: psycopg.Connection, run: Run):
    stage(db, run, NOON + SECOND / 4, alive(updated_at=NOON))
    stage(db, run, NOON + SECOND / 2, tombstone(deleted_at=NOON))
    assert kept(db)[1] is True


def test_an_answer_begun_before_a_record_was_read_does_not_delete_it(db: psycopg.Connection, run: Run):
    stage(db, run, NOON + 9 * SECOND, alive(updated_at=NOON))
    stage(db, run, NOON + 5 * SECOND, tombstone(deleted_at=NOON + 4 * SECOND))
    assert kept(db)[1] is False


@pytest.mark.parametrize("was_known", [True, False])
def test_a_record_changed_after_its_deletion_comes_back(db: psycopg.Connection, run: Run, was_known: bool):
    if was_known:
        stage(db, run, NOON, alive(text="before"))
    stage(db, run, NOON + 3 * SECOND, tombstone(deleted_at=NOON + 2 * SECOND))
    stage(db, run, NOON + 6 * SECOND, alive(token=3, updated_at=NOON + 5 * SECOND, text="after"))
    assert kept(db) == ("after", False)


@pytest.mark.parametrize("was_known", [True, False])
def test_a_record_wrongly_reported_as_gone_comes_back_once_it_is_read_again(
    db: psycopg.Connection, run: Run, was_known: bool
):
    known = alive(text="unchanged since")
    if was_known:
        stage(db, run, NOON, known)
    with db.transaction():
        staging.mark_deleted(db, run, INVOICE, {"1": NOON + SECOND}, read_at=NOON + SECOND)
    stage(db, run, NOON + 5 * SECOND, known)
    assert kept(db)[1] is True  # so soon, an index that lags behind says the same
    stage(db, run, NOON + timedelta(hours=1), known)
    assert kept(db) == ("unchanged since", False)


def test_every_version_is_kept_with_the_moment_it_was_read(db: psycopg.Connection, run: Run):
    for number, text in enumerate(("one", "two", "three")):
        stage(db, run, NOON + number * SECOND, alive(token=number, updated_at=NOON, text=text))
    stage(db, run, NOON + 9 * SECOND, tombstone(deleted_at=NOON + 8 * SECOND))
    said = (
        "select payload ->> 'text', deleted_at from staging.version where read_at <= %s order by read_at desc"
    )
    for number, text in enumerate(("one", "two", "three")):
        assert db.execute(said, [NOON + number * SECOND]).fetchone() == (text, None)
    assert db.execute(said, [NOON + 9 * SECOND]).fetchone() == ("three", NOON + 8 * SECOND)


@pytest.mark.parametrize("was_known", [True, False])
def test_a_version_is_never_dated_later_than_the_second_in_which_it_was_read(
    db: psycopg.Connection, run: Run, was_known: bool
):
    if was_known:
        stage(db, run, NOON, alive(updated_at=NOON - SECOND, text="before"))
    stage(db, run, NOON + SECOND / 2, alive(token=1, updated_at=NOON + timedelta(days=7), text="future"))
    stage(db, run, NOON + 9 * SECOND, alive(token=2, updated_at=NOON + 5 * SECOND, text="edited"))
    assert kept(db) == ("edited", False)


def test_a_higher_sync_token_is_newer_under_an_older_time(db: psycopg.Connection, run: Run):
    stage(db, run, NOON + SECOND, alive(updated_at=NOON, text="known"))
    stage(db, run, NOON + 2 * SECOND, alive(token=1, updated_at=NOON - timedelta(days=1), text="newer"))
    assert kept(db) == ("newer", False)
    stage(db, run, NOON + 3 * SECOND, alive(updated_at=NOON + 2 * SECOND, text="older"))
    assert kept(db) == ("newer", False)


def test_a_record_without_a_time_is_replaced_by_the_same_version_with_one(db: psycopg.Connection, run: Run):
    stage(db, run, NOON, alive(updated_at=OLDEST, text="without"))
    stage(db, run, NOON + SECOND, alive(updated_at=NOON - timedelta(days=1), text="with"))
    assert kept(db) == ("with", False)


@pytest.mark.parametrize("text", ["the same", "another"])
def test_what_cannot_be_told_to_be_newer_is_a_problem_until_it_can(
    db: psycopg.Connection, run: Run, text: str
):
    stage(db, run, NOON, alive(token=1, updated_at=NOON, text="the same"))
    payload = json.dumps({"Id": "1", "updated": NOON.isoformat(), "text": text}).encode()
    unordered = Record("1", 1, OLDEST, False, payload, is_ordered=False)
    for _ in range(2):
        stage(db, run, NOON + SECOND, unordered)
    assert kept(db) == ("the same", False)
    assert problems(db) == ([] if text == "the same" else [("1", "unreadable", "open")])
    stage(db, run, NOON + 2 * SECOND, alive(token=1, updated_at=NOON + SECOND, text=text))
    assert kept(db) == (text, False)
    assert [state for *_, state in problems(db)] == ([] if text == "the same" else ["resolved"])


def test_a_record_that_cannot_be_read_is_one_problem_until_it_is_read_or_gone(
    db: psycopg.Connection, run: Run
):
    for qbo_id in ("1", "2", "3"):
        stage(db, run, NOON, alive(qbo_id, text="known"))
    odd = [Odd(INVOICE, qbo_id, "its SyncToken is none") for qbo_id in ("1", "2", "3")]
    for number in range(1, 3):
        staging.stage_page(db, run, Page(INVOICE, [], NOON + number * SECOND, odd))
    assert [kept(db, qbo_id) for qbo_id in ("1", "2", "3")] == [("known", False)] * 3
    assert problems(db) == [(qbo_id, "unreadable", "open") for qbo_id in ("1", "2", "3")]
    stage(db, run, NOON + 9 * SECOND, alive("1", text="known"), tombstone("2", NOON + 8 * SECOND))
    assert [state for *_, state in problems(db)] == ["resolved", "resolved", "open"]


def test_of_one_second_the_higher_sync_token_wins_even_over_a_later_answer(db: psycopg.Connection, run: Run):
    stage(db, run, NOON + 2 * SECOND, alive(token=2, text="newer"))
    stage(db, run, NOON + 3 * SECOND, alive(token=1, text="from an index that lags behind"))
    assert kept(db) == ("newer", False)


@pytest.mark.parametrize("texts", [("old", "new"), ("new", "old")])
def test_the_newest_of_what_comes_twice_in_one_answer_is_kept(
    db: psycopg.Connection, run: Run, texts: tuple[str, str]
):
    tokens = {"old": 0, "new": 1}
    staging.stage_page(db, run, Page(INVOICE, [alive(token=tokens[text], text=text) for text in texts], NOON))
    assert kept(db) == ("new", False)


def test_the_cursor_never_goes_back(db: psycopg.Connection, run: Run):
    for read_at in (NOON, NOON + SECOND, NOON - SECOND):
        stage(db, run, read_at)
    assert staging.read_cursor(db, run.company.realm_id, SYNCED) == NOON + SECOND


def test_the_cursor_is_the_oldest_of_the_entities_and_none_before_all_have_one(
    db: psycopg.Connection, run: Run
):
    with db.transaction():
        staging.advance_cursor(db, run, [INVOICE], NOON)
    assert staging.read_cursor(db, run.company.realm_id, [INVOICE, PAYMENT]) is None
    with db.transaction():
        staging.advance_cursor(db, run, [PAYMENT], NOON - SECOND)
    assert staging.read_cursor(db, run.company.realm_id, [INVOICE, PAYMENT]) == NOON - SECOND


@pytest.mark.parametrize(
    ("alive_records", "deleted", "is_believed"), [(25, 25, True), (300, 30, True), (300, 31, False)]
)
def test_a_tenth_of_the_records_or_a_handful_may_be_deleted_at_once(
    db: psycopg.Connection, run: Run, alive_records: int, deleted: int, is_believed: bool
):
    stage(db, run, NOON, *(alive(str(number)) for number in range(alive_records)))
    stones = [tombstone(str(number), NOON + SECOND) for number in range(deleted)]
    unknown = [tombstone(str(number), NOON + SECOND) for number in range(1000, 1100)]
    changes = answer(NOON + 2 * SECOND, *stones, *unknown)
    if is_believed:
        staging.stage_changes(db, run, changes, SYNCED)
    else:
        with pytest.raises(DeletionBrakeError, match=f"{deleted} of {alive_records} Invoice"):
            staging.stage_changes(db, run, changes, SYNCED)
    gone = db.execute("select count(*) from staging.invoice where deleted_at is not null").fetchone()
    assert gone == (deleted + len(unknown) if is_believed else 0,)


def test_companies_do_not_see_each_others_records(bench: Workbench, run: Run):
    stage(bench.db, run, NOON, alive())
    with company_run(
        bench.db, bench.connect("empty"), RunContext("test", "other"), calls=CallCounts()
    ) as other:
        stage(bench.db, other, NOON + SECOND, tombstone(deleted_at=NOON))
    rows = bench.db.execute("select realm_id, deleted_at is null from staging.invoice").fetchall()
    assert dict(rows) == {run.company.realm_id: True, other.company.realm_id: False}


def test_a_record_that_is_not_utf_8_becomes_a_problem_and_the_others_go_in(db: psycopg.Connection, run: Run):
    broken = Record("2", 0, NOON, False, b'{"Id": "2", "text": "\xff"}')
    stage(db, run, NOON, alive("1", text="good"), broken, alive("3", text="good"))
    assert [row[0] for row in db.execute("select qbo_id from staging.invoice order by qbo_id")] == ["1", "3"]
    [(code, message)] = db.execute("select code, message from sync.problem").fetchall()
    assert (code, "not UTF-8" in message) == ("unreadable", True)
