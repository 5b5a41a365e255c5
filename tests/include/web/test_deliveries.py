from __future__ import annotations

import json
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest

from include.receivables.views import deliveries
from tests.support import payment_steps
from tests.support.bookkeeper import Bookkeeper
from tests.support.cashier import Cashier
from tests.support.payment_steps import delivered, orphan, set_payment, undo
from tests.support.quick_start import connect_as_imported
from tests.support.rows import audited

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
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
    """Take a payment for an invoice that is paid in QuickBooks meanwhile, which QuickBooks refuses."""
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    customer = cashier.books.read("Invoice", invoice["source_id"])["CustomerRef"]["value"]
    cashier.books.pay(customer, "100", ("Invoice", invoice["source_id"], "100"))
    cashier.push()
    return payment_id


def edited(cashier: Cashier) -> UUID:
    """Have a delivered payment changed in QuickBooks by hand."""
    payment_id = delivered(cashier)
    cashier.books.change("Payment", cashier.record(payment_id)["qbo_id"], TxnDate="2026-01-04")
    cashier.bench.sync(cashier.company)
    cashier.push()
    return payment_id


def cancelled(cashier: Cashier) -> UUID:
    payment_id = delivered(cashier)
    cashier.cancel(payment_id)
    cashier.push()
    return payment_id


def ignored(cashier: Cashier) -> UUID:
    payment_id = edited(cashier)
    payment_steps.ignore(cashier, payment_id)
    return payment_id


def badge(page: str) -> str:
    """Return where a payment stands, by its page."""
    head = page.partition('class="page-head"')[2]
    return head.partition('class="badge')[2].partition(">")[2].partition("<")[0]


def test_payments_are_listed_and_filtered_by_where_they_stand(web: Web, cashier: Cashier):
    payments = {
        "agrees": [delivered(cashier), cancelled(cashier)],
        "differs": [edited(cashier)],
        "ignored": [ignored(cashier)],
        "waits": [take(cashier)],
    }
    browser = web.as_("viewer")
    everything = browser.get("companies/acme/deliveries").text
    tabs = ("All (5)", "To decide (1)", "Waiting (1)", "In step (2)", "Ignored (1)")
    assert [everything.find(tab) for tab in tabs] == sorted(everything.find(tab) for tab in tabs)
    assert all(tab in everything for tab in tabs)
    for kind, expected in payments.items():
        some = browser.get("companies/acme/deliveries", params={"kind": kind}).text
        shown = [each for same in payments.values() for each in same if f'{page_of(cashier, each)}"' in some]
        assert shown == expected, kind
        assert all(f'{page_of(cashier, each)}"' in everything for each in expected)
    assert browser.get("companies/acme/deliveries", params={"kind": "held"}).status_code == 422


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (delivered, "In QuickBooks"),
        (cancelled, "Cancelled"),
        (take, "Waiting"),
        (edited, "To decide"),
        (ignored, "Ignored"),
    ],
)
def test_where_a_payment_stands_is_said_alike_on_its_page_and_in_the_list(
    web: Web, cashier: Cashier, make: Callable[[Cashier], UUID], words: str
):
    payment_id = make(cashier)
    browser = web.as_("viewer")
    assert badge(browser.get(page_of(cashier, payment_id)).text) == words
    row = browser.get("companies/acme/deliveries").text.partition("<tbody>")[2].partition("</tr>")[0]
    assert f">{words}</span>" in row
    assert str(cashier.delivery(payment_id)["sentence"] or "") in unescape(row)


def test_payments_come_in_pages_that_neither_repeat_nor_skip(web: Web, cashier: Cashier):
    payments = [cashier.take(invoice, "1") for invoice in cashier.invoices(2) for _ in range(13)]
    browser = web.as_("viewer")
    first = browser.get("companies/acme/deliveries").text
    older = first.partition('aria-label="More payments"')[2].partition('href="')[2].partition('"')[0]
    second = browser.get(unescape(older)).text
    shown = [
        [payment for payment in payments if f'{page_of(cashier, payment)}"' in page]
        for page in (first, second)
    ]
    assert [len(each) for each in shown] == [25, 1]
    assert {*shown[0], *shown[1]} == set(payments)


