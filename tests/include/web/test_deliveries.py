from __future__ import annotations

import json
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest

from include.receivables.outbound import deliveries
from tests.support.bookkeeper import Bookkeeper
from tests.support.cashier import Cashier
from tests.support.quick_start import connect_as_imported

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from tests.support.fixtures_web import Web
    from tests.support.workbench import Workbench

EVIL = '<img src=x onerror="alert(1)">'


@pytest.fixture
def cashier(web: Web, bench: Workbench) -> Iterator[Cashier]:
    """Somebody who takes payments in a company whose accounts are mapped."""
    company = bench.imported("demo", company_id="acme")
    bench.sandbox.change_settings(company.realm_id, throttle="off")
    with Bookkeeper(bench.sandbox, company.realm_id) as books:
        taken = Cashier(bench, company, books)
        taken.map_accounts()
        yield taken


def page_of(cashier: Cashier, payment_id: UUID) -> str:
    return f"companies/acme/deliveries/{cashier.delivery(payment_id)['delivery_id']}"


def take(cashier: Cashier, **columns: Any) -> UUID:
    [invoice] = cashier.invoices(1)
    return cashier.take(invoice, **columns)


def rejected(cashier: Cashier) -> UUID:
    """Take a payment for an invoice that is paid in QuickBooks meanwhile."""
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    customer = cashier.books.read("Invoice", invoice["source_id"])["CustomerRef"]["value"]
    cashier.books.pay(customer, "100", ("Invoice", invoice["source_id"], "100"))
    cashier.push()
    return payment_id


def orphan(cashier: Cashier) -> UUID:
    """Take a payment whose answer is lost, and which is looked for too late."""
    payment_id = take(cashier)
    cashier.bench.sandbox.add_fault(
        "reset", realm=cashier.company.realm_id, path="payment", method="POST", count=1
    )
    cashier.push()
    cashier.bench.db.execute("update outbox.delivery set first_sent_at = first_sent_at - interval '12 hours'")
    cashier.push()
    assert cashier.states(payment_id) == {"payment create": "possible_orphan"}
    return payment_id


def test_deliveries_are_listed_and_filtered_by_state(web: Web, cashier: Cashier):
    delivered = take(cashier)
    cashier.push()
    queued = take(cashier)
    browser = web.as_("viewer")
    everything = browser.get("companies/acme/deliveries").text
    assert page_of(cashier, delivered) in everything
    assert page_of(cashier, queued) in everything
    assert "Delivered (1)" in everything
    some = browser.get("companies/acme/deliveries", params={"state": "queued"}).text
    assert page_of(cashier, queued) in some
    assert page_of(cashier, delivered) not in some
    assert "To decide" not in everything


def test_deliveries_come_in_pages_that_neither_repeat_nor_skip(web: Web, cashier: Cashier):
    payments = [cashier.take(invoice, "1") for invoice in cashier.invoices(2) for _ in range(13)]
    browser = web.as_("viewer")
    first = browser.get("companies/acme/deliveries").text
    older = first.partition('aria-label="More deliveries"')[2].partition('href="')[2].partition('"')[0]
    second = browser.get(unescape(older)).text
    shown = [
        [payment for payment in payments if f'{page_of(cashier, payment)}"' in page]
        for page in (first, second)
    ]
    assert [len(each) for each in shown] == [25, 1]
    assert {*shown[0], *shown[1]} == set(payments)


def test_a_delivery_shows_exactly_what_would_be_sent_and_sends_nothing(web: Web, cashier: Cashier):
    payment_id = take(cashier, amount="98.50", processing_fee="3.20", rounding_amount="1.50")
    cashier.bench.sandbox.reset_calls(cashier.company.realm_id)
    page = unescape(web.as_("viewer").get(page_of(cashier, payment_id)).text)
    assert "Ready to go" in page
    assert cashier.bench.sandbox.calls(cashier.company.realm_id)["by_status"] == {}
    shown = [json.loads(part.partition(">")[2].partition("</pre>")[0]) for part in page.split("<pre")[1:]]
    cashier.push()
    assert shown[0] == json.loads(
        json.dumps(cashier.delivery(payment_id, "adjustment")["payload"], default=float)
    )
    assert shown[1]["TotalAmt"] == 98.5


