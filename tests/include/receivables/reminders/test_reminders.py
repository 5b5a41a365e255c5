from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from include.quickbooks.entities import SYNCED
from include.receivables.inbound import staging
from include.receivables.reminders.check import ReminderRequest
from include.receivables.reminders.refreshing import refresh_and_judge
from tests.support import truth
from tests.support.asking import Asking, says
from tests.support.expected import peakflo_id
from tests.support.oracle import Oracle
from tests.support.quick_start import connect_as_imported

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from include.receivables.company.companies import Company
    from tests.support.bookkeeper import Bookkeeper
    from tests.support.workbench import Workbench

    KeepBooks = Callable[[Company], Bookkeeper]

BEYOND_OVERLAP = 900
SMALL = {"customers": 20, "invoices": 150, "payments": 60}


@pytest.fixture
def acme(bench: Workbench) -> Company:
    return connect_as_imported(bench, "acme")


@pytest.fixture
def books(acme: Company, keep_books: KeepBooks) -> Bookkeeper:
    return keep_books(acme)


@pytest.fixture
def ask(bench: Workbench, acme: Company) -> Asking:
    return Asking(bench, acme)


def quiet(bench: Workbench, company: Company) -> None:
    """Sync so late that the next answer brings nothing of what happened before."""
    bench.sandbox.advance_clock(BEYOND_OVERLAP)
    bench.sync(company)
    bench.sandbox.advance_clock(BEYOND_OVERLAP)


def cursor(bench: Workbench, company: Company) -> datetime | None:
    return staging.read_cursor(bench.db, company.realm_id, SYNCED)


def test_the_open_invoices_of_a_customer_are_judged_with_those_that_are_new(
    bench: Workbench, acme: Company, books: Bookkeeper, ask: Asking
):
    ada, grace = books.customer("Ada"), books.customer("Grace")
    old, paid, _other = books.invoice(ada, "10"), books.invoice(ada, "20"), books.invoice(grace, "30")
    bench.sync(acme)
    books.pay(ada, "20", ("Invoice", paid, "20"))
    new = books.invoice(ada, "40")

    verdicts = ask(customers=(ada,))

    assert {qbo_id: says(verdict) for qbo_id, verdict in verdicts.items()} == {
        old: ("send", []),
        paid: ("hold", ["paid"]),
        new: ("send", []),
    }
    assert verdicts[old].total_due == 50


def test_a_company_without_an_open_invoice_has_no_verdict(ask: Asking):
    assert ask() == {}


def test_an_invoice_that_is_open_again_is_judged(
    bench: Workbench, acme: Company, books: Bookkeeper, ask: Asking
):
    ada = books.customer("Ada")
    invoice = books.invoice(ada, "10")
    payment = books.pay(ada, "10", ("Invoice", invoice, "10"))
    bench.sync(acme)
    books.void("Payment", payment)

    assert says(ask()[invoice]) == ("send", [])


def test_a_payment_of_a_grandparent_covers_the_invoice_and_one_of_a_child_does_not(
    bench: Workbench, acme: Company, books: Bookkeeper, ask: Asking
):
    top = books.customer("Top")
    middle = books.customer("Middle", ParentRef={"value": top}, Job=True)
    bottom = books.customer("Bottom", ParentRef={"value": middle}, Job=True)
    invoice, of_top = books.invoice(bottom, "100"), books.invoice(top, "50")
    bench.sync(acme)
    payment = books.pay(top, "40")
    credit = books.credit(middle, "60")
    books.pay(bottom, "30")

    verdicts = ask(invoice, of_top)

    assert says(verdicts[invoice]) == ("hold", ["covered"])
    assert says(verdicts[of_top]) == ("send", [])
    ids = set(verdicts[invoice].reasons[0].ids)
    assert ids >= {str(ask.id("payment", payment)), str(ask.id("credit_note", credit))}


def test_money_in_another_currency_covers_nothing(
    bench: Workbench, acme: Company, books: Bookkeeper, ask: Asking
):
    parent = books.customer("Parent")
    ada = books.customer("Ada", ParentRef={"value": parent})
    invoice = books.invoice(ada, "100")
    books.pay(parent, "1000")
    bench.sync(acme)
    assert says(ask(invoice)[invoice]) == ("hold", ["covered_by_payment"])

    bench.db.execute(
        "update peakflo.customer set currency = 'EUR' where id = %s", [ask.id("customer", parent)]
    )

    assert says(ask(invoice)[invoice]) == ("send", [])


