from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from include.errors import ReauthorizeError
from include.quickbooks.entities import SYNCED
from include.receivables.company import problems
from include.receivables.company.companies import get_company, mark_reauthorize
from include.receivables.outbound.account_mapping import save_account
from include.sql import load
from tests.support.cashier import PURPOSES
from tests.support.consent import decide, query_of
from tests.support.killing import wait_until
from tests.support.rows import audited

if TYPE_CHECKING:
    from requests import Response

    from tests.support.fixtures_web import Browser, Web

MARKUP = "<script>alert(1)</script>&\"'"


@pytest.fixture
def admin(web: Web) -> Browser:
    return web.as_("admin")


@pytest.fixture
def books(web: Web) -> str:
    """The id of a QuickBooks company that nobody is connected to."""
    return web.sandbox.create_company("Harbour Lights", books="empty")["realm_id"]


def consent(
    browser: Browser, realm_id: str, *, path: str = "connect", decision: str = "connect", **fields: str
) -> str:
    """Go to QuickBooks, decide there, and return the address to come back to."""
    if path == "connect":
        fields = {"company_id": "acme", "name": "Acme", **fields}
    left = browser.submit(path, path, **fields)
    assert left.status_code == 303, left.text
    return decide(left.headers["Location"], realm_id, decision=decision)


def connect(browser: Browser, realm_id: str, **options: str) -> Response:
    """Go to QuickBooks, let the app in, and come back."""
    return browser.get(consent(browser, realm_id, **options))


def assert_says(answer: Response, status: int, *words: str) -> None:
    assert answer.status_code == status, answer.text
    for word in words:
        assert word in answer.text


def status_of(web: Web, company_id: str = "acme") -> tuple[str, str] | None:
    statement = "select status, realm_id from sync.connection where company_id = %s"
    return web.db.execute(statement, [company_id]).fetchone()


def test_a_company_is_connected_and_its_accounts_are_there_to_be_mapped(web, admin, books):
    came_back = connect(admin, books)

    assert (came_back.status_code, came_back.headers["Location"]) == (
        303,
        "/quickbooks/companies/acme/mapping",
    )
    assert_says(admin.get("companies/acme/mapping"), 200, "Checking", "Payment Processing Fees")
    assert status_of(web) == ("connected", books)
    [entry] = audited(web.db, "connection.insert")
    assert (entry["company_id"], entry["actor"], entry["facts"]["realm_id"]) == (
        "acme",
        "admin",
        [None, books],
    )
    assert not [name for name in entry["facts"] if name in ("access_token", "refresh_token")]


def test_within_airflows_frame_the_page_is_told_where_the_window_has_to_go(admin):
    form = {"csrf_token": admin.csrf("connect"), "company_id": "acme", "name": "Acme"}
    answer = admin.post("connect", data=form, headers={"Accept": "application/json"})

    assert answer.status_code == 200
    assert query_of(answer.json()["location"])["response_type"] == "code"
    refused = admin.post("connect", data={**form, "name": " "}, headers={"Accept": "application/json"})
    assert (refused.status_code, "has no name" in refused.json()["detail"]) == (409, True)


def test_the_connect_page_lets_its_form_end_at_quickbooks_and_nowhere_else(web, admin):
    policy = admin.get("connect").headers["Content-Security-Policy"]
    assert f"form-action 'self' {web.sandbox.base_url}" in policy


@pytest.mark.parametrize(("company_id", "name"), [("a b", "Acme"), ("../x", "Acme"), ("acme", " ")])
def test_what_cannot_be_a_company_is_said_on_the_form_which_keeps_what_was_typed(admin, company_id, name):
    answer = admin.submit("connect", "connect", company_id=company_id, name=name)
    assert_says(answer, 422, 'role="alert"', f'value="{company_id}"')


def test_markup_in_a_name_is_shown_as_it_was_typed(web, admin):
    realm_id = web.sandbox.create_company(MARKUP, books="empty")["realm_id"]
    connect(admin, realm_id, name=MARKUP)
    for page in ("mapping", "import", "disconnect", "reconnect", "change-organisation"):
        answer = admin.get(f"companies/acme/{page}")
        assert answer.status_code == 200
        assert "<script>alert" not in answer.text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in answer.text


@pytest.mark.parametrize("user", ["viewer", "reminder", "engineer"])
def test_only_an_admin_connects_and_disconnects(web, admin, books, user):
    connect(admin, books)
    browser = web.as_(user)
    token = {"csrf_token": browser.csrf()}
    for page in ("connect", "callback?state=x", "companies/acme/disconnect", "companies/acme/reconnect"):
        assert browser.get(page).status_code == 403, page
    for action in ("connect", "companies/acme/disconnect", "companies/acme/change-organisation"):
        assert browser.post(action, data=token).status_code == 403, action
    assert status_of(web) == ("connected", books)


