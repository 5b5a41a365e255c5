"""The client and OAuth against a QuickBooks over real HTTP, compared with what its books hold."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from include import errors
from include.quickbooks.client import QuickBooksClient
from include.quickbooks.entities import (
    ACCOUNT,
    BY_NAME,
    COMPANY_INFO,
    CREDIT_MEMO,
    CUSTOMER,
    ENTITIES,
    INVOICE,
    PAYMENT,
    PREFERENCES,
    SYNCED,
    TAX_CODE,
)
from include.quickbooks.oauth import OAuthApp
from include.quickbooks.query import quote, window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.quickbooks.entities import Entity
    from include.quickbooks.records import Record
    from sandbox.control import SandboxControl

PSEUDO_CODES = {"TAX", "NON", "CustomSalesTax"}


class RefreshingTokens:
    """Tokens kept in memory, renewed at the token endpoint."""

    def __init__(self, app: OAuthApp, access_token: str, refresh_token: str) -> None:
        self.app = app
        self.access_token = access_token
        self.refresh_token = refresh_token

    def current(self) -> str:
        return self.access_token

    def renew(self, rejected: str) -> str:
        assert rejected == self.access_token
        tokens = self.app.refresh(self.refresh_token)
        self.access_token, self.refresh_token = tokens.access_token, tokens.refresh_token
        return self.access_token


@dataclass
class Books:
    """A company of the sandbox with a client for it."""

    control: SandboxControl
    realm_id: str
    client: QuickBooksClient
    tokens: RefreshingTokens

    def live(self, entity: Entity) -> dict[str, Any]:
        records = self.control.truth(self.realm_id, records=True)["records"][entity.name]
        return {record["Id"]: record for record in records}

    def deleted(self, entity: Entity) -> set[str]:
        return set(self.control.truth(self.realm_id, records=True)["deleted"].get(entity.name, []))

    def fail(self, kind: str, **options: Any) -> None:
        self.control.add_fault(kind, realm=self.realm_id, **options)

    def by_reference(self, reference: str) -> list[Record]:
        return self.client.query(PAYMENT, where=f"PaymentRefNum = {quote(reference)}").records


@pytest.fixture
def app(sandbox: SandboxControl) -> OAuthApp:
    return OAuthApp(
        "sandbox-client",
        "sandbox-secret",
        environment="sandbox",
        redirect_uri="http://127.0.0.1/callback",
        discovery_url=sandbox.discovery_url,
    )


@pytest.fixture
def books(sandbox: SandboxControl, app: OAuthApp) -> Iterator[Books]:
    created = sandbox.create_company("Riverbend Design Studio", books="demo")
    tokens = RefreshingTokens(app, created["access_token"], created["refresh_token"])
    realm_id = created["realm_id"]
    # To keep within the limits is the task of a limiter that all who call share.
    sandbox.change_settings(realm_id, throttle="off")
    with QuickBooksClient(api_url=sandbox.api_url, realm_id=realm_id, tokens=tokens) as client:
        yield Books(sandbox, realm_id, client, tokens)


def payload(record: Record) -> Any:
    return json.loads(record.payload, parse_float=Decimal)


def test_every_entity_can_be_read(books):
    for entity in ENTITIES:
        page = books.client.query(entity)
        read = {record.qbo_id for record in page.records}
        # Of tax codes, QuickBooks also lists some that are in no books, such as TAX and NON.
        assert read - PSEUDO_CODES == set(books.live(entity)), entity.name
        assert all(record.updated_at.tzinfo is UTC for record in page.records)


def test_records_come_as_the_books_hold_them(books):
    records = books.client.query(INVOICE).records

    held = books.live(INVOICE)
    assert len(records) > 10
    assert {record.qbo_id: json.loads(record.payload) for record in records} == held
    assert {record.qbo_id: str(record.sync_token) for record in records} == {
        qbo_id: invoice["SyncToken"] for qbo_id, invoice in held.items()
    }


def test_amounts_read_without_a_float_add_up_to_the_truth(books):
    balance = sum(Decimal(payload(record)["Balance"]) for record in books.client.query(INVOICE).records)

    assert balance == Decimal(books.control.truth(books.realm_id)["entities"]["Invoice"]["balance"])


def test_inactive_records_of_a_list_are_read_and_counted(books):
    customers = books.client.query(CUSTOMER).records

    inactive = [record.qbo_id for record in customers if not payload(record)["Active"]]
    assert inactive
    assert books.client.count(CUSTOMER) == len(customers)
    assert {record.qbo_id for record in books.client.by_ids(CUSTOMER, inactive).records} == set(inactive)


def test_pages_of_any_size_hold_every_record_once(books):
    seen: list[str] = []
    while page := books.client.query(
        PAYMENT, order_by="MetaData.CreateTime", start=len(seen) + 1, size=4
    ).records:
        seen += [record.qbo_id for record in page]

    assert len(seen) == books.client.count(PAYMENT)
    assert set(seen) == set(books.live(PAYMENT))
    assert seen == sorted(seen, key=int)


def test_a_window_holds_what_was_updated_in_it(books):
    everything = books.client.query(CREDIT_MEMO).records
    moment = sorted(record.updated_at for record in everything)[len(everything) // 2]

    def ids(where: str) -> set[str]:
        return {record.qbo_id for record in books.client.query(CREDIT_MEMO, where=where).records}

    assert ids(window(since=moment)) == {r.qbo_id for r in everything if r.updated_at >= moment}
    assert ids(window(until=moment)) == {r.qbo_id for r in everything if r.updated_at <= moment}
    assert ids(window(moment, moment)) == {r.qbo_id for r in everything if r.updated_at == moment}


def test_ids_that_quickbooks_does_not_have_are_not_in_the_page(books):
    known = sorted(books.live(INVOICE))[:3]

    page = books.client.by_ids(INVOICE, [*known, "99999999"])

    assert sorted(record.qbo_id for record in page.records) == known


def test_a_thousand_ids_fit_into_one_statement(books):
    held = books.live(INVOICE)
    ids = [*held, *(str(900_000_000 + number) for number in range(1000 - len(held)))]

    assert {record.qbo_id for record in books.client.by_ids(INVOICE, ids).records} == set(held)


@pytest.mark.parametrize("name", ["O'Brien \\ Söhne", '株式会社 "Quote" Ø', "100% 'it''s'"])
def test_any_name_can_be_asked_for(books, name):
    from include.quickbooks.query import quote

    requests.post(
        f"{books.control.api_url}/v3/company/{books.realm_id}/customer",
        json={"DisplayName": name},
        headers={"Authorization": f"Bearer {books.tokens.current()}", "Accept": "application/json"},
        timeout=10,
    ).raise_for_status()

    (record,) = books.client.query(CUSTOMER, where=f"DisplayName = {quote(name)}").records

    assert payload(record)["DisplayName"] == name


def test_what_a_company_has_once_is_read(books):
    (info,) = books.client.query(COMPANY_INFO).records
    (preferences,) = books.client.query(PREFERENCES).records

    assert payload(info)["CompanyName"] == "Riverbend Design Studio"
    assert "CurrencyPrefs" in payload(preferences)


def test_one_call_of_change_data_capture_brings_changes_and_deletions(books):
    before = books.client.query(INVOICE).server_time
    books.control.events(books.realm_id, 150, seed=11)
    books.control.reset_calls(books.realm_id)

    changes = books.client.changes(SYNCED, before - timedelta(seconds=1))

    assert books.control.calls(books.realm_id)["metered"] == 1
    assert not changes.is_full
    assert set(changes.records) == {entity.name for entity in SYNCED}
    for name, records in changes.records.items():
        held = books.live(BY_NAME[name])
        for record in records:
            if record.is_deleted:
                assert record.qbo_id in books.deleted(BY_NAME[name])
            else:
                assert json.loads(record.payload) == held[record.qbo_id]
    assert any(record.is_deleted for records in changes.records.values() for record in records)
    assert changes.server_time >= before


def test_a_quiet_company_has_no_changes_but_a_time(sandbox, app):
    created = sandbox.create_company("Empty Books", books="empty")
    tokens = RefreshingTokens(app, created["access_token"], created["refresh_token"])

    with QuickBooksClient(api_url=sandbox.api_url, realm_id=created["realm_id"], tokens=tokens) as client:
        now = client.query(INVOICE).server_time
        changes = client.changes([INVOICE, PAYMENT], now)

    assert changes.records == {"Invoice": [], "Payment": []}
    assert abs(changes.server_time - datetime.now(UTC)) < timedelta(days=1)


def test_changes_that_reach_the_cap_are_taken_for_cut(books):
    before = books.client.query(INVOICE).server_time
    books.control.events(books.realm_id, 1600, seed=3)

    changes = books.client.changes(SYNCED, before - timedelta(seconds=1))

    assert sum(map(len, changes.records.values())) == 1000
    assert changes.is_full


def test_a_page_holds_a_thousand_records_and_the_next_one_the_rest(sandbox, app):
    created = sandbox.create_company("Large Books", books={"customers": 20, "invoices": 1100, "payments": 0})
    tokens = RefreshingTokens(app, created["access_token"], created["refresh_token"])

    with QuickBooksClient(api_url=sandbox.api_url, realm_id=created["realm_id"], tokens=tokens) as client:
        pages = [client.query(INVOICE, start=start).records for start in (1, 1001, 2001)]
        count = client.count(INVOICE)

    assert [len(page) for page in pages] == [1000, 100, 0]
    assert len({record.qbo_id for page in pages for record in page}) == count == 1100


def test_changes_older_than_thirty_days_have_expired(books):
    now = books.client.query(ACCOUNT).server_time

    with pytest.raises(errors.ChangesExpiredError) as caught:
        books.client.changes(SYNCED, now - timedelta(days=31))
    assert caught.value.intuit_tid


def test_an_expired_access_token_is_renewed_and_the_call_goes_through(books):
    books.control.expire(books.realm_id, "access")
    rejected = books.tokens.current()

    assert books.client.count(INVOICE) > 0
    assert books.tokens.current() != rejected
    assert books.client.calls.total == 2


def test_a_revoked_connection_asks_for_a_person(books):
    books.control.revoke(books.realm_id)

    with pytest.raises(errors.ReauthorizeError) as caught:
        books.client.count(INVOICE)
    assert caught.value.code == "invalid_grant"


@pytest.mark.parametrize("kind", ["500", "503_html", "reset", "malformed_json", "truncated", "lost_answer"])
def test_a_read_survives_two_failures(books, kind):
    books.fail(kind, path="query", count=2)

    assert len(books.client.query(INVOICE).records) == len(books.live(INVOICE))
    assert books.client.calls.total == 3


@pytest.mark.parametrize("kind", ["500", "503_html", "reset", "malformed_json", "truncated"])
def test_a_read_gives_up_after_three_failures(books, kind):
    books.fail(kind, path="cdc")

    with pytest.raises(errors.UnreachableError):
        books.client.changes(SYNCED, datetime.now(UTC) - timedelta(hours=1))
    assert books.client.calls.total == 3


def test_a_read_that_hangs_ends_at_its_timeout(books):
    books.fail("timeout", path="query", seconds=5)

    with (
        QuickBooksClient(
            api_url=books.control.api_url, realm_id=books.realm_id, tokens=books.tokens, read_timeout=0.3
        ) as client,
        pytest.raises(errors.UnreachableError, match="ReadTimeout"),
    ):
        client.query(INVOICE)


@pytest.mark.parametrize("as_xml", [False, True])
@pytest.mark.parametrize(("announced", "seconds"), [(None, 60), (7, 7)])
def test_throttling_is_told_with_the_time_to_wait(books, as_xml, announced, seconds):
    books.control.change_settings(books.realm_id, throttle_xml=as_xml)
    options = {} if announced is None else {"retry_after": announced}
    books.fail("429", path="query", count=1, **options)

    with pytest.raises(errors.ThrottledError) as caught:
        books.client.query(INVOICE)
    assert caught.value.retry_after == seconds
    assert books.client.calls.total == 1


def test_a_company_of_another_environment_is_a_matter_of_settings(books):
    books.fail("403_3100", path="query", count=1)

    with pytest.raises(errors.ConfigurationError, match="sandbox or production"):
        books.client.query(INVOICE)


def test_a_query_that_quickbooks_refuses_is_not_asked_again(books):
    with pytest.raises(errors.FatalError) as caught:
        books.client.query(INVOICE, where="Nonsense = '1'")
    assert caught.value.code == "4001"

    with pytest.raises(errors.FatalError) as caught:
        books.client.query(INVOICE, where="Id = = '1'")
    assert caught.value.code == "4000"
    assert books.client.calls.total == 2


def test_the_clients_counts_are_those_of_the_meter(books):
    books.control.reset_calls(books.realm_id)
    books.fail("500", path="query", count=1)

    books.client.query(TAX_CODE)
    books.client.changes(SYNCED, datetime.now(UTC) - timedelta(hours=1))

    assert books.client.calls.by_kind == {"query": 2, "cdc": 1}
    assert books.client.calls.metered == books.control.calls(books.realm_id)["metered"] == 2


def consent(app: OAuthApp, realm_id: str, state: str) -> dict[str, list[str]]:
    """Do what a person does on the consent page; return what comes back to the app."""
    url = app.authorize_url(state)
    fields = {key: values[0] for key, values in parse_qs(urlsplit(url).query).items()}
    answer = requests.post(
        url, data={**fields, "realm_id": realm_id, "decision": "connect"}, allow_redirects=False, timeout=10
    )
    assert answer.status_code in (302, 303), answer.text
    return parse_qs(urlsplit(answer.headers["Location"]).query)


def test_a_company_connects_by_consent_and_disconnects_by_revocation(books, app):
    returned = consent(app, books.realm_id, "unguessable")
    assert (returned["state"], returned["realmId"]) == (["unguessable"], [books.realm_id])

    tokens = app.exchange(returned["code"][0])
    assert tokens.expires_in == 3600
    assert tokens.refresh_hard_expires_in is not None

    app.revoke(tokens.refresh_token)
    with pytest.raises(errors.ReauthorizeError):
        app.refresh(tokens.refresh_token)
    app.revoke(tokens.refresh_token)


def test_a_code_is_good_for_one_exchange(books, app):
    code = consent(app, books.realm_id, "unguessable")["code"][0]
    app.exchange(code)

    with pytest.raises(errors.ReauthorizeError):
        app.exchange(code)


def test_a_refresh_token_is_good_for_one_refresh(books, app):
    first = books.tokens.refresh_token
    second = app.refresh(first).refresh_token

    assert second != first
    with pytest.raises(errors.ReauthorizeError, match="Incorrect or invalid refresh token"):
        app.refresh(first)


def test_wrong_keys_are_told_from_a_wrong_token(books, sandbox):
    stranger = OAuthApp(
        "sandbox-client",
        "wrong-secret",
        environment="sandbox",
        redirect_uri="http://127.0.0.1/callback",
        discovery_url=sandbox.discovery_url,
    )

    with pytest.raises(errors.ConfigurationError, match="client id or secret"):
        stranger.refresh(books.tokens.refresh_token)
    assert books.tokens.app.refresh(books.tokens.refresh_token).access_token


@pytest.mark.parametrize(
    ("kind", "error"), [("500", errors.UnreachableError), ("429", errors.ThrottledError)]
)
def test_an_outage_of_the_token_endpoint_leaves_the_refresh_token_good(books, app, kind, error):
    books.control.add_fault(kind, path="token", count=1)

    with pytest.raises(error):
        app.refresh(books.tokens.refresh_token)
    assert app.refresh(books.tokens.refresh_token).access_token


def payment_of(customer: str, amount: str, ref_num: str) -> dict[str, Any]:
    return {"CustomerRef": {"value": customer}, "TotalAmt": Decimal(amount), "PaymentRefNum": ref_num}


def test_a_payment_is_created_once_however_often_it_is_sent(books):
    customer = min(books.live(CUSTOMER))
    payload = payment_of(customer, "25.10", "PF-ONCE")

    first, second = (books.client.create("Payment", payload, request_id="pf-p-1") for _ in range(2))
    third = books.client.create("Payment", payload, request_id="pf-p-1-g1")

    assert first.qbo_id == second.qbo_id != third.qbo_id
    assert json.loads(first.payload) == books.live(PAYMENT)[first.qbo_id]
    found = books.by_reference("PF-ONCE")
    assert sorted(record.qbo_id for record in found) == sorted([first.qbo_id, third.qbo_id])
    assert books.client.read(PAYMENT, first.qbo_id).sync_token == first.sync_token


def test_an_answer_that_is_lost_leaves_one_payment_that_can_be_found(books):
    books.fail("lost_answer", path="payment", count=1)

    with pytest.raises(errors.UnreachableError):
        books.client.create(
            "Payment", payment_of(min(books.live(CUSTOMER)), "9", "PF-LOST"), request_id="pf-p-2"
        )

    (found,) = books.by_reference("PF-LOST")
    assert payload(found)["TotalAmt"] == 9


def test_a_payment_is_voided_unless_it_changed_meanwhile(books):
    created = books.client.create(
        "Payment", payment_of(min(books.live(CUSTOMER)), "9", "PF-VOID"), request_id="pf-p-3"
    )

    with pytest.raises(errors.RejectedError, match="changed in QuickBooks"):
        books.client.void_payment(created.qbo_id, created.sync_token + 7, request_id="pf-pv-3")
    voided = books.client.void_payment(created.qbo_id, created.sync_token, request_id="pf-pv-3-g1")

    assert voided.sync_token > created.sync_token
    assert json.loads(voided.payload)["TotalAmt"] == 0
    assert books.live(PAYMENT)[created.qbo_id]["PrivateNote"].startswith("Voided")


def test_a_deleted_payment_is_gone(books):
    created = books.client.create(
        "Payment", payment_of(min(books.live(CUSTOMER)), "9", "PF-GONE"), request_id="pf-p-4"
    )

    books.client.delete("Payment", created.qbo_id, created.sync_token, request_id="pf-pv-4")

    assert created.qbo_id in books.deleted(PAYMENT)
    with pytest.raises(errors.NotFoundError):
        books.client.read(PAYMENT, created.qbo_id)