def test_a_payment_shows_exactly_what_would_be_sent_and_sends_nothing(web: Web, cashier: Cashier):
    payment_id = take(cashier, amount="98.50", processing_fee="3.20", rounding_amount="1.50")
    cashier.bench.sandbox.reset_calls(cashier.company.realm_id)
    page = unescape(web.as_("viewer").get(page_of(cashier, payment_id)).text)
    assert "Next it is entered in QuickBooks" in page
    assert "What would be sent" in page
    assert "Nothing was sent to QuickBooks." in page
    assert cashier.bench.sandbox.calls(cashier.company.realm_id)["by_status"] == {}
    shown = [json.loads(part.partition(">")[2].partition("</pre>")[0]) for part in page.split("<pre")[1:]]
    cashier.push()
    assert shown[0] == json.loads(
        json.dumps(cashier.record(payment_id, "journal_entry")["payload"], default=float)
    )
    assert shown[1]["TotalAmt"] == 98.5
    after = unescape(web.as_("viewer").get(page_of(cashier, payment_id)).text)
    assert "What was sent" in after
    assert len(after.split("<pre")) == 3


def test_a_waiting_payment_says_what_it_waits_for(web: Web, cashier: Cashier):
    payment_id = take(cashier)
    deliveries.set_auto_sync(cashier.bench.db, cashier.company, is_on=False)
    cashier.push()
    page = unescape(web.as_("viewer").get(page_of(cashier, payment_id)).text)
    assert cashier.standing(payment_id) == ("waits", "auto_sync_off")
    assert str(cashier.delivery(payment_id)["sentence"]) in page
    assert 'method="post"' not in page


def test_a_payment_that_waits_is_let_go_of_and_taken_up_again(web: Web, cashier: Cashier):
    payment_id = take(cashier)
    deliveries.set_auto_sync(cashier.bench.db, cashier.company, is_on=False)
    cashier.push()
    page = page_of(cashier, payment_id)
    browser = web.as_("engineer")
    assert "Peakflo does not send it any more" in browser.get(page).text
    assert browser.submit(f"{page}/ignore").status_code == 303
    assert cashier.standing(payment_id) == ("ignored", "let_go")
    shown = browser.get(page).text
    assert "Somebody settled it otherwise." in shown
    assert f'{page}/ignore"' not in shown
    deliveries.set_auto_sync(cashier.bench.db, cashier.company, is_on=True)
    cashier.push()
    assert cashier.records(payment_id) == []
    assert browser.submit(f"{page}/retry").status_code == 303
    cashier.push()
    assert cashier.states(payment_id) == {"payment": ["made"]}


def test_a_payment_says_in_what_it_differs_what_to_do_and_who_acts(web: Web, cashier: Cashier):
    payment_id = edited(cashier)
    set_payment(cashier, payment_id, wallet="other")
    cashier.push()
    differing = cashier.rows("sync.problem", state="open")
    assert {row["code"] for row in differing} == {"edited_in_quickbooks", "edited_after_sending"}
    browser = web.as_("engineer")
    page = unescape(browser.get(page_of(cashier, payment_id)).text)
    for row in differing:
        assert row["message"] in page
        assert row["cure"] in page
    assert page.count("Who acts: bookkeeper") == 2
    assert "Ignored:" not in page
    [edit] = [row for row in differing if row["code"] == "edited_in_quickbooks"]
    browser.submit(f"companies/acme/problems/{edit['problem_id']}/ignore")
    page = unescape(browser.get(page_of(cashier, payment_id)).text)
    assert page.count("Ignored:") == 1
    assert f"<strong>Ignored:</strong> {edit['message']}" in page
    assert badge(page) == "To decide"


