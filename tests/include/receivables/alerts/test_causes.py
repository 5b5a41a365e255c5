"""Each cause appears when something is wrong, once, and is gone when it is over."""

from __future__ import annotations

import ast
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest

from include.errors import (
    DeletionBrakeError,
    QuotaError,
    ReauthorizeError,
    ReceivablesError,
    ThrottledError,
    UnreachableError,
)
from include.receivables import outbound
from include.receivables.alerts.causes import list_causes
from include.receivables.alerts.facts import DELIVERY, SYNC
from include.receivables.company import companies, problems
from include.receivables.company.companies import get_company, set_paused
from include.receivables.company.run_context import RunContext
from include.receivables.connecting.connections import disconnect_company
from include.receivables.inbound import jobs, webhook_events, webhooks
from include.receivables.outbound import decisions, delivery_jobs
from include.receivables.outbound.codes import WAITS
from include.receivables.outbound.rules import set_rules
from include.receivables.proof.reconciling import reconcile
from include.receivables.views.deliveries import set_auto_sync
from tests.support.many_companies import add_companies
from tests.support.passing_time import let_pass
from tests.support.quick_start import connect_as_imported, disconnect_in_quickbooks, held

if TYPE_CHECKING:
    from collections.abc import Callable

    from include.receivables.alerts.causes import Cause
    from include.receivables.company.companies import Company
    from tests.support.bookkeeper import Bookkeeper
    from tests.support.cashier import Cashier
    from tests.support.workbench import Workbench

Json = dict[str, Any]

LATE = timedelta(minutes=16)
SHORT = timedelta(minutes=5)


def codes(db: psycopg.Connection, company_id: str | None = None) -> list[str]:
    return [cause.code for cause in list_causes(db, company_id)]


def only(db: psycopg.Connection, company_id: str | None = None) -> Cause:
    [cause] = list_causes(db, company_id)
    return cause


def cycle(bench: Workbench, *chosen: Company) -> None:
    """Have the DAG of the syncs read companies, as a cycle of it does."""
    context = RunContext(SYNC, bench.run_context().dag_run_id)
    for company in chosen:
        jobs.sync(bench.access, company.company_id, context)


def cycle_in_vain(bench: Workbench, company: Company, error: type[ReceivablesError]) -> None:
    with pytest.raises(error):
        cycle(bench, company)


def cycles(bench: Workbench, *chosen: Company, count: int = 4) -> None:
    """Let cycles go by, one in five minutes."""
    for _ in range(count):
        cycle(bench, *chosen)
        let_pass(bench.db, SHORT)
    cycle(bench, *chosen)


@pytest.fixture
def company(bench: Workbench) -> Company:
    """A company in whose books nothing happens, and that was read a moment ago."""
    company = connect_as_imported(bench, "acme")
    cycle(bench, company)
    return company


def test_of_companies_in_step_nothing_is_wrong(bench: Workbench, company: Company):
    other = connect_as_imported(bench, "globex")
    for _ in range(5):
        cycle(bench, company, other)
        assert codes(bench.db) == []
        let_pass(bench.db, SHORT)


# The connection


def test_a_company_that_has_to_be_connected_again_is_told_once(bench: Workbench, company: Company):
    disconnect_in_quickbooks(bench, company)
    cycle_in_vain(bench, company, ReauthorizeError)
    let_pass(bench.db, timedelta(hours=3))

    cause = only(bench.db)

    assert (cause.company_id, cause.code, cause.level, cause.owner, cause.action, cause.is_told) == (
        "acme", "reconnect", "danger", "admin", "reconnect", True,
    )  # fmt: skip
    assert bench.db.execute("select code from sync.problem where state = 'open'").fetchall() == [
        ("invalid_grant",)
    ]
    assert codes(bench.db, "acme") == ["reconnect"]


@pytest.mark.parametrize("is_paused", [True, False])
def test_what_a_person_stopped_is_shown_and_not_told(bench: Workbench, company: Company, is_paused: bool):
    if is_paused:
        set_paused(bench.db, company, is_paused=True)
    else:
        disconnect_company(bench.db, company, app=bench.access.app, cipher=bench.access.cipher)
    let_pass(bench.db, timedelta(days=1))

    cause = only(bench.db)

    assert (cause.code, cause.is_told) == ("paused" if is_paused else "disconnected", False)
    assert cause.since is not None
    assert datetime.now(UTC) - cause.since >= timedelta(days=1)


