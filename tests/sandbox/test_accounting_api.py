from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

if TYPE_CHECKING:
    from sandbox.control import SandboxControl


def test_every_answer_has_a_transaction_id_and_the_time(api: Any) -> None:
    response = api.call("GET", "query", params={"query": "SELECT * FROM Term"})
    assert response.headers["intuit_tid"].startswith("1-")
    assert response.json()["time"][10] == "T"
    assert len(response.json()["time"]) == len("2026-11-25T06:29:06.123-08:00")
    assert requests.get(f"{api.control.base_url}/nowhere", timeout=10).headers["intuit_tid"]


def test_a_query_may_be_posted(api: Any) -> None:
    response = api.call(
        "POST", "query", data="SELECT * FROM Term", headers={"Content-Type": "application/text"}
    )
    assert response.json()["QueryResponse"]["maxResults"] == 6


def test_without_an_accept_header_the_answer_is_xml(api: Any) -> None:
    for accept in (None, "*/*", "application/xml"):
        response = api.call("GET", "companyinfo/1", headers={"Accept": accept})
        assert response.headers["content-type"].startswith("application/xml")
        assert '<IntuitResponse xmlns="http://schema.intuit.com/finance/v3" time="' in response.text
        assert '<CompanyInfo domain="QBO" sparse="false">' in response.text


def test_singles_are_read_with_and_without_their_id(api: Any) -> None:
    assert api.ok(api.call("GET", f"companyinfo/{api.realm_id}"))["CompanyInfo"]["CompanyName"] == "Empty Ltd"
    assert api.ok(api.call("GET", "preferences"))["Preferences"]["CurrencyPrefs"]["HomeCurrency"] == {
        "value": "USD"
    }


def test_a_pseudo_tax_code_can_be_read(api: Any) -> None:
    assert api.read("TaxCode", "NON")["Taxable"] is False
    assert api.call("GET", "taxcode/77").status_code == 400


def test_a_missing_record_is_610(api: Any) -> None:
    response = api.call("GET", "invoice/77")
    assert response.status_code == 400
    fault = response.json()["Fault"]
    assert (fault["type"], fault["Error"][0]["code"]) == ("ValidationFault", "610")
    assert fault["Error"][0]["Message"] == "Object Not Found"


def test_an_unknown_path_is_an_unsupported_operation(api: Any) -> None:
    response = api.call("GET", "purchaseorder/1")
    assert response.json()["Fault"]["Error"][0]["code"] == "500"


def test_a_body_that_is_no_json_is_2010(api: Any) -> None:
    response = api.call("POST", "payment", data="{nonsense")
    assert response.json()["Fault"]["Error"][0]["code"] == "2010"


def test_a_payment_can_be_voided_in_three_ways(api: Any) -> None:
    customer = api.write("Customer", {"DisplayName": "Ada"})["Id"]
    body = {"CustomerRef": {"value": customer}, "TotalAmt": 10}
    for options in (
        {"operation": "update", "include": "void"},
        {"operation": "void"},
    ):
        payment = api.write("Payment", body)
        voided = api.write("Payment", {"Id": payment["Id"], "SyncToken": "0", "sparse": True}, **options)
        assert (voided["TotalAmt"], voided["PrivateNote"], voided["SyncToken"]) == (0, "Voided", "1")
    payment = api.write("Payment", body)
    item = {
        "bId": "1",
        "operation": "update",
        "optionsData": "void",
        "Payment": {"Id": payment["Id"], "SyncToken": "0"},
    }
    answer = api.ok(api.call("POST", "batch", json={"BatchItemRequest": [item]}))
    assert answer["BatchItemResponse"][0]["Payment"]["PrivateNote"] == "Voided"


def test_a_deletion_answers_with_the_id_only(api: Any) -> None:
    customer = api.write("Customer", {"DisplayName": "Ada"})["Id"]
    payment = api.write("Payment", {"CustomerRef": {"value": customer}, "TotalAmt": 10})
    answer = api.write("Payment", {"Id": payment["Id"], "SyncToken": "0"}, operation="delete")
    assert answer == {"domain": "QBO", "status": "Deleted", "Id": payment["Id"]}


def test_a_tax_code_is_added_through_the_tax_service(api: Any) -> None:
    rates = [{"TaxRateName": "VAT", "RateValue": "20", "TaxAgencyId": "1", "TaxApplicableOn": "Sales"}]
    created = api.ok(api.call("POST", "taxservice/taxcode", json={"TaxCode": "VAT", "TaxRateDetails": rates}))
    assert api.read("TaxCode", created["TaxCodeId"])["Name"] == "VAT"


