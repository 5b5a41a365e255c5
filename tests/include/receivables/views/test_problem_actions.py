from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from psycopg.rows import dict_row

from include.errors import ConfigurationError, DeletionBrakeError, ReauthorizeError, UnreachableError
from include.receivables.views import problem_actions
from include.receivables.views.problem_actions import FollowUp, UnknownProblemError
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
    assert cashier.states(problem["peakflo_id"]) == {"payment create": "delivered"}
    assert only(cashier.bench)["state"] == "resolved"


def test_a_refused_payment_that_is_refused_again_is_still_one_problem(cashier: Cashier):
    problem = rejected(cashier)
    problem_actions.retry(cashier.bench.db, cashier.company, problem["problem_id"], by="engineer")
    cashier.push()
    again = only(cashier.bench)
    assert (again["problem_id"], again["state"], again["attempts"]) == (problem["problem_id"], "open", 2)


def test_an_ignored_payment_is_news_once_it_changed(cashier: Cashier):
    problem = rejected(cashier)
    db, company = cashier.bench.db, cashier.company
    for change, state in (("reference", "ignored"), ("'other'", "open")):
        if state == "ignored":
            problem_actions.ignore(db, company, problem["problem_id"], by="engineer")
        db.execute(f"update peakflo.payment set reference = {change} where id = %s", [problem["peakflo_id"]])
        db.execute("update outbox.delivery set state = 'queued'")
        cashier.push()
        assert only(cashier.bench)["state"] == state


def test_retrying_what_was_undone_in_quickbooks_compares_it_again(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    cashier.push()
    cashier.bench.sync(cashier.company)
    cashier.books.delete("Payment", cashier.delivery(payment_id)["qbo_id"])
    cashier.bench.sync(cashier.company)
    problem = only(cashier.bench)

    follow_up = problem_actions.retry(cashier.bench.db, cashier.company, problem["problem_id"], by="engineer")
    cashier.bench.sync(cashier.company)

    assert follow_up == SYNC
    assert cashier.states(payment_id) == {"payment create": "delivered"}
    assert (only(cashier.bench)["state"], only(cashier.bench)["attempts"]) == ("open", 2)


def test_a_payment_that_may_be_in_quickbooks_is_not_retried_from_its_problem(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    realm_id = cashier.company.realm_id
    cashier.bench.sandbox.add_fault("reset", realm=realm_id, path="payment", method="POST", count=1)
    cashier.push()
    cashier.bench.db.execute("update outbox.delivery set first_sent_at = first_sent_at - interval '12 hours'")
    cashier.push()
    problem = only(cashier.bench)

    with pytest.raises(ConfigurationError, match="may be in QuickBooks already"):
        problem_actions.retry(cashier.bench.db, cashier.company, problem["problem_id"], by="engineer")

    assert cashier.states(payment_id) == {"payment create": "possible_orphan"}
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
