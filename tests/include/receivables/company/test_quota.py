from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.errors import QuotaError, ThrottledError
from include.receivables.company import companies, quota
from include.receivables.inbound.syncing import REACH
from include.receivables.reminders.check import ReminderRequest
from include.receivables.reminders.refreshing import refresh_and_judge
from tests.support import truth
from tests.support.payment_steps import push_later
from tests.support.quick_start import connect_as_imported

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from include.receivables.company.companies import Company
    from tests.support.bookkeeper import Bookkeeper
    from tests.support.cashier import Cashier
    from tests.support.workbench import Workbench

SHORT = timedelta(minutes=5)


def test_a_short_throttle_keeps_nobody_from_reading(bench: Workbench):
    company = connect_as_imported(bench, "acme")
    use_up(bench)
    for _ in range(3):
        with pytest.raises(ThrottledError):
            bench.sync(company)
        let_pass(bench, SHORT)

    assert due(bench) == ["acme"]
    assert problems(bench) == [("acme", "throttled", "nobody")]


def test_a_quarter_of_an_hour_without_a_read_is_the_quota(bench: Workbench, caplog: pytest.LogCaptureFixture):
    company = connect_as_imported(bench, "acme")
    run_out(bench, company)

    assert due(bench) == []
    assert problems(bench) == [("acme", "throttled", "data engineer")]
    [said] = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    [(message,)] = bench.db.execute("select message from sync.problem").fetchall()
    assert said == message
    assert message.startswith("QuickBooks has answered 429 to every read since 20")


def test_one_read_an_hour_finds_out_whether_there_are_reads_again(
    bench: Workbench, caplog: pytest.LogCaptureFixture
):
    company = connect_as_imported(bench, "acme")
    run_out(bench, company)
    caplog.clear()
    bench.sandbox.reset_calls(company.realm_id)

    for _ in range(3):
        let_pass(bench, quota.PROBE_EVERY - SHORT)
        assert due(bench) == []
        let_pass(bench, SHORT)
        assert due(bench) == ["acme"]
        with pytest.raises(QuotaError):
            bench.sync(company)

    assert bench.sandbox.calls(company.realm_id)["by_status"] == {"429": 3}
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
    assert problems(bench) == [("acme", "throttled", "data engineer")]


def test_the_quota_is_the_apps(bench: Workbench):
    first, second, third = (connect_as_imported(bench, name) for name in ("acme", "globex", "initech"))
    run_out(bench, first)

    assert due(bench) == []
    assert problems(bench) == [(name, "throttled", "data engineer") for name in ("acme", "globex", "initech")]
    # One company tries for all, another one each time.
    probes = []
    for _ in range(3):
        let_pass(bench, quota.PROBE_EVERY)
        [probe] = due(bench)
        probes.append(probe)
        with pytest.raises(QuotaError):
            bench.sync(companies.get_company(bench.db, probe))
    assert probes == ["globex", "initech", "acme"]

    bench.sandbox.change_settings(quota="left")
    bench.sync(third)

    assert due(bench) == ["acme", "globex", "initech"]
    for company in (first, second):
        bench.sync(company)
    assert problems(bench) == []


def test_one_company_whose_reads_are_refused_while_those_of_others_are_answered_is_not_the_quota(
    bench: Workbench,
):
    acme, globex = (connect_as_imported(bench, name) for name in ("acme", "globex"))
    bench.sandbox.change_settings(acme.realm_id, quota="used_up")
    for _ in range(6):
        with pytest.raises(ThrottledError):
            bench.sync(acme)
        bench.sync(globex)
        let_pass(bench, SHORT)

    assert due(bench) == ["acme", "globex"]


def test_a_run_that_was_answered_before_it_was_refused_is_not_the_quota(bench: Workbench):
    acme, globex = (connect_as_imported(bench, name) for name in ("acme", "globex"))
    bench.sandbox.add_fault("429", path="query")
    for _ in range(6):
        bench.sync(globex)
        with pytest.raises(ThrottledError):
            bench.import_all(acme)
        let_pass(bench, SHORT)

    assert due(bench) == ["acme", "globex"]


