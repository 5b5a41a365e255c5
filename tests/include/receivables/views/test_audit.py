"""The chain of acts: whoever changes what was written down is found."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from include.errors import ConfigurationError
from include.receivables.company import companies, retention
from include.receivables.views import audit
from include.receivables.views.audit import Head
from tests.support.asking import Asking
from tests.support.bookkeeper import Bookkeeper
from tests.support.cashier import Cashier
from tests.support.databases import for_user
from tests.support.rows import audited

if TYPE_CHECKING:
    from collections.abc import Callable

    from include.receivables.company.companies import Company
    from tests.support.workbench import Workbench


@pytest.fixture
def company(bench: Workbench) -> Company:
    """A company with verdicts, a payment that was delivered, and what people have done."""
    company = bench.imported("demo")
    asking = Asking(bench, company)
    asking.judgement()
    asking.judgement()
    cashier = Cashier(bench, company, Bookkeeper(bench.sandbox, company.realm_id))
    cashier.map_accounts()
    [invoice] = cashier.invoices(1)
    cashier.take(invoice)
    cashier.push()
    companies.set_paused(bench.db, company, is_paused=True)
    companies.set_paused(bench.db, company, is_paused=False)
    return company


def sentences(db: psycopg.Connection, *earlier: Head) -> list[str]:
    return [finding.sentence for finding in audit.check(db, earlier)]


def tamper(db: psycopg.Connection, statement: str, *values: Any) -> None:
    """Change rows as somebody does who may do anything, and leaves no trace."""
    with db.transaction():
        db.execute("set local session_replication_role = replica")
        assert db.execute(statement, values).rowcount > 0


def test_what_nobody_has_touched_is_as_it_was_written_down(bench: Workbench, company: Company):
    assert sentences(bench.db) == []
    assert audit.list_heads(bench.db)[-1].number > 10
    assert {act["act"] for act in audit.list_acts(bench.db, company.company_id)} >= {
        "connection.insert",
        "connection.update",
        "account_mapping.insert",
    }


TAMPERINGS = {
    "an act": ("update sync.audit set actor = 'nobody' where act = 'connection.update'", "is not as it was"),
    "its time": (
        "update sync.audit set acted_at = acted_at + interval '1 us' where act = 'connection.update'",
        "is not as it was",
    ),
    "what it changed": (
        "update sync.audit set facts = facts || '{\"status\": []}' where act = 'connection.update'",
        "is not as it was",
    ),
    "an act that is taken out": ("delete from sync.audit where number = 2", "acts before act"),
    "the last act": (
        "delete from sync.audit where number = (select max(number) from sync.audit)",
        "The last acts are missing",
    ),
    "a whole chain": ("delete from sync.audit", "The last acts are missing"),
    "an act that is put in": (
        "insert into sync.audit (company_id, act, number, hash)"
        " select company_id, 'x', number + 1, sha256('') from sync.audit_head",
        "is not as it was",
    ),
    "a verdict": (
        "update peakflo.reminder_verdict set verdict = case verdict when 'send' then 'hold' else 'send' end"
        " where ctid = (select min(ctid) from peakflo.reminder_verdict)",
        "The verdicts of run",
    ),
    "its evidence": (
        "update peakflo.reminder_verdict set evidence = evidence || '{\"x\": null}'"
        " where ctid = (select max(ctid) from peakflo.reminder_verdict)",
        "The verdicts of run",
    ),
    "a verdict that is taken out": (
        "delete from peakflo.reminder_verdict where ctid = (select min(ctid) from peakflo.reminder_verdict)",
        "The verdicts of run",
    ),
    "verdicts that are put in": (
        "insert into peakflo.reminder_verdict"
        " (company_id, reminder_run_id, run_id, invoice_id, verdict, reasons, expires_at, rules_version)"
        " select company_id, 'another', 999999, invoice_id, 'send', '[]', now(), 1"
        " from peakflo.reminder_verdict limit 1",
        "The verdicts of run 999999",
    ),
    "a move": (
        "update outbox.move set why = 'another' where to_state = 'made'",
        "of a payment is not as it was",
    ),
    "a move that is taken out": (
        "delete from outbox.move where to_state = 'made'",
        "of a payment is not as it was",
    ),
    "a move that is put in": (
        "insert into outbox.move (record_id, to_state, why, run_id) select record_id, 'made', 'x', 1"
        " from outbox.record limit 1",
        "of a payment is not as it was",
    ),
    "a record": ("update outbox.record set state = 'refused'", "where its last move left it made"),
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_what_somebody_has_changed_is_found(bench: Workbench, company: Company, what: str):
    statement, sentence = TAMPERINGS[what]
    tamper(bench.db, statement)
    found = sentences(bench.db)
    assert any(sentence in each for each in found), found
    print(f"{what}: {found[0]}")


def test_a_chain_that_was_made_anew_has_never_had_the_end_that_was_kept_elsewhere(
    bench: Workbench, company: Company
):
    kept = audit.list_heads(bench.db)
    assert sentences(bench.db, *kept) == []
    companies.set_paused(bench.db, company, is_paused=True)
    assert sentences(bench.db, *kept) == []

    tamper(bench.db, "delete from sync.audit where act = 'connection.update'")
    tamper(
        bench.db,
        "update sync.audit_head set number = number where company_id = %s",
        company.company_id,
    )
    rebuild(bench.db)
    assert sentences(bench.db) == []
    assert len(sentences(bench.db, *kept)) == len([head for head in kept if head.company_id])


def rebuild(db: psycopg.Connection) -> None:
    """Make the chain right again, as somebody could who may do anything and knows how."""
    previous: dict[str, tuple[int, bytes]] = {}
    with db.transaction():
        db.execute("set local session_replication_role = replica")
        for audit_id, company_id in db.execute(
            "select audit_id, company_id from sync.audit order by company_id, number"
        ).fetchall():
            number, before = previous.get(company_id, (0, b""))
            db.execute("update sync.audit set number = %s where audit_id = %s", [-audit_id, audit_id])
            [digest] = db.execute(
                "select sync.audit_hash(jsonb_populate_record(acted, %s), %s) from sync.audit as acted"
                " where audit_id = %s",
                [f'{{"number": {number + 1}}}', before, audit_id],
            ).fetchone() or [b""]
            db.execute(
                "update sync.audit set number = %s, hash = %s where audit_id = %s",
                [number + 1, digest, audit_id],
            )
            previous[company_id] = (number + 1, digest)
        for company_id, (number, digest) in previous.items():
            db.execute(
                "update sync.audit_head set number = %s, hash = %s where company_id = %s",
                [number, digest, company_id],
            )


@pytest.mark.parametrize("text", ["", "acme", "acme:x:ab", "acme:1:zz", f"acme:1:{'a' * 63}"])
def test_what_is_no_end_of_a_chain_is_said(text: str):
    with pytest.raises(ConfigurationError, match="is no end of a chain"):
        Head.of(text)


def test_an_end_is_read_as_it_is_printed(bench: Workbench, company: Company):
    for head in audit.list_heads(bench.db):
        assert Head.of(str(head)) == head


KEEP = """
    insert into peakflo.reminder_verdict
        (company_id, reminder_run_id, run_id, invoice_id, verdict, reasons, judged_at, expires_at, rules_version)
    select 'acme', 'r' || %(run_id)s, %(run_id)s, md5(number::text)::uuid, 'send', '[]', %(judged_at)s, now(), 1
    from generate_series(1, %(verdicts)s) as number
