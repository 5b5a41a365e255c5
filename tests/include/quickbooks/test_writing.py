"""What the client writes, that it writes once, and what it makes of the answer."""

from __future__ import annotations

import json
import threading
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest

from include import errors
from include.quickbooks.client import QuickBooksClient
from include.quickbooks.entities import PAYMENT
from include.quickbooks.faults import TokenRejectedError
from include.quickbooks.query import quote
from include.quickbooks.writing import encode
from tests.include.quickbooks.raw_server import Answer

REALM = "/v3/company/4620816365"
PAYLOAD = {"TotalAmt": Decimal("12345678901234.10"), "PrivateNote": "naïve · 株式会社"}
CREATED = Answer(
    200,
    '{"Payment":{"TotalAmt":25.10,"Id":"147","SyncToken":"2"},"time":"2026-11-23T08:30:15.496-08:00"}',
    {"intuit_tid": "1-abc"},
)
EXPIRED = Answer(401, json.dumps({"fault": {"error": [{"code": "3200", "detail": "Token expired"}]}}))


def fault(code: str, detail: str = "", status: int = 400) -> Answer:
    return Answer(status, json.dumps({"Fault": {"Error": [{"code": code, "Detail": detail}]}}))


def create(client: QuickBooksClient, payload=PAYLOAD, request_id: str = "pf-p-1"):
    return client.create("Payment", payload, request_id=request_id)


def options(received) -> dict[str, list[str]]:
    return parse_qs(urlsplit(received.path).query)


def test_a_record_is_created_with_one_request(server, client):
    server.answer(CREATED)

    written = create(client)

    (received,) = server.received
    assert (received.method, urlsplit(received.path).path) == ("POST", f"{REALM}/payment")
    assert options(received) == {"requestid": ["pf-p-1"], "minorversion": ["75"]}
    assert received.headers["Content-Type"] == "application/json"
    assert received.body.decode() == '{"PrivateNote":"naïve · 株式会社","TotalAmt":12345678901234.10}'
    assert (written.qbo_id, written.sync_token, written.intuit_tid) == ("147", 2, "1-abc")
    assert written.payload == b'{"TotalAmt":25.10,"Id":"147","SyncToken":"2"}'


def test_bytes_are_sent_as_they_are(server, client):
    server.answer(CREATED)

    create(client, b'{"TotalAmt": 1.50}')

    assert server.received[0].body == b'{"TotalAmt": 1.50}'


def test_writes_are_counted_and_cost_nothing(server, client):
    server.answer(CREATED)

    create(client)

    assert client.calls.by_kind == {"write": 1}
    assert client.calls.metered == 0


def test_a_payment_is_voided_in_the_version_that_is_known(server, client):
    server.answer(CREATED)

    client.void_payment("147", 1, request_id="pf-pv-1")

    (received,) = server.received
    assert options(received) == {
        "operation": ["update"],
        "include": ["void"],
        "requestid": ["pf-pv-1"],
        "minorversion": ["75"],
    }
    assert json.loads(received.body) == {"Id": "147", "SyncToken": "1", "sparse": True}


def test_a_record_is_deleted_in_the_version_that_is_known(server, client):
    server.answer(Answer(200, '{"JournalEntry":{"domain":"QBO","status":"Deleted","Id":"9"},"time":"x"}'))

    written = client.delete("JournalEntry", "9", 3, request_id="pf-av-1")

    (received,) = server.received
    assert urlsplit(received.path).path == f"{REALM}/journalentry"
    assert options(received)["operation"] == ["delete"]
    assert json.loads(received.body) == {"Id": "9", "SyncToken": "3"}
    assert (written.qbo_id, written.sync_token) == ("9", 3)


def test_a_renewed_token_goes_with_the_same_request_id_and_body(server, client):
    server.answer(EXPIRED, CREATED)

    assert create(client).qbo_id == "147"

    first, second = server.received
    assert first.headers["Authorization"] != second.headers["Authorization"]
    assert (first.path, first.body) == (second.path, second.body)


def test_a_token_that_stays_rejected_ends_the_write(server, client):
    server.answer(EXPIRED)

    with pytest.raises(TokenRejectedError):
        create(client)
    assert len(server.received) == 2


