"""What is measured is what the tables say, of each company by itself."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from include.receivables.alerts import telling
from include.receivables.alerts.causes import ORDER
from include.receivables.alerts.facts import DELIVERY
from include.receivables.company import budget
from include.receivables.company.budget import ReadLimit
from include.receivables.company.run_context import RunContext
from include.receivables.outbound import delivery_jobs
from include.receivables.outbound.rules import set_rules
from include.receivables.proof.reconciling import reconcile
from include.receivables.reminders.check import ReminderRequest
from include.receivables.reminders.refreshing import refresh_and_judge
from include.receivables.reminders.verdict_records import DAG_ID as REMINDER
from include.receivables.views.measures import measure
from local.directory import ROOT
from tests.support.alerts import BASE_URL, KeepingCourier
from tests.support.passing_time import let_pass
from tests.support.quick_start import connect_as_imported, disconnect_in_quickbooks

if TYPE_CHECKING:
    from uuid import UUID

    import psycopg

    from tests.support.cashier import Cashier
    from tests.support.workbench import Workbench

COMPANY = "acme"


def figures(db: psycopg.Connection, name: str, *tags: str) -> dict[Any, Decimal]:
    """Return what is measured under a name, by the tags' values."""
    found = [each for each in measure(db) if each.name == name]
    assert {tuple(each.tags) for each in found} <= {tags}
    by_tags = {tuple(each.tags.values()): each.value for each in found}
    assert len(by_tags) == len(found)
    return {key[0] if len(key) == 1 else key: value for key, value in by_tags.items()}


def figure(db: psycopg.Connection, name: str) -> Decimal | None:
    """Return what is measured under a name without tags."""
    return figures(db, name).get(())


def remind(bench: Workbench, invoices: list[UUID], *, waited: timedelta, clear_number: int = 0) -> None:
    """Run a reminder run that was asked for some time ago."""
    asked_at = datetime.now(UTC) - waited
    context = RunContext(REMINDER, bench.run_context().dag_run_id, 1, clear_number, asked_at)
    refresh_and_judge(bench.access, ReminderRequest(COMPANY, tuple(invoices), ()), context, seconds=30)


def test_without_a_company_nothing_but_what_all_share_is_measured(bench: Workbench):
    assert {each.name for each in measure(bench.db)} == {
        "alerts",
        "companies",
        "metered_calls_month",
        "verdicts_hour",
    }
    assert all(each.value == 0 for each in measure(bench.db))


def test_each_connected_company_has_its_freshness_and_how_old_it_may_be(bench: Workbench):
    connect_as_imported(bench, "acme")
    lost = connect_as_imported(bench, "globex")
    let_pass(bench.db, timedelta(minutes=7))
    bench.db.execute("update sync.connection set status = 'reauthorize' where company_id = 'globex'")
    assert lost.company_id == "globex"

    [(company_id, age)] = figures(bench.db, "freshness_seconds", "company_id").items()

    oldest = bench.db.execute(
        "select extract(epoch from now() - min(changed_since)) from staging.cursor as position"
        " inner join sync.connection as connection on position.realm_id = connection.realm_id"
        " where connection.company_id = 'acme'"
    ).fetchone()[0]
    assert company_id == "acme"
    assert 420 <= age <= oldest
    assert figures(bench.db, "freshness_limit_seconds", "company_id") == {"acme": 900}
    assert figures(bench.db, "companies", "status") == {
        "connected": 1,
        "paused": 0,
        "reauthorize": 1,
        "disconnected": 0,
    }


def test_payments_are_counted_by_where_they_stand_with_the_age_of_the_oldest(
    bench: Workbench, cashier: Cashier
):
    other = connect_as_imported(bench, "globex")
    good, held, later = cashier.invoices(3)
    set_rules(bench.db, cashier.company, approval_above=Decimal(150))
    cashier.take(good)
    cashier.take(held, "200")
    delivery_jobs.deliver(bench.access, COMPANY, RunContext(DELIVERY, "1"), settled_after=timedelta(0))
    let_pass(bench.db, timedelta(minutes=30))
    cashier.take(later)

    kinds = Counter(row["kind"] for row in cashier.rows("outbox.delivery"))
    assert kinds["waits"] + kinds["differs"] == 2
    expected = {
        "queued": 1,
        "waiting": kinds["waits"],
        "differing": kinds["differs"],
        "ignored": kinds["ignored"],
    }
    for state, payments in expected.items():
        counted = {COMPANY: payments, other.company_id: 0}
        assert figures(bench.db, f"payments_{state}", "company_id") == counted, state
    ages = {
        state: figures(bench.db, f"payments_{state}_oldest_seconds", "company_id")[COMPANY]
        for state in expected
    }
    assert 0 < ages["queued"] < 60
    assert max(ages["waiting"], ages["differing"]) >= 1800
    assert ages["ignored"] == 0
    assert figures(bench.db, "payments_delivered_hour", "company_id") == {COMPANY: 1, "globex": 0}