def test_an_expired_token_is_answered_in_the_gateways_lower_case(api: Any) -> None:
    api.control.expire(api.realm_id)
    response = api.call("GET", "query", params={"query": "SELECT * FROM Term"})
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == 'Bearer realm="Intuit", error="invalid_token"'
    error = response.json()["fault"]["error"][0]
    assert error["message"] == "message=AuthenticationFailed; errorCode=003200; statusCode=401"
    assert error["code"] == "3200"
    assert response.json()["fault"]["type"] == "AUTHENTICATION"
    assert isinstance(response.json()["time"], int)


def test_another_companys_token_is_answered_403(api: Any, sandbox: SandboxControl) -> None:
    other = sandbox.create_company("Other", books="empty")
    response = api.call("GET", "preferences", headers={"Authorization": f"Bearer {other['access_token']}"})
    assert response.status_code == 403
    assert response.json()["fault"]["error"][0]["code"] == "3100"
    assert response.json()["fault"]["type"] == "SERVICE"


def test_the_second_use_of_a_requestid_gets_the_first_answer(api: Any) -> None:
    customer = api.write("Customer", {"DisplayName": "Ada"})["Id"]
    body = {"CustomerRef": {"value": customer}, "TotalAmt": 10}
    first = api.call("POST", "payment", json=body, params={"requestid": "r-1"})
    second = api.call("POST", "payment", json={**body, "TotalAmt": 20}, params={"requestid": "r-1"})
    assert first.content == second.content
    payment = first.json()["Payment"]
    api.write("Payment", {"Id": payment["Id"], "SyncToken": "0"}, operation="delete")
    assert api.call("POST", "payment", json=body, params={"requestid": "r-1"}).content == first.content
    assert api.query("SELECT count(*) FROM Payment") == {"totalCount": 0}


def test_a_requestid_is_forgotten_after_its_window_or_ignored_as_set(api: Any) -> None:
    customer = api.write("Customer", {"DisplayName": "Ada"})["Id"]
    body = {"CustomerRef": {"value": customer}, "TotalAmt": 10}
    api.control.change_settings(api.realm_id, requestid_window_seconds=60)
    ids = [api.write("Payment", body, requestid="r-1")["Id"]]
    api.control.advance_clock(61)
    ids.append(api.write("Payment", body, requestid="r-1")["Id"])
    api.control.change_settings(api.realm_id, requestid_mode="ignore")
    ids.append(api.write("Payment", body, requestid="r-1")["Id"])
    assert len(set(ids)) == 3


def test_a_refusal_is_remembered_only_as_set(api: Any) -> None:
    body = {"DisplayName": "Ada"}
    api.write("Customer", body)
    assert api.refusal("Customer", body, requestid="r-1")["code"] == "6240"
    api.write("Customer", {"DisplayName": "Bob"}, requestid="r-1")
    api.control.change_settings(api.realm_id, requestid_remembers_faults=True)
    api.refusal("Customer", body, requestid="r-2")
    assert api.refusal("Customer", {"DisplayName": "Cid"}, requestid="r-2")["code"] == "6240"


def test_a_requestid_has_at_most_fifty_characters(api: Any) -> None:
    error = api.refusal("Customer", {"DisplayName": "Ada"}, requestid="x" * 51)
    assert error["Detail"].endswith("You cannot enter more than 50 characters in the request_id field")
    api.write("Customer", {"DisplayName": "Ada"}, requestid="x" * 50)


def test_eleven_requests_in_a_second_are_too_many(api: Any) -> None:
    api.control.change_settings(api.realm_id, throttle="on")
    answers = [api.call("GET", "preferences") for _ in range(11)]
    assert [answer.status_code for answer in answers].count(429) >= 1
    refused = next(answer for answer in answers if answer.status_code == 429)
    error = refused.json()["Fault"]["Error"][0]
    assert (error["code"], error["Detail"]) == ("3001", "The request limit was reached.  Try again later")
    assert error["Message"] == "message=ThrottleExceeded; errorCode=003001; statusCode=429"
    assert "Retry-After" not in refused.headers
    api.control.change_settings(api.realm_id, throttle_retry_after=7, throttle_xml=True)
    refused = next(
        answer for answer in (api.call("GET", "preferences") for _ in range(11)) if answer.status_code == 429
    )
    assert refused.headers["Retry-After"] == "7"
    assert '<Fault type="SERVICE"><Error code="3001">' in refused.text