def test_a_held_delivery_says_what_it_waits_for(web: Web, cashier: Cashier):
    payment_id = take(cashier)
    deliveries.set_auto_sync(cashier.bench.db, cashier.company, is_on=False)
    cashier.push()
    page = unescape(web.as_("viewer").get(page_of(cashier, payment_id)).text)
    assert cashier.states(payment_id) == {"payment create": "held"}
    assert str(cashier.delivery(payment_id)["reason"]) in page
    assert 'method="post"' not in page


def test_a_delivery_is_followed_to_quickbooks_and_to_the_runs(web: Web, cashier: Cashier):
    payment_id = take(cashier)
    cashier.push()
    cashier.bench.sync(cashier.company)
    cashier.bench.db.execute(
        "update sync.run set dag_id = 'peakflo_to_quickbooks' where run_id in (select run_id from outbox.attempt)"
    )
    page = unescape(web.as_("viewer").get(page_of(cashier, payment_id)).text)
    [attempt] = cashier.rows("outbox.attempt")
    [run] = cashier.rows("sync.run", run_id=attempt["run_id"])
    for fact in (
        str(payment_id),
        attempt["intuit_tid"],
        attempt["request_id"],
        f"Payment {cashier.delivery(payment_id)['qbo_id']}",
        f"/dags/peakflo_to_quickbooks/runs/{run['dag_run_id']}",
        "Version 0 read back",
    ):
        assert fact in page


def test_a_rejected_delivery_is_retried_with_one_click(web: Web, cashier: Cashier):
    payment_id = rejected(cashier)
    browser = web.as_("engineer")
    assert (
        page_of(cashier, payment_id)
        in browser.get("companies/acme/deliveries", params={"state": "undecided"}).text
    )
    answer = browser.submit(f"{page_of(cashier, payment_id)}/retry")
    assert answer.status_code == 303
    assert cashier.states(payment_id) == {"payment create": "unknown"}
    [run] = [
        run
        for run in web.airflow("admin", "GET", "dags/peakflo_to_quickbooks/dagRuns")["dag_runs"]
        if run["conf"] == {"companies": ["acme"]}
    ][-1:]
    assert run["triggering_user_name"] == "engineer"
    assert "Delivery of payments has been started." in browser.get(answer.headers["Location"]).text


def test_a_payment_that_may_be_in_quickbooks_is_retried_only_when_that_was_confirmed(
    web: Web, cashier: Cashier
):
    payment_id = orphan(cashier)
    page = page_of(cashier, payment_id)
    browser = web.as_("engineer")
    answer = browser.submit(f"{page}/retry")
    assert answer.headers["Location"].endswith(f"{page}/retry")
    assert cashier.states(payment_id) == {"payment create": "possible_orphan"}
    asked = unescape(browser.get(answer.headers["Location"]).text)
    assert "the customer's invoice is paid twice in QuickBooks" in asked
    browser.submit(f"{page}/retry", confirmed="yes")
    assert cashier.states(payment_id) == {"payment create": "unknown"}


def test_a_payment_that_was_deleted_in_quickbooks_is_entered_again_only_when_that_was_confirmed(
    web: Web, cashier: Cashier
):
    payment_id = take(cashier)
    cashier.push()
    cashier.bench.sync(cashier.company)
    cashier.books.delete("Payment", cashier.delivery(payment_id)["qbo_id"])
    cashier.bench.sync(cashier.company)
    page = page_of(cashier, payment_id)
    browser = web.as_("engineer")
    assert "Somebody deleted or voided it in QuickBooks" in browser.get(page).text
    assert browser.submit(f"{page}/retry").headers["Location"].endswith(f"{page}/retry")
    assert cashier.states(payment_id) == {"payment create": "delivered"}
    assert "The money did arrive: retry" in browser.get(f"{page}/retry").text
    browser.submit(f"{page}/retry", confirmed="yes")
    assert cashier.states(payment_id) == {"payment create": "queued"}