def test_who_asks_for_a_company_gets_a_try(bench: Workbench):
    company = connect_as_imported(bench, "acme")
    run_out(bench, company)

    chosen = companies.list_due_companies(bench.db, reach=REACH, chosen=["acme"])

    assert [each.company_id for each in chosen] == ["acme"]
    with pytest.raises(QuotaError):
        bench.sync(company)


def test_the_sync_catches_up_once_there_are_reads_again(
    bench: Workbench, keep_books: Callable[[Company], Bookkeeper]
):
    company = bench.imported(company_id="acme")
    run_out(bench, company)
    bench.sandbox.events(company.realm_id, 20)
    let_pass(bench, timedelta(days=9))
    with pytest.raises(QuotaError):
        bench.sync(company)

    bench.sandbox.change_settings(quota="left")
    let_pass(bench, quota.PROBE_EVERY)
    assert due(bench) == ["acme"]
    bench.sync(company)

    assert truth.differences(bench.db, bench.sandbox, company) == []
    assert problems(bench) == []


def test_a_reminder_run_tries_and_says_why_it_knows_nothing(
    bench: Workbench, keep_books: Callable[[Company], Bookkeeper]
):
    company = connect_as_imported(bench, "acme")
    books = keep_books(company)
    books.invoice(books.customer("Ada"), "100")
    bench.sync(company)
    run_out(bench, company)

    assert judge(bench) == [("unknown", ["throttled"])]
    bench.sandbox.change_settings(quota="left")
    assert judge(bench) == [("send", [])]

    # What a reminder run finds out is worth knowing for the syncs.
    assert due(bench) == ["acme"]


def test_payments_go_on_while_reads_are_refused(cashier: Cashier):
    """Also when one waits for a read whose answer was lost."""
    lost, charged, *rest = cashier.invoices(4)
    undone = cashier.take(charged, processing_fee="1")
    cashier.push()
    cashier.bench.sandbox.add_fault("reset", realm=cashier.company.realm_id, path="payment", count=1)
    undecided = cashier.take(lost)
    cashier.push(settled_after=timedelta(minutes=2))
    cashier.cancel(undone)
    taken = [cashier.take(invoice) for invoice in rest]
    use_up(cashier.bench)

    with pytest.raises(ThrottledError):
        push_later(cashier)

    assert [cashier.states(each) for each in taken] == [{"payment": ["made"]}] * 2
    assert cashier.states(undecided) == {"payment": ["unknown"]}
    assert cashier.states(undone) == {"payment": ["undone"], "journal_entry": ["undone"]}


def test_deliveries_leave_what_needs_a_read_until_the_probe_is_due(cashier: Cashier):
    company = cashier.company
    first, second = cashier.invoices(2)
    cashier.bench.sandbox.add_fault("lost_answer", realm=company.realm_id, path="payment", count=1)
    cashier.bench.sandbox.add_fault("429", realm=company.realm_id, path="query", count=1)
    undecided = cashier.take(first)
    with pytest.raises(ThrottledError):
        cashier.push()
    run_out(cashier.bench, company)
    cashier.bench.sandbox.reset_calls(company.realm_id)
    taken = cashier.take(second)

    for _ in range(3):
        cashier.push()
        let_pass(cashier.bench, SHORT)

    assert cashier.states(taken) == {"payment": ["made"]}
    assert cashier.states(undecided) == {"payment": ["unknown"]}
    assert cashier.bench.sandbox.calls(company.realm_id)["by_status"] == {"200": 1}
    let_pass(cashier.bench, quota.PROBE_EVERY)
    cashier.bench.sandbox.change_settings(quota="left")
    cashier.push()
    assert cashier.states(undecided) == {"payment": ["made"]}
    assert len(cashier.in_quickbooks()) == 2
    assert due(cashier.bench) == ["acme"]


