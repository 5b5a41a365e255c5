from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from include.errors import ConfigurationError, DeletionBrakeError, ReauthorizeError, UnreachableError
from include.quickbooks.oauth import OAuthApp
from include.receivables.company import companies, problems
from include.receivables.connecting import consent
from include.receivables.connecting.consent import Answer, ConnectError, Visitor
from tests.support import truth
from tests.support.consent import decide, query_of
from tests.support.quick_start import connect_as_imported, held

if TYPE_CHECKING:
    from include.receivables.company.companies import Company
    from tests.support.workbench import Workbench

ADMIN = Visitor("admin", "session of the admin")


@pytest.fixture
def books(bench: Workbench) -> str:
    """The id of a QuickBooks company that nobody is connected to."""
    return bench.sandbox.create_company("Harbour Lights", books="empty")["realm_id"]


def begin(bench: Workbench, company_id: str = "acme", *, visitor: Visitor = ADMIN, **options: Any) -> str:
    """Begin to connect a company, and return the address of the consent page."""
    options.setdefault("name", "Acme")
    return consent.begin(bench.db, bench.access.app, visitor, company_id=company_id, **options)


def come_back(bench: Workbench, consent_page: str, realm_id: str, **options: Any) -> Answer:
    """Decide on the consent page, and return what the browser comes back with."""
    found = query_of(decide(consent_page, realm_id, **options))
    return Answer(
        state=found["state"],
        code=found.get("code", ""),
        realm_id=found.get("realmId", ""),
        error=found.get("error", ""),
    )


def connect(bench: Workbench, realm_id: str, company_id: str = "acme", **options: Any) -> Company:
    answer = come_back(bench, begin(bench, company_id, **options), realm_id)
    return consent.complete(bench.access, ADMIN, answer)


def refusal(bench: Workbench, answer: Answer, visitor: Visitor = ADMIN) -> ConnectError:
    with pytest.raises(ConnectError) as refused:
        consent.complete(bench.access, visitor, answer)
    assert str(refused.value).endswith(".")
    return refused.value


def connection(bench: Workbench, company_id: str = "acme") -> tuple[Any, ...] | None:
    """Return all that is stored of a connection."""
    statement = "select to_jsonb(connection)::text from sync.connection where company_id = %s"
    return bench.db.execute(statement, [company_id]).fetchone()


def test_a_new_company_is_connected_and_its_accounts_are_read_at_once(bench, books):
    company = connect(bench, books)
    consent.read_first(bench.access, "acme")

    assert (company.name, company.realm_id, company.status) == ("Acme", books, "connected")
    [listed] = companies.list_companies(bench.db, "acme")
    assert (listed["source_name"], listed["home_currency"]) == ("Harbour Lights", "USD")
    assert listed["refresh_token_hard_expires_at"] - listed["refresh_token_expires_at"] > timedelta(days=1500)
    counted = {row["entity"]: row["live"] for row in companies.count_records(bench.db, company)}
    assert counted["account"] == truth.read_truth(bench.sandbox, books)["entities"]["Account"]["live"]
    who = bench.db.execute("select connected_by from sync.connection").fetchone()
    assert who == ("admin",)


def test_neither_state_nor_session_nor_tokens_lie_in_the_database_in_clear(bench, books):
    page = begin(bench)
    answer = come_back(bench, page, books)
    consent.complete(bench.access, ADMIN, answer)

    stored = str(bench.db.execute("select * from sync.connect_request").fetchall()) + str(connection(bench))
    assert answer.state not in stored
    assert ADMIN.session not in stored
    assert "eyJ" not in stored
    assert "RT1-" not in stored


def test_a_state_that_was_made_up_leads_nowhere(bench, books):
    come_back(bench, begin(bench), books)
    assert refusal(bench, Answer("made up", "code", books)).code == "state_unknown"
    assert refusal(bench, Answer()).code == "state_unknown"
    assert connection(bench) is None


def test_a_state_serves_only_the_user_and_the_session_that_began(bench, books):
    answer = come_back(bench, begin(bench), books)

    assert refusal(bench, answer, Visitor("somebody", ADMIN.session)).code == "other_user"
    assert refusal(bench, answer, Visitor("admin", "another session")).code == "other_session"
    # Others do not use it up.
    assert consent.complete(bench.access, ADMIN, answer).status == "connected"