def test_what_is_delivered_and_still_there_leaves_nothing_to_decide(web: Web, cashier: Cashier):
    payment_id = take(cashier)
    cashier.push()
    cashier.bench.sync(cashier.company)
    page = page_of(cashier, payment_id)
    browser = web.as_("engineer")
    assert 'method="post"' not in browser.get(page).text
    for action in ("retry", "ignore"):
        assert browser.submit(f"{page}/{action}", confirmed="yes").status_code == 409
    assert cashier.states(payment_id) == {"payment create": "delivered"}


def test_its_problem_leads_to_the_decision_and_is_not_retried_by_itself(web: Web, cashier: Cashier):
    payment_id = orphan(cashier)
    browser = web.as_("engineer")
    status = browser.get("companies/acme").text
    assert "Decide about the payment" in status
    assert page_of(cashier, payment_id) in status
    [problem] = cashier.rows("sync.problem")
    answer = browser.submit(f"companies/acme/problems/{problem['problem_id']}/retry")
    assert answer.status_code == 409
    assert "may be in QuickBooks already" in answer.text
    assert cashier.states(payment_id) == {"payment create": "possible_orphan"}


def test_an_ignored_delivery_takes_its_problem_with_it_and_is_audited(web: Web, cashier: Cashier):
    payment_id = rejected(cashier)
    browser = web.as_("engineer")
    assert browser.submit(f"{page_of(cashier, payment_id)}/ignore").status_code == 303
    assert cashier.states(payment_id) == {"payment create": "ignored"}
    assert cashier.problems() == []
    delivery_id = cashier.delivery(payment_id)["delivery_id"]
    entries = web.airflow("admin", "GET", "eventLogs", params={"limit": 100})["event_logs"]
    assert ("engineer", {"company_id": "acme", "delivery_id": delivery_id}) in [
        (entry["owner"], json.loads(entry["extra"]))
        for entry in entries
        if entry["event"] == "quickbooks.delivery_ignore"
    ]
    assert browser.submit(f"{page_of(cashier, payment_id)}/ignore").status_code == 409


def test_a_viewer_decides_nothing(web: Web, cashier: Cashier):
    payment_id = rejected(cashier)
    page = page_of(cashier, payment_id)
    browser = web.as_("viewer")
    token = browser.csrf(page)
    for action in ("retry", "ignore"):
        answer = browser.post(f"{page}/{action}", data={"csrf_token": token, "confirmed": "yes"})
        assert answer.status_code == 403
    assert browser.get(f"{page}/retry").status_code == 403
    assert cashier.states(payment_id) == {"payment create": "rejected"}


def test_another_companys_delivery_is_not_found_and_stays_as_it_is(web: Web, cashier: Cashier):
    payment_id = rejected(cashier)
    connect_as_imported(cashier.bench, "globex")
    page = page_of(cashier, payment_id).replace("acme", "globex")
    browser = web.as_("admin")
    assert browser.get(page).status_code == 404
    assert browser.get(f"{page}/retry").status_code == 404
    for action in ("retry", "ignore"):
        assert browser.submit(f"{page}/{action}", confirmed="yes").status_code == 404
    assert cashier.states(payment_id) == {"payment create": "rejected"}
    assert "No payment" not in browser.get("companies/acme/deliveries").text
    assert str(payment_id) not in browser.get("companies/globex/deliveries").text


@pytest.mark.parametrize("delivery_id", ["0", "x", "9223372036854775808"])
def test_what_is_no_delivery_is_refused(web: Web, delivery_id: str, bench: Workbench):
    connect_as_imported(bench, "acme")
    assert web.as_("viewer").get(f"companies/acme/deliveries/{delivery_id}").status_code == 422


def test_names_from_quickbooks_are_text(web: Web, cashier: Cashier):
    payment_id = take(cashier)
    cashier.bench.db.execute("update peakflo.customer set company_name = %s", [EVIL])
    cashier.bench.db.execute("update peakflo.payment set note = %s where id = %s", [EVIL, payment_id])
    cashier.bench.db.execute("update outbox.delivery set reason = %s", [EVIL])
    browser = web.as_("engineer")
    for page in (
        "companies/acme/deliveries",
        page_of(cashier, payment_id),
        f"{page_of(cashier, payment_id)}/retry",
    ):
        text = browser.get(page).text
        assert "&lt;img src=x" in text
        assert EVIL not in text
