from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from psycopg.rows import dict_row

from include.errors import ConfigurationError, DeletionBrakeError, ReauthorizeError, UnreachableError
from include.receivables.views import problem_actions
from include.receivables.views.problem_actions import FollowUp, UnknownProblemError
from tests.support.payment_steps import delivered, orphan, retry, set_payment, undo
from tests.support.quick_start import connect_as_imported, disconnect_in_quickbooks

if TYPE_CHECKING:
    from collections.abc import Callable

    from include.receivables.company.companies import Company
    from tests.support.bookkeeper import Bookkeeper
    from tests.support.cashier import Cashier
    from tests.support.workbench import Workbench

Json = dict[str, Any]

NUL = {"value": "Thank\x00you"}
UNFIT = "9999999999999999999"  # as an exchange rate
SYNC = FollowUp("quickbooks_to_peakflo", {"companies": ["acme"]})
DELIVERY = FollowUp("peakflo_to_quickbooks", {"companies": ["acme"]})


@pytest.fixture
def company(bench: Workbench) -> Company:
    return connect_as_imported(bench, "acme")


@pytest.fixture
def books(company: Company, keep_books: Callable[[Company], Bookkeeper]) -> Bookkeeper:
    return keep_books(company)


@pytest.fixture
def misfit(bench: Workbench, company: Company, books: Bookkeeper) -> str:
    """An invoice that Peakflo's tables refuse."""
    customer = books.customer("Ada", CurrencyRef={"value": "EUR"})
    invoice = books.invoice(customer, "100", ExchangeRate=UNFIT)
    bench.sync(company)
    return invoice


def problems(bench: Workbench) -> list[Json]:
    with bench.db.cursor(row_factory=dict_row) as cursor:
        return cursor.execute("select * from sync.problem order by problem_id").fetchall()


def only(bench: Workbench) -> Json:
    [problem] = problems(bench)
    return problem


def pay_in_quickbooks(cashier: Cashier, invoice: Json) -> str:
    customer = cashier.books.read("Invoice", invoice["source_id"])["CustomerRef"]["value"]
    return cashier.books.pay(customer, "100", ("Invoice", invoice["source_id"], "100"))


def rejected(cashier: Cashier) -> Json:
    """Return the problem of a payment that QuickBooks refused."""
    [invoice] = cashier.invoices(1)
    cashier.take(invoice)
    pay_in_quickbooks(cashier, invoice)
    cashier.push()
    return only(cashier.bench)


def unfit(cashier: Cashier) -> Json:
    """Return the problem of a payment that cannot be entered as it is, and was not sent."""
    [invoice] = cashier.invoices(1)
    cashier.take(invoice, currency="EUR")
    cashier.push()
    return only(cashier.bench)


def edited(cashier: Cashier) -> Json:
    """Return the problem of a payment that was changed in QuickBooks by hand."""
    payment_id = delivered(cashier)
    cashier.books.change("Payment", cashier.record(payment_id)["qbo_id"], TxnDate="2026-01-04")
    cashier.bench.sync(cashier.company)
    cashier.push()
    return only(cashier.bench)


def undone(cashier: Cashier) -> Json:
    """Return the problem of a payment that was deleted in QuickBooks by hand."""
    undo(cashier, delivered(cashier), "delete")
    return only(cashier.bench)


MAKERS = {"rejected": rejected, "unfit": unfit, "edited": edited, "undone": undone}


def test_who_decided_what_and_when_is_recorded(bench: Workbench, company: Company, misfit: str):
    problem_id = only(bench)["problem_id"]
    before = datetime.now(UTC) - timedelta(minutes=1)
    for decide, decision, state in (
        (problem_actions.ignore, "ignored", "ignored"),
        (problem_actions.reopen, "reopened", "open"),
        (problem_actions.resolve, "resolved", "resolved"),
        (problem_actions.reopen, "reopened", "open"),
        (problem_actions.retry, "retried", "open"),
    ):
        decide(bench.db, company, problem_id, by=f"who {decision}")
        problem = only(bench)
        assert (problem["state"], problem["decision"]) == (state, decision)
        assert problem["decided_by"] == f"who {decision}"
        assert problem["decided_at"] > before
        assert (problem["resolved_at"] is not None) == (state == "resolved")


def test_an_ignored_record_stays_quiet_until_it_changes(
    bench: Workbench, company: Company, books: Bookkeeper, misfit: str
):
    problem_actions.ignore(bench.db, company, only(bench)["problem_id"], by="engineer")
    bench.sync(company)
    assert only(bench)["state"] == "ignored"
    books.change("Invoice", misfit, PrivateNote="still wrong")
    bench.sync(company)
    problem = only(bench)
    assert (problem["state"], problem["decided_by"]) == ("open", "engineer")


