"""Fifty companies on several hosts, some of which are lost while payments flow and reminders are asked for."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
import requests

from sandbox.control import SandboxControl
from tests.support import two_sides
from tests.support.airflow_client import AirflowClient
from tests.support.bookkeeper import Bookkeeper
from tests.support.cashier import Cashier
from tests.support.other_process import Keys
from tests.support.steady_asker import Reminded, SteadyAsker
from tests.support.workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from include.receivables.company.companies import Company
    from tests.support.several_hosts import SeveralHosts

COMPANIES = 50
PAYING = 20
# The second of two calls, of which the first one's answer was lost, is refused.
TAKEN = (requests.codes.ok, requests.codes.conflict)
INVOICES = 25
CYCLE = "quickbooks_to_peakflo"
PATIENCE = 480
# Slow enough that there is something in the middle of which a host can be lost.
SLOW_MS = 1000
SEVERAL = 3
DATE = "2026-01-02"


@dataclass
class Member:
    """One of the companies: invoices that Peakflo takes payments for, and others that are asked about."""

    company: Company
    books: Bookkeeper
    cashier: Cashier
    payable: Iterator[str]


@dataclass
class Campaign:
    """
    What is done on the hosts, and what came of it.

    :param say: told of each step.
    """

    hosts: SeveralHosts
    say: Callable[[str], None]
    members: list[Member] = field(default_factory=list)
    payments: list[tuple[Member, uuid.UUID]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sandbox = SandboxControl(self.hosts.sandbox_url)
        self.sandbox.change_settings(throttle="off")
        keys = Keys.of(self.sandbox, self.hosts.database_url, self.hosts.fernet_key)
        self.bench = Workbench(keys.access(), self.sandbox, self._connect())
        self.admin = AirflowClient(self.hosts, "admin")
        self.asker = SteadyAsker(self.hosts.api_url, self.hosts.passwords["reminder"])
        self.logs: dict[str, str] = {}

    def __enter__(self) -> Campaign:
        return self

    def __exit__(self, *_: object) -> None:
        self.bench.db.close()
        for member in self.members:
            member.books.__exit__(None, None, None)

    def live(self, *, lost: str, killed: Iterable[str]) -> None:
        """
        Import the companies, and sync them and deliver payments while hosts are lost.

        :param lost: a worker's host, which does not come back.
        :param killed: hosts whose containers are killed, one after another, and started again.
        """
        self.say("everything is healthy")
        self.open_companies()
        with self.asker:
            self.pay()
            self.run_cycle()
            self.lose_worker_in_mid_work(lost)
            for name in killed:
                self.kill(name)
            self.wait_until_delivered()
        self.logs = self._logs_of_syncs(self.run_cycle())
        self.wait_until_equal()
        self.say(f"the first verdict came {self.asker.known_at - self.hosts.began_at:.0f} s after the start")
        self.say(str(self.asker))

    def open_companies(self) -> None:
        """Write the books of the companies, connect them and have Airflow import them."""
        self.members = [self._open(f"company-{number:02}") for number in range(COMPANIES)]
        for member in self.members:
            self.admin.trigger("import_company", company_id=member.company.company_id).raise_for_status()
        self.wait_until(lambda: self._count_runs("import_company") == COMPANIES, "all are imported")
        for member in self.members[:PAYING]:
            member.cashier.map_accounts()

    def pay(self) -> None:
        """Take a payment in each of the companies that do."""
        for member in self.members[:PAYING]:
            self.pay_one(member)

    def pay_one(self, member: Member) -> None:
        """Take a payment in one company."""
        invoice = member.cashier.invoice(next(member.payable))
        self.payments.append((member, member.cashier.take(invoice)))

    def start_cycle(self) -> str:
        """Trigger a cycle over all companies, and return its run's id."""
        run_id = f"manual__{uuid.uuid4()}"
        self.wait_until(
            lambda: self.admin.trigger(CYCLE, run_id).status_code in TAKEN, "a cycle is triggered"
        )
        return run_id

    def run_cycle(self) -> str:
        """Run a cycle to its end, and return its run's id; what a webhook has just had read is no part of it."""
        run_id = self.start_cycle()
        state = self.wait_until(lambda: self._ended(CYCLE, run_id), "the cycle has ended")
        assert state == "success", state
        return run_id

    def lose_worker_in_mid_work(self, name: str) -> None:
        """Cut off the host of a worker that has tasks of a cycle to do, and end it some time later."""
        self.sandbox.change_settings(latency_ms=SLOW_MS)
        run_id = self.start_cycle()
        self.pay()
        at_work = self.wait_until(lambda: self._syncs_of(name), f"{name} is at work")
        self.hosts.cut(self.hosts[name])
        self.say(f"{name} is cut off with {len(at_work)} tasks under way: {', '.join(at_work)}")
        time.sleep(10)
        self.hosts.lose(self.hosts[name])
        self.say(f"{name} is killed with all its processes")
        self.sandbox.change_settings(latency_ms=0)
        self.wait_until(lambda: self._ended(CYCLE, run_id), "the cycle has ended without the lost worker")

    def kill(self, name: str) -> None:
        """Kill a container in the middle of a cycle and of deliveries; the engine starts it again."""
        self.start_cycle()
        self.pay()
        self.wait_until(lambda: self._tasks_of("airflow-worker-1"), "tasks are under way")
        starts = len(self.hosts[name].began_at)
        self.hosts[name].container.kill()
        self.say(f"{name} is killed")
        self.wait_until(lambda: len(self.hosts[name].began_at) > starts, f"{name} is started again")
        self.hosts.wait_until_healthy()
        self._reconnect()

    def wait_until_delivered(self) -> None:
        """Wait until every payment that was taken is where it belongs."""
        self.wait_until(lambda: not self.undelivered(), "every payment is delivered")

    def wait_until_equal(self) -> None:
        """Wait until Peakflo has all that the books say, of every company."""
        self.wait_until(lambda: not self.disagreements(), "both sides of every company are equal")

    def undelivered(self) -> list[tuple[str, str]]:
        """Return where the payments stand that are not delivered."""
        ids = [payment_id for _, payment_id in self.payments]
        return self.bench.db.execute(
            "select kind, code from outbox.delivery"
            " where payment_id = any(%s) and (kind, code) <> ('agrees', 'delivered')",
            [ids],
        ).fetchall()

    def disagreements(self) -> list[str]:
        """Return in what Peakflo's tables and the books of any company differ."""
        return [
            f"{member.company.company_id}: {sentence}"
            for member in self.members
            for sentence in two_sides.disagreements(member.cashier)
        ]

    def copies(self) -> list[int]:
        """Return how many payments the books have of each that was taken."""
        found = {
            member.company.company_id: member.cashier.in_quickbooks() for member in self.members[:PAYING]
        }
        return [
            len(found[member.company.company_id].get(str(payment_id), ()))
            for member, payment_id in self.payments
        ]

    def unfinished(self) -> list[str]:
        """Return the runs of all DAGs that have not ended."""
        answer = self.admin.call("GET", "dags/~/dagRuns", params={"state": ["running", "queued"]})
        return [f"{run['dag_id']} {run['dag_run_id']}" for run in answer.json()["dag_runs"]]

    def wait_until(self, condition: Callable[[], Any], what: str) -> Any:
        """Wait for something that happens by itself, whatever is away meanwhile; return what it is."""
        began = deadline = time.monotonic()
        deadline += PATIENCE
        while True:
            try:
                found = condition()
            except (psycopg.OperationalError, OSError):
                found = None
                self._reconnect()
            if found:
                self.say(f"{what}, after {time.monotonic() - began:.0f} s")
                return found
            assert time.monotonic() < deadline, f"it never happens that {what}"
            time.sleep(0.5)

    def _open(self, company_id: str) -> Member:
        company = self.bench.connect("empty", company_id=company_id)
        books = Bookkeeper(self.sandbox, company.realm_id)
        payer = books.customer("Payer")
        payable = iter([books.invoice(payer, "100", TxnDate=DATE) for _ in range(INVOICES)])
        self.asker.reminded.append(Reminded.of(company, books))
        return Member(company, books, Cashier(self.bench, company, books), payable)

    def _count_runs(self, dag_id: str) -> int:
        """Count the companies that a DAG has worked for and succeeded."""
        statement = "select count(distinct company_id) from sync.run where dag_id = %s and state = 'success'"
        [count] = self.bench.db.execute(statement, [dag_id]).fetchone() or [0]
        return int(count)

    def _ended(self, dag_id: str, run_id: str) -> str:
        state = self.admin.state(dag_id, run_id)
        return state if state in ("success", "failed") else ""

    def _logs_of_syncs(self, run_id: str) -> dict[str, str]:
        """Return the hosts that a cycle's syncs ran on, each with what Airflow shows of one's log."""
        syncs = {
            task["hostname"]: task for task in self.admin.tasks(CYCLE, run_id) if task["task_id"] == "sync"
        }
        return {
            host: task["rendered_map_index"] + "\n" + self.admin.log(task) for host, task in syncs.items()
        }

    def _tasks_of(self, worker: str) -> list[str]:
        """Name the tasks that run on a worker."""
        answer = self.admin.call("GET", "dags/~/dagRuns/~/taskInstances", params={"state": "running"})
        answer.raise_for_status()
        return [
            f"{task['task_id']} {task['rendered_map_index'] or ''}".strip()
            for task in answer.json()["task_instances"]
            if task["hostname"] == worker
        ]

    def _syncs_of(self, worker: str) -> list[str]:
        """Name the syncs that run on a worker, once there are some."""
        syncs = [task for task in self._tasks_of(worker) if task.startswith("sync")]
        return syncs if len(syncs) >= SEVERAL else []

    def _connect(self) -> psycopg.Connection:
        # What is planned once is refused after an upgrade gives a table a column.
        return psycopg.connect(self.hosts.database_url, autocommit=True, prepare_threshold=None)

    def _reconnect(self) -> None:
        self.bench.db.close()
        try:
            self.bench.db = self._connect()
        except psycopg.OperationalError:
            return
