from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from include.errors import ConfigurationError
from include.receivables.company import companies
from include.receivables.outbound import decisions
from include.receivables.views import problem_actions
from include.receivables.views.asking import plain
from include.receivables.views.problem_actions import FollowUp
from tests.support.asked import ASKING, BELIEVE, SURE, doubt_deletions, only_question, questions, say
from tests.support.payment_steps import (
    alive,
    delivered,
    moved,
    orphan,
    remade,
    set_payment,
    settle,
    unapproved,
    undo,
)
from tests.support.quick_start import connect_as_imported

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from include.receivables.company.companies import Company
    from tests.support.cashier import Cashier, Json
    from tests.support.workbench import Workbench

    Make = Callable[[Cashier], UUID]

PAYMENTS: list[tuple[Make, str, str]] = [
    (unapproved, "Approve", "Approve so large a payment?"),
    (orphan, SURE, "Is it in QuickBooks?"),
    (moved, "Apply to the new invoice", "Apply it to the new invoice?"),
]


@pytest.fixture
def company(bench: Workbench) -> Company:
    return connect_as_imported(bench, "acme")


def decided(cashier: Cashier) -> list[Json]:
    return cashier.rows("outbox.decision")


@pytest.mark.parametrize(("make", "label", "words"), PAYMENTS)
def test_a_question_says_who_paid_how_much_what_is_wrong_and_what_each_answer_does(
    cashier: Cashier, make: Make, label: str, words: str
):
    payment_id = make(cashier)
    delivery = cashier.delivery(payment_id)
    [customer] = cashier.rows(
        "peakflo.customer", id=cashier.rows("peakflo.payment", id=payment_id)[0]["customer_id"]
    )

    question = only_question(cashier.bench.db)

    name = customer["company_name"]
    assert question.headline == f"{question.headline.split(':')[0]}: 100.00 USD from {name}. {words}"
    for part in (f"**100.00 USD** from {name} on 2026-01-05", plain(delivery["sentence"])):
        assert part in question.body
    assert f"({ASKING.pages_url}companies/acme/deliveries/{delivery['delivery_id']})" in question.body
    assert [
        line.split("**")[1] for line in question.body.splitlines() if line.startswith("* ")
    ] == question.labels
    assert question.labels[0] == label
    assert question.labels[-1] == "Ignore"


@pytest.mark.parametrize(("make", "label", "words"), PAYMENTS)
def test_what_is_answered_is_decided_and_done(cashier: Cashier, make: Make, label: str, words: str):
    payment_id = make(cashier)

    follow_up = say(cashier.bench.db, only_question(cashier.bench.db), label)

    assert follow_up == FollowUp("peakflo_to_quickbooks", {"companies": ["acme"]})
    assert [row["decided_by"] for row in decided(cashier)] == ["engineer"]
    assert questions(cashier.bench.db) == []
    settle(cashier)
    assert cashier.standing(payment_id) == ("agrees", "delivered")
    assert len(alive(cashier, payment_id)) == 1


@pytest.mark.parametrize(("make", "label", "words"), PAYMENTS)
def test_what_is_ignored_is_not_sent_any_more(cashier: Cashier, make: Make, label: str, words: str):
    payment_id = make(cashier)

    assert say(cashier.bench.db, only_question(cashier.bench.db), "Ignore") is None

    settle(cashier)
    assert cashier.standing(payment_id)[0] == "ignored"
    assert cashier.in_quickbooks() == {}
    assert questions(cashier.bench.db) == []


@pytest.mark.parametrize(("make", "label", "words"), PAYMENTS)
def test_a_second_answer_does_nothing_and_says_who_decided(
    cashier: Cashier, make: Make, label: str, words: str
):
    make(cashier)
    question = only_question(cashier.bench.db)
    say(cashier.bench.db, question, label, by="ada")
    before = decided(cashier)

    for late in (label, "Ignore"):
        with pytest.raises(
            ConfigurationError, match=r"not open as it was asked.*The last decision: .*, by ada, "
        ):
            say(cashier.bench.db, question, late)

    assert decided(cashier) == before


@pytest.mark.parametrize(
    "columns", [{"payment_date": "2026-01-06"}, {"note": "Not shown, and still another payment."}]
)
def test_an_answer_does_nothing_for_a_payment_that_was_changed_since_it_was_shown(
    cashier: Cashier, columns: dict[str, Any]
):
    payment_id = unapproved(cashier)
    shown = only_question(cashier.bench.db)
    set_payment(cashier, payment_id, **columns)

    with pytest.raises(ConfigurationError, match="asked anew"):
        say(cashier.bench.db, shown, "Approve")

    assert decided(cashier) == []
    assert only_question(cashier.bench.db).asked != shown.asked


def test_what_was_decided_and_taken_back_is_another_question(cashier: Cashier):
    payment_id = unapproved(cashier)
    db, company = cashier.bench.db, cashier.company
    first = only_question(db)
    decisions.ignore(db, company, payment_id, by="ada")
    decisions.retry(db, company, payment_id, by="ada")
    before = decided(cashier)

    with pytest.raises(ConfigurationError, match="The last decision: retry, by ada"):
        say(db, first, "Approve")

    assert decided(cashier) == before
    assert only_question(db).asked != first.asked


