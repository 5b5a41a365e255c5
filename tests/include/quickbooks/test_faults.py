from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from xml.sax.saxutils import escape

import pytest
import requests

from include import errors
from include.quickbooks.catalogue import TokenRejectedError, find
from include.quickbooks.faults import raise_for_answer, raise_for_fault, redact
from tests.include.quickbooks.raw_server import Answer
from tests.include.quickbooks.test_catalogue import KNOWN


def upper_json(code: str, message: str, detail: str, kind: str = "ValidationFault") -> str:
    error = {"Message": message, "Detail": detail, "code": code, "element": "TotalAmt"}
    return json.dumps({"Fault": {"Error": [error], "type": kind}, "time": "2026-11-23T08:30:15.496-08:00"})


def lower_json(code: str, message: str, detail: str, kind: str = "AUTHENTICATION") -> str:
    error = {"message": message, "detail": detail, "code": code, "element": None}
    fault = {"error": [error], "type": kind}
    return json.dumps({"warnings": None, "fault": fault, "queryResponse": None, "time": 1730024394085})


def xml(code: str, message: str, detail: str, kind: str = "SERVICE") -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
        '<IntuitResponse time="2016-12-07T15:27:09.527-08:00" xmlns="http://schema.intuit.com/finance/v3">\n'
        f'  <Fault type="{kind}">\n    <Error code="{code}" element="">\n'
        f"      <Message>{escape(message)}</Message>\n      <Detail>{escape(detail)}</Detail>\n"
        "    </Error>\n  </Fault>\n</IntuitResponse>"
    )


HTML = (
    "<!DOCTYPE html><html><head><title>503 Service Temporarily Unavailable</title></head>"
    "<body><h1>503 Service</h1><p>nginx<br></body>"
)


@pytest.fixture
def error_for(server):
    def error_for(answer: Answer, check=raise_for_answer, **options) -> errors.ReceivablesError:
        server.answer(answer)
        response = requests.get(server.url, timeout=5)
        with pytest.raises(errors.ReceivablesError) as caught:
            check(response, **options)
        return caught.value

    return error_for


@pytest.mark.parametrize("shape", [upper_json, lower_json, xml])
@pytest.mark.parametrize(("code", "text", "error"), KNOWN)
def test_a_fault_in_any_shape_says_what_the_catalogue_says(error_for, shape, code, text, error):
    status = {"3001": 429, "10000": 500, "3200": 401}.get(code, 400)

    raised = error_for(Answer(status, shape(code, "Some Message", text), {"intuit_tid": "1-abc"}))

    known = find(code, text)
    assert known is not None
    assert type(raised) is error
    assert str(raised).startswith(known.advice)
    assert text in str(raised)
    assert str(raised).endswith("(intuit_tid 1-abc)")
    assert raised.intuit_tid == "1-abc"


@pytest.mark.parametrize("code", ["610", "0610", "000610"])
def test_leading_zeros_do_not_change_a_code(error_for, code):
    raised = error_for(Answer(400, upper_json(code, "Object Not Found", "gone")))

    assert (type(raised), raised.code) == (errors.NotFoundError, "610")


@pytest.mark.parametrize("code", [None, "", 0, "0"])
def test_a_code_that_only_the_message_names_is_found(error_for, code):
    body = lower_json(code, "message=ApplicationAuthenticationFailed; errorCode=003100; statusCode=403", "")

    assert type(error_for(Answer(403, body))) is errors.ConfigurationError


def test_a_numeric_code_is_read(error_for):
    assert type(error_for(Answer(400, upper_json(610, "Object Not Found", "")))) is errors.NotFoundError


def test_several_errors_in_one_fault_are_all_told(error_for):
    body = {"Fault": {"Error": [{"code": "2020", "Message": "a"}, {"code": "2050", "Detail": "b"}]}}

    raised = error_for(Answer(400, json.dumps(body)))

    assert raised.code == "2020"
    assert "2020 a; b" in str(raised)


def test_a_fault_with_a_single_error_that_is_no_list_is_read(error_for):
    body = json.dumps({"Fault": {"Error": {"code": "610", "Message": "Object Not Found"}}})

    assert type(error_for(Answer(400, body))) is errors.NotFoundError


@pytest.mark.parametrize("shape", [upper_json, lower_json, xml])
def test_throttling_is_recognised_with_the_old_status_403_too(error_for, shape):
    message = "message=ThrottleExceeded; errorCode=003001; statusCode=403"

    raised = error_for(Answer(403, shape("3001", message, "The request limit was reached.  Try again later")))

    assert isinstance(raised, errors.ThrottledError)
    assert raised.retry_after == 60


@pytest.mark.parametrize("body", ["", "<html>Too Many Requests</html>", "{}", "[1]", '"slow down"'])
def test_a_429_asks_to_slow_down_whatever_its_body(error_for, body):
    raised = error_for(Answer(429, body))

    assert isinstance(raised, errors.ThrottledError)
    assert raised.retry_after == 60
    assert "slow down" in str(raised)


def test_retry_after_is_honoured_in_seconds(error_for):
    assert error_for(Answer(429, "", {"Retry-After": "7"})).retry_after == 7


def test_retry_after_is_honoured_as_a_date(error_for):
    in_two_minutes = format_datetime(datetime.now(UTC) + timedelta(minutes=2), usegmt=True)

    assert 100 < error_for(Answer(429, "", {"Retry-After": in_two_minutes})).retry_after <= 120


