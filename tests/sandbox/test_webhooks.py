from __future__ import annotations

import hashlib
import hmac
import json
import re
from base64 import b64encode
from typing import TYPE_CHECKING, Any, get_args

import pytest
from quickbooks.client import QuickBooks

from sandbox.control import ControlError
from sandbox.odd_events import OddEvent, OddField
from tests.support.killing import wait_until
from tests.support.webhook_listener import listening

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.control import SandboxControl
    from tests.support.webhook_listener import Listener, Posted

TOKEN = "token-of-this-test"


@pytest.fixture
def listener(sandbox: SandboxControl) -> Iterator[Listener]:
    with listening() as listener:
        sandbox.change_webhooks(endpoint=listener.url, verifier_token=TOKEN, retry_seconds=[0.05, 0.05])
        yield listener
        sandbox.change_webhooks(endpoint="")


def cloud_events(posts: list[Posted]) -> list[dict[str, Any]]:
    return [event for posted in posts for event in json.loads(posted.body)]


def told(posts: list[Posted]) -> list[tuple[str, str]]:
    return [(event["type"], event["intuitentityid"]) for event in cloud_events(posts)]


def is_genuine(posted: Posted) -> bool:
    digest = hmac.new(TOKEN.encode(), posted.body, hashlib.sha256).digest()
    return posted.headers["intuit-signature"] == b64encode(digest).decode()


def customer(api: Any, name: str) -> str:
    return api.write("Customer", {"DisplayName": name})["Id"]


def sale(customer: str, amount: int = 10) -> dict[str, Any]:
    detail = {"ItemRef": {"value": "1"}}
    line = {"Amount": amount, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail}
    return {"CustomerRef": {"value": customer}, "Line": [line]}


def payment(customer: str, invoice: str, amount: int = 10) -> dict[str, Any]:
    line = {"Amount": amount, "LinkedTxn": [{"TxnId": invoice, "TxnType": "Invoice"}]}
    return {"CustomerRef": {"value": customer}, "TotalAmt": amount, "Line": [line]}


def test_a_change_is_told_as_a_cloud_event_that_intuit_could_have_sent(api: Any, listener: Listener):
    ada = customer(api, "Ada")

    [posted] = listener.wait(api.control)

    assert posted.headers["Content-Type"] == "application/cloudevents+json"
    assert is_genuine(posted)
    [event] = json.loads(posted.body)
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", event.pop("id"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", event.pop("time"))
    assert event.pop("source").startswith("intuit.")
    assert event == {
        "specversion": "1.0",
        "type": "qbo.customer.created.v1",
        "datacontenttype": "application/json",
        "intuitentityid": ada,
        "intuitaccountid": api.realm_id,
        "data": {},
    }


def test_a_change_is_told_in_the_old_format_if_a_test_wants_it(api: Any, listener: Listener):
    api.control.change_webhooks(format="legacy")
    ada = customer(api, "Ada")

    [posted] = listener.wait(api.control)

    assert posted.headers["Content-Type"] == "application/json"
    assert is_genuine(posted)
    [notification] = json.loads(posted.body)["eventNotifications"]
    assert notification["realmId"] == api.realm_id
    [entity] = notification["dataChangeEvent"]["entities"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entity.pop("lastUpdated"))
    assert entity == {"name": "Customer", "id": ada, "operation": "Create"}


@pytest.mark.parametrize("form", ["cloudevents", "legacy"])
def test_python_quickbooks_takes_the_signature_for_genuine(api: Any, listener: Listener, form: str):
    api.control.change_webhooks(format=form)
    customer(api, "Töchter & Söhne")
    [posted] = listener.wait(api.control)
    client = QuickBooks(minorversion=75)

    body, signature = posted.body.decode(), posted.headers["intuit-signature"]

    assert client.validate_webhook_signature(body, signature, TOKEN)
    assert not client.validate_webhook_signature(body, signature, "another")
    assert not client.validate_webhook_signature(body + " ", signature, TOKEN)