def test_a_company_that_goes_on_after_a_pause_is_given_the_time_to_catch_up(
    bench: Workbench, company: Company
):
    other = connect_as_imported(bench, "globex")
    set_paused(bench.db, company, is_paused=True)
    let_pass(bench.db, timedelta(days=1))
    cycles(bench, other)
    set_paused(bench.db, get_company(bench.db, "acme"), is_paused=False)

    assert codes(bench.db) == []
    cycles(bench, other)
    assert only(bench.db).code == "not_fresh"
    cycle(bench, company)
    assert codes(bench.db) == []


@pytest.mark.parametrize(("days", "expected"), [(29, ["consent_ends"]), (31, [])])
def test_a_consent_that_ends_soon_is_told(bench: Workbench, company: Company, days: int, expected: list[str]):
    bench.db.execute(
        "update sync.connection set refresh_token_hard_expires_at = now() + %s", [timedelta(days=days)]
    )
    assert codes(bench.db) == expected


# How fresh the books are


def test_a_company_that_cannot_be_read_is_late_after_a_quarter_of_an_hour_and_says_why(
    bench: Workbench, company: Company
):
    other = connect_as_imported(bench, "globex")
    cycle(bench, other)
    bench.sandbox.add_fault("500", realm=company.realm_id)
    let_pass(bench.db, SHORT)
    seen = []
    for _ in range(4):
        cycle(bench, other)
        cycle_in_vain(bench, company, UnreachableError)
        seen.append([(cause.code, cause.is_told) for cause in list_causes(bench.db)])
        let_pass(bench.db, SHORT)

    assert seen == [[("run_failed", False)]] * 2 + [[("not_fresh", True)]] * 2
    cause = only(bench.db)
    assert (cause.level, cause.owner, cause.action) == ("danger", "nobody", "sync")
    assert cause.sentence.startswith("The last 2")
    assert "QuickBooks" in cause.sentence
    bench.sandbox.clear_faults()
    cycle(bench, company, other)
    assert codes(bench.db) == []


def test_a_company_that_the_cycles_pass_over_is_late(bench: Workbench, company: Company):
    other = connect_as_imported(bench, "globex")
    let_pass(bench.db, SHORT)
    cycles(bench, other)

    cause = only(bench.db)

    assert (cause.company_id, cause.code, cause.owner) == ("acme", "not_fresh", "data engineer")


def test_a_dag_that_does_not_run_is_one_cause_for_all_companies(bench: Workbench, company: Company):
    others = [connect_as_imported(bench, name) for name in ("globex", "initech")]
    cycle(bench, company, *others)
    let_pass(bench.db, timedelta(minutes=13))
    assert codes(bench.db) == []

    let_pass(bench.db, timedelta(minutes=3))
    cause = only(bench.db)

    assert (cause.company_id, cause.code, cause.detail, cause.level) == (
        "", "dag_not_running", SYNC, "danger",
    )  # fmt: skip
    assert only(bench.db, "acme") == cause
    # The first companies of the next cycle end it, and those that come after are not late meanwhile.
    let_pass(bench.db, timedelta(hours=2))
    cycle(bench, company)
    assert codes(bench.db) == []


def test_a_dag_that_has_nothing_to_read_is_not_missed(bench: Workbench, company: Company):
    let_pass(bench.db, timedelta(hours=2))
    set_paused(bench.db, company, is_paused=True)
    assert codes(bench.db) == ["paused"]
    set_paused(bench.db, get_company(bench.db, "acme"), is_paused=False)
    assert codes(bench.db) == []
    with closing(held(bench, "acme")):
        let_pass(bench.db, timedelta(hours=2))
        assert "dag_not_running" not in codes(bench.db)


# The import


def test_a_first_import_is_waited_for_and_missed_when_it_does_not_come(bench: Workbench):
    bench.connect(company_id="acme")
    cause = only(bench.db)
    assert (cause.code, cause.level, cause.owner, cause.is_told) == (
        "not_imported", "warning", "nobody", False,
    )  # fmt: skip

    let_pass(bench.db, LATE)
    cause = only(bench.db)
    assert (cause.code, cause.level, cause.owner, cause.is_told) == (
        "not_imported", "danger", "data engineer", True,
    )  # fmt: skip


