from __future__ import annotations

import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from include import errors
from include.quickbooks import client as quickbooks_client
from include.quickbooks.client import PAUSES, QuickBooksClient
from include.quickbooks.entities import CREDIT_MEMO, CUSTOMER, INVOICE, PAYMENT, PREFERENCES, SYNCED, TAX_CODE
from include.quickbooks.faults import TokenRejectedError
from include.quickbooks.query import window
from tests.include.quickbooks.raw_server import Answer

TIME = "2026-11-23T08:30:15.496-08:00"
SINCE = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
INVOICES = Answer(200, f'{{"QueryResponse":{{"Invoice":[{{"Id":"130","TotalAmt":387.0}}]}},"time":"{TIME}"}}')
NO_CHANGES = Answer(200, f'{{"CDCResponse":[{{"QueryResponse":[{{}}]}}],"time":"{TIME}"}}')
EXPIRED = Answer(
    401,
    json.dumps({"fault": {"error": [{"code": "3200", "detail": "Token expired: first-access-token"}]}}),
    {"www-authenticate": 'Bearer realm="Intuit", error="invalid_token"'},
)


def fault(code: str, message: str = "", status: int = 400) -> Answer:
    return Answer(status, json.dumps({"Fault": {"Error": [{"code": code, "Message": message}]}}))


def bearers(server) -> list[str]:
    return [received.headers["Authorization"] for received in server.received]


def test_changes_of_several_entities_are_one_call(server, client):
    server.answer(NO_CHANGES)

    changes = client.changes(SYNCED, SINCE)

    (received,) = server.received
    url = urlsplit(received.path)
    assert (received.method, url.path) == ("GET", "/v3/company/4620816365/cdc")
    assert parse_qs(url.query) == {
        "entities": ["Account,Customer,Invoice,CreditMemo,Payment"],
        "changedSince": ["2026-11-23T08:00:00Z"],
        "minorversion": ["75"],
    }
    assert changes.records["Payment"] == []


@pytest.mark.parametrize("asked", [[], [TAX_CODE], [INVOICE, PREFERENCES]])
def test_changes_are_not_asked_for_where_quickbooks_would_not_tell_them(server, client, asked):
    with pytest.raises(ValueError, match="cannot be asked for"):
        client.changes(asked, SINCE)
    assert server.received == []


def test_a_query_is_posted_as_text(server, client):
    server.answer(INVOICES)

    page = client.query(INVOICE, where=window(since=SINCE), start=11, size=10)

    (received,) = server.received
    assert (received.method, received.path) == ("POST", "/v3/company/4620816365/query?minorversion=75")
    assert received.headers["Content-Type"] == "application/text"
    assert received.body.decode() == (
        "SELECT * FROM Invoice WHERE MetaData.LastUpdatedTime >= '2026-11-23T08:00:00Z'"
        " STARTPOSITION 11 MAXRESULTS 10"
    )
    assert [record.payload for record in page.records] == [b'{"Id":"130","TotalAmt":387.0}']


def test_a_name_in_any_script_can_be_asked_for(server, client):
    server.answer(INVOICES)

    client.query(CUSTOMER, where="DisplayName = '株式会社 Ø'")

    assert "DisplayName = '株式会社 Ø'" in server.received[0].body.decode()


def test_every_request_says_who_asks_and_for_what(server, client):
    server.answer(NO_CHANGES)

    client.changes(SYNCED, SINCE)

    headers = server.received[0].headers
    assert headers["Authorization"] == "Bearer first-access-token"
    assert headers["Accept"] == "application/json"
    assert headers["User-Agent"] == "quickbooks-peakflo"
    assert "Content-Type" not in headers


def test_records_are_read_by_their_ids_in_one_statement(server, client):
    server.answer(INVOICES)

    client.by_ids(CREDIT_MEMO, ["73", "74"])
    client.by_ids(CUSTOMER, ["9"])

    transactions, lists = (received.body.decode() for received in server.received)
    assert transactions == (
        "SELECT * FROM CreditMemo WHERE Id IN ('73', '74') STARTPOSITION 1 MAXRESULTS 1000"
    )
    assert lists.startswith("SELECT * FROM Customer WHERE Id IN ('9') AND Active IN (true, false) ")


def test_more_ids_than_an_answer_can_hold_are_refused(server, client):
    with pytest.raises(ValueError, match="1001 ids"):
        client.by_ids(INVOICE, [str(number) for number in range(1001)])


def test_records_are_counted(server, client):
    server.answer(Answer(200, f'{{"QueryResponse":{{"totalCount":42}},"time":"{TIME}"}}'))

    assert client.count(PAYMENT) == 42
    assert server.received[0].body == b"SELECT count(*) FROM Payment"


def test_a_rejected_access_token_is_renewed_once_and_the_call_repeated(server, client, tokens):
    server.answer(EXPIRED, INVOICES)

    assert len(client.query(INVOICE).records) == 1
    assert tokens.rejected == ["first-access-token"]
    assert bearers(server) == ["Bearer first-access-token", "Bearer second-access-token"]
    assert server.received[0].body == server.received[1].body


