from __future__ import annotations

import dataclasses
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest

from include.errors import UnreachableError
from include.receivables.company.companies import set_paused
from include.receivables.company.locks import realm_transaction
from include.receivables.connecting.connections import disconnect_company
from include.receivables.reminders.check import ReminderRequest
from include.receivables.reminders.refreshing import refresh_and_judge
from local.ports import free_port
from tests.support.expected import peakflo_id
from tests.support.quick_start import connect_as_imported, pass_the_pause
from tests.support.workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from include.receivables.company.access import Access
    from include.receivables.company.companies import Company
    from include.receivables.reminders.judgement import Judgement
    from sandbox.control import SandboxControl
    from tests.support.bookkeeper import Bookkeeper

DEADLINE_SECONDS = 0.8
BEYOND_OVERLAP = 900

# What each fault is called in a verdict. A read without a usable answer is tried again until the deadline; a token
# endpoint that answers 401 does not know the app.
NO_ANSWER = {"deadline", "quickbooks_unreachable"}
CAUSES = {
    "500": NO_ANSWER,
    "503_html": NO_ANSWER,
    "429": {"throttled"},
    "401": {"reauthorize", "configuration"},
    "403_3100": {"configuration"},
    "timeout": NO_ANSWER,
    "slow": NO_ANSWER,
    "reset": NO_ANSWER,
    "lost_answer": NO_ANSWER,
    "malformed_json": NO_ANSWER,
    "truncated": NO_ANSWER,
}
PARTS = {
    "everything": {},
    "changes": {"path": "cdc"},
    "invoices": {"path": "query", "entity": "Invoice"},
    "customers": {"path": "query", "entity": "Customer"},
}


@pytest.fixture
def bench(access: Access, sandbox: SandboxControl, db: psycopg.Connection) -> Workbench:
    """Companies of the test's own: what another one had asked of a company may come late, and be counted."""
    return Workbench(access, sandbox, db)


@dataclasses.dataclass
class Reminders:
    """A company with an open, a paid, a voided and a deleted invoice, all of which Peakflo takes for open."""

    bench: Workbench
    company: Company
    invoices: dict[str, str]

    @property
    def ids(self) -> dict[UUID, str]:
        """The invoices' names by Peakflo's ids."""
        realm_id = self.company.realm_id
        return {peakflo_id(realm_id, "invoice", qbo_id): name for name, qbo_id in self.invoices.items()}

    def ask(self, *, access: Access | None = None, seconds: float = DEADLINE_SECONDS) -> Judgement:
        """Ask about all four."""
        return refresh_and_judge(
            access or self.bench.access,
            ReminderRequest(self.company.company_id, tuple(self.ids)),
            self.bench.run_context(),
            seconds=seconds,
        )

    def verdicts(self, judgement: Judgement) -> dict[str, tuple[str, set[str]]]:
        """Return each verdict and its reasons, by the invoice's name."""
        assert {verdict.invoice_id for verdict in judgement.verdicts} == self.ids.keys()
        return {
            self.ids[verdict.invoice_id]: (verdict.verdict, {reason.code for reason in verdict.reasons})
            for verdict in judgement.verdicts
        }

    def connect_again(self) -> None:
        """End a fault, what it has done to the connection, and the wait for a turn that its many calls cost."""
        self.bench.sandbox.clear_faults()
        self.bench.db.execute("update sync.connection set status = 'connected'")
        self.bench.db.execute("truncate sync.rate_limit")

    def logged(self) -> tuple[str, str | None]:
        """Return the state and the error's code of the last run in the sync log."""
        statement = "select state, error_code from sync.run order by run_id desc limit 1"
        return self.bench.db.execute(statement).fetchone()


