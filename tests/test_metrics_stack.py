"""A running Airflow whose metrics are on sends ours with its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.airflow_client import AirflowClient
from tests.support.collectors import running_statsd

if TYPE_CHECKING:
    from tests.support.fixtures_local import RunningStack


def test_a_statsd_server_gets_the_figures_of_the_sync_beside_airflows_own(running_stack: RunningStack):
    engineer = AirflowClient(running_stack, "engineer")
    assert engineer.call("GET", "dags/send_metrics").json()["next_dagrun_run_after"] is not None

    with running_statsd(running_stack.statsd_port) as collector:
        engineer.run("send_metrics")
        engineer.wait_until(lambda: bool(collector.named("airflow.quickbooks.verdicts_hour")))
        engineer.wait_until(lambda: bool(collector.named("airflow.pool.open_slots")))

    assert collector.value("airflow.quickbooks.companies.connected") >= 1
    assert collector.value("airflow.quickbooks.freshness_limit_seconds.demo") == 900