def test_an_import_that_failed_is_told_until_it_is_done(bench: Workbench):
    company = bench.connect(company_id="acme")
    bench.sandbox.add_fault("500", path="query")
    imports = RunContext("import_company", "1")
    with pytest.raises(UnreachableError):
        jobs.import_all(bench.access, "acme", imports)

    cause = only(bench.db)

    assert (cause.code, cause.level, cause.action, cause.is_told) == (
        "import_failed",
        "danger",
        "import",
        True,
    )
    bench.sandbox.clear_faults()
    jobs.import_all(bench.access, "acme", RunContext("import_company", "2"))
    cycle(bench, company)
    assert codes(bench.db) == []


def test_a_long_import_is_no_alarm(bench: Workbench, company: Company):
    bench.db.execute(
        "insert into sync.run (company_id, realm_id, dag_id, dag_run_id, state)"
        " values ('acme', %s, 'import_company', '1', 'running')",
        [company.realm_id],
    )
    with closing(held(bench, "acme")):
        let_pass(bench.db, timedelta(hours=2))
        cause = only(bench.db)
    assert (cause.code, cause.is_told) == ("importing", False)


# Problems


def test_the_deletion_guard_is_a_cause_of_its_own(bench: Workbench, company: Company):
    problems.report_failure(bench.db, company, DeletionBrakeError("30 of 40 Invoice records are deleted."))
    let_pass(bench.db, LATE, but=("sync.run",))

    cause = only(bench.db)

    assert (cause.code, cause.level, cause.owner, cause.sentence) == (
        "deletion_guard", "danger", "bookkeeper", "30 of 40 Invoice records are deleted.",
    )  # fmt: skip
    cycle(bench, company)
    assert codes(bench.db) == []


def test_records_that_cannot_be_taken_in_are_one_cause_with_their_count(bench: Workbench, company: Company):
    problems.report_record(bench.db, company, "invoice", "1", "unreadable", "It cannot be read.")
    assert only(bench.db).sentence == "It cannot be read."
    for number in (2, 3):
        problems.report_record(bench.db, company, "invoice", str(number), "unmergeable", "It fits nowhere.")

    cause = only(bench.db)

    assert (cause.code, cause.count, cause.owner, cause.action) == ("problems", 3, "bookkeeper", "problems")
    assert cause.sentence == "3 records of QuickBooks cannot be taken in."


# The quota


def test_a_used_up_quota_is_one_cause_from_the_first_refusal_to_the_last_company(bench: Workbench):
    chosen = [connect_as_imported(bench, name) for name in ("acme", "globex", "initech")]
    cycle(bench, *chosen)
    bench.sandbox.change_settings(quota="used_up")
    let_pass(bench.db, SHORT)
    told = []
    for _ in range(3):
        for company in chosen:
            cycle_in_vain(bench, company, ThrottledError)
        let_pass(bench.db, SHORT)
        told.append([cause.code for cause in list_causes(bench.db) if cause.is_told])
    cycle_in_vain(bench, chosen[0], QuotaError)

    assert told == [[]] * 3
    cause = only(bench.db)
    assert (cause.company_id, cause.code, cause.level) == ("", "quota_used_up", "danger")
    let_pass(bench.db, timedelta(days=3))
    assert codes(bench.db) == ["quota_used_up"]
    bench.sandbox.change_settings(quota="left")
    cycle(bench, chosen[1])
    assert [cause.code for cause in list_causes(bench.db) if cause.is_told] == []
    cycle(bench, *chosen)
    assert codes(bench.db) == []


@pytest.mark.parametrize(("used", "expected"), [(399_999, []), (400_000, ["quota_nearly_used"])])
def test_a_quota_of_which_four_fifths_are_used_is_told(
    bench: Workbench, company: Company, used: int, expected: list[str]
):
    bench.db.execute("delete from sync.api_call")
    bench.db.execute(
        "insert into sync.api_call values ('1', (now() at time zone 'utc')::date, 'cdc', %(used)s, %(used)s)",
        {"used": used},
    )
    assert codes(bench.db) == expected


# The webhook


def test_one_wrong_signature_is_a_stray_and_several_are_told_for_an_hour(bench: Workbench, company: Company):
    webhook_events.count_refusals(bench.db, {"forged": 1, "unsigned": 9})
    assert codes(bench.db) == []
    webhook_events.count_refusals(bench.db, {"forged": 2})

    cause = only(bench.db)

    assert (cause.company_id, cause.code, cause.count) == ("", "webhook_forged", 3)
    let_pass(bench.db, timedelta(minutes=61), but=("sync.run", "staging.cursor"))
    assert codes(bench.db) == []


