"""The same decision on a page, on the command line and in Airflow: one history."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import pytest

from include.cli.delivery import add_delivery_commands
from include.receivables.outbound.decisions import standing_of
from include.receivables.outbound.situation import read_situation
from tests.support.airflow_settings import define_connections
from tests.support.asked import BELIEVE, SURE, doubt_deletions, only_question, questions, say
from tests.support.bookkeeper import Bookkeeper
from tests.support.cashier import Cashier
from tests.support.payment_steps import moved, orphan, unapproved
from tests.support.quick_start import connect_as_imported

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from tests.support.cashier import Json
    from tests.support.fixtures_web import Web
    from tests.support.workbench import Workbench

    Make = Callable[[Cashier], UUID]

USER = "admin"
DECISIONS: list[tuple[Make, str, str]] = [
    (unapproved, "approve", "Approve"),
    (unapproved, "ignore", "Ignore"),
    (orphan, "retry", SURE),
    (orphan, "ignore", "Ignore"),
    (moved, "relink", "Apply to the new invoice"),
    (moved, "ignore", "Ignore"),
]


@pytest.fixture
def cashier(web: Web, bench: Workbench, monkeypatch: pytest.MonkeyPatch, db_url: str) -> Iterator[Cashier]:
    define_connections(monkeypatch, bench.sandbox, db_url)
    company = bench.imported("demo", company_id="acme")
    bench.sandbox.change_settings(company.realm_id, throttle="off")
    with Bookkeeper(bench.sandbox, company.realm_id) as books:
        taken = Cashier(bench, company, books)
        taken.map_accounts()
        yield taken


@pytest.fixture
def ways(web: Web, monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[Cashier, UUID, str, str], None]]:
    """How one may decide about a payment."""
    monkeypatch.setenv("LOGNAME", USER)

    def on_the_page(cashier: Cashier, payment_id: UUID, action: str, label: str) -> None:
        place = f"companies/acme/deliveries/{cashier.delivery(payment_id)['delivery_id']}"
        answer = web.as_(USER).submit(f"{place}/{action}", confirmed="yes")
        assert answer.status_code == 303, answer.text

    def on_the_command_line(cashier: Cashier, payment_id: UUID, action: str, label: str) -> None:
        parser = argparse.ArgumentParser()
        add_delivery_commands(parser.add_subparsers())
        number = str(cashier.delivery(payment_id)["delivery_id"])
        options = parser.parse_args(["delivery", action, "acme", number])
        options.command(options)

    def in_airflow(cashier: Cashier, payment_id: UUID, action: str, label: str) -> None:
        say(cashier.bench.db, only_question(cashier.bench.db), label, by=USER)

    return {"page": on_the_page, "command line": on_the_command_line, "Airflow": in_airflow}


def about(cashier: Cashier, payment_id: UUID) -> dict[str, Any]:
    """Return what a decision is to be bound to."""
    situation = read_situation(cashier.bench.db, cashier.company, payment_id)
    standing = standing_of(situation)
    assert situation is not None
    assert standing is not None
    return {
        "snapshot": situation.snapshot,
        "fingerprints": {each.fingerprint for each in standing.differences},
    }


@pytest.mark.parametrize(("make", "action", "label"), DECISIONS)
def test_a_decision_is_the_same_wherever_it_is_made(
    cashier: Cashier, ways: dict[str, Any], make: Make, action: str, label: str
):
    written: dict[str, list[Json]] = {}
    for way, decide in ways.items():
        payment_id = make(cashier)
        bound = about(cashier, payment_id)
        decide(cashier, payment_id, action, label)
        rows = cashier.rows("outbox.decision", payment_id=payment_id)
        for row in rows:
            if bound["fingerprints"]:
                assert row["fingerprint"] in bound["fingerprints"]
                row["fingerprint"] = "of the difference"
            assert float(row["snapshot"]["amount"]) == float(bound["snapshot"]["amount"])
            by = "command line (admin)" if way == "command line" else USER
            assert row["decided_by"] == by
            for own in ("decision_id", "payment_id", "decided_at", "snapshot", "decided_by"):
                del row[own]
        written[way] = [*rows, {"stands": cashier.delivery(payment_id)["kind"]}]
        cashier.push()

    assert len(written["page"]) > 1
    assert written["page"] == written["command line"] == written["Airflow"]


def test_believed_deletions_are_the_same_on_the_page_and_in_airflow(web: Web, bench: Workbench):
    written = []
    for company_id in ("acme", "globex"):
        company = connect_as_imported(bench, company_id)
        doubt_deletions(bench.db, company)
        question = next(each for each in questions(bench.db) if each.company_id == company_id)
        if company_id == "acme":
            place = f"companies/acme/problems/{question.asked_id}/confirm-deletions"
            assert web.as_("engineer").submit(place).status_code == 303
        else:
            say(bench.db, question, BELIEVE)
        written.append(
            bench.db.execute(
                "select code, message, state, decision, decided_by, decided_at > now() - interval '1 minute'"
                " from sync.problem where company_id = %s",
                [company_id],
            ).fetchall()
        )

    assert written[0] == written[1]
    assert written[0][0][3:] == ("retried", "engineer", True)


@pytest.mark.parametrize("make", [unapproved, orphan, moved])
def test_the_page_and_the_question_offer_the_same(web: Web, cashier: Cashier, make: Make):
    delivery_id = cashier.delivery(make(cashier))["delivery_id"]
    page = web.as_("admin").get(f"companies/acme/deliveries/{delivery_id}").text
    shown = page.partition('<div class="choices">')[2].partition('<div class="columns">')[0]

    question = only_question(cashier.bench.db)

    for offer in question.offers:
        assert f"/deliveries/{delivery_id}/{offer.action}" in shown
        assert offer.hint in shown
    assert shown.count('class="card"') == len(question.offers)