def test_a_state_expires(bench, books):
    answer = come_back(bench, begin(bench), books)
    bench.sandbox.reset_oauth_calls()
    bench.db.execute("update sync.connect_request set expires_at = now()")

    assert refusal(bench, answer).code == "state_expired"
    assert bench.sandbox.oauth_calls().get("authorization_code", 0) == 0


def test_an_answer_that_comes_again_says_that_the_company_is_connected_and_changes_nothing(bench, books):
    answer = come_back(bench, begin(bench), books)
    consent.complete(bench.access, ADMIN, answer)
    before = connection(bench)

    again = refusal(bench, answer)

    assert (again.code, again.company_id) == ("connected_already", "acme")
    assert connection(bench) == before
    consent.read_first(bench.access, "acme")


def test_a_cancelled_consent_leaves_the_working_connection_alone(bench, books):
    connect(bench, books)
    before = connection(bench)

    answer = come_back(bench, begin(bench), books, decision="cancel")

    assert refusal(bench, answer).code == "denied"
    assert connection(bench) == before
    assert refusal(bench, answer).code == "state_used"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"code": ""}, "incomplete"),
        ({"realm_id": ""}, "incomplete"),
        ({"error": "invalid_scope<script>"}, "consent_failed"),
        ({"code": "XAB1made-up"}, "code_refused"),
        ({"realm_id": "../../1"}, "configuration"),
    ],
)
def test_an_answer_that_cannot_be_right_connects_nothing(bench, books, changes, code):
    answer = dataclasses.replace(come_back(bench, begin(bench), books), **changes)
    with pytest.raises(ConfigurationError) as refused:
        consent.complete(bench.access, ADMIN, answer)
    assert refused.value.code == code
    assert connection(bench) is None


def test_books_of_another_company_are_refused_before_any_token_is_issued(bench):
    other = connect_as_imported(bench, "other")
    answer = come_back(bench, begin(bench), other.realm_id)
    bench.sandbox.reset_oauth_calls()

    refused = refusal(bench, answer)

    assert refused.code == "realm_in_use"
    assert "disconnect 'other' first" in str(refused)
    assert bench.sandbox.oauth_calls() == {}
    bench.sync(other)


def test_tokens_that_do_not_open_the_named_books_are_not_stored(bench, books):
    elsewhere = bench.sandbox.create_company("Elsewhere", books="empty")["realm_id"]
    answer = dataclasses.replace(come_back(bench, begin(bench), books), realm_id=elsewhere)

    assert refusal(bench, answer).code == "books_closed"
    assert connection(bench) is None


def test_a_lost_answer_of_the_exchange_leaves_the_working_connection_alone(bench, books):
    company = connect(bench, books)
    consent.read_first(bench.access, "acme")
    before = connection(bench)
    answer = come_back(bench, begin(bench), books)
    bench.sandbox.add_fault("lost_answer", path="token", count=1)

    refused = refusal(bench, answer)

    assert refused.code == "exchange_lost"
    assert "start again" in str(refused)
    assert connection(bench) == before
    bench.import_all(company)


def test_a_reconnect_to_the_same_books_replaces_the_tokens(bench, books):
    connect(bench, books)
    bench.db.execute("update sync.connection set status = 'reauthorize', last_error = 'It was revoked.'")
    bench.sandbox.revoke(books)

    company = connect(bench, books, name="Ignored")

    assert (company.name, company.status) == ("Acme", "connected")
    consent.read_first(bench.access, "acme")
    [listed] = companies.list_companies(bench.db, "acme")
    assert listed["last_error"] is None


def test_a_reconnect_ends_the_connections_problems_and_nothing_else(bench, books):
    company = connect(bench, books)
    for error in (ReauthorizeError("Gone."), UnreachableError("Silent."), DeletionBrakeError("30 of 40.")):
        problems.report_failure(bench.db, company, error)
    problems.report_record(bench.db, company, "invoice", "1", "unreadable", "It cannot be read.")

    connect(bench, books)

    left = bench.db.execute("select code from sync.problem where state = 'open' order by code").fetchall()
    assert left == [("deletion_brake",), ("unreadable",)]


def test_a_reconnect_that_fails_leaves_the_problems_open(bench, books):
    company = connect(bench, books)
    problems.report_failure(bench.db, company, ReauthorizeError("Gone."))
    bench.sandbox.add_fault("lost_answer", path="token", count=1)

    with pytest.raises(ConnectError):
        connect(bench, books)

    assert bench.db.execute("select state from sync.problem").fetchall() == [("open",)]