@pytest.mark.parametrize(("paid", "withheld", "said"), [("97", "3", "hold"), ("97", "0", "send")])
def test_a_payment_that_peakflo_took_and_quickbooks_does_not_have_yet_covers_an_invoice(
    bench: Workbench, acme: Company, books: Bookkeeper, ask: Asking, paid: str, withheld: str, said: str
):
    ada = books.customer("Ada")
    invoice = books.invoice(ada, "100")
    bench.sync(acme)
    with bench.db.transaction():
        [payment] = bench.db.execute(
            "insert into peakflo.payment "
            "(company_id, realm_id, customer_id, payment_date, amount, currency, settled_at) "
            "values (%s, %s, %s, current_date, %s, 'USD', now()) returning id",
            [acme.company_id, acme.realm_id, ask.id("customer", ada), paid],
        ).fetchone()
        bench.db.execute(
            "insert into peakflo.payment_allocation "
            "(company_id, payment_id, position, target_type, target_id, amount, withholding_tax_amount) "
            "values (%s, %s, 1, 'invoice', %s, %s, %s)",
            [acme.company_id, payment, ask.id("invoice", invoice), paid, withheld],
        )
    assert says(ask(invoice)[invoice])[0] == said


def test_an_invoice_of_another_company_and_one_of_nobody_are_told_apart(
    bench: Workbench, acme: Company, books: Bookkeeper, keep_books: KeepBooks, ask: Asking
):
    globex = connect_as_imported(bench, "globex")
    theirs = keep_books(globex)
    invoice = theirs.invoice(theirs.customer("Ada"), "10")
    bench.sync(globex)

    elsewhere = peakflo_id(globex.realm_id, "invoice", invoice)
    nowhere = ask.id("invoice", "4711")
    judgement = refresh_and_judge(
        bench.access,
        ReminderRequest(acme.company_id, (elsewhere, nowhere)),
        bench.run_context(),
        seconds=30,
    )

    assert {verdict.invoice_id: says(verdict) for verdict in judgement.verdicts} == {
        elsewhere: ("unknown", ["other_company"]),
        nowhere: ("unknown", ["invoice_not_found"]),
    }
    assert bench.sandbox.calls(globex.realm_id)["by_path"].get("query:Invoice") is None


def test_the_totals_are_those_of_the_customer_in_the_currency_of_the_invoice(
    bench: Workbench, acme: Company, books: Bookkeeper, ask: Asking
):
    ada = books.customer("Ada")
    overdue = books.invoice(ada, "10.10", TxnDate="2026-01-02", DueDate="2026-02-01")
    books.invoice(ada, "20.20", DueDate="2099-01-01")
    books.invoice(books.customer("Job", ParentRef={"value": ada}, Job=True), "500")
    bench.sync(acme)

    verdict = ask(overdue)[overdue]

    assert (f"{verdict.total_due:.2f}", f"{verdict.total_overdue:.2f}") == ("30.30", "10.10")


def test_an_invoice_due_today_where_the_books_are_kept_is_not_overdue(
    bench: Workbench, acme: Company, books: Bookkeeper, ask: Asking
):
    now = bench.sandbox.clock()["now"]
    today = truth.timestamp(now)[:10]
    yesterday = truth.timestamp(now - 86_400)[:10]
    ada = books.customer("Ada")
    books.invoice(ada, "1", TxnDate=yesterday, DueDate=yesterday)
    invoice = books.invoice(ada, "2", TxnDate=yesterday, DueDate=today)
    bench.sync(acme)

    assert ask(invoice)[invoice].total_overdue == 1


def test_a_customer_that_was_never_read_is_read_in_a_second_round(
    bench: Workbench, acme: Company, books: Bookkeeper, ask: Asking
):
    stranger = books.customer("Stranger")
    quiet(bench, acme)
    bench.db.execute("delete from staging.record where entity = 'customer'")
    bench.db.execute("delete from peakflo.customer")
    invoice = books.invoice(books.customer("Ada"), "10")
    bench.sync(acme)
    books.change("Invoice", invoice, CustomerRef={"value": stranger})
    bench.sandbox.reset_calls(acme.realm_id)

    assert says(ask(invoice)[invoice]) == ("send", [])
    assert bench.sandbox.calls(acme.realm_id)["metered"] <= 4