@pytest.fixture
def webhook(bench: Workbench, company: Company, keep_books: Callable[[Company], Bookkeeper]) -> Bookkeeper:
    """Somebody in whose books there was an invoice, of which a webhook told."""
    books = keep_books(company)
    books.invoice(books.customer("Ada"), "100")
    cycle(bench, company)
    tell(bench, company)
    return books


def tell(bench: Workbench, company: Company, entity: str = "invoice") -> None:
    """Have a webhook tell of a record."""
    event = webhooks.Event(str(uuid4()), company.realm_id, entity, "1", "create", None)
    webhook_events.store(bench.db, webhooks.Delivery([event], 0, 0))


def let_days_pass(bench: Workbench, company: Company, days: int) -> None:
    """Let days pass in which the company was read all the time."""
    let_pass(bench.db, timedelta(days=days))
    put_back_making(bench, timedelta(days=days))
    cycle(bench, company)


def put_back_making(bench: Workbench, span: timedelta) -> None:
    """Have QuickBooks say of all records that they were made earlier."""
    bench.db.execute(
        "update staging.record set payload = jsonb_set(payload, '{MetaData,CreateTime}',"
        " to_jsonb(((payload #>> '{MetaData,CreateTime}')::timestamptz - %s)::text))",
        [span],
    )


def make_an_invoice(bench: Workbench, company: Company, books: Bookkeeper) -> None:
    """Have an invoice made in QuickBooks, two hours ago by now."""
    books.invoice(books.customer("Bob"), "50")
    cycle(bench, company)
    let_pass(bench.db, timedelta(hours=2))
    put_back_making(bench, timedelta(hours=2))
    cycle(bench, company)


def test_a_webhook_that_tells_nothing_of_what_is_made_is_silent_until_it_tells_again(
    bench: Workbench, company: Company, webhook: Bookkeeper
):
    let_days_pass(bench, company, 2)
    assert codes(bench.db) == [], "quiet books"
    make_an_invoice(bench, company, webhook)

    cause = only(bench.db)

    assert (cause.company_id, cause.code, cause.count) == ("", "webhook_silent", 1)
    assert "1 company: acme" in cause.sentence
    let_days_pass(bench, company, 3)
    assert codes(bench.db) == ["webhook_silent"], "it is not over because nobody makes an invoice any more"
    tell(bench, company)
    assert codes(bench.db) == []


def test_a_webhook_that_never_told_anything_is_not_missed(
    bench: Workbench, company: Company, webhook: Bookkeeper
):
    bench.db.execute("delete from sync.webhook_event")
    let_days_pass(bench, company, 2)
    make_an_invoice(bench, company, webhook)
    assert codes(bench.db) == []


def test_what_peakflo_books_itself_makes_no_webhook_silent(cashier: Cashier):
    company, bench = cashier.company, cashier.bench
    cycle(bench, company)
    tell(bench, company, "payment")
    [invoice] = cashier.invoices(1)
    let_days_pass(bench, company, 2)
    cashier.take(invoice)
    cashier.push()
    cycle(bench, company)
    put_back_making(bench, timedelta(hours=2))

    assert codes(bench.db) == []
    cashier.books.pay(customer_of(cashier, invoice), "5")
    cycle(bench, company)
    put_back_making(bench, timedelta(hours=2))
    assert codes(bench.db) == ["webhook_silent"]


def customer_of(cashier: Cashier, invoice: Json) -> str:
    [(qbo_id,)] = cashier.bench.db.execute(
        "select source_id from peakflo.customer where id = %s", [invoice["customer_id"]]
    ).fetchall()
    return str(qbo_id)


# Payments


def deliver(cashier: Cashier, *, settled_after: timedelta = timedelta(0)) -> None:
    context = RunContext(DELIVERY, cashier.bench.run_context().dag_run_id)
    delivery_jobs.deliver(
        cashier.bench.access, cashier.company.company_id, context, settled_after=settled_after
    )


@pytest.fixture
def paying(cashier: Cashier) -> Cashier:
    """Somebody who takes payments of a company that was read a moment ago."""
    cycle(cashier.bench, cashier.company)
    assert codes(cashier.bench.db) == []
    return cashier