def test_an_ignored_record_that_cannot_be_stored_is_news_once_its_version_changes(
    bench: Workbench, company: Company, books: Bookkeeper
):
    invoice = books.invoice(books.customer("Ada"), "100", CustomerMemo=NUL)
    bench.sync(company)
    problem_actions.ignore(bench.db, company, only(bench)["problem_id"], by="engineer")
    bench.sync(company)
    assert only(bench)["state"] == "ignored"
    books.change("Invoice", invoice, PrivateNote="as bad as before")
    bench.sync(company)
    assert only(bench)["state"] == "open"


def test_an_ignored_record_is_news_once_something_else_is_wrong_with_it(
    bench: Workbench, company: Company, books: Bookkeeper, misfit: str
):
    problem_actions.ignore(bench.db, company, only(bench)["problem_id"], by="engineer")
    books.change("Invoice", misfit, CustomerMemo=NUL)
    bench.sync(company)
    states = {problem["code"]: problem["state"] for problem in problems(bench)}
    assert states["unreadable"] == "open"


def test_a_record_that_waits_for_another_is_reported_again_once_it_changed(
    bench: Workbench, company: Company, books: Bookkeeper
):
    customer = books.customer("Ada", PrimaryPhone={"FreeFormNumber": "\x00"})
    invoice = books.invoice(customer, "100")
    bench.sync(company)
    waiting = next(each for each in problems(bench) if each["code"] == "missing_reference")
    problem_actions.ignore(bench.db, company, waiting["problem_id"], by="engineer")
    bench.sync(company)
    assert state_of(bench, waiting) == "ignored"
    books.change("Invoice", invoice, PrivateNote="still waiting")
    bench.sync(company)
    assert state_of(bench, waiting) == "open"


def test_a_resolved_problem_opens_again_when_it_happens_again(
    bench: Workbench, company: Company, books: Bookkeeper, misfit: str
):
    problem_actions.resolve(bench.db, company, only(bench)["problem_id"], by="engineer")
    bench.sync(company)
    assert [problem["state"] for problem in problems(bench)] == ["resolved", "open"]


def test_what_was_met_again_is_not_opened_twice(bench: Workbench, company: Company, misfit: str):
    first = only(bench)["problem_id"]
    problem_actions.resolve(bench.db, company, first, by="engineer")
    bench.sync(company)
    with pytest.raises(ConfigurationError, match="listed anew"):
        problem_actions.reopen(bench.db, company, first, by="engineer")


def test_retrying_a_record_merges_it_once_what_refused_it_is_gone(
    bench: Workbench, company: Company, misfit: str
):
    bench.db.execute("delete from staging.unmerged")
    bench.db.execute("alter table peakflo.invoice alter exchange_rate type numeric")

    follow_up = problem_actions.retry(bench.db, company, only(bench)["problem_id"], by="engineer")
    bench.sync(company)

    assert follow_up == SYNC
    assert only(bench)["state"] == "resolved"
    assert bench.db.execute("select source_id from peakflo.invoice").fetchall() == [(misfit,)]


def test_retrying_an_ignored_problem_opens_it(bench: Workbench, company: Company, misfit: str):
    problem_id = only(bench)["problem_id"]
    problem_actions.ignore(bench.db, company, problem_id, by="engineer")
    problem_actions.retry(bench.db, company, problem_id, by="engineer")
    assert only(bench)["state"] == "open"


def test_a_resolved_problem_is_not_retried(bench: Workbench, company: Company, misfit: str):
    problem_id = only(bench)["problem_id"]
    problem_actions.resolve(bench.db, company, problem_id, by="engineer")
    with pytest.raises(ConfigurationError, match="is resolved: it cannot be retried"):
        problem_actions.retry(bench.db, company, problem_id, by="engineer")
    assert only(bench)["decision"] == "resolved"


def test_retrying_a_connection_syncs_it(bench: Workbench, company: Company):
    bench.sandbox.add_fault("reset", realm=company.realm_id)
    with pytest.raises(UnreachableError):
        bench.sync(company)
    bench.sandbox.reset()
    assert problem_actions.retry(bench.db, company, only(bench)["problem_id"], by="engineer") == SYNC
    bench.sync(company)
    assert only(bench)["state"] == "resolved"


def test_an_ignored_connection_is_news_once_it_was_made_anew(bench: Workbench, company: Company):
    disconnect_in_quickbooks(bench, company)
    with pytest.raises(ReauthorizeError):
        bench.sync(company)
    problem_actions.ignore(bench.db, company, only(bench)["problem_id"], by="engineer")
    fail_again = "update sync.connection set status = 'connected'"
    bench.db.execute(fail_again)
    with pytest.raises(ReauthorizeError):
        bench.sync(company)
    assert only(bench)["state"] == "ignored"
    bench.db.execute(f"{fail_again}, connected_at = now() + interval '1 second'")
    with pytest.raises(ReauthorizeError):
        bench.sync(company)
    assert only(bench)["state"] == "open"