def test_a_customer_that_an_invoice_moved_to_is_read_although_the_changes_are_not(
    bench: Workbench, acme: Company, books: Bookkeeper, ask: Asking
):
    invoice = books.invoice(books.customer("Ada"), "10")
    grace = books.customer("Grace")
    quiet(bench, acme)
    books.change("Invoice", invoice, CustomerRef={"value": grace})
    bench.sandbox.add_fault("500", path="cdc")
    bench.sandbox.reset_calls(acme.realm_id)

    [verdict] = ask.judgement(invoice).verdicts

    assert says(verdict) == ("unknown", ["quickbooks_unreachable"])
    assert verdict.customer_id == ask.id("customer", grace)
    assert bench.sandbox.calls(acme.realm_id)["by_path"]["query:Customer"] == 2


def test_more_changes_than_one_answer_holds_are_all_read(bench: Workbench, keep_books: KeepBooks):
    company = bench.connect("empty")
    books = keep_books(company)
    ada = books.customer("Ada")
    invoice = books.invoice(ada, "100")
    bench.import_all(company)
    quiet(bench, company)
    books.batch("create", "Payment", ({"CustomerRef": {"value": ada}, "TotalAmt": 0.09} for _ in range(1120)))

    before = cursor(bench, company)
    verdict = Asking(bench, company)(invoice)[invoice]

    assert says(verdict) == ("hold", ["covered_by_payment"])
    # Deletions may be hidden behind a full answer: the next sync looks for them.
    assert cursor(bench, company) == before
    assert len(verdict.reasons[0].ids) == 1120
    bench.sync(company)
    assert truth.differences(bench.db, bench.sandbox, company) == []


def test_more_deletions_than_are_believed_leave_open_invoices_unknown(
    bench: Workbench, keep_books: KeepBooks
):
    company = bench.imported(SMALL)
    bench.sandbox.advance_clock(BEYOND_OVERLAP)
    books = keep_books(company)
    ask = Asking(bench, company)
    oracle = Oracle(bench.sandbox, company.realm_id)
    kept, *doomed = sorted(oracle.open)[:42]
    others = [each for each in oracle.invoices if each not in oracle.open][: 41 - len(doomed)]
    records = [
        {"Id": each, "SyncToken": books.read("Invoice", each)["SyncToken"]} for each in (*doomed, *others)
    ]
    books.batch("delete", "Invoice", records)

    judgement = ask.judgement(kept, *doomed)

    assert judgement.cause == "deletion_brake"
    assert {says(verdict)[0] for verdict in judgement.verdicts} == {"unknown"}
    assert bench.db.execute(
        "select count(*) from peakflo.invoice where deleted_at is not null"
    ).fetchone() == (0,)


def test_an_invoice_that_does_not_fit_peakflos_tables_is_unknown(
    bench: Workbench, acme: Company, books: Bookkeeper, ask: Asking
):
    ada = books.customer("Ada")
    invoice = books.invoice(ada, "100")
    bench.sync(acme)
    books.pay(ada, "10", ("Invoice", invoice, "10"))
    bench.db.execute("alter table peakflo.invoice add constraint full_price check (amount_due <> 90)")

    judgement = ask.judgement(invoice)

    assert [says(verdict) for verdict in judgement.verdicts] == [("unknown", ["not_merged"])]


def test_a_payment_that_could_not_be_merged_leaves_its_customers_invoices_unknown(
    bench: Workbench, acme: Company, books: Bookkeeper, ask: Asking
):
    ada, grace = books.customer("Ada"), books.customer("Grace")
    of_ada, of_grace = books.invoice(ada, "100"), books.invoice(grace, "100")
    bench.sync(acme)
    books.pay(ada, "100")
    bench.db.execute("alter table peakflo.payment add constraint none check (amount <> 100)")

    judgement = ask.judgement(of_ada, of_grace)

    assert {verdict.invoice_id: says(verdict) for verdict in judgement.verdicts} == {
        ask.id("invoice", of_ada): ("unknown", ["not_merged"]),
        ask.id("invoice", of_grace): ("send", []),
    }