def test_a_cancelled_consent_says_so_and_lets_start_again(web, admin, books):
    answer = admin.get(consent(admin, books, decision="cancel"))
    assert_says(answer, 403, "Cancelled", "Nothing was changed", "Start again")
    assert status_of(web) is None


def test_a_forged_and_a_used_answer_are_told_apart(web, admin, books):
    back = consent(admin, books)
    forged = back.replace(query_of(back)["state"], "forged")
    assert_says(admin.get(forged), 400, "belongs to no connection that was begun here")

    admin.get(back)
    assert_says(admin.get(back), 409, "Acme is connected", "Go on to the account mapping")


def test_an_answer_serves_only_the_sign_in_that_began(web, admin, books):
    back = consent(admin, books)
    elsewhere = web.as_("admin")
    elsewhere.cookies.set("_token", web.token("admin"))
    assert_says(elsewhere.get(back), 403, "in another browser")
    assert admin.get(back).status_code == 303


def test_an_expired_answer_says_so(web, admin, books):
    back = consent(admin, books)
    web.db.execute("update sync.connect_request set expires_at = now()")
    assert_says(admin.get(back), 400, "minutes have passed")


def test_books_in_use_name_the_company_to_disconnect(web, admin, books):
    connect(admin, books)
    answer = connect(admin, books, company_id="other", name="Other")
    assert_says(answer, 409, "connected to company &#39;acme&#39; already")
    assert status_of(web, "other") is None


def test_other_books_on_a_reconnect_change_nothing_and_offer_to_change_on_purpose(web, admin, books):
    connect(admin, books)
    elsewhere = web.sandbox.create_company("Elsewhere", books="empty")["realm_id"]

    answer = connect(admin, elsewhere, path="companies/acme/reconnect")

    assert_says(answer, 409, "Change QuickBooks organisation", f"Harbour Lights ({books})")
    assert status_of(web) == ("connected", books)
    assert connect(admin, elsewhere, path="companies/acme/change-organisation").status_code == 303
    assert status_of(web) == ("connected", elsewhere)


def test_accounts_that_cannot_be_read_leave_a_page_that_says_why_and_reads_them_on_request(web, admin, books):
    back = consent(admin, books)
    web.sandbox.add_fault("503_html", realm=books, path="query", entity="Account")

    assert admin.get(back).status_code == 303
    assert_says(admin.get("companies/acme/mapping"), 200, "could not be read.", "Read the accounts now")

    web.sandbox.clear_faults()
    assert admin.submit("companies/acme/read-accounts").status_code == 303
    page = admin.get("companies/acme/mapping")
    assert_says(page, 200, "The chart of accounts is up to date.", "Checking")
    assert "could not be read" not in page.text


def test_a_lost_answer_of_intuit_says_to_start_again(web, admin, books):
    back = consent(admin, books)
    web.sandbox.add_fault("lost_answer", path="token", count=1)
    assert_says(admin.get(back), 502, "was lost", "start again")


def test_a_company_is_disconnected_after_a_question_and_reconnected_with_its_mapping(web, admin, books):
    connect(admin, books)
    assert_says(admin.get("companies/acme/disconnect"), 200, "Disconnect Acme?", "taken back at Intuit")

    answer = admin.submit("companies/acme/disconnect")

    assert answer.status_code == 303
    assert status_of(web) == ("disconnected", books)
    assert web.db.execute("select refresh_token from sync.connection").fetchone() == (None,)
    assert connect(admin, books, path="companies/acme/reconnect").status_code == 303
    assert status_of(web) == ("connected", books)


def runs_of(web, dag_id):
    runs = web.airflow("admin", "GET", f"dags/{dag_id}/dagRuns", params={"order_by": "-run_after"})[
        "dag_runs"
    ]
    return {run["dag_run_id"]: run["conf"] for run in runs}


@pytest.fixture
def lost(web, admin, books):
    """A company that was imported, whose accounts are mapped, and that has to be connected again."""
    connect(admin, books)
    company = get_company(web.db, "acme")
    imported = {"realm_id": books, "entities": [entity.table for entity in SYNCED]}
    web.db.execute(load("staging/advance_cursor"), imported | {"changed_since": datetime.now(UTC)})
    for (purpose, detail), name in PURPOSES.items():
        [(qbo_id,)] = web.db.execute(
            "select source_id from peakflo.account where name = %s", [name]
        ).fetchall()
        save_account(web.db, company, purpose, detail, qbo_id, mapped_by="test")
    error = ReauthorizeError("QuickBooks no longer accepts the refresh token.")
    mark_reauthorize(web.db, company_id="acme", realm_id=books, error=error)
    problems.report_failure(web.db, company, error)
    return company


