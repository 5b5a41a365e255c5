from __future__ import annotations

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.support import upgraded_hosts
from tests.support.airflow_client import AirflowClient
from tests.support.lost_hosts import Campaign
from tests.support.network import may_make_namespaces
from tests.support.several_hosts import SeveralHosts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.steady_asker import SteadyAsker

# Debian's packages of these names.
PROGRAMS = ("redis-server", "caddy")
WORKERS = 2
# What is not well without PostgreSQL, and without Redis.
ON_THE_DATABASE = {
    "airflow-apiserver",
    "airflow-execution-api",
    "airflow-scheduler",
    "airflow-dag-processor",
    "airflow-triggerer",
}
WORKING = {"airflow-worker", "airflow-reminder-worker"}
POOLS = ("quickbooks_import", "quickbooks_proof")

# To start everything, and then to lose it part by part.
pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeveralHosts]:
    cannot = "".join(f"{name} is not installed. " for name in PROGRAMS if not shutil.which(name))
    if not cannot and not may_make_namespaces():
        cannot = "only root may make network namespaces"
    if cannot and not os.environ.get("CI"):
        pytest.skip(cannot)
    assert not cannot, cannot
    installed = SeveralHosts(tmp_path_factory.mktemp("hosts"), scale={"airflow-worker": WORKERS})
    try:
        with installed.visited():
            yield installed
    finally:
        installed.close()


@pytest.fixture(scope="module")
def campaign(hosts: SeveralHosts) -> Iterator[Campaign]:
    """What is left of the hosts and the companies once everything has happened; the steps are printed."""
    with Campaign(
        hosts, lambda step: print(f"{time.monotonic() - hosts.began_at:6.1f} s  {step}", flush=True)
    ) as campaign:
        campaign.live(lost="airflow-worker-2", killed=("redis-1", "postgres-1", "airflow-apiserver-1"))
        yield campaign


@pytest.fixture(scope="module")
def upgrade(campaign: Campaign) -> SteadyAsker:
    """Who asked while another release took the place of the one before."""
    return upgraded_hosts.upgrade(campaign)


def test_each_payment_is_in_quickbooks_once(campaign: Campaign):
    copies = campaign.copies()

    assert copies == [1] * len(copies)
    assert len(copies) >= 100


def test_peakflos_tables_are_what_the_books_say(campaign: Campaign):
    assert campaign.disagreements() == []


def test_no_verdict_is_wrong_and_most_are_known(campaign: Campaign):
    verdicts = campaign.asker.verdicts

    assert campaign.asker.wrong == {}
    assert verdicts["open", "send"] > verdicts["open", "unknown"]
    assert verdicts["paid", "hold"] > verdicts["paid", "unknown"]


def test_no_run_hangs(campaign: Campaign):
    campaign.wait_until(lambda: not campaign.unfinished(), "no run is under way")


def test_an_upgrade_leaves_no_question_without_an_answer(campaign: Campaign, upgrade: SteadyAsker):
    assert {verdict for _, verdict in upgrade.verdicts} == {"send", "hold"}
    assert upgrade.wrong == {}
    assert upgrade.verdicts["open", "send"] == upgrade.verdicts["paid", "hold"] > 100
    assert upgraded_hosts.old_parts(campaign) == []


def test_an_upgrade_loses_and_doubles_no_payment(campaign: Campaign, upgrade: SteadyAsker):
    assert upgrade.verdicts
    assert set(campaign.copies()) == {1}
    assert campaign.disagreements() == []


def test_the_log_of_a_task_is_read_from_the_host_that_it_ran_on(campaign: Campaign):
    assert campaign.logs.keys() == {"airflow-worker-1"}
    [log] = campaign.logs.values()
    company, _, lines = log.partition("\n")
    assert company in lines


def ailing(hosts: SeveralHosts) -> set[str]:
    """Return the services that are not well, by compose's own checks."""
    looked_at = hosts.checked
    with ThreadPoolExecutor(len(looked_at)) as pool:
        wells = pool.map(lambda host: host.is_well(), looked_at)
    return {
        host.name.rpartition("-")[0] for host, is_well in zip(looked_at, wells, strict=True) if not is_well
    }


def wait_until_ailing(hosts: SeveralHosts, expected: set[str]) -> None:
    deadline = time.monotonic() + 180
    while (found := ailing(hosts)) != expected:
        assert time.monotonic() < deadline, f"{found} are ailing, not {expected}"


@pytest.mark.parametrize(
    ("stopped", "expected"),
    [
        ({"postgres"}, {"postgres", *ON_THE_DATABASE}),
        ({"redis"}, {"redis", *WORKING}),
        ({*ON_THE_DATABASE, *WORKING, "sandbox"}, {*ON_THE_DATABASE, *WORKING, "sandbox"}),
    ],
)
def test_a_health_check_fails_while_its_part_stands_still_and_not_before_and_after(
    hosts: SeveralHosts, stopped: set[str], expected: set[str]
):
    wait_until_ailing(hosts, set())
    containers = [host.container for name in stopped for host in hosts.of(name) if not host.is_gone]
    for container in containers:
        container.freeze()
    try:
        wait_until_ailing(hosts, expected)
    finally:
        for container in containers:
            container.thaw()
    wait_until_ailing(hosts, set())


def test_nothing_in_a_container_may_do_more_than_it_needs(hosts: SeveralHosts):
    script = "grep -E '^(CapBnd|NoNewPrivs):' /proc/self/status; id -u; touch /usr/x || touch /tmp/x && echo only /tmp"
    worker = next(host for host in hosts.of("airflow-worker") if not host.is_gone)
    said = worker.container.execute(["sh", "-c", script], timeout=60).stdout
    assert said.split() == ["CapBnd:", "0" * 16, "NoNewPrivs:", "1", "50000", "only", "/tmp"]


def test_to_prepare_again_leaves_a_pool_as_somebody_sized_it(hosts: SeveralHosts):
    admin = AirflowClient(hosts, "admin")
    pool = admin.call("GET", "pools/quickbooks_import").json()
    smaller = {name: pool[name] for name in ("description", "include_deferred")}
    resized = admin.call(
        "PATCH", "pools/quickbooks_import", json={**smaller, "pool": pool["name"], "slots": 2}
    )
    resized.raise_for_status()
    admin.call("DELETE", "pools/quickbooks_proof").raise_for_status()

    hosts.run_again("airflow-init-1")

    slots = {name: admin.call("GET", f"pools/{name}").json()["slots"] for name in POOLS}
    assert slots == {"quickbooks_import": 2, "quickbooks_proof": 4}