def test_answers_take_as_long_as_set(api: Any) -> None:
    api.control.change_settings(api.realm_id, latency_ms=80)
    began = time.monotonic()
    api.call("GET", "preferences")
    assert time.monotonic() - began >= 0.08


def test_successful_reads_are_metered_and_writes_are_not(api: Any) -> None:
    api.control.reset_calls(api.realm_id)
    api.query("SELECT * FROM Invoice")
    api.changes("Invoice,Payment", _an_hour_ago())
    customer = api.write("Customer", {"DisplayName": "Ada"})
    api.read("Customer", customer["Id"])
    api.call("GET", "customer/77")
    items = [
        {"bId": "1", "Query": "SELECT * FROM Term"},
        {"bId": "2", "Query": "SELECT * FROM Item"},
        {"bId": "3", "Query": "SELECT * FROM Nothing"},
    ]
    api.call("POST", "batch", json={"BatchItemRequest": items})
    assert api.control.calls(api.realm_id) == {
        "metered": 5,
        "core": 1,
        "by_path": {
            "query:Invoice": 1,
            "cdc": 1,
            "write:Customer": 1,
            "read:Customer": 2,
            "batch": 1,
        },
        "by_status": {"200": 5, "400": 1},
    }
    api.control.reset_calls(api.realm_id)
    assert api.control.calls(api.realm_id)["by_path"] == {}


def _an_hour_ago() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3600))


@pytest.mark.parametrize(
    ("kind", "status", "content_type"),
    [
        ("500", 500, "application/json"),
        ("503_html", 503, "text/html"),
        ("429", 429, "application/json"),
        ("401", 401, "application/json"),
        ("403_3100", 403, "application/json"),
    ],
)
def test_refusals_can_be_injected(api: Any, kind: str, status: int, content_type: str) -> None:
    api.control.add_fault(kind, realm=api.realm_id, path="pref", count=1, retry_after=3)
    refused = api.call("GET", "preferences")
    assert refused.status_code == status
    assert refused.headers["content-type"].startswith(content_type)
    assert (refused.headers.get("Retry-After") == "3") is (kind == "429")
    assert api.call("GET", "preferences").status_code == 200
    assert [rule["hits"] for rule in api.control.faults()] == [1]
    api.control.clear_faults()
    assert api.control.faults() == []


def test_a_reset_connection_applies_nothing(api: Any) -> None:
    api.control.add_fault("reset", realm=api.realm_id, path="customer", method="post", count=1)
    api.control.add_hook(api.realm_id, "write:Customer", writes=[{"Term": {"Name": "Never", "DueDays": 1}}])
    with pytest.raises(requests.ConnectionError):
        api.write("Customer", {"DisplayName": "Ada"})
    assert api.query("SELECT count(*) FROM Customer") == {"totalCount": 0}
    assert api.control.calls(api.realm_id)["by_status"] == {"499": 1, "200": 1}
    assert len(api.control.hooks()) == 1


def test_a_lost_answer_has_been_applied_and_can_be_had_again(api: Any) -> None:
    api.control.add_fault("lost_answer", realm=api.realm_id, entity="Customer", method="POST", count=1)
    with pytest.raises(requests.ConnectionError):
        api.write("Customer", {"DisplayName": "Ada"}, requestid="r-1")
    assert api.write("Customer", {"DisplayName": "Ada"}, requestid="r-1")["Id"] == "1"
    assert api.query("SELECT count(*) FROM Customer") == {"totalCount": 1}


@pytest.mark.parametrize(("remembers", "booked"), [(False, 2), (True, 1)])
def test_a_write_is_carried_out_and_refused_all_the_same(api: Any, *, remembers: bool, booked: int) -> None:
    customer = api.write("Customer", {"DisplayName": "Ada"})["Id"]
    payment = {"CustomerRef": {"value": customer}, "TotalAmt": 100}
    api.control.change_settings(api.realm_id, requestid_remembers_faults=remembers)
    api.control.add_fault("refused_afterwards", realm=api.realm_id, entity="Payment", count=1)
    refusal = api.refusal("Payment", payment, requestid="r-1")
    assert (refusal["code"], refusal["Detail"][-8:]) == ("6000", "(-30003)")
    assert api.query("SELECT count(*) FROM Payment") == {"totalCount": 1}
    again = api.call("POST", "payment", json=payment, params={"requestid": "r-1"})
    assert again.status_code == (400 if remembers else 200)
    assert api.query("SELECT count(*) FROM Payment") == {"totalCount": booked}