def test_retry_after_that_is_past_means_at_once(error_for):
    past = "Mon, 23 Nov 2015 08:30:15 GMT"

    assert error_for(Answer(429, "", {"Retry-After": past})).retry_after == 0


def test_retry_after_that_is_unreadable_means_a_minute(error_for):
    assert error_for(Answer(429, "", {"Retry-After": "soon"})).retry_after == 60


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, ""),
        (502, "<html><head><title>Bad Gateway</title></head></html>"),
        (503, HTML),
        (504, '{"Fault":'),
        (500, upper_json("500", "Unsupported Operation", "")),
        (400, upper_json("10000", "An application error has occurred", "", "SystemFault")),
        (400, upper_json("77", "Something internal", "", "SystemFault")),
    ],
)
def test_a_failure_on_quickbooks_side_may_pass(error_for, status, body):
    assert type(error_for(Answer(status, body))) is errors.UnreachableError


def test_a_gateways_page_is_told_by_its_title(error_for):
    assert "503 Service Temporarily Unavailable" in str(error_for(Answer(503, HTML)))


def test_an_empty_refusal_is_told_by_its_status(error_for):
    assert "HTTP 502" in str(error_for(Answer(502)))


@pytest.mark.parametrize("body", ["", "{}", "<html><title>Unauthorized</title></html>", '{"fault":null}'])
def test_a_401_without_a_fault_is_a_rejected_token(error_for, body):
    assert type(error_for(Answer(401, body))) is TokenRejectedError


def test_a_code_nobody_described_refuses_the_record_in_quickbooks_words(error_for):
    raised = error_for(Answer(400, upper_json("7777", "Odd Rule", "No Mondays")))

    assert (type(raised), raised.code) == (errors.RejectedError, "7777")
    assert "7777 Odd Rule: No Mondays" in str(raised)


def test_a_fault_without_a_code_refuses_the_record_too(error_for):
    raised = error_for(Answer(400, '{"Fault":{"Error":[{"Message":"Odd Rule"}],"type":"ValidationFault"}}'))

    assert (type(raised), raised.code) == (errors.RejectedError, "rejected")
    assert "Odd Rule" in str(raised)


def test_a_403_that_nobody_described_is_about_access_and_not_about_a_record(error_for):
    raised = error_for(Answer(403, lower_json("3999", "message=Odd", "", "AUTHORIZATION")))

    assert (type(raised), raised.code) == (errors.ConfigurationError, "3999")


@pytest.mark.parametrize(
    ("status", "body"), [(302, ""), (403, "<title>Blocked</title>"), (404, "no such page"), (400, "")]
)
def test_a_refusal_that_is_not_from_the_api_points_at_the_address(error_for, status, body):
    raised = error_for(Answer(status, body))

    assert type(raised) is errors.ConfigurationError
    assert "check api_url" in str(raised)


def test_a_success_raises_nothing(server):
    server.answer(Answer(200, '{"QueryResponse":{},"time":"2026-11-23T08:30:15Z"}'))
    response = requests.get(server.url, timeout=5)

    raise_for_answer(response)
    raise_for_fault(response)


@pytest.mark.parametrize(
    "body",
    [
        upper_json("4001", "Invalid query", "QueryValidationError"),
        '{"QueryResponse":{"Fault":{"Error":[{"code":"4001","Message":"Invalid query"}]}}}',
        '{"CDCResponse":[{"Fault":{"Error":[{"code":"4001","Message":"Invalid query"}]}}]}',
        '{"CDCResponse":[{"QueryResponse":[{},{"Fault":{"Error":[{"code":"4001"}]}}]}]}',
    ],
)
def test_a_fault_inside_a_success_is_found(error_for, body):
    assert error_for(Answer(200, body), raise_for_fault).code == "4001"


def test_what_a_person_wrote_into_a_record_is_no_fault(server):
    note = {"QueryResponse": {"Invoice": [{"Id": "1", "Fault": {"Error": [{"code": "610"}]}}]}}
    server.answer(Answer(200, json.dumps(note)))

    raise_for_fault(requests.get(server.url, timeout=5))


def test_a_detail_is_cut_to_a_length_fit_for_a_log(error_for):
    raised = error_for(Answer(400, upper_json("6000", "Long", "word " * 500)))

    assert len(str(raised)) < 500
    assert "…)" in str(raised)


@pytest.mark.parametrize(
    "text",
    [
        "Token expired: {token}",
        "Bearer {token} is not valid",
        "bad access_token={token}",
        'the refresh_token":"{token}" was rotated',
        "Malformed bearer token: {token}",
    ],
)
@pytest.mark.parametrize("token", ["eyJlbmMiOiJBMTI4.abc-_X", "AB11" + "x" * 46, "short-secret"])
def test_a_token_in_quickbooks_words_does_not_show(text, token):
    assert token not in redact(text.format(token=token))


def test_a_known_secret_does_not_show_wherever_it_stands():
    assert redact("odd words hunter2, then more", ["", "hunter2"]) == "odd words [redacted], then more"


@pytest.mark.parametrize(
    "text",
    [
        "2500 Invalid Reference Id : Accounts element id 33 not found",
        "Duplicate Document Number Error : DocNumber=1037 is assigned to TxnType=Invoice with TxnId=130",
        "id 5f0c2f5e-2a77-4cf5-9b57-3a4b6f5b1f0e",
    ],
)
def test_ordinary_words_stay(text):
    assert redact(text) == text