@pytest.fixture
def reminders(bench: Workbench, keep_books: Callable[[Company], Bookkeeper]) -> Reminders:
    company = connect_as_imported(bench, "acme")
    books = keep_books(company)
    customer = books.customer("Ada")
    invoices = {name: books.invoice(customer, "100") for name in ("paid", "voided", "deleted")}
    invoices["open"] = books.invoice(books.customer("Grace"), "100")
    bench.sync(company)
    bench.sandbox.advance_clock(BEYOND_OVERLAP)
    bench.sync(company)
    bench.sandbox.advance_clock(BEYOND_OVERLAP)
    books.pay(customer, "100", ("Invoice", invoices["paid"], "100"))
    books.void("Invoice", invoices["voided"])
    books.delete("Invoice", invoices["deleted"])
    return Reminders(bench, company, invoices)


CLOSED = {"paid": ("hold", {"paid"}), "voided": ("hold", {"voided"}), "deleted": ("hold", {"deleted"})}
RIGHT = {"open": ("send", set()), **CLOSED}


def test_without_an_outage_each_verdict_is_known(reminders: Reminders):
    judgement = reminders.ask()

    assert reminders.verdicts(judgement) == RIGHT
    assert judgement.cause == ""
    assert reminders.logged() == ("success", None)


@pytest.mark.parametrize("kind", CAUSES)
def test_nothing_is_sent_that_was_not_verified_whichever_reads_fail(reminders: Reminders, kind: str):
    for part, calls in PARTS.items():
        reminders.connect_again()
        reminders.bench.sandbox.add_fault(kind, seconds=DEADLINE_SECONDS * 2, **calls)

        judgement = reminders.ask()

        verdicts = reminders.verdicts(judgement)
        verdict, reasons = verdicts.pop("open")
        assert verdict == "unknown", part
        assert reasons <= CAUSES[kind], part
        if part == "everything":
            assert {verdict for verdict, _ in verdicts.values()} == {"unknown"}
        else:
            # The changes tell of these three as well as the reads by Id.
            assert verdicts == CLOSED, part
        assert judgement.cause in CAUSES[kind], part
        assert reminders.logged()[0] == "failed", part


@pytest.mark.parametrize("kind", ["500", "503_html", "reset", "truncated", "malformed_json", "401"])
def test_a_fault_that_passes_is_asked_over(reminders: Reminders, kind: str):
    reminders.bench.sandbox.add_fault(kind, path="query", count=1)

    assert reminders.verdicts(reminders.ask(seconds=10)) == RIGHT


def test_a_read_that_is_throttled_for_a_moment_is_asked_over(reminders: Reminders):
    reminders.bench.sandbox.add_fault("429", count=3)

    assert reminders.verdicts(reminders.ask(seconds=10)) == RIGHT


def test_a_refused_connection_leaves_everything_unknown(reminders: Reminders):
    access = dataclasses.replace(reminders.bench.access, api_url=f"http://127.0.0.1:{free_port()}")

    judgement = reminders.ask(access=access, seconds=10)

    assert {verdict for verdict, _ in reminders.verdicts(judgement).values()} == {"unknown"}
    assert judgement.cause == "quickbooks_unreachable"
    assert reminders.logged() == ("failed", "unreachable")


def test_a_revoked_connection_has_to_be_connected_again(reminders: Reminders):
    reminders.bench.sandbox.revoke(reminders.company.realm_id)

    judgement = reminders.ask()

    # Once may be a mistake of QuickBooks'.
    assert judgement.cause == "quickbooks_unreachable"
    assert {verdict for verdict, _ in reminders.verdicts(judgement).values()} == {"unknown"}
    pass_the_pause(reminders.bench.db)

    judgement = reminders.ask()

    assert judgement.cause == "reauthorize"
    assert {verdict for verdict, _ in reminders.verdicts(judgement).values()} == {"unknown"}
    [status] = reminders.bench.db.execute("select status from sync.connection").fetchone()
    assert status == "reauthorize"
    reminders.bench.sandbox.reset_calls(reminders.company.realm_id)
    assert reminders.ask().cause == "reauthorize"
    assert reminders.bench.sandbox.calls(reminders.company.realm_id)["by_path"] == {}


def test_a_token_endpoint_that_hangs_does_not_hold_the_run_up(reminders: Reminders):
    reminders.bench.db.execute("update sync.connection set access_token_expires_at = now()")
    reminders.bench.sandbox.add_fault("timeout", path="token", seconds=DEADLINE_SECONDS + 2)

    judgement = reminders.ask()

    assert judgement.cause == "deadline"
    assert {verdict for verdict, _ in reminders.verdicts(judgement).values()} == {"unknown"}