def test_payments_that_wait_for_an_account_are_told_with_their_amounts_to_the_cent(paying: Cashier):
    db = paying.bench.db
    db.execute("delete from sync.account_mapping")
    first, second, third = paying.invoices(3)
    paying.take(first, "33.33")
    paying.take(second, "66.68")
    euros = paying.take(third, "10.01")
    db.execute("update peakflo.payment set currency = 'EUR' where id = %s", [euros])
    db.execute("update peakflo.customer set currency = 'EUR' where id = %s", [third["customer_id"]])
    deliver(paying)
    settle(paying, "account_unmapped")

    cause = only(db)

    assert (cause.code, cause.detail, cause.owner, cause.action, cause.is_told) == (
        "payments_waiting", "account_unmapped", "bookkeeper", "mapping", True,
    )  # fmt: skip
    assert cause.amounts == {"USD": Decimal("100.01"), "EUR": Decimal("10.01")}
    assert cause.count == 3
    assert cause.sentence == "3 payments of 10.01 EUR and 100.01 USD wait: an account is not mapped."
    assert only(db, "acme") == cause


def settle(cashier: Cashier, code: str) -> None:
    """Have all payments stand where one would by itself, whatever else is the matter with them."""
    cashier.bench.db.execute("update outbox.delivery set kind = 'waits', code = %s", [code])


def test_payments_go_once_their_accounts_are_mapped(paying: Cashier):
    db = paying.bench.db
    db.execute("delete from sync.account_mapping")
    paying.take(*paying.invoices(1))
    deliver(paying)
    assert codes(db) == ["payments_waiting"]

    paying.map_accounts()
    assert only(db).sentence.endswith("an account is not mapped. The next delivery looks again.")
    set_paused(db, paying.company, is_paused=True)
    held_for_account = [cause for cause in list_causes(db) if cause.code == "payments_waiting"]
    assert [cause.sentence.endswith("an account is not mapped.") for cause in held_for_account] == [True]
    set_paused(db, get_company(db, "acme"), is_paused=False)
    deliver(paying)
    assert codes(db) == []


def test_payments_that_wait_for_the_switch_say_so_until_it_is_on(paying: Cashier):
    db = paying.bench.db
    set_auto_sync(db, paying.company, is_on=False)
    assert codes(db) == []
    paying.take(*paying.invoices(1), "12.34")
    deliver(paying)

    cause = only(db)
    assert (cause.code, cause.detail, cause.action, cause.amounts) == (
        "auto_sync_off", "", "auto-sync", {"USD": Decimal("12.34")},
    )  # fmt: skip
    set_auto_sync(db, paying.company, is_on=True)
    assert codes(db) == []


def test_each_reason_is_one_cause(paying: Cashier):
    db = paying.bench.db
    set_rules(db, paying.company, approval_above=1000)
    small, large = paying.invoices(2, "5000")
    paying.take(large, "5000")
    unmapped = paying.take(small, "10", processing_fee="1")
    db.execute("delete from sync.account_mapping where purpose = 'processing_fees'")
    deliver(paying)

    found = {cause.detail: (cause.owner, cause.count) for cause in list_causes(db)}

    assert found == {"approval_needed": ("admin", 1), "account_unmapped": ("bookkeeper", 1)}
    decisions.ignore(db, paying.company, unmapped, by="ada")
    assert [cause.detail for cause in list_causes(db)] == ["approval_needed"]


def test_what_waits_for_the_next_round_is_no_cause_until_several_have_passed(paying: Cashier):
    db = paying.bench.db
    paying.take(*paying.invoices(1), "25.50")
    assert codes(db) == []
    cycles(paying.bench, paying.company)

    cause = only(db)

    assert (cause.company_id, cause.code, cause.detail) == ("", "dag_not_running", DELIVERY)
    assert cause.amounts == {"USD": Decimal("25.50")}
    assert "1 payment of 25.50 USD waits" in cause.sentence
    deliver(paying)
    assert codes(db) == []


def test_a_payment_that_is_passed_over_is_told(paying: Cashier):
    db = paying.bench.db
    paying.take(*paying.invoices(1), "25.50")
    cycles(paying.bench, paying.company)
    log_a_delivery(db)

    cause = only(db)

    assert (cause.company_id, cause.code, cause.detail) == ("acme", "payments_waiting", "queued")


