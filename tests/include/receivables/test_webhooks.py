from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest

from include.receivables import webhooks
from include.receivables.webhooks import Event, RefusedDeliveryError, check_signature, parse

TOKEN = "a-verifier-token"


def sign(body: bytes, token: str = TOKEN) -> str:
    return b64encode(hmac.new(token.encode(), body, hashlib.sha256).digest()).decode()


def cloud_event(**changes: Any) -> dict[str, Any]:
    """An event as Intuit's announcement of 2025-11-12 shows it."""
    return {
        "specversion": "1.0",
        "id": "88cd52aa-33b6-4351-9aa4-47572edbd068",
        "source": "intuit.dsnBgbseACLLRZNxo2dfc4evmEJdxde58xeeYcZliOU=",
        "type": "qbo.account.created.v1",
        "datacontenttype": "application/json",
        "time": "2025-09-10T21:31:25.179851517Z",
        "intuitentityid": "1234",
        "intuitaccountid": "310687",
        "data": {},
    } | changes


def legacy(*entities: dict[str, Any], realm_id: Any = "310687") -> bytes:
    notification = {"realmId": realm_id, "dataChangeEvent": {"entities": list(entities)}}
    return json.dumps({"eventNotifications": [notification]}).encode()


def legacy_entity(**changes: Any) -> dict[str, Any]:
    return {
        "name": "Customer",
        "id": "1",
        "operation": "Create",
        "lastUpdated": "2015-10-05T14:42:19-0700",
    } | changes


def parse_cloud(*events: Any) -> webhooks.Delivery:
    return parse(json.dumps(events).encode())


def refusal(body: bytes) -> RefusedDeliveryError:
    with pytest.raises(RefusedDeliveryError) as refused:
        parse(body)
    return refused.value


def test_a_cloud_event_names_the_record_and_the_company():
    delivery = parse_cloud(cloud_event())

    assert delivery.events == [
        Event(
            event_id="88cd52aa-33b6-4351-9aa4-47572edbd068",
            realm_id="310687",
            entity="account",
            qbo_id="1234",
            operation="create",
            happened_at=datetime(2025, 9, 10, 21, 31, 25, 179851, tzinfo=UTC),
        )
    ]
    assert delivery.others == 0


@pytest.mark.parametrize(
    ("name", "entity"),
    [
        ("account", "account"),
        ("customer", "customer"),
        ("invoice", "invoice"),
        ("creditmemo", "credit_memo"),
        ("payment", "payment"),
        ("CreditMemo", "credit_memo"),
    ],
)
def test_each_entity_of_the_sync_is_known_in_both_formats(name, entity):
    [cloud] = parse_cloud(cloud_event(type=f"qbo.{name}.updated.v1")).events
    [old] = parse(legacy(legacy_entity(name=name))).events

    assert (cloud.entity, old.entity) == (entity, entity)


@pytest.mark.parametrize(
    ("past", "operation"),
    [
        ("created", "create"),
        ("updated", "update"),
        ("deleted", "delete"),
        ("voided", "void"),
        ("merged", "merge"),
        ("emailed", "email"),
        ("paused", "paused"),
    ],
)
def test_both_formats_name_an_operation_alike(past, operation):
    [cloud] = parse_cloud(cloud_event(type=f"qbo.invoice.{past}.v1")).events
    [old] = parse(legacy(legacy_entity(name="Invoice", operation=operation.title()))).events

    assert cloud.operation == old.operation == operation


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2015-10-05T14:42:19-0700", datetime(2015, 10, 5, 21, 42, 19, tzinfo=UTC)),
        ("2025-09-08T20:52:31.657Z", datetime(2025, 9, 8, 20, 52, 31, 657000, tzinfo=UTC)),
    ],
)
def test_both_ways_in_which_the_old_format_writes_times_are_read(text, moment):
    [event] = parse(legacy(legacy_entity(lastUpdated=text))).events

    assert event.happened_at == moment


def test_an_event_of_the_old_format_has_the_same_id_whenever_it_comes():
    first, second = (parse(legacy(legacy_entity())).events[0].event_id for _ in range(2))

    assert first == second
    assert len(first) == 64


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Invoice"},
        {"id": "2"},
        {"operation": "Update"},
        {"lastUpdated": "2015-10-05T14:42:20-0700"},
    ],
)
def test_events_of_the_old_format_that_differ_have_different_ids(changes):
    delivery = parse(legacy(legacy_entity(), legacy_entity(**changes)))

    assert len({event.event_id for event in delivery.events}) == 2


def test_the_same_change_in_another_company_is_another_event():
    here, there = parse(legacy(legacy_entity())), parse(legacy(legacy_entity(), realm_id="310688"))

    assert here.events[0].event_id != there.events[0].event_id