def test_a_paused_company_is_not_asked_about(reminders: Reminders):
    set_paused(reminders.bench.db, reminders.company, is_paused=True)
    reminders.bench.sandbox.reset_calls(reminders.company.realm_id)

    judgement = reminders.ask()

    assert set(map(str, reminders.verdicts(judgement).values())) == {str(("unknown", {"paused"}))}
    assert reminders.bench.sandbox.calls(reminders.company.realm_id)["by_path"] == {}
    assert reminders.logged() == ("failed", "paused")
    assert reminders.bench.db.execute("select count(*) from sync.problem").fetchone() == (0,)


def test_a_disconnected_company_is_not_asked_about(reminders: Reminders):
    access = reminders.bench.access
    disconnect_company(reminders.bench.db, reminders.company, app=access.app, cipher=access.cipher)

    judgement = reminders.ask()

    assert judgement.cause == "disconnected"
    assert {verdict for verdict, _ in reminders.verdicts(judgement).values()} == {"unknown"}


def test_a_company_that_does_not_exist_has_only_unknown_invoices(bench: Workbench):
    ids = (peakflo_id("1", "invoice", "1"),)

    judgement = refresh_and_judge(
        bench.access, ReminderRequest("nobody", ids), bench.run_context(), seconds=DEADLINE_SECONDS
    )

    assert judgement.cause == "no_company"
    assert [(verdict.invoice_id, verdict.verdict) for verdict in judgement.verdicts] == [(ids[0], "unknown")]


def test_a_company_that_was_never_imported_has_to_be_imported_first(reminders: Reminders):
    reminders.bench.db.execute("delete from staging.cursor")

    judgement = reminders.ask()

    assert judgement.cause == "import_needed"
    assert reminders.verdicts(judgement) == {"open": ("unknown", {"import_needed"}), **CLOSED}


def test_a_lock_that_is_held_past_the_deadline_leaves_everything_unknown(reminders: Reminders):
    with realm_transaction(reminders.bench.db, reminders.company.realm_id):
        judgement = reminders.ask()

    assert judgement.cause == "deadline"
    assert {verdict for verdict, _ in reminders.verdicts(judgement).values()} == {"unknown"}
    assert reminders.logged() == ("failed", "deadline")
    assert kept_verdicts(reminders) == {"unknown": 4}


def test_a_run_that_begins_after_its_deadline_asks_nobody(reminders: Reminders):
    reminders.bench.sandbox.reset_calls(reminders.company.realm_id)

    judgement = reminders.ask(seconds=-1)

    assert judgement.cause == "deadline"
    assert {verdict for verdict, _ in reminders.verdicts(judgement).values()} == {"unknown"}
    assert reminders.bench.sandbox.calls(reminders.company.realm_id)["by_path"] == {}
    assert reminders.logged() == ("failed", "deadline")


def test_a_database_that_refuses_connections_leaves_everything_unknown(reminders: Reminders):
    def refuse() -> psycopg.Connection:
        raise UnreachableError("The receivables database does not answer.")

    judgement = reminders.ask(access=dataclasses.replace(reminders.bench.access, connect=refuse))

    assert judgement.cause == "database_unreachable"


def test_a_database_that_never_answers_does_not_hold_the_run_up(reminders: Reminders):
    with silent_server() as port:
        access = dataclasses.replace(
            reminders.bench.access,
            connect=lambda: psycopg.connect(host="127.0.0.1", port=port, connect_timeout=4),
        )
        judgement = reminders.ask(access=access)

    assert judgement.cause == "deadline"
    assert {verdict for verdict, _ in reminders.verdicts(judgement).values()} == {"unknown"}


@contextmanager
def silent_server() -> Iterator[int]:
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def kept_verdicts(reminders: Reminders) -> dict[str, int]:
    statement = "select verdict, count(*) from peakflo.latest_verdict group by 1"
    return dict(reminders.bench.db.execute(statement).fetchall())