@pytest.mark.parametrize(
    "answer",
    [
        Answer(is_reset=True),
        Answer(503, "<html><title>503 Service Unavailable</title></html>"),
        fault("10000", status=500),
        Answer(200, '{"Payment":{"TotalAmt":25.10,"Id"'),
        Answer(200, CREATED.body, length=500),
        Answer(200, '{"Payment":{"TotalAmt":25.10}}'),
        Answer(200, '{"Invoice":{"Id":"147","SyncToken":"0"}}'),
        Answer(200, "[]"),
        Answer(200, b"\xff\xfe"),
    ],
    ids=[
        "reset",
        "gateway",
        "system fault",
        "cut off",
        "short",
        "no Id",
        "another entity",
        "a list",
        "no text",
    ],
)
def test_a_write_without_an_answer_is_unknown_and_not_repeated(server, client, answer):
    server.answer(answer)

    with pytest.raises(errors.UnreachableError):
        create(client)
    assert len(server.received) == 1


def test_a_slow_answer_is_not_waited_for_and_not_asked_for_again(server, tokens):
    never = threading.Event()
    server.answer(Answer(200, CREATED.body, wait_for=never))
    with QuickBooksClient(api_url=server.url, realm_id="1", tokens=tokens, read_timeout=0.2) as client:
        with pytest.raises(errors.UnreachableError):
            create(client)
        never.set()
    assert len(server.received) == 1


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (fault("6210", "The account period has closed"), errors.RejectedError, "reopen the period"),
        (fault("5010", "The account period has closed"), errors.RejectedError, "reopen the period"),
        (fault("5010", "Stale Object Error"), errors.RejectedError, "newest version"),
        (fault("6140", "DocNumber=1 is assigned"), errors.RejectedError, "number is in use"),
        (fault("6000", "more than the open balance"), errors.RejectedError, "settled it"),
        (
            fault("6000", "The currency of the transaction is invalid"),
            errors.RejectedError,
            "currency differs",
        ),
        (fault("620", "TxnID Cannot Be Linked"), errors.RejectedError, "cannot be linked"),
        (fault("610", "made inactive"), errors.NotFoundError, "deleted or made inactive"),
        (fault("2500", "Invalid Reference Id"), errors.RejectedError, "inactive"),
        (fault("6540", "Deposited Transaction"), errors.RejectedError, "bank deposit"),
        (fault("6190", "trial ended"), errors.FatalError, "subscription or trial"),
        (fault("3001", status=429), errors.ThrottledError, "slow down"),
        (
            Answer(200, '{"Fault":{"Error":[{"code":"6210"}],"type":"ValidationFault"}}'),
            errors.RejectedError,
            "reopen the period",
        ),
    ],
)
def test_a_refusal_says_what_to_do_and_is_not_repeated(server, client, answer, error, words):
    server.answer(answer)

    with pytest.raises(error, match=words):
        create(client)
    assert len(server.received) == 1


@pytest.mark.parametrize("request_id", ["", "x" * 51])
def test_a_request_id_that_quickbooks_would_not_keep_is_not_sent(server, client, request_id):
    with pytest.raises(ValueError, match="request id"):
        create(client, request_id=request_id)
    assert server.received == []


def test_payments_are_found_by_their_reference_number(server, client):
    reference = "PF'X"
    server.answer(
        Answer(200, '{"QueryResponse":{"Payment":[{"Id":"147"}]},"time":"2026-11-23T08:30:15-08:00"}')
    )

    (found,) = client.query(PAYMENT, where=f"PaymentRefNum = {quote(reference)}").records

    assert found.qbo_id == "147"
    assert b"WHERE PaymentRefNum = 'PF\\'X'" in server.received[0].body


def test_a_record_that_quickbooks_lacks_is_not_found(server, client):
    server.answer(Answer(200, '{"QueryResponse":{},"time":"2026-11-23T08:30:15-08:00"}'))

    with pytest.raises(errors.NotFoundError, match="Payment 147"):
        client.read(PAYMENT, "147")


@pytest.mark.parametrize("text", ["0.10", "100", "1.0873", "99999999999999.99", "0.0000393"])
def test_a_decimal_is_written_with_its_own_digits(text):
    assert encode({"Amount": Decimal(text)}).decode() == f'{{"Amount":{text}}}'
