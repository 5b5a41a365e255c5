from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from include.triggers.notification import WEBHOOK_EVENT, NotificationTrigger
from tests.support.airflow_settings import DAGS
from tests.support.bookkeeper import Bookkeeper
from tests.support.quick_start import connect_as_imported

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.receivables.company.companies import Company
    from tests.support.workbench import Workbench

EVENT = (
    "insert into sync.webhook_event (event_id, realm_id, entity, qbo_id, operation) "
    "values (%s, %s, %s, %s, 'create')"
)


@pytest.fixture
def books(access: object, bench: Workbench) -> Iterator[Bookkeeper]:
    company = connect_as_imported(bench, "acme")
    bench.sandbox.change_settings(company.realm_id, throttle="off")
    with Bookkeeper(bench.sandbox, company.realm_id) as keeper:
        yield keeper


def tell(bench: Workbench, company: Company, entity: str, qbo_id: str) -> None:
    bench.db.execute(EVENT, [f"{company.realm_id}-{entity}-{qbo_id}", company.realm_id, entity, qbo_id])


def acme(bench: Workbench) -> Company:
    from include.receivables.company.companies import get_company

    return get_company(bench.db, "acme")


def unread(bench: Workbench) -> int:
    [count] = bench.db.execute("select count(*) from sync.webhook_event where read_at is null").fetchone()
    return count


def test_a_run_reads_what_events_name_and_says_how_much(run_dag, bench: Workbench, books: Bookkeeper):
    customer = books.customer("Ada")
    payment = books.pay(customer, "25")
    tell(bench, acme(bench), "payment", payment)

    run = run_dag("read_webhook_events")

    assert run.tasks == {"plan": "success", "read acme": "success"}
    assert bench.db.execute("select source_id from peakflo.payment").fetchall() == [(payment,)]
    assert unread(bench) == 0
    [logged] = bench.db.execute("select dag_id, dag_run_id, state, calls from sync.run").fetchall()
    assert logged == ("read_webhook_events", run.run_id, "success", 1)


def test_a_run_that_finds_nothing_unread_starts_no_task(run_dag, bench: Workbench, books: Bookkeeper):
    run = run_dag("read_webhook_events")

    assert run.tasks == {"plan": "success", "read": "skipped"}


def test_a_run_may_be_for_one_company_only(run_dag, bench: Workbench, books: Bookkeeper):
    tell(bench, acme(bench), "payment", "1")

    run = run_dag("read_webhook_events", companies=["globex"])

    assert run.tasks == {"plan": "success", "read": "skipped"}
    assert unread(bench) == 1


def test_a_conf_that_is_misspelt_is_refused(run_dag, bench: Workbench, books: Bookkeeper):
    run = run_dag("read_webhook_events", company=["acme"])

    assert run.state == "failed"
    assert "unknown keys (company)" in run.log


def test_one_company_that_fails_is_seen_and_stops_no_other(run_dag, bench: Workbench, books: Bookkeeper):
    other = connect_as_imported(bench, "globex")
    for company in (acme(bench), other):
        tell(bench, company, "payment", "1")
    bench.sandbox.add_fault("403_3100", realm=other.realm_id)

    run = run_dag("read_webhook_events")

    assert run.tasks["read acme"] == "success"
    assert run.tasks["read globex"] in ("failed", "up_for_retry")
    assert unread(bench) == 1


def test_the_database_wakes_it_and_one_run_is_at_work_at_a_time(airflow_database: None):
    from airflow.dag_processing.dagbag import DagBag

    dag = DagBag(DAGS / "read_webhook_events.py").dags["read_webhook_events"]

    assert dag.max_active_runs == 1
    [asset] = dag.schedule
    [watcher] = asset.watchers
    assert isinstance(watcher.trigger, NotificationTrigger)
    assert watcher.trigger.channel == WEBHOOK_EVENT