def test_one_delivery_may_name_many_records_of_several_companies():
    delivery = parse_cloud(
        *(cloud_event(id=f"e-{number}", intuitaccountid=str(number % 3)) for number in range(100))
    )

    assert len(delivery.events) == 100
    assert {event.realm_id for event in delivery.events} == {"0", "1", "2"}


def test_a_merge_names_the_record_that_is_gone_as_well():
    cloud = parse_cloud(cloud_event(type="qbo.customer.merged.v1", data={"deletedid": "77"})).events
    old = parse(legacy(legacy_entity(operation="Merge", deletedId="77"))).events

    for events in (cloud, old):
        assert [(event.operation, event.qbo_id) for event in events][1] == ("delete", "77")
        assert events[0].operation == "merge"
        assert events[0].event_id != events[1].event_id


@pytest.mark.parametrize(
    "kind", ["qbo.vendor.created.v1", "qbo.taxcode.updated.v1", "qbo.invoice", "xyz.invoice.created.v1", ""]
)
def test_what_the_sync_does_not_read_is_only_counted(kind):
    delivery = parse_cloud({"specversion": "1.0", "type": kind}, cloud_event())

    assert (len(delivery.events), delivery.others) == (1, 1)


def test_what_the_sync_does_not_read_is_only_counted_in_the_old_format():
    delivery = parse(legacy({"name": "Vendor"}, legacy_entity()))

    assert (len(delivery.events), delivery.others) == (1, 1)


def test_fields_that_intuit_adds_are_no_obstacle():
    [event] = parse_cloud(cloud_event(traceparent="00-1", data={"DisplayName": "Ada"})).events

    assert event.qbo_id == "1234"


def test_nothing_to_tell_is_nothing_wrong():
    assert parse(b"[]") == webhooks.Delivery([], 0)
    assert parse(legacy()) == webhooks.Delivery([], 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"id": ""},
        {"id": "x" * 129},
        {"id": "with\nnewline"},
        {"id": 5},
        {"intuitentityid": "12 or 1=1"},
        {"intuitentityid": "12\n"},
        {"intuitentityid": ""},
        {"intuitentityid": None},
        {"intuitentityid": "9" * 33},
        {"intuitaccountid": "acme"},
        {"intuitaccountid": 310687},
        {"time": "yesterday"},
        {"time": "2025-09-10T21:31:25"},
        {"time": 1},
        {"type": 1},
        {"type": "qbo.invoice.<script>.v1"},
        {"data": []},
        {"specversion": None},
    ],
    ids=str,
)
def test_an_event_that_cannot_be_intuits_refuses_the_delivery(changes):
    error = refusal(json.dumps([cloud_event(), cloud_event(**changes)]).encode())

    assert error.code == "malformed"
    assert "<script>" not in str(error)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"null",
        b"5",
        b'"text"',
        b"{}",
        b"[5]",
        b"[null]",
        b'[{"id": 1}]',
        b'{"eventNotifications": {}}',
        b'{"eventNotifications": [{"realmId": "1"}]}',
        b'{"eventNotifications": [{"realmId": "1", "dataChangeEvent": {"entities": [5]}}]}',
        b"\xff\xfe",
        b"[" * 100_000,
        legacy({"id": "1"}),
        legacy(legacy_entity(id="x")),
        legacy(legacy_entity(operation="")),
        legacy(legacy_entity(), realm_id="acme"),
        legacy(legacy_entity(lastUpdated="\ud800")),
    ],
    ids=range(19),
)
def test_a_body_in_neither_format_is_refused(body):
    assert refusal(body).code == "malformed"


def test_the_signature_is_that_of_the_raw_body():
    check_signature(b'[ {"spaced": 1} ]', sign(b'[ {"spaced": 1} ]'), TOKEN)

    with pytest.raises(RefusedDeliveryError) as refused:
        check_signature(b'[{"spaced":1}]', sign(b'[ {"spaced": 1} ]'), TOKEN)
    assert refused.value.code == "forged"


@pytest.mark.parametrize(
    "signature",
    ["", "x", "ä", sign(b"body", "another-token"), sign(b"body")[:-4], sign(b"body") + "=", sign(b"body ")],
)
def test_any_other_signature_is_refused_and_the_right_one_is_not_told(signature):
    with pytest.raises(RefusedDeliveryError) as refused:
        check_signature(b"body", signature, TOKEN)

    assert sign(b"body") not in str(refused.value)
    assert TOKEN not in str(refused.value)


def test_signatures_are_compared_in_constant_time(monkeypatch):
    compared = []
    compare = hmac.compare_digest

    def watched(one: Any, other: Any) -> bool:
        compared.append((len(one), len(other)))
        return compare(one, other)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    check_signature(b"body", sign(b"body"), TOKEN)

    assert compared == [(44, 44)]
