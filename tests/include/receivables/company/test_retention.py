from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from include.errors import ConfigurationError
from include.receivables.company import retention
from include.receivables.company.companies import list_companies
from include.receivables.company.retention import Retention
from include.receivables.reminders.verdict_replay import replay
from tests.support.asking import Asking
from tests.support.quick_start import connect_as_imported

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from include.receivables.company.companies import Company
    from tests.support.bookkeeper import Bookkeeper
    from tests.support.cashier import Cashier
    from tests.support.workbench import Workbench

# What bears a time by which it grows old, and which rows of it.
TIMES = {
    "staging.history": ("replaced_at", "read_at"),
    "sync.run": ("started_at", "ended_at"),
    "sync.problem": ("first_seen_at", "last_seen_at", "resolved_at"),
    "sync.webhook_event": ("received_at",),
    "peakflo.reminder_verdict": ("judged_at",),
    "outbox.move": ("moved_at",),
    "outbox.delivery": ("since", "queued_at"),
    "staging.import_progress": ("started_at",),
    "proof.proof": ("made_at",),
}
NAMED_RUNS = """
    select run_id from staging.record
    union select run_id from staging.history
    union select run_id from peakflo.reminder_verdict
    union select run_id from outbox.move
    union select run_id from proof.proof
"""


def grow_old(db: psycopg.Connection, days: int, share: float = 1.0, seed: int = 0) -> None:
    """Let a share of all rows grow older."""
    chance = random.Random(seed)
    for table, columns in TIMES.items():
        aged = ", ".join(f"{column} = {column} - interval '{days} days'" for column in columns)
        rows = db.execute(f"select tableoid, ctid from {table} order by ctid").fetchall()
        chosen = [ctid for _, ctid in rows if chance.random() < share]
        db.execute(f"update {table} set {aged} where ctid = any(%s::tid[])", [chosen])


def count(db: psycopg.Connection, table: str, where: str = "true") -> int:
    [total] = db.execute(f"select count(*) from {table} where {where}").fetchone()
    return total


def run_ids(db: psycopg.Connection, statement: str = "select run_id from sync.run") -> set[int]:
    return {row[0] for row in db.execute(statement)}


@pytest.fixture
def lived(bench: Workbench, keep_books: Callable[[Company], Bookkeeper]) -> Company:
    """A company with records of several versions, and with verdicts on some of them."""
    company = connect_as_imported(bench, "acme")
    books = keep_books(company)
    ask = Asking(bench, company)
    ada = books.customer("Ada")
    invoices = [books.invoice(ada, str(amount)) for amount in (10, 20, 30)]
    bench.sync(company)
    for amount in ("1", "2"):
        ask.judgement(*invoices[:2])
        for invoice in invoices:
            books.pay(ada, amount, ("Invoice", invoice, amount))
        bench.sync(company)
    ask.judgement(*invoices[:1])
    bench.db.execute("update sync.run set has_news = false")
    return company


def test_nothing_that_is_young_is_forgotten(bench: Workbench, lived: Company):
    before = {table: count(bench.db, table) for table in TIMES}
    grow_old(bench.db, 29)

    deleted = retention.prune(bench.db, Retention())

    assert set(deleted.values()) == {0}
    assert {table: count(bench.db, table) for table in TIMES} == before


def test_old_versions_go_and_those_that_a_verdict_was_judged_on_stay(bench: Workbench, lived: Company):
    grow_old(bench.db, 500)
    kept = Retention(verdicts=600)
    before = replay(bench.db)
    versions_before = count(bench.db, "staging.history", "entity = 'invoice'")
    judged = bench.db.execute(
        "select distinct evidence ->> 'qbo_id', qbo_sync_token from peakflo.reminder_verdict"
        " where (evidence ->> 'qbo_id', qbo_sync_token)"
        " in (select qbo_id, sync_token from staging.history where entity = 'invoice') order by 1, 2"
    ).fetchall()

    retention.prune(bench.db, kept)

    assert replay(bench.db) == before
    assert before.counts["same"] == 5
    versions = "select qbo_id, sync_token from staging.history where entity = 'invoice' order by 1, 2"
    assert bench.db.execute(versions).fetchall() == judged
    assert 0 < len(judged) < versions_before
    assert count(bench.db, "staging.history", "entity <> 'invoice'") == 0