def log_a_delivery(db: psycopg.Connection) -> None:
    db.execute(
        "insert into sync.run (company_id, realm_id, dag_id, dag_run_id, state, ended_at)"
        " values ('other', '1', %s, 'r', 'success', now())",
        [DELIVERY],
    )


def test_an_unsettled_payment_may_wait_as_long_as_it_likes(paying: Cashier):
    paying.take(*paying.invoices(1), settled_at=None)
    deliver(paying)
    let_pass(paying.bench.db, timedelta(days=9), but=("sync.run", "staging.cursor"))
    cycle(paying.bench, paying.company)
    assert codes(paying.bench.db) == []


def test_a_lost_answer_is_told_once_it_is_not_found_out_for_long(paying: Cashier):
    db, bench = paying.bench.db, paying.bench
    bench.sandbox.add_fault("reset", realm=paying.company.realm_id, path="payment", count=1)
    paying.take(*paying.invoices(1), "70")
    deliver(paying, settled_after=timedelta(hours=1))
    assert codes(db) == []
    let_pass(db, LATE, but=("sync.run", "staging.cursor"))
    cycle(bench, paying.company)

    cause = only(db)

    assert (cause.code, cause.detail, cause.amounts) == (
        "payments_undecided", "", {"USD": Decimal(70)},
    )  # fmt: skip
    deliver(paying)
    assert codes(db) == []


def test_a_payment_that_differs_is_told_with_its_problems_words(paying: Cashier):
    db, bench = paying.bench.db, paying.bench
    payment_id = paying.take(*paying.invoices(1), "70")
    deliver(paying)
    [record] = paying.in_quickbooks()[str(payment_id)]
    paying.books.void("Payment", record["Id"])
    cycle(bench, paying.company)
    deliver(paying)

    cause = only(db)

    [(message, cure)] = db.execute("select message, cure from sync.problem where state = 'open'").fetchall()
    assert (cause.code, cause.detail, cause.owner) == (
        "payments_differ", "voided_in_quickbooks", "bookkeeper",
    )  # fmt: skip
    assert cause.sentence == f"1 payment of 70.00 USD differs between Peakflo and QuickBooks. {message}"
    assert cause.remedy == cure
    decisions.ignore(db, paying.company, payment_id, by="ada")
    assert codes(db) == []


def test_payments_that_follow_from_a_lost_connection_are_told_with_it(paying: Cashier):
    db, bench = paying.bench.db, paying.bench
    [invoice] = paying.invoices(1)
    bench.sandbox.expire(paying.company.realm_id, "access")
    disconnect_in_quickbooks(bench, paying.company)
    cycle_in_vain(bench, paying.company, ReauthorizeError)
    paying.take(invoice, "12.10")
    let_pass(db, LATE)

    cause = only(db)

    assert (cause.code, cause.count, cause.amounts) == ("reconnect", 1, {"USD": Decimal("12.10")})
    assert cause.sentence.endswith("1 payment of 12.10 USD waits meanwhile.")


# All together


def test_the_worst_comes_first_and_each_has_one_owner(bench: Workbench, company: Company):
    problems.report_record(bench.db, company, "invoice", "1", "unreadable", "It cannot be read.")
    webhook_events.count_refusals(bench.db, {"forged": 3})
    other = connect_as_imported(bench, "globex")
    companies.mark_reauthorize(
        bench.db, company_id="globex", realm_id=other.realm_id, error=ReauthorizeError("Gone.")
    )
    found = list_causes(bench.db)

    assert [(cause.company_id, cause.code) for cause in found] == [
        ("globex", "reconnect"), ("acme", "problems"), ("", "webhook_forged"),
    ]  # fmt: skip
    assert {cause.owner for cause in found} <= {"admin", "data engineer", "bookkeeper", "nobody"}
    assert codes(bench.db, "acme") == ["problems", "webhook_forged"]