def test_a_payment_is_followed_to_quickbooks_and_to_the_runs(web: Web, cashier: Cashier):
    payment_id = take(cashier)
    cashier.push()
    cashier.bench.sync(cashier.company)
    cashier.bench.db.execute(
        "update sync.run set dag_id = 'peakflo_to_quickbooks' where run_id in (select run_id from outbox.move)"
    )
    page = unescape(web.as_("viewer").get(page_of(cashier, payment_id)).text)
    [sent, made] = cashier.rows("outbox.move")
    [run] = cashier.rows("sync.run", run_id=made["run_id"])
    for fact in (
        str(payment_id),
        sent["why"],
        sent["request_id"],
        made["why"],
        made["intuit_tid"],
        f"Payment {cashier.record(payment_id)['qbo_id']}",
        f"/dags/peakflo_to_quickbooks/runs/{run['dag_run_id']}",
        "Version 0 read back",
    ):
        assert fact in page


def test_each_try_of_a_payment_is_shown_with_what_became_of_it(web: Web, cashier: Cashier):
    payment_id = delivered(cashier)
    undo(cashier, payment_id, "void")
    payment_steps.retry(cashier, payment_id)
    cashier.push()
    assert cashier.states(payment_id) == {"payment": ["gone", "made"]}
    page = unescape(web.as_("viewer").get(page_of(cashier, payment_id)).text)
    lineage = page.partition('id="lineage-title"')[2]
    first, second = lineage.split("<strong>QuickBooks</strong>")[1:]
    for part, record, word in zip(
        (first, second), cashier.records(payment_id), ("Undone by hand", "In QuickBooks"), strict=True
    ):
        assert f"Payment {record['qbo_id']}" in part
        assert f">{word}</span>" in part
        assert record["request_id"] in part
    assert "(try 2)" in second
    assert "QuickBooks does not have it any more." in first


def test_a_refused_payment_is_retried_with_one_click(web: Web, cashier: Cashier):
    payment_id = rejected(cashier)
    browser = web.as_("engineer")
    assert (
        page_of(cashier, payment_id)
        in browser.get("companies/acme/deliveries", params={"kind": "differs"}).text
    )
    answer = browser.submit(f"{page_of(cashier, payment_id)}/retry")
    assert answer.status_code == 303
    [decision] = cashier.rows("outbox.decision")
    assert (decision["kind"], decision["decided_by"]) == ("retry", "engineer")
    [run] = [
        run
        for run in web.airflow("admin", "GET", "dags/peakflo_to_quickbooks/dagRuns")["dag_runs"]
        if run["conf"] == {"companies": ["acme"]}
    ][-1:]
    assert run["triggering_user_name"] == "engineer"
    assert "Delivery of payments has been started." in browser.get(answer.headers["Location"]).text
    cashier.push()
    assert cashier.states(payment_id) == {"payment": ["refused", "refused"]}


def test_a_payment_that_may_be_in_quickbooks_is_retried_only_when_that_was_confirmed(
    web: Web, cashier: Cashier
):
    payment_id = orphan(cashier)
    page = page_of(cashier, payment_id)
    browser = web.as_("engineer")
    answer = browser.submit(f"{page}/retry")
    assert answer.headers["Location"].endswith(f"{page}/retry")
    assert cashier.rows("outbox.decision") == []
    asked = unescape(browser.get(answer.headers["Location"]).text)
    assert "the customer's invoice is paid twice in QuickBooks" in asked
    browser.submit(f"{page}/retry", confirmed="yes")
    cashier.push()
    assert cashier.states(payment_id) == {"payment": ["absent", "made"]}


def test_a_payment_that_was_deleted_in_quickbooks_is_entered_again_only_when_that_was_confirmed(
    web: Web, cashier: Cashier
):
    payment_id = delivered(cashier)
    undo(cashier, payment_id, "delete")
    page = page_of(cashier, payment_id)
    browser = web.as_("engineer")
    assert "was deleted in QuickBooks by hand" in browser.get(page).text
    assert browser.submit(f"{page}/retry").headers["Location"].endswith(f"{page}/retry")
    cashier.push()
    assert cashier.states(payment_id) == {"payment": ["gone"]}
    assert "The money did arrive: retry" in browser.get(f"{page}/retry").text
    browser.submit(f"{page}/retry", confirmed="yes")
    cashier.push()
    assert cashier.states(payment_id) == {"payment": ["gone", "made"]}