def test_of_old_verdicts_the_last_on_each_invoice_stays(bench: Workbench, lived: Company):
    latest = bench.db.execute("select * from peakflo.latest_verdict order by invoice_id").fetchall()
    grow_old(bench.db, 500)

    retention.prune(bench.db, Retention())

    after = bench.db.execute("select invoice_id, run_id from peakflo.latest_verdict order by 1").fetchall()
    assert count(bench.db, "peakflo.reminder_verdict") == len(after) == len(latest) == 2
    assert replay(bench.db).counts == {"same": 2}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("most", [1, 5000])
def test_whatever_grows_old_no_run_goes_that_something_names(
    bench: Workbench, lived: Company, seed: int, most: int
):
    for number in range(5):
        bench.db.execute(
            "insert into sync.run (company_id, realm_id, dag_id, dag_run_id, state, started_at, ended_at)"
            " values ('acme', %s, 'idle', %s, 'success', now(), now())",
            [lived.realm_id, str(number)],
        )
    grow_old(bench.db, 500, share=0.6, seed=seed)
    before = run_ids(bench.db)
    last_sync = [company["last_sync_at"] for company in list_companies(bench.db)]
    old = run_ids(bench.db, "select run_id from sync.run where started_at < now() - interval '400 days'")

    retention.prune(bench.db, Retention(), most=most)

    after = run_ids(bench.db)
    named = run_ids(bench.db, NAMED_RUNS)
    assert named & before <= after
    assert before - after <= old
    assert [company["last_sync_at"] for company in list_companies(bench.db)] == last_sync
    # Of what is old and that nothing names, only the last of its kind is left.
    left = run_ids(
        bench.db, "select distinct on (company_id, dag_id, state) run_id from sync.run"
        " order by company_id, dag_id, state, started_at desc, run_id desc",
    )  # fmt: skip
    assert (after & old) <= named | left
    assert retention.prune(bench.db, Retention()) == dict.fromkeys(retention.prune(bench.db, Retention()), 0)


def test_a_company_is_synced_after_it_as_before(bench: Workbench, lived: Company):
    grow_old(bench.db, 500)
    retention.prune(bench.db, Retention())

    outcome = bench.sync(lived)

    assert outcome.calls == 1
    assert all(counts["merged"] == counts["deleted"] == 0 for counts in outcome.entities.values())


def test_a_run_with_news_and_one_that_is_running_stay(bench: Workbench, lived: Company):
    for state, news in (("success", True), ("running", False), ("success", False), ("success", False)):
        bench.db.execute(
            "insert into sync.run (company_id, realm_id, dag_id, dag_run_id, state, has_news)"
            " values ('acme', %s, 'idle', 'x', %s, %s)",
            [lived.realm_id, state, news],
        )
    grow_old(bench.db, 500)

    retention.prune(bench.db, Retention())

    rows = bench.db.execute("select state, has_news from sync.run where dag_id = 'idle' order by run_id")
    assert rows.fetchall() == [("success", True), ("running", False), ("success", False)]


def test_moves_stay_until_both_sides_have_agreed_for_long(cashier: Cashier):
    db = cashier.bench.db
    at_rest, undone = (cashier.take(invoice) for invoice in cashier.invoices(2))
    cashier.push()
    cashier.books.void("Payment", cashier.record(undone)["qbo_id"])
    cashier.bench.sync(cashier.company)
    cashier.push()
    standings = {payment_id: cashier.standing(payment_id) for payment_id in (at_rest, undone)}
    assert [kind for kind, _ in standings.values()] == ["agrees", "differs"]
    moves = count(db, "outbox.move")
    grow_old(db, 500)
    retention.prune(db, Retention())
    assert count(db, "outbox.move") == moves

    grow_old(db, 4000)
    retention.prune(db, Retention())

    records = {cashier.record(payment_id)["record_id"]: payment_id for payment_id in standings}
    left = {records[row[0]] for row in db.execute("select distinct record_id from outbox.move").fetchall()}
    assert left == set(standings) - {at_rest}
    cashier.push()
    assert {payment_id: cashier.standing(payment_id) for payment_id in standings} == standings