def test_each_operation_has_its_name_and_what_it_changes_elsewhere_is_told_too(api: Any, listener: Listener):
    ada = customer(api, "Ada")
    bill = api.write("Invoice", sale(ada))["Id"]
    listener.wait(api.control)

    paid = api.write("Payment", payment(ada, bill))
    assert told(listener.wait(api.control)) == [
        ("qbo.payment.created.v1", paid["Id"]),
        ("qbo.invoice.updated.v1", bill),
    ]

    voided = api.write("Payment", {"Id": paid["Id"], "SyncToken": paid["SyncToken"]}, operation="void")
    assert set(told(listener.wait(api.control))) == {
        ("qbo.payment.voided.v1", paid["Id"]),
        ("qbo.invoice.updated.v1", bill),
    }

    api.write("Payment", {"Id": paid["Id"], "SyncToken": voided["SyncToken"]}, operation="delete")
    assert ("qbo.payment.deleted.v1", paid["Id"]) in told(listener.wait(api.control))


def test_a_write_that_is_refused_is_not_told(api: Any, listener: Listener):
    ada = customer(api, "Ada")
    listener.wait(api.control)

    api.refusal("Invoice", sale("999"))
    api.refusal("Payment", payment(ada, "999"))

    assert listener.wait(api.control) == []


def test_the_books_that_a_company_begins_with_are_not_told(sandbox: SandboxControl, listener: Listener):
    sandbox.create_company()

    assert listener.wait(sandbox) == []


def test_random_events_are_told(sandbox: SandboxControl, listener: Listener):
    company = sandbox.create_company()
    sandbox.events(company["realm_id"], 20)

    assert len(told(listener.wait(sandbox))) >= 15


def test_a_company_that_the_app_is_not_connected_to_is_not_told(api: Any, listener: Listener):
    api.control.revoke(api.realm_id)
    api.control.events(api.realm_id, 5)

    assert listener.wait(api.control) == []


def test_changes_are_gathered_by_company_and_a_hundred_a_request(
    sandbox: SandboxControl, api: Any, listener: Listener
):
    sandbox.change_webhooks(gather_seconds=0.5)
    other = sandbox.create_company(books="empty")["realm_id"]
    ada = customer(api, "Ada")
    items = [{"bId": str(n), "operation": "create", "Invoice": sale(ada)} for n in range(30)]
    for _ in range(5):
        api.ok(api.call("POST", "batch", json={"BatchItemRequest": items}))
    sandbox.events(other, 3)

    posts = [json.loads(posted.body) for posted in listener.wait(sandbox)]

    assert {len({event["intuitaccountid"] for event in events}) for events in posts} == {1}
    assert max(map(len, posts)) <= 100
    assert len(posts) < 10
    assert sum(event["intuitaccountid"] == api.realm_id for events in posts for event in events) == 151


def test_what_is_not_answered_with_200_is_sent_again_and_holds_back_the_rest(
    sandbox: SandboxControl, api: Any
):
    with listening(lambda number: 503 if number < 2 else 200) as listener:
        sandbox.change_webhooks(endpoint=listener.url, verifier_token=TOKEN, retry_seconds=[0.1, 0.1])
        customer(api, "Ada")
        wait_until(lambda: bool(listener.posted))
        customer(api, "Bea")
        bodies = [posted.body for posted in listener.wait(sandbox)]

    assert len(bodies) == 4
    assert bodies[0] == bodies[1] == bodies[2] != bodies[3]
    assert sandbox.webhooks()["counts"] == {"answered 503": 2, "answered 200": 2}


def test_what_is_never_answered_is_given_up(sandbox: SandboxControl, api: Any):
    with listening() as listener:
        dead = listener.url
    sandbox.change_webhooks(endpoint=dead, retry_seconds=[0.01])
    customer(api, "Ada")

    wait_until(lambda: sandbox.webhooks()["is_idle"])
    assert sandbox.webhooks()["counts"] == {"unanswered": 2, "given up": 1}