"""


def test_what_is_forgotten_by_the_rule_is_vouched_for_as_well(bench: Workbench, db: psycopg.Connection):
    for run_id, verdicts, judged_at in ((1, 10, "2020-01-01Z"), (2, 6, "2020-01-02Z"), (3, 3, "2026-01-01Z")):
        db.execute(KEEP, {"run_id": run_id, "verdicts": verdicts, "judged_at": judged_at})
    with bench.access.connect() as own:
        retention.prune(own, retention.Retention())

    # Of the first run those stay that are still the last word, of the second those that none came after.
    kept = "select run_id, count(*) from peakflo.reminder_verdict group by run_id order by run_id"
    assert db.execute(kept).fetchall() == [(1, 4), (2, 3), (3, 3)]
    assert sentences(db) == []
    assert [(entry["login"], entry["facts"]["verdicts"]) for entry in audited(db, "verdicts.forget")] == [
        ("receivables_sync", 4),
        ("receivables_sync", 3),
    ]
    tamper(db, "delete from peakflo.reminder_verdict where run_id = 2")
    assert sentences(db) == ["The verdicts of run 2 are not those that were kept."]


def test_many_who_act_at_once_make_one_chain(db: psycopg.Connection, db_url: str):
    def act(number: int) -> None:
        with psycopg.connect(for_user(db_url, "receivables_sync"), autocommit=True) as own:
            for company_id in random.Random(number).sample(["acme", "globex", ""], 3):
                own.execute("select sync.note_act(%s, 'test.act', 'done', '{}')", [company_id])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(act, range(40)))

    assert sentences(db) == []
    assert {head.number for head in audit.list_heads(db)} == {40}


def test_an_act_that_is_rolled_back_leaves_nothing(db: psycopg.Connection, undone: Callable[[], None]):
    undone()
    db.execute("select sync.note_act('acme', 'test.act', 'done', '{}')")
    assert [entry["facts"] for entry in audited(db, "test.act")] == [{}]
    assert audit.list_heads(db)[0].number == 1


@pytest.fixture
def undone(db: psycopg.Connection) -> Callable[[], None]:
    def undo() -> None:
        with db.transaction(force_rollback=True):
            db.execute("select sync.note_act('acme', 'test.act', 'done', '{\"gone\": true}')")

    return undo


def test_one_altered_row_of_a_hundred_thousand_is_found(db: psycopg.Connection):
    with db.transaction():
        db.execute(
            "insert into peakflo.reminder_verdict"
            " (company_id, reminder_run_id, run_id, invoice_id, verdict, reasons, expires_at, rules_version)"
            " select 'acme', 'r' || number / 500, number / 500, gen_random_uuid(), 'send', '[]', now(), 1"
            " from generate_series(1, 100000) as number"
        )
    assert sentences(db) == []
    tamper(
        db,
        "update peakflo.reminder_verdict set amount_due = 1"
        " where ctid = (select ctid from peakflo.reminder_verdict offset 61803 limit 1)",
    )
    assert sentences(db) == ["The verdicts of run 123 are not those that were kept."]