def test_a_reconnect_that_comes_back_with_other_books_changes_nothing(bench, books):
    connect(bench, books)
    before = connection(bench)
    elsewhere = bench.sandbox.create_company("Elsewhere", books="empty")["realm_id"]

    refused = refusal(bench, come_back(bench, begin(bench, intent="reconnect"), elsewhere))

    assert refused.code == "wrong_company"
    assert books in str(refused)
    assert elsewhere in str(refused)
    assert connection(bench) == before


def test_a_company_that_was_connected_to_other_books_meanwhile_keeps_them(bench, books):
    slow = come_back(bench, begin(bench), books)
    elsewhere = bench.sandbox.create_company("Elsewhere", books="empty")["realm_id"]
    connect(bench, elsewhere)

    assert refusal(bench, slow).code == "wrong_company"
    assert companies.get_company(bench.db, "acme").realm_id == elsewhere


def test_a_reconnect_does_not_undo_a_change_of_books_that_was_made_meanwhile(bench, books):
    connect(bench, books)
    slow = come_back(bench, begin(bench), books)
    elsewhere = bench.sandbox.create_company("Elsewhere", books="empty")["realm_id"]
    connect(bench, elsewhere, intent="change")

    assert refusal(bench, slow).code == "wrong_company"
    assert companies.get_company(bench.db, "acme").realm_id == elsewhere


def test_books_are_changed_on_purpose_and_the_old_access_is_taken_back(bench, books):
    connect_as_imported(bench, "acme")
    encrypted = bench.db.execute("select refresh_token from sync.connection").fetchone()[0]

    company = connect(bench, books, intent="change")

    assert company.realm_id == books
    with pytest.raises(ReauthorizeError):
        bench.access.app.refresh(bench.access.cipher.decrypt(encrypted))
    consent.read_first(bench.access, "acme")


def test_books_are_not_changed_under_a_sync_that_is_at_work(bench, books, monkeypatch):
    monkeypatch.setattr(consent, "PATIENCE_SECONDS", 0.3)
    old = connect_as_imported(bench, "acme")
    answer = come_back(bench, begin(bench, intent="change"), books)

    with held(bench, "acme"):
        assert refusal(bench, answer).code == "busy"
    assert companies.get_company(bench.db, "acme").realm_id == old.realm_id
    # The same answer may come again: nothing of it was used up.
    assert consent.complete(bench.access, ADMIN, answer).realm_id == books


@pytest.mark.parametrize(
    ("company_id", "name"), [("", "Acme"), ("a b", "Acme"), ("<b>", "Acme"), ("acme", "  ")]
)
def test_what_cannot_be_a_company_is_refused_at_the_beginning(bench, company_id, name):
    with pytest.raises(ConfigurationError):
        begin(bench, company_id, name=name)
    assert bench.db.execute("select 1 from sync.connect_request").fetchall() == []


def test_a_first_read_that_fails_leaves_the_company_connected(bench, books):
    company = connect(bench, books)
    bench.sandbox.add_fault("503_html", realm=books, path="query", entity="Account")
    with pytest.raises(UnreachableError):
        consent.read_first(bench.access, "acme")
    assert companies.get_company(bench.db, "acme").status == "connected"
    assert "QuickBooks has an internal error" in (consent.first_failure(bench.db, company) or "")

    bench.sandbox.clear_faults()
    consent.read_first(bench.access, "acme")
    assert consent.first_failure(bench.db, company) is None
    bench.import_all(company)
    assert companies.list_companies(bench.db, "acme")[0]["open_problems"] == 0


def test_a_company_is_found_by_its_books(bench, books):
    assert consent.find_company_of_realm(bench.db, books) is None
    connect(bench, books)
    found = consent.find_company_of_realm(bench.db, books)
    assert found is not None
    assert found.company_id == "acme"


def test_nobody_is_sent_off_while_intuit_does_not_say_where_to(bench):
    app = OAuthApp(
        "id", "secret", environment="sandbox", redirect_uri="http://x/", discovery_url="http://127.0.0.1:9/"
    )
    with pytest.raises(UnreachableError):
        consent.begin(bench.db, app, ADMIN, company_id="acme", name="Acme")
    assert bench.db.execute("select 1 from sync.connect_request").fetchall() == []