def test_nobody_waits_for_the_subscriber(sandbox: SandboxControl, api: Any):
    with listening(lambda number: 503) as listener:
        sandbox.change_webhooks(endpoint=listener.url, retry_seconds=[60])
        customer(api, "Ada")
        wait_until(lambda: bool(listener.posted))

        customer(api, "Bea")

        assert sandbox.webhooks()["is_idle"] is False
        sandbox.reset()
        assert sandbox.webhooks()["is_idle"] is True


def test_a_lost_one_is_never_sent(api: Any, listener: Listener):
    api.control.add_webhook_fault("lost")
    customer(api, "Ada")
    assert listener.wait(api.control) == []

    customer(api, "Bea")
    assert len(listener.wait(api.control)) == 1


def test_a_duplicate_is_the_same_to_the_last_byte(api: Any, listener: Listener):
    api.control.add_webhook_fault("duplicate")
    customer(api, "Ada")

    first, second = listener.wait(api.control)
    assert first.body == second.body
    assert is_genuine(first)
    assert is_genuine(second)


def test_one_out_of_order_comes_behind_the_next(api: Any, listener: Listener):
    api.control.add_webhook_fault("out_of_order")
    api.control.change_webhooks(most_events=1, gather_seconds=0.3)
    ada, bea = customer(api, "Ada"), customer(api, "Bea")

    assert [qbo_id for _, qbo_id in told(listener.wait(api.control))] == [bea, ada]


def test_one_out_of_order_that_has_no_next_comes_in_the_end(api: Any, listener: Listener):
    api.control.add_webhook_fault("out_of_order")
    ada = customer(api, "Ada")

    assert [qbo_id for _, qbo_id in told(listener.wait(api.control))] == [ada]


def test_a_delayed_one_is_late(api: Any, listener: Listener):
    api.control.add_webhook_fault("delayed", seconds=0.5)
    customer(api, "Ada")

    assert listener.posted == []
    assert len(listener.wait(api.control)) == 1
    assert api.control.webhooks()["counts"]["delayed"] == 1


def test_one_with_a_wrong_signature_is_sent_again_with_the_right_one(sandbox: SandboxControl, api: Any):
    with listening(lambda number: 401 if number == 0 else 200) as listener:
        sandbox.change_webhooks(endpoint=listener.url, verifier_token=TOKEN, retry_seconds=[0.05])
        sandbox.add_webhook_fault("bad_signature")
        customer(api, "Ada")
        posts = listener.wait(sandbox)

    assert [is_genuine(posted) for posted in posts] == [False, True]


def test_faults_can_be_dropped(api: Any, listener: Listener):
    api.control.add_webhook_fault("lost", count=5)
    api.control.clear_webhook_faults()
    customer(api, "Ada")

    assert len(listener.wait(api.control)) == 1


@pytest.mark.parametrize("values", [{"form": "legacy"}, {"format": "xml"}, {"gather_seconds": "soon"}])
def test_settings_that_make_no_sense_are_refused(sandbox: SandboxControl, values: dict[str, Any]):
    with pytest.raises(ControlError) as refused:
        sandbox.change_webhooks(**values)
    assert refused.value.status == 400


def test_a_fault_that_makes_no_sense_is_refused(sandbox: SandboxControl):
    with pytest.raises(ControlError) as refused:
        sandbox.add_webhook_fault("explode")
    assert refused.value.status == 400


def merge(api: Any) -> tuple[str, str]:
    loser, survivor = customer(api, "Ada"), customer(api, "Bea")
    api.control.merge(api.realm_id, loser, survivor)
    return loser, survivor


@pytest.mark.parametrize(
    ("spelling", "operation", "field"),
    [("past", "merged", "deletedid"), ("plain", "merge", "deletedId"), ("upper", "MERGED", "DELETEDID")],
)
def test_a_merge_is_told_of_the_survivor_with_the_one_that_is_gone(
    api: Any, listener: Listener, spelling: str, operation: str, field: str
):
    api.control.change_webhooks(spelling=spelling)
    loser, survivor = merge(api)

    [event] = [each for each in cloud_events(listener.wait(api.control)) if each["data"]]

    assert event["type"].split(".")[2] == operation
    assert (event["intuitentityid"], event["data"]) == (survivor, {field: loser})


