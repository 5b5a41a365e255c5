from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING, Any

import pytest

from include.quickbooks.entities import ACCOUNT
from include.receivables.company import companies
from include.receivables.connecting import consent
from include.receivables.connecting.consent import Answer, ConnectError, Visitor
from tests.support import killed_connecting
from tests.support.consent import decide, query_of
from tests.support.killed_connecting import CONNECTED
from tests.support.killing import preloaded, when_free

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext as Processes

    from include.receivables.company.companies import Company
    from tests.support.other_process import Keys
    from tests.support.workbench import Workbench

# Every step with 1; a sample without, since the steps of a connection are many.
STRIDE = int(os.environ.get("CONNECT_KILL_STRIDE", "7"))
ADMIN = Visitor("admin", "session")
PATIENCE = 30


@pytest.fixture(scope="module")
def processes() -> Processes:
    return preloaded("tests.support.killed_connecting")


def consented(bench: Workbench, realm_id: str, intent: Any) -> Answer:
    page = consent.begin(bench.db, bench.access.app, ADMIN, company_id="acme", name="Acme", intent=intent)
    found = query_of(decide(page, realm_id))
    return Answer(found["state"], found["code"], found["realmId"])


def works(bench: Workbench, company: Company) -> bool:
    """Tell whether QuickBooks lets the company in, with the tokens that are stored."""
    with bench.access.open_books(company.company_id) as opened:
        return opened.quickbooks.count(ACCOUNT) > 0


@pytest.mark.timeout(900)
@pytest.mark.parametrize("intent", ["connect", "reconnect", "change"])
def test_killed_at_any_step_the_old_connection_works_or_the_new_one_is_complete(
    bench: Workbench, keys: Keys, processes: Processes, intent: str
):
    first = bench.sandbox.create_company("First", books="empty")["realm_id"]
    second = bench.sandbox.create_company("Second", books="empty")["realm_id"]
    if intent != "connect":
        consent.complete(bench.access, ADMIN, consented(bench, first, "connect"))
    killed: list[str] = []
    for nth in itertools.count(1, STRIDE):
        before = companies.find_company(bench.db, "acme")
        chosen = second if intent == "change" and before and before.realm_id == first else first
        answer = consented(bench, chosen, intent)
        process = processes.Process(target=killed_connecting.come_back, args=(keys, ADMIN, answer, nth))
        process.start()
        process.join(PATIENCE)
        if process.exitcode == CONNECTED:
            break
        assert process.exitcode is not None
        assert process.exitcode < 0, f"step {nth}: refused"
        killed.append(look_after(bench, before, chosen, answer))
    assert {"nothing", "connected"} <= set(killed)


def look_after(bench: Workbench, before: Company | None, chosen: str, answer: Answer) -> str:
    """Check what a kill left behind, and come back with the same answer once more."""
    company = companies.find_company(bench.db, "acme")
    what = "connected" if is_stored(bench, answer) else "nothing"
    assert company == before if what == "nothing" else company is not None and company.realm_id == chosen
    if company is not None:
        assert works(bench, company)
    # One that died before it had begun leaves an answer that may still be used.
    told = come_again(bench, answer)
    assert told in ({"connected_already"} if what == "connected" else {"state_used", "connected"})
    company = companies.find_company(bench.db, "acme")
    if company is not None:
        when_free(lambda: consent.read_first(bench.access, "acme"))
        assert works(bench, company)
    return what


def come_again(bench: Workbench, answer: Answer) -> str:
    """Come back with the same answer, and return what is said of it."""
    try:
        when_free(lambda: consent.complete(bench.access, ADMIN, answer))
    except ConnectError as refused:
        return refused.code
    return "connected"


def is_stored(bench: Workbench, answer: Answer) -> bool:
    row = bench.db.execute(
        "select connected_at is not null from sync.connect_request where state_hash = sha256(%s)",
        [answer.state.encode()],
    ).fetchone()
    return bool(row and row[0])