def test_writes_that_are_refused_say_nothing_of_the_quota(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    cashier.bench.sandbox.add_fault("429", realm=cashier.company.realm_id, path="payment")
    payment_id = cashier.take(invoice)

    for _ in range(6):
        with pytest.raises(ThrottledError):
            cashier.push()
        let_pass(cashier.bench, SHORT)
        cashier.bench.sync(cashier.company)

    assert due(cashier.bench) == ["acme"]
    assert cashier.states(payment_id) == {"payment": ["intended"]}


ANSWERED, REFUSED, BOTH, FAILED = "answered", "refused", "answered, then refused", "failed"


@given(
    log=st.lists(
        st.tuples(st.integers(1, 40), st.sampled_from((ANSWERED, REFUSED, REFUSED, REFUSED, BOTH, FAILED))),
        max_size=12,
    ),
    later=st.integers(0, 90),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_quota_is_used_up_as_long_as_refusals_follow_each_other_for_a_quarter_of_an_hour(
    db: psycopg.Connection, log: list[tuple[int, str]], later: int
):
    db.execute("truncate sync.run")
    minute, refused = 0, list[int]()
    for pause, outcome in log:
        minute += pause
        write_log(db, minute, outcome)
        if outcome in (ANSWERED, BOTH):
            refused.clear()
        if outcome in (REFUSED, BOTH):
            refused.append(minute)
    db.execute(
        "update sync.run set ended_at = now() - %s + (ended_at - '2026-01-01Z')", [minutes(minute + later)]
    )

    found = quota.read(db)

    assert found.is_used_up == (bool(refused) and refused[-1] - refused[0] >= 15)
    assert found.is_probe_due == (bool(refused) and minute + later - refused[-1] >= 60)
    assert (found.refused_since is None) == (not refused)


def write_log(db: psycopg.Connection, minute: int, outcome: str) -> None:
    db.execute(
        "insert into sync.run (company_id, realm_id, dag_id, dag_run_id, state, ended_at, calls, error_code) values"
        " ('acme', '1', 'test', 'run', %s, '2026-01-01Z'::timestamptz + %s, %s, %s)",
        [
            "success" if outcome == ANSWERED else "failed",
            minutes(minute),
            int(outcome in (ANSWERED, BOTH)),
            {REFUSED: "throttled", BOTH: "throttled", FAILED: "unreachable"}.get(outcome),
        ],
    )


def minutes(count: int) -> timedelta:
    return timedelta(minutes=count)


def use_up(bench: Workbench) -> None:
    """Use up the app's quota of reads."""
    bench.sandbox.change_settings(quota="used_up")


def run_out(bench: Workbench, company: Company) -> None:
    """Use the quota up, and let the company's syncs find out."""
    use_up(bench)
    for _ in range(3):
        with pytest.raises(ThrottledError):
            bench.sync(company)
        let_pass(bench, SHORT)
    with pytest.raises(QuotaError, match="the month's quota of reads is probably used up"):
        bench.sync(company)


def let_pass(bench: Workbench, span: timedelta) -> None:
    """Let time pass, as far as the sync log knows."""
    bench.db.execute(
        "update sync.run set started_at = started_at - %(span)s, ended_at = ended_at - %(span)s",
        {"span": span},
    )


def due(bench: Workbench) -> list[str]:
    return [company.company_id for company in companies.list_due_companies(bench.db, reach=REACH)]


def problems(bench: Workbench) -> list[tuple[str, str, str]]:
    return bench.db.execute(
        "select company_id, code, actor from sync.problem where state = 'open' order by company_id, code"
    ).fetchall()


def judge(bench: Workbench) -> list[tuple[str, list[str]]]:
    judgement = refresh_and_judge(bench.access, ReminderRequest("acme"), bench.run_context(), seconds=10)
    return [(verdict.verdict, [reason.code for reason in verdict.reasons]) for verdict in judgement.verdicts]