def test_the_words_of_such_a_refusal_can_be_chosen(api: Any) -> None:
    words = {
        "code": "610",
        "message": "Object Not Found",
        "detail": "d",
        "kind": "SystemFault",
        "status": 500,
    }
    api.control.add_fault("refused_afterwards", realm=api.realm_id, method="POST", fault=words)
    answer = api.call("POST", "customer", json={"DisplayName": "Ada"})
    assert (answer.status_code, answer.json()["Fault"]["type"]) == (500, "SystemFault")
    assert api.query("SELECT count(*) FROM Customer") == {"totalCount": 1}


def test_a_hanging_call_ends_without_an_answer(api: Any) -> None:
    api.control.add_fault("timeout", realm=api.realm_id, seconds=0.3, count=1)
    with pytest.raises(requests.Timeout):
        api.session.get(f"{api.control.base_url}/v3/company/{api.realm_id}/preferences", timeout=0.1)
    api.control.add_fault("timeout", realm=api.realm_id, seconds=0.1, count=1)
    with pytest.raises(requests.ConnectionError):
        api.call("GET", "preferences")


def test_a_slow_answer_is_whole(api: Any) -> None:
    api.control.add_fault("slow", realm=api.realm_id, seconds=0.1, count=1)
    began = time.monotonic()
    assert api.call("GET", "preferences").json()["Preferences"]
    assert time.monotonic() - began >= 0.1


def test_bodies_can_be_broken(api: Any) -> None:
    api.control.add_fault("malformed_json", realm=api.realm_id, count=1)
    with pytest.raises(requests.JSONDecodeError):
        api.call("GET", "preferences").json()
    api.control.add_fault("truncated", realm=api.realm_id, count=1)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        api.call("GET", "preferences")
    assert api.call("GET", "preferences").status_code == 200


def test_a_fault_may_strike_now_and_then(api: Any) -> None:
    api.control.add_fault("500", realm=api.realm_id, probability=0.5)
    statuses = [api.call("GET", "preferences").status_code for _ in range(40)]
    assert 5 < statuses.count(500) < 35


def test_tokens_can_be_refused_too(api: Any) -> None:
    for kind, status in (("500", 500), ("429", 429), ("503_html", 503), ("401", 401)):
        api.control.add_fault(kind, path="token", count=1)
        assert _refresh(api).status_code == status
    api.control.add_fault("lost_answer", path="token", count=1)
    with pytest.raises(requests.ConnectionError):
        _refresh(api)
    refused = _refresh(api)
    assert refused.status_code == 400
    assert refused.json() == {
        "error": "invalid_grant",
        "error_description": "Incorrect or invalid refresh token",
    }


def _refresh(api: Any) -> requests.Response:
    return requests.post(
        f"{api.control.base_url}/oauth2/v1/tokens/bearer",
        data={"grant_type": "refresh_token", "refresh_token": api.refresh_token},
        auth=("sandbox-client", "sandbox-secret"),
        timeout=10,
    )


def test_two_refreshes_at_once_lose_the_connection(api: Any) -> None:
    answers: list[requests.Response] = []
    threads = [threading.Thread(target=lambda: answers.append(_refresh(api))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [200, 400]
    winner = next(answer.json() for answer in answers if answer.status_code == 200)
    api.session.headers["Authorization"] = f"Bearer {winner['access_token']}"
    assert api.call("GET", "preferences").status_code == 401


def test_books_can_change_between_two_pages(api: Any) -> None:
    for name in ("Ada", "Bob"):
        api.write("Customer", {"DisplayName": name})
    write = {"operation": "create", "Customer": {"DisplayName": "Aaron"}}
    api.control.add_hook(api.realm_id, "query:Customer", nth=2, writes=[write])
    statement = "SELECT * FROM Customer STARTPOSITION {} MAXRESULTS 1"
    pages = [api.query(statement.format(start))["Customer"][0]["DisplayName"] for start in (1, 2, 3)]
    assert pages == ["Ada", "Bob", "Bob"]
    assert api.control.hooks() == []


def test_a_hook_may_delete_or_run_events(api: Any) -> None:
    customer = api.write("Customer", {"DisplayName": "Ada"})["Id"]
    payment = api.write("Payment", {"CustomerRef": {"value": customer}, "TotalAmt": 10})["Id"]
    api.control.add_hook(api.realm_id, "cdc", delete_ids={"Payment": [payment]}, count=3)
    api.changes("Payment", _an_hour_ago())
    assert api.call("GET", f"payment/{payment}").status_code == 400
    assert api.changes("Payment", _an_hour_ago())["Payment"]["Payment"][-1]["status"] == "Deleted"
