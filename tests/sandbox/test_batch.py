from __future__ import annotations

from typing import Any


def send(api: Any, items: list[dict[str, Any]], **options: str) -> list[dict[str, Any]]:
    answer = api.ok(api.call("POST", "batch", json={"BatchItemRequest": items}, params=options))
    responses: list[dict[str, Any]] = answer["BatchItemResponse"]
    return responses


def test_items_stand_on_their_own(api: Any) -> None:
    customer = {"DisplayName": "Ada"}
    answers = send(
        api,
        [
            {"bId": "a", "operation": "create", "Customer": customer},
            {"bId": "b", "operation": "create", "Customer": customer},
            {"bId": "c", "Query": "SELECT * FROM Customer"},
            {"bId": "d", "operation": "merge", "Customer": customer},
        ],
    )
    by_id = {answer["bId"]: answer for answer in answers}
    assert by_id["a"]["Customer"]["DisplayName"] == "Ada"
    assert by_id["b"]["Fault"]["Error"][0]["code"] == "6240"
    assert by_id["c"]["QueryResponse"]["maxResults"] == 1
    assert by_id["d"]["Fault"]["Error"][0]["code"] == "500"


def test_changes_can_be_asked_for_in_a_batch(demo_api: Any) -> None:
    item = {"bId": "1", "CDCQuery": {"Entities": "Term", "ChangedSince": "2100-01-01T00:00:00Z"}}
    assert send(demo_api, [item])[0]["CDCResponse"] == [{"QueryResponse": [{}]}]


def test_a_batch_has_at_most_thirty_items(api: Any) -> None:
    items = [{"bId": str(number), "Query": "SELECT * FROM Term"} for number in range(31)]
    assert len(send(api, items[:30])) == 30
    refused = api.call("POST", "batch", json={"BatchItemRequest": items})
    assert refused.json()["Fault"]["Error"][0]["code"] == "6000"


def test_a_repeated_batch_gets_the_first_answer(api: Any) -> None:
    item = {"bId": "1", "operation": "create", "Customer": {"DisplayName": "Ada"}}
    assert send(api, [item], requestid="b-1") == send(api, [item], requestid="b-1")
    assert api.query("SELECT count(*) FROM Customer") == {"totalCount": 1}


def test_with_a_requestid_the_ids_are_short(api: Any) -> None:
    item = {"bId": "12345678901", "Query": "SELECT * FROM Term"}
    assert api.call("POST", "batch", json={"BatchItemRequest": [item]}).status_code == 200
    for options in ({"requestid": "b"}, {"requestid": "b" * 37}):
        refused = api.call("POST", "batch", json={"BatchItemRequest": [item]}, params=options)
        assert refused.json()["Fault"]["Error"][0]["code"] == "6000"


def test_an_empty_batch_is_refused(api: Any) -> None:
    assert api.call("POST", "batch", json={}).json()["Fault"]["Error"][0]["code"] == "2020"


def test_items_that_are_no_items_are_refused_in_a_fault(api: Any) -> None:
    response = api.call("POST", "batch", json={"BatchItemRequest": ["text"]})
    assert response.json()["Fault"]["Error"][0]["code"] == "2010"
    answers = send(
        api, [{"bId": "1", "Query": 5}, {"bId": "2", "CDCQuery": "x"}, {"bId": "3", "operation": "create"}]
    )
    assert [answer["Fault"]["Error"][0]["code"] for answer in answers] == ["4000", "2020", "500"]