def test_what_is_delivered_and_still_there_leaves_nothing_to_decide(web: Web, cashier: Cashier):
    payment_id = delivered(cashier)
    page = page_of(cashier, payment_id)
    browser = web.as_("engineer")
    assert 'method="post"' not in browser.get(page).text
    asked = browser.get(f"{page}/retry").text
    assert "There is nothing to retry." in asked
    assert 'method="post"' not in asked
    for action in ("retry", "ignore"):
        assert browser.submit(f"{page}/{action}", confirmed="yes").status_code == 409
    assert cashier.rows("outbox.decision") == []
    assert cashier.standing(payment_id) == ("agrees", "delivered")


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
    assert f"problems/{problem['problem_id']}/retry" not in status
    assert cashier.standing(payment_id) == ("differs", "possible_orphan")
    assert cashier.rows("outbox.decision") == []


def test_the_problem_of_a_payment_is_retried_and_ignored_but_neither_resolved_nor_reopened(
    web: Web, cashier: Cashier
):
    edited(cashier)
    [problem] = cashier.rows("sync.problem")
    action = f"companies/acme/problems/{problem['problem_id']}"
    browser = web.as_("engineer")

    def offered(state: str) -> list[str]:
        page = browser.get("companies/acme", params={"problems": state}).text
        return [each for each in ("retry", "ignore", "resolve", "reopen") if f'{action}/{each}"' in page]

    assert offered("open") == ["retry", "ignore"]
    answer = browser.submit(f"{action}/resolve")
    assert answer.status_code == 409
    assert "it closes by itself once Peakflo and QuickBooks agree" in answer.text
    assert browser.submit(f"{action}/ignore").status_code == 303
    cashier.push()
    assert (offered("open"), offered("ignored")) == ([], ["retry"])
    assert browser.submit(f"{action}/retry").status_code == 303
    cashier.push()
    assert offered("open") == ["retry", "ignore"]
    assert cashier.problems() == ["edited_in_quickbooks"]


def test_an_ignored_payment_takes_its_problem_with_it_and_is_audited(web: Web, cashier: Cashier):
    payment_id = rejected(cashier)
    browser = web.as_("engineer")
    assert browser.submit(f"{page_of(cashier, payment_id)}/ignore").status_code == 303
    cashier.push()
    assert cashier.delivery(payment_id)["kind"] == "ignored"
    assert cashier.states(payment_id) == {"payment": ["refused"]}
    assert [row["state"] for row in cashier.rows("sync.problem")] == ["ignored"]
    [entry] = audited(web.db, "decision.insert")
    assert (entry["company_id"], entry["actor"], entry["via"]) == ("acme", "engineer", "page")
    assert entry["facts"]["payment_id"] == [None, str(payment_id)]
    assert entry["facts"]["kind"] == [None, "ignore"]
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
    assert cashier.delivery(payment_id)["kind"] == "differs"
    assert cashier.rows("outbox.decision") == []


def test_another_companys_delivery_is_not_found_and_stays_as_it_is(web: Web, cashier: Cashier):
    payment_id = rejected(cashier)
    connect_as_imported(cashier.bench, "globex")
    page = page_of(cashier, payment_id).replace("acme", "globex")
    browser = web.as_("admin")
    assert browser.get(page).status_code == 404
    assert browser.get(f"{page}/retry").status_code == 404
    for action in ("retry", "ignore"):
        assert browser.submit(f"{page}/{action}", confirmed="yes").status_code == 404
    assert cashier.delivery(payment_id)["kind"] == "differs"
    assert cashier.rows("outbox.decision") == []
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
    cashier.push()
    deliveries.set_auto_sync(cashier.bench.db, cashier.company, is_on=False)
    cashier.bench.db.execute("update outbox.delivery set sentence = %s", [EVIL])
    cashier.bench.db.execute("update outbox.move set why = %s", [EVIL])
    browser = web.as_("engineer")
    for page in (
        "companies/acme/deliveries",
        page_of(cashier, payment_id),
        f"{page_of(cashier, payment_id)}/retry",
    ):
        text = browser.get(page).text
        assert "&lt;img src=x" in text
        assert EVIL not in text