def test_a_merge_is_told_in_the_old_format(api: Any, listener: Listener):
    api.control.change_webhooks(format="legacy")
    loser, survivor = merge(api)

    told = [entity for posted in listener.wait(api.control) for entity in entities(posted)]

    [merged] = [entity for entity in told if entity["operation"] == "Merge"]
    assert (merged["id"], merged["deletedId"]) == (survivor, loser)


def test_a_void_is_spelled_as_a_test_wishes(api: Any, listener: Listener):
    paid = api.write("Payment", {"CustomerRef": {"value": customer(api, "Ada")}, "TotalAmt": 10})
    listener.wait(api.control)
    api.control.change_webhooks(spelling="plain")
    api.write("Payment", {"Id": paid["Id"], "SyncToken": paid["SyncToken"]}, operation="void")

    assert ("qbo.payment.void.v1", paid["Id"]) in told(listener.wait(api.control))


def test_an_event_may_come_alone_and_in_no_array(api: Any, listener: Listener):
    api.control.change_webhooks(single_object=True, gather_seconds=0.3)
    made = {customer(api, "Ada"), customer(api, "Bea")}

    bodies = [json.loads(posted.body) for posted in listener.wait(api.control)]

    assert {event["intuitentityid"] for event in bodies} == made


@pytest.mark.parametrize("form", ["cloudevents", "legacy"])
def test_one_request_may_tell_of_several_companies(
    sandbox: SandboxControl, api: Any, listener: Listener, form: str
):
    sandbox.change_webhooks(mixes_realms=True, gather_seconds=0.5, format=form)
    other = sandbox.create_company(books="empty")["realm_id"]
    customer(api, "Ada")
    sandbox.events(other, 3)

    [posted] = listener.wait(sandbox)

    content = json.loads(posted.body)
    if form == "legacy":
        realms = {notification["realmId"] for notification in content["eventNotifications"]}
    else:
        realms = {event["intuitaccountid"] for event in content}
    assert realms == {api.realm_id, other}


@pytest.mark.parametrize("form", ["cloudevents", "legacy"])
def test_a_request_is_as_large_as_a_test_wishes(api: Any, listener: Listener, form: str):
    api.control.change_webhooks(format=form, body_bytes=2_000_000)
    customer(api, "Ada")

    [posted] = listener.wait(api.control)

    assert 2_000_000 <= len(posted.body) < 2_000_100
    assert is_genuine(posted)


@pytest.mark.parametrize("media_type", ["application/json", "text/plain", ""])
def test_the_media_type_is_what_a_test_wishes(api: Any, listener: Listener, media_type: str):
    api.control.change_webhooks(content_type=media_type)
    customer(api, "Ada")

    [posted] = listener.wait(api.control)

    assert posted.headers["Content-Type"] == (media_type or None)


@pytest.mark.parametrize("form", ["cloudevents", "legacy"])
def test_every_oddity_leaves_the_event_that_happened(api: Any, listener: Listener, form: str):
    api.control.change_webhooks(format=form, odd=[*get_args(OddField), *get_args(OddEvent)])
    ada = customer(api, "Ada")

    [posted] = listener.wait(api.control)

    events = json.loads(posted.body) if form == "cloudevents" else entities(posted)
    assert len(events) == 1 + len(get_args(OddEvent))
    assert events[-1]["intuitentityid" if form == "cloudevents" else "id"] == int(ada)
    assert events[-1]["time" if form == "cloudevents" else "lastUpdated"] == "soon"
    assert is_genuine(posted)


def test_an_oddity_that_makes_no_sense_is_refused(sandbox: SandboxControl):
    with pytest.raises(ControlError):
        sandbox.change_webhooks(odd=["strange"])


def entities(posted: Posted) -> list[Any]:
    [notification] = json.loads(posted.body)["eventNotifications"]
    return list(notification["dataChangeEvent"]["entities"])
