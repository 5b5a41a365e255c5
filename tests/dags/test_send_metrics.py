from __future__ import annotations

import atexit
from typing import TYPE_CHECKING

import pytest

from tests.support.collectors import running_otel_collector, running_statsd
from tests.support.killing import wait_until
from tests.support.many_companies import add_companies
from tests.support.quick_start import connect_as_imported

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.dags.conftest import TestRun
    from tests.support.collectors import Collector
    from tests.support.workbench import Workbench

    RunDag = Callable[..., TestRun]


@pytest.fixture
def begin_task() -> Iterator[Callable[[], None]]:
    """Set Airflow's metrics up, as it does when a task's process begins."""
    from airflow.sdk._shared.observability.metrics.base_stats_logger import NoStatsLogger
    from airflow.sdk.observability import stats
    from airflow.sdk.observability.metrics import stats_utils

    yield lambda: stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=True)
    stats.initialize(factory=NoStatsLogger, export_legacy_names=True)


@pytest.fixture
def statsd(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A StatsD server that Airflow sends its metrics to."""
    from airflow.sdk._shared.observability.metrics.stats import _get_backend

    with running_statsd() as collector:
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_ON", "True")
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_PORT", str(collector.port))
        yield collector
        _get_backend().statsd.close()


@pytest.fixture
def otel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A collector of OpenTelemetry that Airflow sends its metrics to."""
    from airflow.sdk._shared.observability.metrics.otel_logger import flush_otel_metrics
    from opentelemetry import metrics

    with running_otel_collector() as collector:
        monkeypatch.setenv("AIRFLOW__METRICS__OTEL_ON", "True")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.port}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
        yield collector
        metrics.get_meter_provider().shutdown()
        atexit.unregister(flush_otel_metrics)


def end_task() -> None:
    """Send what is buffered, as Airflow does when a task's process ends."""
    from opentelemetry import metrics

    metrics.get_meter_provider().force_flush()


def test_tags_are_part_of_the_name_where_statsd_has_none(
    run_dag: RunDag, begin_task: Callable[[], None], bench: Workbench, statsd: Collector
):
    for company_id in ("acme", "globex.eu"):
        connect_as_imported(bench, company_id)
    bench.db.execute("update sync.connection set status = 'paused' where company_id = 'globex.eu'")
    begin_task()

    assert run_dag("send_metrics").state == "success"

    wait_until(lambda: statsd.named("airflow.quickbooks.verdicts_hour"))
    assert 0 <= statsd.value("airflow.quickbooks.freshness_seconds.acme") < 3600
    assert statsd.value("airflow.quickbooks.companies.connected") == 1
    assert statsd.value("airflow.quickbooks.companies.paused") == 1
    assert statsd.value("airflow.quickbooks.payments_differing.globex__eu") == 0


def test_with_tags_each_figure_keeps_its_company(
    run_dag: RunDag,
    begin_task: Callable[[], None],
    bench: Workbench,
    statsd: Collector,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED", "True")
    for company_id in ("acme", "globex.eu"):
        connect_as_imported(bench, company_id)
    begin_task()

    assert run_dag("send_metrics").state == "success"

    wait_until(lambda: statsd.named("airflow.quickbooks.verdicts_hour"))
    for company_id in ("acme", "globex.eu"):
        assert statsd.value("airflow.quickbooks.freshness_limit_seconds", company_id=company_id) == 900


def test_a_collector_of_opentelemetry_gets_all_of_them(
    run_dag: RunDag, begin_task: Callable[[], None], bench: Workbench, otel: Collector
):
    for company_id in ("acme", "globex.eu"):
        connect_as_imported(bench, company_id)
    begin_task()

    assert run_dag("send_metrics").state == "success"
    end_task()

    assert otel.value("airflow.quickbooks.companies", status="connected") == 2
    assert otel.value("airflow.quickbooks.freshness_limit_seconds", company_id="globex.eu") == 900
    assert otel.value("airflow.quickbooks.payments_differing", company_id="acme") == 0


def test_so_many_companies_are_kept_apart(
    run_dag: RunDag, begin_task: Callable[[], None], bench: Workbench, otel: Collector
):
    add_companies(bench.db, 1500)
    begin_task()

    assert run_dag("send_metrics").state == "success"
    end_task()

    for name in ("payments_waiting", "payments_differing", "problems_inbound"):
        companies = [dict(tags) for each, tags in otel.gauges if each == f"airflow.quickbooks.{name}"]
        assert len({tags["company_id"] for tags in companies}) == 1500


@pytest.mark.usefixtures("otel")
def test_a_collector_that_does_not_answer_fails_nothing(
    run_dag: RunDag, begin_task: Callable[[], None], bench: Workbench, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    begin_task()

    assert run_dag("send_metrics").state == "success"


@pytest.mark.parametrize("switch", ["STATSD_ON", "OTEL_ON", "STATSD_DATADOG_ENABLED"])
def test_it_runs_by_itself_only_while_airflows_metrics_are_on(
    airflow_database: None, monkeypatch: pytest.MonkeyPatch, switch: str
):
    from airflow.dag_processing.dagbag import DagBag

    from tests.support.airflow_settings import DAGS

    def is_scheduled() -> bool:
        return DagBag(DAGS / "send_metrics.py").dags["send_metrics"].timetable.can_be_scheduled

    assert not is_scheduled()
    monkeypatch.setenv(f"AIRFLOW__METRICS__{switch}", "True")
    assert is_scheduled()