def test_a_renewed_token_that_is_rejected_too_asks_for_a_person(server, client, tokens):
    server.answer(EXPIRED)

    with pytest.raises(errors.ReauthorizeError, match="connect the company again"):
        client.query(INVOICE)
    assert len(server.received) == 2
    assert tokens.rejected == ["first-access-token"]


def test_a_rejected_token_is_an_error_of_access_for_who_does_not_know_it(server, client):
    server.answer(EXPIRED)

    with pytest.raises(errors.FatalError) as caught:
        client.query(INVOICE)
    assert isinstance(caught.value, TokenRejectedError)


@pytest.mark.parametrize(("code", "status"), [("120", 401), ("3201", 403), ("3100", 403), ("3202", 401)])
def test_access_that_no_new_token_mends_does_not_cost_one(server, client, tokens, code, status):
    server.answer(fault(code, status=status))

    with pytest.raises(errors.FatalError):
        client.query(INVOICE)
    assert tokens.rejected == []
    assert len(server.received) == 1


class NoTokens:
    """A token endpoint that does not answer."""

    def __init__(self) -> None:
        self.asked = 0

    def current(self) -> str:
        return "first-access-token"

    def renew(self, rejected: str) -> str:
        self.asked += 1
        raise errors.UnreachableError("no answer")


def test_a_renewal_that_fails_is_not_repeated(server):
    tokens = NoTokens()
    server.answer(EXPIRED)

    with (
        QuickBooksClient(api_url=server.url, realm_id="1", tokens=tokens) as client,
        pytest.raises(errors.UnreachableError),
    ):
        client.query(INVOICE)
    assert tokens.asked == 1
    assert len(server.received) == 1


@pytest.mark.parametrize(
    "failure",
    [
        Answer(is_reset=True),
        Answer(500),
        Answer(503, "<html><title>503 Service Unavailable</title></html>"),
        Answer(200, "<html><title>Please log in</title></html>"),
        Answer(200, INVOICES.content[:-9]),
        Answer(200, INVOICES.content[:-9], length=len(INVOICES.content)),
        Answer(200),
    ],
    ids=["reset", "500", "503 as HTML", "HTML with 200", "cut off JSON", "cut off body", "empty"],
)
def test_a_read_without_a_usable_answer_is_asked_again(server, client, failure):
    server.answer(failure, failure, INVOICES)

    assert len(client.query(INVOICE).records) == 1
    assert len(server.received) == 3


def test_a_read_is_asked_three_times_at_most(server, client):
    server.answer(Answer(503, headers={"intuit_tid": "1-abc"}))

    with pytest.raises(errors.UnreachableError) as caught:
        client.changes([INVOICE], SINCE)
    assert len(server.received) == 3
    assert caught.value.intuit_tid == "1-abc"


def test_a_read_is_not_asked_again_once_its_time_is_up(server, tokens):
    never = threading.Event()
    server.answer(Answer(wait_for=never), INVOICES)

    with (
        QuickBooksClient(api_url=server.url, realm_id="1", tokens=tokens, read_timeout=0.3) as client,
        pytest.raises(errors.UnreachableError, match="ReadTimeout"),
    ):
        client.query(INVOICE)
    never.set()
    assert len(server.received) == 1


def test_pauses_between_the_attempts_of_a_read_grow_and_end_at_seconds():
    pauses = [PAUSES(SimpleNamespace(attempt_number=attempt)) for attempt in range(1, 10)]

    assert 0.2 <= pauses[0] <= 0.5
    assert 0.4 <= pauses[1] <= 0.7
    assert max(pauses) <= 5.3


def test_a_read_does_not_wait_past_its_time_to_be_asked_again(server, tokens, monkeypatch):
    monkeypatch.setattr(quickbooks_client, "PAUSES", PAUSES)
    server.answer(Answer(500), INVOICES)

    # Shorter than the wait before the second try is at least.
    with (
        QuickBooksClient(api_url=server.url, realm_id="1", tokens=tokens, read_timeout=0.19) as client,
        pytest.raises(errors.UnreachableError),
    ):
        client.query(INVOICE)
    assert len(server.received) == 1


def test_nobody_listening_is_an_unreachable_quickbooks(tokens):
    with (
        QuickBooksClient(api_url="http://127.0.0.1:1", realm_id="1", tokens=tokens) as client,
        pytest.raises(errors.UnreachableError, match="check the network"),
    ):
        client.query(INVOICE)


def test_an_unreadable_answer_carries_intuits_transaction_id(server, client):
    server.answer(Answer(200, "{", {"intuit_tid": "1-abc"}))

    with pytest.raises(errors.UnreachableError, match="not readable") as caught:
        client.query(INVOICE)
    assert caught.value.intuit_tid == "1-abc"


def test_a_fault_inside_a_success_is_that_fault(server, client):
    server.answer(fault("4001", "QueryValidationError", status=200))

    with pytest.raises(errors.FatalError, match="QueryValidationError"):
        client.query(INVOICE)
    assert len(server.received) == 1