def test_a_token_that_lasts_for_the_run_is_not_renewed_while_somebody_waits(
    bench: Workbench, acme: Company, books: Bookkeeper, ask: Asking
):
    invoice = books.invoice(books.customer("Ada"), "100")
    bench.sync(acme)
    left = "update sync.connection set access_token_expires_at = now() + %s::interval"
    bench.sandbox.reset_oauth_calls()

    bench.db.execute(left, ["2 minutes"])
    assert says(ask(invoice)[invoice]) == ("send", [])
    assert bench.sandbox.oauth_calls() == {}
    bench.db.execute(left, ["30 seconds"])
    assert says(ask(invoice)[invoice]) == ("send", [])
    assert bench.sandbox.oauth_calls() == {"refresh_token": 1}


def test_the_latest_verdict_stands_and_what_quickbooks_had_said_stays_readable(
    bench: Workbench, acme: Company, books: Bookkeeper, ask: Asking
):
    ada = books.customer("Ada")
    invoice = books.invoice(ada, "100")
    bench.sync(acme)
    first = ask(invoice)[invoice]
    books.pay(ada, "30", ("Invoice", invoice, "30"))
    second = ask(invoice)[invoice]

    assert (first.amount_due, second.amount_due) == (100, 70)
    latest = "select verdict, amount_due, source_id, qbo_sync_token from peakflo.latest_verdict"
    assert bench.db.execute(latest).fetchall() == [("send", 70, invoice, second.sync_token)]
    said = """
        select verdict.amount_due, (version.payload ->> 'Balance')::numeric
        from peakflo.reminder_verdict as verdict
        inner join peakflo.invoice as invoice
            on verdict.company_id = invoice.company_id and verdict.invoice_id = invoice.id
        inner join staging.version as version
            on version.realm_id = invoice.realm_id
            and version.entity = 'invoice'
            and version.qbo_id = verdict.evidence ->> 'qbo_id'
            and version.sync_token = verdict.qbo_sync_token
            and version.qbo_updated_at = (verdict.evidence ->> 'qbo_updated_at')::timestamptz
        order by verdict.judged_at
    """
    assert bench.db.execute(said).fetchall() == [(100, 100), (70, 70)]


def test_a_run_moves_the_cursor_and_the_next_sync_finds_nothing_new(bench: Workbench, keep_books: KeepBooks):
    company = bench.connect("empty")
    books = keep_books(company)
    invoice = books.invoice(books.customer("Ada"), "10")
    bench.import_all(company)
    quiet(bench, company)
    books.customer("Grace")

    Asking(bench, company)(invoice)

    outcome = bench.sync(company)
    assert outcome.entities["customer"]["read"] > 0
    assert {counts["changed"] for counts in outcome.entities.values()} == {0}
    assert truth.differences(bench.db, bench.sandbox, company) == []