def test_the_same_question_is_the_same_run_however_often_it_is_looked_for(cashier: Cashier):
    orphan(cashier)
    first = only_question(cashier.bench.db)
    cashier.push()

    assert only_question(cashier.bench.db) == first
    assert first.asked.run_id.startswith(f"acme__payment_{first.asked_id}__")


def test_what_is_not_offered_cannot_be_answered(cashier: Cashier):
    orphan(cashier)

    with pytest.raises(ConfigurationError, match="'Approve' is no answer"):
        say(cashier.bench.db, only_question(cashier.bench.db), "Approve")

    assert decided(cashier) == []


def test_a_large_payment_is_for_admins_only_and_the_others_for_whoever_acts(cashier: Cashier):
    orphan(cashier)
    unapproved(cashier)

    answerers = {question.labels[0]: question.answerers for question in questions(cashier.bench.db)}

    assert answerers == {SURE: ("admin", "engineer"), "Approve": ("admin",)}


def test_nobody_is_asked_where_nobody_is_known_who_may_answer(cashier: Cashier):
    orphan(cashier)
    unapproved(cashier)
    db = cashier.bench.db

    assert [each.labels[0] for each in questions(db, dataclasses.replace(ASKING, admins=()))] == [SURE]
    assert questions(db, dataclasses.replace(ASKING, admins=(), ops=())) == []


def test_a_payment_that_needs_something_else_than_a_word_is_no_question(cashier: Cashier):
    remade(cashier, count=2)
    undo(cashier, delivered(cashier), "void")

    assert questions(cashier.bench.db) == []


def test_nobody_is_asked_about_a_company_that_is_not_connected(cashier: Cashier):
    orphan(cashier)
    doubt_deletions(cashier.bench.db, cashier.company)
    companies.set_paused(cashier.bench.db, cashier.company, is_paused=True)

    assert questions(cashier.bench.db) == []


def test_the_first_of_each_company_come_first(cashier: Cashier):
    for _ in range(3):
        unapproved(cashier)
    other = cashier.bench.connect(company_id="globex")
    doubt_deletions(cashier.bench.db, other)

    assert [question.company_id for question in questions(cashier.bench.db)] == [
        "acme",
        "globex",
        "acme",
        "acme",
    ]


# Deletions


def test_believed_deletions_are_imported_and_not_asked_about_until_they_are_met_again(
    bench: Workbench, company: Company
):
    doubt_deletions(bench.db, company)
    question = only_question(bench.db)
    assert "QuickBooks reports 150 of 200 Invoice records as deleted." in question.body
    assert "/companies/acme#problems" in question.body
    assert question.labels == [BELIEVE, "Not now"]

    follow_up = say(bench.db, question, BELIEVE)

    assert follow_up == FollowUp("import_company", {"company_id": "acme", "accept_deletions": True})
    assert questions(bench.db) == []
    with pytest.raises(ConfigurationError, match="The last decision: retried, by engineer"):
        say(bench.db, question, BELIEVE, by="ada")

    doubt_deletions(bench.db, company)
    assert only_question(bench.db).asked != question.asked


def test_deletions_that_are_left_stay_the_same_question_until_they_are_others(
    bench: Workbench, company: Company
):
    doubt_deletions(bench.db, company)
    question = only_question(bench.db)
    problem = bench.db.execute("select * from sync.problem").fetchall()

    assert say(bench.db, question, "Not now") is None

    assert bench.db.execute("select * from sync.problem").fetchall() == problem
    doubt_deletions(bench.db, company)
    assert only_question(bench.db).asked == question.asked
    doubt_deletions(bench.db, company, count=151)
    assert only_question(bench.db).asked != question.asked
    with pytest.raises(ConfigurationError, match="asked anew"):
        say(bench.db, question, BELIEVE)


@pytest.mark.parametrize("decision", ["ignored", "resolved"])
def test_deletions_that_were_decided_on_the_page_are_not_believed_any_more(
    bench: Workbench, company: Company, decision: str
):
    doubt_deletions(bench.db, company)
    question = only_question(bench.db)
    decide = {"ignored": problem_actions.ignore, "resolved": problem_actions.resolve}[decision]
    decide(bench.db, company, question.asked_id, by="ada")

    with pytest.raises(ConfigurationError, match=f"The last decision: {decision}, by ada"):
        say(bench.db, question, BELIEVE)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ada & Sons", "Ada & Sons"),
        ("[Pay here](https://evil.example)", r"\[Pay here\](https://evil.example)"),
        ("**All** `is` _well_\n\n# Approved", r"\*\*All\*\* \`is\` \_well\_ \# Approved"),
        ("<img src=x>", r"\<img src=x\>"),
    ],
)
def test_what_others_wrote_is_shown_as_it_is(text: str, shown: str):
    assert plain(text) == shown