def test_verdicts_of_the_last_hour_are_counted_and_their_time_is_that_from_the_question_on(
    bench: Workbench, cashier: Cashier
):
    invoices = [invoice["id"] for invoice in cashier.invoices(2)]
    remind(bench, invoices, waited=timedelta(seconds=40))
    remind(bench, invoices[:1], waited=timedelta(seconds=20))
    # Cleared, it was asked for long ago.
    remind(bench, invoices[:1], waited=timedelta(days=1), clear_number=1)
    bench.sandbox.add_fault("429")
    remind(bench, invoices[:1], waited=timedelta(seconds=30))

    assert figures(bench.db, "verdicts_hour", "verdict") == {"send": 4, "hold": 0, "unknown": 1}
    seconds = figures(bench.db, "verdict_seconds_hour", "quantile")
    assert 30 <= seconds["0.5"] < 38 < seconds["0.95"] < 40 <= seconds["1"] < 60

    let_pass(bench.db, timedelta(minutes=61))
    assert set(figures(bench.db, "verdicts_hour", "verdict").values()) == {0}
    assert figures(bench.db, "verdict_seconds_hour", "quantile") == {}


def test_calls_are_those_of_the_month_with_the_quota_and_the_forecast(bench: Workbench):
    companies = [bench.imported("empty", company_id=name) for name in ("acme", "globex")]
    budget.decide(bench.db, ReadLimit.of("silver"))
    bench.sync(companies[0])

    by_company = figures(bench.db, "company_metered_calls_month", "company_id")

    counted = dict(
        bench.db.execute(
            "select connection.company_id, sum(metered) from sync.api_call"
            " inner join sync.connection as connection on api_call.realm_id = connection.realm_id group by 1"
        ).fetchall()
    )
    assert by_company == counted
    assert figure(bench.db, "metered_calls_month") == sum(counted.values()) > 0
    assert figure(bench.db, "metered_calls_quota") == 1_000_000
    forecast = bench.db.execute("select forecast from sync.read_budget").fetchone()
    assert (figure(bench.db, "metered_calls_forecast"),) == forecast

    # Another month begins at 0.
    bench.db.execute("update sync.api_call set day = day - 40")
    assert figure(bench.db, "metered_calls_month") == 0
    assert set(figures(bench.db, "company_metered_calls_month", "company_id").values()) == {0}


def test_open_problems_and_alerts_are_counted_and_are_0_once_they_are_over(bench: Workbench):
    company = connect_as_imported(bench, "acme")
    connect_as_imported(bench, "globex")
    disconnect_in_quickbooks(bench, company)
    with pytest.raises(Exception, match="no longer"):
        bench.sync(company)
    telling.tell(bench.db, KeepingCourier(), base_url=BASE_URL)

    for direction, problems in (("inbound", 0), ("outbound", 0), ("connection", 1)):
        counted = {"acme": problems, "globex": 0}
        assert figures(bench.db, f"problems_{direction}", "company_id") == counted, direction
    alerts = figures(bench.db, "alerts", "code")
    assert set(alerts) == set(ORDER)
    assert [code for code, count in alerts.items() if count] == ["reconnect"]
    assert 0 <= figure(bench.db, "alerts_looked_for_seconds") < 60

    bench.db.execute("update sync.problem set state = 'resolved'")
    bench.db.execute("update sync.alert set closed_at = now()")
    assert set(figures(bench.db, "problems_connection", "company_id").values()) == {0}
    assert set(figures(bench.db, "alerts", "code").values()) == {0}


def test_the_last_proof_says_how_old_it_is_and_what_nobody_can_explain(bench: Workbench, cashier: Cashier):
    reconcile(bench.access, COMPANY, bench.run_context())
    bench.db.execute("update proof.proof set made_at = made_at - interval '5 hours'")

    assert figures(bench.db, "proof_failed", "company_id") == {COMPANY: 0}
    assert figures(bench.db, "proof_unexplained_amount", "company_id") == {COMPANY: 0}
    assert figures(bench.db, "proof_age_seconds", "company_id")[COMPANY] >= 5 * 3600

    bench.db.execute(
        "update proof.proof set verdict = 'differs', difference_total = 12.34, explained_total = 2"
    )
    assert figures(bench.db, "proof_failed", "company_id") == {COMPANY: 1}
    assert figures(bench.db, "proof_unexplained_amount", "company_id") == {COMPANY: Decimal("10.34")}


def everything(bench: Workbench, cashier: Cashier) -> set[str]:
    """Return the names of all that is ever measured, of an installation in which everything has happened."""
    [invoice] = cashier.invoices(1)
    remind(bench, [invoice["id"]], waited=timedelta(seconds=1))
    reconcile(bench.access, COMPANY, bench.run_context())
    budget.decide(bench.db, ReadLimit())
    telling.tell(bench.db, KeepingCourier(), base_url=BASE_URL)
    return {each.name for each in measure(bench.db)}


def test_the_page_about_metrics_lists_all_that_is_measured_and_the_dashboard_shows_it(
    bench: Workbench, cashier: Cashier
):
    names = everything(bench, cashier)

    listed = re.findall(r"^\| `airflow\.quickbooks\.(\w+)", (ROOT / "docs/metrics.md").read_text(), re.M)
    assert sorted(listed) == sorted(names)
    dashboard = json.loads((ROOT / "docs/grafana.json").read_text())
    queries = " ".join(target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", []))
    shown = set(re.findall(r"airflow_quickbooks_(\w+)", queries))
    assert shown == names