def test_a_429_is_not_waited_out_by_the_client(server, client):
    server.answer(Answer(429, headers={"Retry-After": "17"}))

    with pytest.raises(errors.ThrottledError) as caught:
        client.query(INVOICE)
    assert caught.value.retry_after == 17
    assert len(server.received) == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (fault("4001", "QueryValidationError"), errors.FatalError),
        (fault("610", "Object Not Found"), errors.NotFoundError),
        (fault("500", "changedSince date is older than fixed days"), errors.ChangesExpiredError),
        (Answer(404, "<html></html>"), errors.ConfigurationError),
    ],
)
def test_a_refusal_is_not_asked_again(server, client, answer, error):
    server.answer(answer)

    with pytest.raises(error):
        client.changes([INVOICE], SINCE)
    assert len(server.received) == 1


def test_every_request_is_counted_and_answered_ones_are_metered(server, client):
    server.answer(EXPIRED, Answer(503), INVOICES, NO_CHANGES)

    client.query(INVOICE)
    client.changes([INVOICE], SINCE)

    assert client.calls.by_kind == {"query": 3, "cdc": 1}
    assert (client.calls.total, client.calls.metered) == (4, 2)
    assert client.calls.seconds > 0


def test_a_request_without_an_answer_is_counted(server, client):
    server.answer(Answer(is_reset=True))

    with pytest.raises(errors.UnreachableError):
        client.count(INVOICE)
    assert (client.calls.total, client.calls.metered) == (3, 0)


class Tickets:
    """A limiter that counts."""

    def __init__(self) -> None:
        self.taken = 0

    def acquire(self) -> None:
        self.taken += 1


def test_each_request_takes_its_place_at_the_limiter_repeated_ones_too(server, tokens):
    tickets = Tickets()
    server.answer(EXPIRED, Answer(500), INVOICES)

    with QuickBooksClient(api_url=server.url, realm_id="1", tokens=tokens, limiter=tickets) as client:
        client.query(INVOICE)

    assert tickets.taken == len(server.received) == 3


def test_at_most_four_requests_are_under_way_at_once(server, client):
    gate = threading.Event()
    server.answer(Answer(200, INVOICES.body, wait_for=gate))

    with ThreadPoolExecutor(6) as threads:
        reads = [threads.submit(client.query, INVOICE) for _ in range(6)]
        assert server.receives(4, within=10)
        assert not server.receives(5, within=0.4)
        gate.set()

    assert all(read.result().records for read in reads)


@pytest.mark.parametrize("realm_id", ["", "acme", "12/../34", "１２", "-1", "1 "])
def test_a_realm_id_has_to_be_digits(tokens, realm_id):
    with pytest.raises(errors.ConfigurationError, match="digits only"):
        QuickBooksClient(api_url="https://quickbooks.example", realm_id=realm_id, tokens=tokens)


@pytest.mark.parametrize("api_url", ["", "quickbooks.example", "ftp://quickbooks.example"])
def test_an_api_url_has_to_be_an_address(tokens, api_url):
    with pytest.raises(errors.ConfigurationError, match="api_url"):
        QuickBooksClient(api_url=api_url, realm_id="1", tokens=tokens)


def test_a_slash_at_the_end_of_the_address_does_not_matter(server, tokens):
    server.answer(INVOICES)

    with QuickBooksClient(api_url=f"{server.url}/", realm_id="1", tokens=tokens) as client:
        client.query(INVOICE)

    assert server.received[0].path.startswith("/v3/company/1/query")


def test_a_netrc_file_does_not_replace_the_access_token(server, client, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password something\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server.answer(INVOICES)

    client.query(INVOICE)

    assert bearers(server) == ["Bearer first-access-token"]


class OwnedSession(requests.Session):
    """A session that remembers whether it was closed."""

    is_closed = False

    def close(self) -> None:
        self.is_closed = True
        super().close()


def test_a_session_is_closed_by_its_owner(server, tokens):
    server.answer(INVOICES)

    with OwnedSession() as session:
        with QuickBooksClient(api_url=server.url, realm_id="1", tokens=tokens, session=session) as client:
            client.query(INVOICE)
        assert not session.is_closed


def test_a_call_leaves_one_line_that_says_what_support_asks_for(server, client, caplog):
    caplog.set_level(logging.DEBUG, logger="include.quickbooks")
    server.answer(Answer(200, INVOICES.body, {"intuit_tid": "1-abc"}))

    client.query(INVOICE)

    (line,) = [record.getMessage() for record in caplog.records if record.name == "include.quickbooks.client"]
    assert line.startswith("QuickBooks query: realm 4620816365, status 200, ")
    assert line.endswith("intuit_tid 1-abc")


def test_a_repeated_read_is_told_in_the_log(server, client, caplog):
    server.answer(Answer(503), INVOICES)

    client.query(INVOICE)

    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert line.startswith("Realm 4620816365: attempt 1 failed: QuickBooks has an internal error")