def test_a_reconnect_ends_what_was_wrong_and_starts_a_sync_that_the_page_follows(web, admin, books, lost):
    page = admin.get("companies/acme").text
    assert page.count('data-cause="') == 1
    assert 'data-cause="reconnect"' in page
    known = runs_of(web, "quickbooks_to_peakflo")

    answer = connect(admin, books, path="companies/acme/reconnect")

    started = {run: conf for run, conf in runs_of(web, "quickbooks_to_peakflo").items() if run not in known}
    assert list(started.values()) == [{"companies": ["acme"]}]
    assert answer.headers["Location"].startswith("/quickbooks/companies/acme?run=quickbooks_to_peakflo%2F")
    page = admin.get(answer.headers["Location"]).text
    assert "is connected again, with its accounts mapped as before." in page
    assert "data-run-state=" in page
    assert "data-cause=" not in page
    assert web.db.execute("select from sync.problem where state = 'open'").fetchall() == []


def test_a_reconnect_after_too_long_starts_an_import(web, admin, books, lost):
    web.db.execute("update staging.cursor set changed_since = now() - interval '40 days'")
    known = runs_of(web, "import_company")

    answer = connect(admin, books, path="companies/acme/reconnect")

    assert answer.headers["Location"] == "/quickbooks/companies/acme/import"
    started = {run: conf for run, conf in runs_of(web, "import_company").items() if run not in known}
    assert list(started.values()) == [{"company_id": "acme"}]


def test_a_reconnect_with_an_account_unmapped_syncs_and_asks_for_it(web, admin, books, lost):
    web.db.execute("delete from sync.account_mapping")
    known = runs_of(web, "quickbooks_to_peakflo")

    answer = connect(admin, books, path="companies/acme/reconnect")

    assert answer.headers["Location"] == "/quickbooks/companies/acme/mapping"
    assert len(runs_of(web, "quickbooks_to_peakflo")) == len(known) + 1


def test_a_company_stays_connected_while_intuit_cannot_be_told(web, admin, books):
    connect(admin, books)
    web.db.execute("update sync.connection set refresh_token = 'of another key'")
    answer = admin.submit("companies/acme/disconnect")
    assert_says(answer, 409, "encrypted with another key")
    assert status_of(web) == ("connected", books)


def test_a_known_company_is_reconnected_rather_than_connected_twice(admin, books):
    connect(admin, books)
    assert admin.get("connect?company_id=acme").headers["Location"] == "/quickbooks/companies/acme/reconnect"


def test_people_who_come_from_quickbooks_find_their_company(web, admin, books):
    connect(admin, books)
    assert admin.get(f"launch?realmId={books}").headers["Location"] == "/quickbooks/companies/acme"
    assert admin.get("launch?realmId=999").headers["Location"] == "/quickbooks/"
    assert admin.get(f"reconnect?realmId={books}").headers["Location"] == (
        "/quickbooks/companies/acme/reconnect"
    )
    assert_says(admin.get("reconnect?realmId=<b>"), 404, "No company here is connected")
    # Who disconnected in QuickBooks may have no account here.
    landed = web.anonymous.get("disconnected?realmId=1")
    assert_says(landed, 200, "Disconnected from QuickBooks")
    assert "Acme" not in landed.text


def test_tokens_and_secrets_are_in_no_page_and_not_in_the_log(web, admin, books):
    back = consent(admin, books)
    pages = [admin.get(back).text] + [
        admin.get(f"companies/acme/{page}").text for page in ("mapping", "import", "progress", "reconnect")
    ]
    code, state = query_of(back)["code"], query_of(back)["state"]
    for text in (*pages, web.log.read_text()):
        for secret in (code, "sandbox-secret", "RT1-"):
            assert secret not in text
    assert state not in "".join(pages)


def test_what_intuit_adds_to_the_callback_is_in_no_log_whoever_comes_back(web: Web):
    secret = "code-that-opens-the-books"
    place = f"callback?code={secret}&state={secret}&realmId=9130001"
    answers = [browser.get(place) for browser in (web.anonymous, web.as_("viewer"), web.as_("admin"))]

    assert [answer.status_code for answer in answers] == [303, 403, 400]
    assert answers[0].headers["location"].endswith("next=%2Fquickbooks%2Fcallback")
    for answer in answers:
        assert secret not in answer.text + str(answer.headers)
    # What came before is in the log by now.
    web.anonymous.get("health?known=before")
    wait_until(lambda: "known=before" in web.log.read_text())
    assert "/quickbooks/callback" in web.log.read_text()
    assert secret not in web.log.read_text()
