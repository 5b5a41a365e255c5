from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.sandbox.conftest import Api


def test_a_quota_that_is_used_up_refuses_reads_and_takes_writes(api: Api) -> None:
    api.control.change_settings(api.realm_id, quota="used_up")
    query = {"query": "select * from Customer"}
    reads = [
        api.call("GET", "query", params=query),
        api.call("POST", "query", data=query["query"]),
        api.call("GET", "cdc", params={"entities": "Invoice", "changedSince": "2026-01-01"}),
        api.call("GET", "companyinfo/1"),
    ]
    assert [(read.status_code, read.json()["Fault"]["Error"][0]["code"]) for read in reads] == [
        (429, "3001")
    ] * 4
    customer = api.write("Customer", {"DisplayName": "Ada"})
    assert api.control.calls(api.realm_id)["metered"] == 0
    api.control.change_settings(api.realm_id, quota="left")
    assert api.read("Customer", customer["Id"])["DisplayName"] == "Ada"


def test_a_batch_reads_nothing_then_and_still_writes(api: Api) -> None:
    api.control.change_settings(api.realm_id, quota="used_up")
    items = [
        {"bId": "1", "Query": "select * from Customer"},
        {"bId": "2", "operation": "create", "Customer": {"DisplayName": "Ada"}},
    ]
    answer = api.ok(api.call("POST", "batch", json={"BatchItemRequest": items}))
    refused, written = answer["BatchItemResponse"]
    assert refused["Fault"]["Error"][0]["code"] == "3001"
    assert written["Customer"]["DisplayName"] == "Ada"