def test_retrying_a_refused_payment_delivers_it_once_the_cause_is_gone(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    cashier.take(invoice)
    theirs = pay_in_quickbooks(cashier, invoice)
    cashier.push()
    problem = only(cashier.bench)
    cashier.books.delete("Payment", theirs)
    cashier.bench.sync(cashier.company)

    follow_up = problem_actions.retry(cashier.bench.db, cashier.company, problem["problem_id"], by="engineer")
    cashier.push()

    assert follow_up == DELIVERY
    assert cashier.states(problem["peakflo_id"]) == {"payment": ["refused", "made"]}
    assert only(cashier.bench)["state"] == "resolved"


def test_a_refused_payment_that_is_refused_again_is_still_one_problem(cashier: Cashier):
    problem = rejected(cashier)
    problem_actions.retry(cashier.bench.db, cashier.company, problem["problem_id"], by="engineer")
    cashier.push()
    again = only(cashier.bench)
    assert (again["problem_id"], again["state"]) == (problem["problem_id"], "open")
    assert cashier.states(problem["peakflo_id"]) == {"payment": ["refused", "refused"]}


@pytest.mark.parametrize("make", ["rejected", "unfit", "edited", "undone"])
def test_an_ignored_problem_of_a_payment_stays_ignored_however_often_it_is_looked_at(
    cashier: Cashier, make: str
):
    problem = MAKERS[make](cashier)
    problem_actions.ignore(cashier.bench.db, cashier.company, problem["problem_id"], by="engineer")
    ignored = only(cashier.bench)
    for _ in range(2):
        cashier.push()
        cashier.bench.sync(cashier.company)
    assert ignored["state"] == "ignored"
    assert only(cashier.bench) == ignored
    assert cashier.standing(problem["peakflo_id"]) == ("ignored", problem["code"])


def test_an_ignored_payment_is_news_once_it_changed(cashier: Cashier):
    problem = rejected(cashier)
    db, company, payment_id = cashier.bench.db, cashier.company, problem["peakflo_id"]
    problem_actions.ignore(db, company, problem["problem_id"], by="engineer")
    set_payment(cashier, payment_id, reference=None)
    cashier.push()
    assert cashier.problems() == []
    set_payment(cashier, payment_id, reference="other")
    cashier.push()
    assert cashier.problems() == ["edited_after_ignoring"]


@pytest.mark.parametrize("decision", ["retry", "reopen"])
@pytest.mark.parametrize("make", ["rejected", "unfit", "edited"])
def test_an_ignored_problem_of_a_payment_counts_again(cashier: Cashier, make: str, decision: str):
    problem = MAKERS[make](cashier)
    db, company, problem_id = cashier.bench.db, cashier.company, problem["problem_id"]
    problem_actions.ignore(db, company, problem_id, by="engineer")
    getattr(problem_actions, decision)(db, company, problem_id, by="clerk")
    cashier.push()
    again = only(cashier.bench)
    assert (again["problem_id"], again["state"], again["decided_by"]) == (problem_id, "open", "clerk")
    assert cashier.standing(problem["peakflo_id"]) == ("differs", problem["code"])


def test_a_payment_that_was_let_go_of_goes_once_that_is_taken_back_and_its_cause_is_gone(cashier: Cashier):
    problem = unfit(cashier)
    payment_id = problem["peakflo_id"]
    problem_actions.ignore(cashier.bench.db, cashier.company, problem["problem_id"], by="engineer")
    for currency, stands in (
        ("USD", ("differs", "edited_after_ignoring")),
        ("EUR", ("ignored", problem["code"])),
    ):
        set_payment(cashier, payment_id, currency=currency)
        cashier.push()
        assert cashier.standing(payment_id) == stands
    retry(cashier, payment_id)
    cashier.push()
    assert cashier.standing(payment_id) == ("differs", problem["code"])
    set_payment(cashier, payment_id, currency="USD")
    cashier.push()
    assert cashier.standing(payment_id) == ("agrees", "delivered")
    assert cashier.problems() == []


@pytest.mark.parametrize("decision", ["retry", "reopen"])
def test_what_was_undone_in_quickbooks_is_not_entered_again_from_its_problem(cashier: Cashier, decision: str):
    problem = undone(cashier)
    db, company = cashier.bench.db, cashier.company
    problem_actions.ignore(db, company, problem["problem_id"], by="engineer")
    ignored = only(cashier.bench)
    with pytest.raises(ConfigurationError, match="somebody undid it there"):
        getattr(problem_actions, decision)(db, company, problem["problem_id"], by="clerk")
    cashier.push()
    assert only(cashier.bench) == ignored
    assert cashier.states(problem["peakflo_id"]) == {"payment": ["gone"]}


def test_retrying_what_was_edited_in_quickbooks_compares_it_again(cashier: Cashier):
    problem = edited(cashier)
    db, company, payment_id = cashier.bench.db, cashier.company, problem["peakflo_id"]
    assert problem_actions.retry(db, company, problem["problem_id"], by="engineer") == DELIVERY
    cashier.push()
    assert only(cashier.bench)["state"] == "open"
    cashier.books.change("Payment", cashier.record(payment_id)["qbo_id"], TxnDate="2026-01-05")
    cashier.bench.sync(company)
    problem_actions.retry(db, company, problem["problem_id"], by="engineer")
    cashier.push()
    assert only(cashier.bench)["state"] == "resolved"
    assert cashier.states(payment_id) == {"payment": ["made"]}


@pytest.mark.parametrize("make", ["rejected", "unfit", "edited", "undone"])
def test_the_problem_of_a_payment_is_not_resolved_by_hand_and_opens_by_itself(cashier: Cashier, make: str):
    problem = MAKERS[make](cashier)
    db, company, problem_id = cashier.bench.db, cashier.company, problem["problem_id"]
    with pytest.raises(ConfigurationError, match="it closes by itself once Peakflo and QuickBooks agree"):
        problem_actions.resolve(db, company, problem_id, by="engineer")
    assert only(cashier.bench) == problem
    cashier.cancel(problem["peakflo_id"])
    if make == "edited":
        cashier.books.delete("Payment", cashier.record(problem["peakflo_id"])["qbo_id"])
        cashier.bench.sync(company)
    cashier.push()
    resolved = only(cashier.bench)
    assert resolved["state"] == "resolved"
    with pytest.raises(ConfigurationError, match="is resolved: it cannot be reopened"):
        problem_actions.reopen(db, company, problem_id, by="engineer")
    assert only(cashier.bench) == resolved


def test_a_payment_that_may_be_in_quickbooks_is_not_retried_from_its_problem(cashier: Cashier):
    payment_id = orphan(cashier)
    problem = only(cashier.bench)

    with pytest.raises(ConfigurationError, match="may be in QuickBooks already"):
        problem_actions.retry(cashier.bench.db, cashier.company, problem["problem_id"], by="engineer")

    assert cashier.states(payment_id) == {"payment": ["absent"]}
    assert only(cashier.bench)["decision"] is None


def test_deletions_beyond_belief_are_taken_in_once_a_person_believes_them(bench: Workbench):
    company = bench.imported({"customers": 20, "invoices": 200, "payments": 0}, company_id="acme")
    records = bench.sandbox.truth(company.realm_id, records=True)["records"]["Invoice"]
    deleted = [record["Id"] for record in records[:150]]
    bench.sandbox.add_hook(company.realm_id, "cdc", delete_ids={"Invoice": deleted})
    bench.sync(company)
    with pytest.raises(DeletionBrakeError):
        bench.sync(company)

    follow_up = problem_actions.confirm_deletions(bench.db, company, only(bench)["problem_id"], by="engineer")
    believed = bench.import_all(company, accept_deletions=follow_up.conf["accept_deletions"])
    bench.sync(company)

    assert follow_up == FollowUp("import_company", {"company_id": "acme", "accept_deletions": True})
    assert believed.entities["invoice"]["deleted"] == 150
    assert (only(bench)["state"], only(bench)["decided_by"]) == ("resolved", "engineer")


def test_only_deletions_are_believed(bench: Workbench, company: Company, misfit: str):
    with pytest.raises(ConfigurationError, match="is not about deletions"):
        problem_actions.confirm_deletions(bench.db, company, only(bench)["problem_id"], by="engineer")
    assert only(bench)["decision"] is None


@pytest.mark.parametrize("decision", ["retry", "confirm_deletions", "ignore", "resolve", "reopen"])
def test_another_companys_problem_is_unknown(bench: Workbench, company: Company, misfit: str, decision: str):
    other = bench.connect(company_id="globex")
    before = only(bench)
    with pytest.raises(UnknownProblemError):
        getattr(problem_actions, decision)(bench.db, other, before["problem_id"], by="engineer")
    assert only(bench) == before


def state_of(bench: Workbench, problem: Json) -> str:
    return next(str(each["state"]) for each in problems(bench) if each["problem_id"] == problem["problem_id"])