def test_every_wait_that_deliveries_name_says_who_acts():
    named = set()
    for path in Path(outbound.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and _name_of(node.func) in ("Held", "wait", "wait_before_sending"):
                named |= _codes_of(node.args[0], path.stem)
    # What somebody let go of waits for nothing.
    assert named - {"let_go"} == set(WAITS)


def _name_of(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _codes_of(argument: ast.expr, module: str) -> set[str]:
    """Return the code that a call names; none where it passes on what another call named."""
    if isinstance(argument, ast.Constant):
        return {str(argument.value)}
    if isinstance(argument, ast.Name) and argument.id.isupper():
        return {str(getattr(import_module(f"{outbound.__name__}.{module}"), argument.id))}
    return set()


class CountingCursor(psycopg.Cursor[Any]):
    statements = 0

    def execute(self, *arguments: Any, **options: Any) -> Any:
        CountingCursor.statements += 1
        return super().execute(*arguments, **options)


def test_it_takes_as_many_statements_for_thousands_of_companies_as_for_one(
    db: psycopg.Connection, db_url: str
):
    taken, told = [], []
    with psycopg.connect(db_url, autocommit=True, cursor_factory=CountingCursor) as counted:
        for number in (1, 2000):
            tables = "peakflo.company, sync.connection, staging.cursor, sync.api_call, sync.run, sync.problem"
            db.execute(f"truncate {tables}, outbox.delivery")  # type: ignore[arg-type]
            add_companies(db, number, runs=2, days=2)
            db.execute("update sync.connection set status_since = connected_at")
            CountingCursor.statements = 0
            told.append(list_causes(counted))
            taken.append(CountingCursor.statements)
    assert taken[0] == taken[1] <= 8
    statuses = dict(db.execute("select status, count(*) from sync.connection group by status").fetchall())
    found = Counter(cause.code for cause in told[1])
    assert found["reconnect"] == statuses["reauthorize"] > 0
    assert found["paused"] == statuses["paused"] > 0
    [(waiting,)] = db.execute(
        "select count(distinct company_id) from outbox.delivery where code = 'account_unmapped'"
    ).fetchall()
    assert found["payments_waiting"] == waiting > 500
    assert found["not_fresh"] == 0


def test_a_proof_that_found_what_nobody_can_explain(cashier: Cashier):
    bench, company = cashier.bench, cashier.company
    [invoice] = cashier.invoices(1)
    odd = {"Balance": 99, "SyncToken": "7"}
    bench.sandbox.serve(company.realm_id, "Invoice", invoice["source_id"], odd)
    cycle(bench, company)
    reconcile(bench.access, company.company_id, bench.run_context())
    cause = only(bench.db)
    assert (cause.company_id, cause.code, cause.detail) == (company.company_id, "proof_failed", "differs")
    assert (cause.level, cause.owner, cause.action) == ("danger", "data engineer", "proof")
    assert cause.amounts == {"USD": Decimal("1.00")}
    assert "differ in 1 respect of which nobody knows why, by 1.00 USD." in cause.sentence

    bench.sandbox.serve_truth(company.realm_id)
    for _ in range(9):
        cashier.books.change("Invoice", invoice["source_id"], PrivateNote="a newer version")
    reconcile(bench.access, company.company_id, bench.run_context())
    cycle(bench, company)
    assert list_causes(bench.db) == []


def test_a_proof_that_proved_nothing(bench: Workbench):
    company = bench.imported()
    cycle(bench, company)
    bench.sandbox.change_settings(report_basis="Cash")
    reconcile(bench.access, company.company_id, bench.run_context())
    cause = only(bench.db)
    assert (cause.code, cause.detail, cause.level) == ("proof_failed", "not_proved", "warning")
    assert "is of another basis" in cause.sentence

    bench.sandbox.change_settings(report_basis="asked")
    reconcile(bench.access, company.company_id, bench.run_context())
    assert list_causes(bench.db) == []


def test_a_proof_that_could_not_be_made_is_told_by_what_kept_it_from_being(bench: Workbench):
    company = bench.imported()
    cycle(bench, company)
    disconnect_in_quickbooks(bench, company)
    with pytest.raises(ReauthorizeError):
        reconcile(bench.access, company.company_id, bench.run_context())
    assert codes(bench.db) == ["reconnect"]


def test_a_company_that_may_wait_is_not_late_before_its_time(bench: Workbench, company: Company):
    cycle(bench, company)
    bench.db.execute(
        "insert into sync.read_budget (tier, quota, is_limit, forecast, proven_every, unproven_every, is_reserved)"
        " values ('builder', 500000, true, 8640000, '4 hours', '25 minutes', false)"
    )
    let_pass(bench.db, timedelta(minutes=34))
    bench.db.execute("update sync.read_budget set decided_at = now()")
    assert codes(bench.db) == []
    let_pass(bench.db, timedelta(minutes=2))
    bench.db.execute("update sync.read_budget set decided_at = now()")
    assert codes(bench.db) == ["not_fresh"]
