"""A release that takes the place of the one before on several hosts, while payments flow and questions are asked."""

from __future__ import annotations

import re
from contextlib import contextmanager
from itertools import cycle
from threading import Event, Thread
from typing import TYPE_CHECKING

from local.directory import ROOT
from tests.support.lost_hosts import PAYING
from tests.support.steady_asker import SteadyAsker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.lost_hosts import Campaign

SCRIPT = (ROOT / "include/compose/upgrade.sh").read_text()
MARK = "opt/airflow/include/next_release.txt"
SCHEMA = "opt/airflow/include/sql/migrations/9000_next_release.sql"
# What a release may do to the schema: whoever runs the one before still can work with it.
CHANGE = """
alter table peakflo.payment add column next_release text not null default 'none';
alter table outbox.record add column next_release text;
alter table sync.connection add column next_release integer not null default 0;
create index on sync.run (dag_run_id, state);
create or replace view outbox.next_release as select * from outbox.record;
"""
AT_ONCE = 4
# All hosts share one machine here: what is shown is that each question is answered, not how soon.
ANSWER_SECONDS = 60
PAYMENT_SECONDS = 3


def services_of(name: str) -> list[str]:
    """Return the services that the script for an upgrade replaces in one of its ways."""
    [found] = re.findall(rf'^{name}="(.*)"$', SCRIPT, re.MULTILINE)
    return found.split()


def write_release(image: Path) -> None:
    """Make a release of our image the next one."""
    (image / MARK).write_text("the next release\n")
    (image / SCHEMA).write_text(CHANGE)


def upgrade(campaign: Campaign) -> SteadyAsker:
    """
    Do what the script for an upgrade does, with a question a second and payments all the while.

    :return: who asked.
    """
    hosts = campaign.hosts
    asker = SteadyAsker(
        hosts.api_url,
        hosts.passwords["reminder"],
        campaign.asker.reminded,
        seconds_to_answer=ANSWER_SECONDS,
        at_once=AT_ONCE,
    )
    hosts.release(write_release)
    with asker, paying(campaign):
        campaign.start_cycle()
        hosts.run("backup", "/backups/before")
        hosts.run("airflow-init")
        campaign.say("the schema is the next release's")
        for name, beside in (("beside", True), ("in_place", False)):
            for service in services_of(name):
                hosts.replace(service, beside=beside)
                campaign.say(f"{service} is replaced")
        campaign.start_cycle()
    campaign.wait_until_delivered()
    campaign.run_cycle()
    campaign.wait_until_equal()
    campaign.say(f"the upgrade: {asker}")
    return asker


@contextmanager
def paying(campaign: Campaign) -> Iterator[None]:
    """Take a payment every few seconds, of one company after another."""
    is_over = Event()
    members = cycle(campaign.members[:PAYING])

    def pay_on() -> None:
        while not is_over.wait(PAYMENT_SECONDS):
            campaign.pay_one(next(members))

    thread = Thread(target=pay_on)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def old_parts(campaign: Campaign) -> list[str]:
    """Return which parts of Airflow do not run the next release."""
    return [
        host.name
        for host in campaign.hosts.hosts
        if not host.is_gone
        and host.container.exit_code is None
        and "AIRFLOW__CORE__EXECUTOR" in host.service["environment"]
        and host.container.execute(["test", "-f", f"/{MARK}"], timeout=10).returncode
    ]
