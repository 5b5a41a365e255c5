from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.control import ControlError

if TYPE_CHECKING:
    import requests

    from tests.sandbox.conftest import Api

SINCE = (datetime.now(UTC) - timedelta(days=1)).isoformat()
BATCH = {"BatchItemRequest": [{"bId": "1", "Query": "SELECT * FROM Invoice"}]}


@pytest.fixture
def invoices(api: Api) -> list[str]:
    """Three invoices of one customer."""
    customer = api.write("Customer", {"DisplayName": "Ada"})["Id"]
    return [invoice(api, customer) for _ in range(3)]


def invoice(api: Api, customer: str) -> str:
    line = {"Amount": 10, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": {"Qty": 1}}
    made: str = api.write("Invoice", {"CustomerRef": {"value": customer}, "Line": [line]})["Id"]
    return made


def answers(api: Api, record_id: str) -> list[requests.Response]:
    """Return every kind of answer that holds an invoice."""
    return [
        api.call("GET", f"invoice/{record_id}"),
        api.call("GET", "query", params={"query": "SELECT * FROM Invoice"}),
        api.call("GET", "cdc", params={"entities": "Invoice", "changedSince": SINCE}),
        api.call("POST", "batch", json=BATCH),
    ]


def test_a_property_is_answered_otherwise_wherever_the_record_is(api: Api, invoices: list[str]) -> None:
    odd = invoices[1]
    api.control.serve(
        api.realm_id,
        "Invoice",
        odd,
        {"Line.0.SalesItemLineDetail": None, "PrivateNote": "half \ud83d", "MetaData.LastUpdatedTime": ""},
        drop=["SyncToken", "MetaData.CreateTime", "CustomerRef.name", "NoSuch.thing"],
    )
    for answer in answers(api, odd):
        assert b'"PrivateNote":"half \\ud83d"' in answer.content
    shown = api.read("Invoice", odd)
    assert shown["Line"][0]["SalesItemLineDetail"] is None
    assert shown["MetaData"] == {"LastUpdatedTime": ""}
    assert "SyncToken" not in shown
    assert list(shown["CustomerRef"]) == ["value"]
    found = api.query(f"SELECT * FROM Invoice WHERE Id = '{odd}'")["Invoice"]
    assert [each["Id"] for each in found] == [odd]
    api.control.serve_truth(api.realm_id, "Invoice", odd)
    assert api.read("Invoice", odd)["SyncToken"] == "0"


def test_a_record_is_any_bytes(api: Api, invoices: list[str]) -> None:
    api.control.serve(api.realm_id, "Invoice", invoices[0], raw=b'{"Id":"\xff\x00"}')
    api.control.serve(api.realm_id, "Invoice", invoices[1], raw=b"null")
    for answer in answers(api, invoices[0]):
        assert b'{"Id":"\xff\x00"}' in answer.content
    assert api.read("Invoice", invoices[1]) is None
    truth = api.control.truth(api.realm_id, records=True)["records"]["Invoice"]
    assert [record["Id"] for record in truth] == invoices
    assert len(api.control.oddities(api.realm_id)) == 2
    api.control.reset()
    assert api.control.oddities(api.realm_id) == []


def test_an_oddity_lasts_for_so_many_answers(api: Api, invoices: list[str]) -> None:
    api.control.serve(api.realm_id, "Invoice", drop=["MetaData"], times=4)
    seen = [len([each for each in api.query("SELECT * FROM Invoice")["Invoice"] if "MetaData" in each])]
    seen.append(len([each for each in api.query("SELECT * FROM Invoice")["Invoice"] if "MetaData" in each]))
    assert seen == [0, 2]
    assert "MetaData" in api.read("Invoice", invoices[0])


def test_a_write_and_a_tombstone_are_answered_oddly_too(api: Api, invoices: list[str]) -> None:
    gone = {"Id": invoices[0], "SyncToken": "0"}
    api.control.serve(api.realm_id, "Invoice", invoices[0], {"SyncToken": ""})
    api.control.serve(api.realm_id, "Invoice", invoices[0], {"MetaData": []}, tombstone=True)
    assert api.write("Invoice", {**gone, "sparse": True, "PrivateNote": "x"})["SyncToken"] == ""
    assert api.write("Invoice", {**gone, "SyncToken": "1"}, operation="delete")["MetaData"] == []
    changed = api.changes("Invoice", SINCE)["Invoice"]["Invoice"]
    assert [each["MetaData"] for each in changed if each.get("status") == "Deleted"] == [[]]


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("unprintable", 400, "4002"),
        ("inactive", 500, "10000"),
        ({"code": "6000", "message": "m", "detail": "d", "status": 403}, 403, "6000"),
    ],
)
def test_every_answer_with_a_poisoned_record_is_a_fault(
    api: Api, invoices: list[str], fault: Any, status: int, code: str
) -> None:
    api.control.poison(api.realm_id, "Invoice", invoices[2], fault)
    read, query, changes, batch = answers(api, invoices[2])
    assert [each.status_code for each in (read, query, changes)] == [status] * 3
    assert read.json()["Fault"]["Error"][0]["code"] == code
    assert batch.json()["BatchItemResponse"][0]["Fault"]["Error"][0]["code"] == code
    assert api.query("SELECT count(*) FROM Invoice") == {"totalCount": 3}
    others = f"SELECT * FROM Invoice WHERE Id < '{invoices[2]}'"
    assert len(api.query(others)["Invoice"]) == 2
    api.control.serve_truth(api.realm_id)
    assert len(api.query("SELECT * FROM Invoice")["Invoice"]) == 3


def test_an_oddity_that_cannot_be_is_refused(api: Api) -> None:
    with pytest.raises(ControlError):
        api.control.poison(api.realm_id, "Invoice", "1", "no such fault")