def test_old_events_and_resolved_problems_go_and_open_ones_stay(bench: Workbench, lived: Company):
    db = bench.db
    for age, event_id in ((29, "young"), (31, "old")):
        db.execute(
            "insert into sync.webhook_event (event_id, realm_id, entity, qbo_id, operation, received_at)"
            " values (%s, %s, 'payment', '1', 'create', now() - %s * interval '1 day')",
            [event_id, lived.realm_id, age],
        )
    for state, age in (("open", 500), ("ignored", 500), ("resolved", 500), ("resolved", 399)):
        db.execute(
            "insert into sync.problem (company_id, realm_id, direction, code, message, cure, actor, state, resolved_at)"
            " values ('acme', %s, 'inbound', %s, '', '', '', %s, now() - %s * interval '1 day')",
            [lived.realm_id, f"{state}{age}", state, age],
        )

    retention.prune(db, Retention())

    assert db.execute("select event_id from sync.webhook_event").fetchall() == [("young",)]
    codes = {row[0] for row in db.execute("select code from sync.problem")}
    assert codes == {"open500", "ignored500", "resolved399"}


def test_of_old_proofs_the_last_of_each_company_stays(bench: Workbench, lived: Company):
    db = bench.db
    for _ in range(3):
        db.execute(
            "with made as (insert into proof.proof (company_id, realm_id, run_id, verdict)"
            " values ('acme', %s, 1, 'equal') returning proof_id)"
            " insert into proof.customer (proof_id, customer_id, quickbooks, peakflo)"
            " select proof_id, '1', 1, 1 from made",
            [lived.realm_id],
        )
    grow_old(db, 89)
    retention.prune(db, Retention())
    assert count(db, "proof.proof") == 3

    grow_old(db, 2)
    retention.prune(db, Retention(), most=1)

    assert count(db, "proof.proof") == count(db, "proof.customer") == 1


def test_old_alerts_that_are_over_go_with_what_was_told_and_open_ones_stay(bench: Workbench, lived: Company):
    db = bench.db
    [channel_id] = db.execute(
        "insert into sync.alert_channel (name, kind, connection_id, created_by)"
        " values ('chat', 'slack', 'chat', 'test') returning channel_id"
    ).fetchone()
    for code, days in (("old", 401), ("young", 399), ("open", None)):
        [alert_id] = db.execute(
            "insert into sync.alert (company_id, code, detail, level, sentence, remedy, owner, action, amounts, count,"
            " opened_at, closed_at) values ('acme', %s, '', 'danger', '', '', '', '', '{}', 0,"
            " now() - interval '500 days', now() - %s * interval '1 day') returning alert_id",
            [code, days],
        ).fetchone()
        db.execute(
            "insert into sync.alert_message (alert_id, channel_id, kind, due_at) values (%s, %s, 'opened', now())",
            [alert_id, channel_id],
        )

    retention.prune(db, Retention())

    assert {row[0] for row in db.execute("select code from sync.alert")} == {"young", "open"}
    assert count(db, "sync.alert_message") == 2


@pytest.mark.parametrize(("status", "left"), [("connected", 1), ("disconnected", 0)])
def test_a_given_up_import_is_forgotten_where_nobody_reads(
    bench: Workbench, lived: Company, status: str, left: int
):
    bench.db.execute(
        "insert into staging.import_progress (realm_id, entity, started_at)"
        " values (%s, 'invoice', now() - interval '401 days')",
        [lived.realm_id],
    )
    bench.db.execute(
        "insert into staging.import_seen (realm_id, entity, qbo_ids) values (%s, 'invoice', '{1}')",
        [lived.realm_id],
    )
    bench.db.execute("update sync.connection set status = %s", [status])

    retention.prune(bench.db, Retention())

    assert count(bench.db, "staging.import_progress") == left
    assert count(bench.db, "staging.import_seen") == left


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ([], "is no JSON object of days"),
        ({"histroy": 400}, "names what is not kept (histroy): use airflow, audit,"),
        ({"history": 29}, "The retention of history is 29: give whole days, from 30 to 36500."),
        ({"history": "400"}, "The retention of history is '400'"),
        ({"history": True}, "The retention of history is True"),
        ({"airflow": 30.5}, "The retention of airflow is 30.5"),
    ],
)
def test_a_setting_that_is_wrong_is_refused_in_a_sentence(setting: Any, sentence: str):
    with pytest.raises(ConfigurationError) as refusal:
        Retention.of(setting)

    assert sentence in str(refusal.value)


def test_a_setting_changes_what_it_names_and_leaves_the_rest():
    assert Retention.of({}) == Retention()
    assert Retention.of({"history": 100}) == Retention(history=100)