@pytest.mark.parametrize("asked_first", ["changes", "customer"])
@pytest.mark.parametrize(
    ("creditor", "covered"), [("itself", "covered_by_credit"), ("sibling", "covered_by_other")]
)
def test_a_balance_that_moved_while_its_documents_were_read_is_unknown(
    bench: Workbench,
    acme: Company,
    books: Bookkeeper,
    ask: Asking,
    asked_first: str,
    creditor: str,
    covered: str,
):
    head = books.customer("Ada")
    billed = {"ParentRef": {"value": head}, "Job": True, "BillWithParent": True}
    site, sibling = books.customer("Site", **billed), books.customer("Sibling", **billed)
    invoice = books.invoice(site, "100")
    creditor = sibling if creditor == "sibling" else site
    books.credit(creditor, "100")
    bench.sync(acme)
    detail = {"ItemRef": {"value": "1"}, "Qty": 1, "UnitPrice": "100", "TaxCodeRef": {"value": "NON"}}
    line = {"Amount": "100", "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail}
    new = {"operation": "create", "Invoice": {"CustomerRef": {"value": creditor}, "Line": [line]}}
    # An answer's own time is when QuickBooks began it: that says nothing of how late its content is.
    bench.sandbox.add_fault("slow", path="query", entity="Customer", seconds=5)
    if asked_first == "customer":
        bench.sandbox.add_fault("429", path="cdc", count=1)
    bench.sandbox.add_hook(acme.realm_id, "cdc", writes=[new])

    assert ask.about(invoice) == ("unknown", ["unexplained_balance"])
    bench.sandbox.clear_faults()
    assert ask.about(invoice) == ("hold", [covered])


def test_an_invoice_that_was_paid_while_the_balance_was_read_is_no_proof_of_other_money(
    bench: Workbench, acme: Company, books: Bookkeeper, ask: Asking
):
    ada = books.customer("Ada")
    invoice, paid = books.invoice(ada, "100"), books.invoice(ada, "100")
    books.credit(ada, "100")
    bench.sync(acme)
    line = {"Amount": "100", "LinkedTxn": [{"TxnId": paid, "TxnType": "Invoice"}]}
    new = {"CustomerRef": {"value": ada}, "TotalAmt": "100", "Line": [line]}
    bench.sandbox.add_fault("slow", path="query", entity="Customer", seconds=2)
    bench.sandbox.add_fault("slow", path="query", entity="Invoice", seconds=5)
    bench.sandbox.add_hook(acme.realm_id, "query:Customer", writes=[{"operation": "create", "Payment": new}])

    verdicts = ask(invoice, paid)
    # Nearly always before the payment; where the changes tell of it, its credit is known to cover the other invoice.
    assert says(verdicts[invoice]) in (
        ("unknown", ["unexplained_balance"]),
        ("hold", ["covered_by_credit"]),
    )
    assert says(verdicts[paid]) == ("hold", ["paid"])
    bench.sandbox.clear_faults()
    assert ask.about(invoice) == ("hold", ["covered_by_credit"])


def test_a_sum_that_lacks_an_invoice_is_not_told(
    bench: Workbench, acme: Company, books: Bookkeeper, ask: Asking
):
    ada = books.customer("Ada")
    invoice = books.invoice(ada, "100")
    bench.sync(acme)
    odd = books.invoice(ada, "50")
    bench.sandbox.serve(acme.realm_id, "Invoice", odd, drop=["Balance"])

    verdict = ask(invoice)[invoice]
    assert (says(verdict), verdict.amount_due) == (("send", []), 100)
    assert (verdict.total_due, verdict.total_overdue) == (None, None)
    bench.sandbox.serve_truth(acme.realm_id)
    assert ask(invoice)[invoice].total_due == 150


def test_a_charge_beside_an_invoice_that_could_not_be_taken_in_uses_no_credit_up(
    bench: Workbench, acme: Company, books: Bookkeeper, ask: Asking
):
    ada = books.customer("Ada")
    invoice = books.invoice(ada, "100")
    books.credit(ada, "100")
    bench.sync(acme)
    odd = books.invoice(ada, "100")
    bench.sandbox.serve(acme.realm_id, "Invoice", odd, drop=["Balance"])

    assert ask.about(invoice) == ("unknown", ["unexplained_balance"])
    bench.sandbox.serve_truth(acme.realm_id)
    assert ask.about(invoice) == ("hold", ["covered_by_credit"])


@pytest.mark.parametrize(
    ("terms", "due", "basis"),
    [
        ({"DueDate": "2026-02-20"}, "2026-02-20", "quickbooks"),
        ({"SalesTermRef": {"value": "3"}}, "2026-02-01", "terms"),
        ({}, "2026-01-02", "issue_date"),
    ],
)
def test_an_invoice_without_a_due_date_is_due_by_its_terms_or_at_once(
    bench: Workbench, acme: Company, books: Bookkeeper, ask: Asking, terms: dict, due: str, basis: str
):
    invoice = books.invoice(books.customer("Ada"), "100", TxnDate="2026-01-02", **terms)
    if basis != "quickbooks":
        bench.sandbox.serve(acme.realm_id, "Invoice", invoice, drop=["DueDate"])
    bench.import_all(acme)

    [verdict] = ask.judgement(invoice).verdicts

    assert (str(verdict.due_date), verdict.due_date_basis, verdict.total_overdue) == (due, basis, 100)
