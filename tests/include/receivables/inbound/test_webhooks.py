from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.quickbooks.entities import SYNCED
from include.receivables.inbound import webhooks
from include.receivables.inbound.webhooks import Event, RefusedDeliveryError, check_signature, parse

TOKEN = "a-verifier-token"
STAGED = {entity.table for entity in SYNCED}


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


def key(event: Event) -> tuple[str, str, str, str]:
    """What an event is known by when it comes again."""
    return (event.realm_id, event.event_id, event.entity, event.qbo_id)


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

    assert first == second == "create/2015-10-05T21:42:19+00:00"


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Invoice"},
        {"id": "2"},
        {"operation": "Update"},
        {"lastUpdated": "2015-10-05T14:42:20-0700"},
    ],
)
def test_events_of_the_old_format_that_differ_are_different_events(changes):
    delivery = parse(legacy(legacy_entity(), legacy_entity(**changes)))

    assert len({key(event) for event in delivery.events}) == 2


def test_the_same_change_in_another_company_is_another_event():
    here, there = parse(legacy(legacy_entity())), parse(legacy(legacy_entity(), realm_id="310688"))

    assert key(here.events[0]) != key(there.events[0])


def test_one_delivery_may_name_many_records_of_several_companies():
    delivery = parse_cloud(
        *(cloud_event(id=f"e-{number}", intuitaccountid=str(number % 3)) for number in range(100))
    )

    assert len(delivery.events) == 100
    assert {event.realm_id for event in delivery.events} == {"0", "1", "2"}


@pytest.mark.parametrize("word", ["merged", "merge", "MERGED"])
@pytest.mark.parametrize("field", ["deletedid", "deletedId", "DeletedID"])
@pytest.mark.parametrize("loser", ["77", 77])
def test_a_merge_names_the_record_that_is_gone_as_well(word: str, field: str, loser: Any):
    cloud = parse_cloud(cloud_event(type=f"qbo.customer.{word}.v1", data={field: loser})).events
    old = parse(legacy(legacy_entity(operation=word, **{field: loser}))).events

    for events, survivor in ((cloud, "1234"), (old, "1")):
        assert [(event.operation, event.qbo_id) for event in events] == [("merge", survivor), ("merge", "77")]
        assert key(events[0]) != key(events[1])


@pytest.mark.parametrize(
    "kind", ["qbo.vendor.created.v1", "qbo.taxcode.updated.v1", "qbo", "xyz.invoice.created.v1", "", 5]
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
    assert parse(b"[]") == webhooks.Delivery([])
    assert parse(legacy()) == webhooks.Delivery([])
    assert parse(b'{"eventNotifications": []}') == webhooks.Delivery([])


@pytest.mark.parametrize(
    "changes",
    [
        {"intuitentityid": 1234},
        {"intuitaccountid": 310687},
        {"data": []},
        {"data": None},
        {"data": "{}"},
        {"data": {"Name": "\ud83d", "Note": "\0"}},
        {"specversion": None},
        {"specversion": 1.0},
        {"type": "QBO.ACCOUNT.CREATED.V1"},
        {"type": "qbo.account.created"},
        {"type": "qbo.account.created.v2"},
        {"subject": "9" * 5000, "size": 10**400, "rate": 1e300},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_is_only_written_otherwise_is_understood(changes):
    plain, other = parse_cloud(cloud_event(), cloud_event(**changes)).events

    assert other == plain


@pytest.mark.parametrize(
    "time",
    [
        None,
        1,
        "",
        "yesterday",
        "2025-09-10",
        "2025-09-10T21:31:25",
        "\ud800",
        "0001-01-01T00:00:00+14:00",
        [],
        {},
        True,
    ],
)
def test_an_event_without_a_time_that_can_be_read_is_a_hint_all_the_same(time: Any):
    cloud, old = cloud_event(time=time), legacy_entity(lastUpdated=time)
    for events in (parse_cloud(cloud).events, parse(legacy(old)).events):
        assert [(event.qbo_id, event.happened_at) for event in events] in ([("1234", None)], [("1", None)])


def test_an_event_that_has_neither_time_nor_id_is_new_in_another_delivery():
    again = [parse(legacy(legacy_entity(lastUpdated=None))).events[0] for _ in range(2)]
    later = parse(legacy(legacy_entity(lastUpdated=None), legacy_entity(id="2"))).events[0]

    assert again[0] == again[1]
    assert later != again[0]


@pytest.mark.parametrize("word", [None, "", 5, "<script>", "x" * 33, "é", [], "Mer\nge"])
def test_an_operation_that_is_none_is_unknown_and_its_record_is_known(word: Any):
    kind = f"qbo.account.{word}.v1" if isinstance(word, str) else "qbo.account"
    [cloud] = parse_cloud(cloud_event(type=kind)).events
    [old] = parse(legacy(legacy_entity(operation=word))).events

    assert (cloud.operation, cloud.qbo_id) == ("unknown", "1234")
    assert (old.operation, old.qbo_id) == ("unknown", "1")


@pytest.mark.parametrize("event_id", [None, "", "x" * 129, "with\nnewline", "\ud800", [], True])
def test_an_event_whose_id_is_none_is_known_by_what_it_says(event_id: Any):
    [event] = parse_cloud(cloud_event(id=event_id)).events

    assert event.event_id == "create/2025-09-10T21:31:25.179851+00:00"


def test_two_events_of_one_id_about_different_records_are_two():
    first, second = parse_cloud(cloud_event(), cloud_event(intuitentityid="1235")).events

    assert key(first) != key(second)


ODD_IDS = ["12 or 1=1", "12\n", "", None, "9" * 33, "-1", 1.5, "١", True, ["12"], {"value": "12"}, "\ud800"]


@pytest.mark.parametrize("field", ["intuitentityid", "intuitaccountid"])
@pytest.mark.parametrize("value", ODD_IDS)
def test_an_event_that_does_not_say_which_record_is_odd_and_costs_the_others_nothing(field: str, value: Any):
    delivery = parse_cloud(cloud_event(id="1"), cloud_event(**{field: value}), cloud_event(id="2"))

    assert [event.event_id for event in delivery.events] == ["1", "2"]
    assert delivery.odd == 1


@pytest.mark.parametrize("value", ODD_IDS)
def test_an_event_of_the_old_format_that_does_not_say_which_record_is_odd(value: Any):
    delivery = parse(legacy(legacy_entity(), legacy_entity(id=value), legacy_entity(id=7)))

    assert [event.qbo_id for event in delivery.events] == ["1", "7"]
    assert delivery.odd == 1


@pytest.mark.parametrize("item", [None, 5, "text", [], {}, True, {"type": []}, {"id": "1"}, {"type": None}])
def test_what_is_no_event_is_odd_and_costs_the_others_nothing(item: Any):
    delivery = parse_cloud(cloud_event(), item)

    assert (len(delivery.events), delivery.odd) == (1, 1)


@pytest.mark.parametrize("item", [None, 5, "text", [], {}, True, {"id": "1"}, {"name": [], "id": "1"}])
def test_what_is_no_event_of_the_old_format_is_odd(item: Any):
    delivery = parse(legacy(legacy_entity(), item))

    assert (len(delivery.events), delivery.odd) == (1, 1)


@pytest.mark.parametrize(
    "notification",
    [None, 5, {}, {"realmId": "1"}, {"realmId": "1", "dataChangeEvent": None}, {"dataChangeEvent": {}}],
)
def test_an_odd_notification_costs_the_others_nothing(notification: Any):
    content = json.loads(legacy(legacy_entity()))
    content["eventNotifications"].insert(0, notification)

    delivery = parse(json.dumps(content).encode())

    assert (len(delivery.events), delivery.odd) == (1, 1)


UNREADABLE = [b'{"id": "\\q"}', b"[" * 100_000 + b"]" * 100_000, b'{"id": 1 2}', b"nul"]


@pytest.mark.parametrize("item", UNREADABLE, ids=range(len(UNREADABLE)))
def test_an_event_that_is_no_json_costs_the_others_nothing(item: bytes):
    event, entity = json.dumps(cloud_event()).encode(), json.dumps(legacy_entity()).encode()

    for body in (
        b"[%s,%s]" % (item, event),
        legacy(legacy_entity()).replace(entity, b"%s,%s" % (item, entity)),
    ):
        delivery = parse(body)
        assert (len(delivery.events), delivery.odd) == (1, 1)


def test_an_event_of_which_a_part_is_no_json_is_taken_all_the_same():
    [event] = parse(b"[%s]" % json.dumps(cloud_event()).encode().replace(b"{}", UNREADABLE[1])).events

    assert event.qbo_id == "1234"


def test_a_single_event_is_a_delivery():
    assert parse(json.dumps(cloud_event()).encode()) == parse_cloud(cloud_event())


def test_a_single_object_stands_for_a_list_of_one():
    content = {"realmId": "310687", "dataChangeEvent": {"entities": legacy_entity()}}

    delivery = parse(json.dumps({"eventNotifications": content}).encode())

    assert delivery == parse(legacy(legacy_entity()))


def test_both_formats_in_one_delivery_are_read():
    delivery = parse_cloud(cloud_event(), json.loads(legacy(legacy_entity())), None)

    assert [(event.entity, event.qbo_id) for event in delivery.events] == [
        ("account", "1234"),
        ("customer", "1"),
    ]
    assert delivery.odd == 1


def test_bytes_that_are_no_text_cost_nothing():
    body = json.dumps([cloud_event(data={"Name": "Bj?rn"}), cloud_event(id="2")]).encode()

    assert len(parse(body.replace(b"?", b"\xf6")).events) == 2
    assert parse(b"\xef\xbb\xbf" + body) == parse(body)


def test_journal_entries_wake_nobody():
    delivery = parse_cloud(cloud_event(type="qbo.journalentry.updated.v1"))

    assert (delivery.events, delivery.others) == ([], 1)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"null",
        b"5",
        b'"text"',
        b"{}",
        b'{"id": 1}',
        b'[{"id": 1}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
    ids=range(10),
)
def test_a_body_in_neither_format_is_refused(body):
    assert refusal(body).code == "malformed"


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(
        ["", "7", "12\n", "٣", "\ud83d", "a\0b", "qbo", "qbo.invoice.void.v1", "2025-09-10T21:31:25Z"]
    )
    | st.text(st.characters(codec="ascii"), max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "name", "value", "deletedId"]), inner)
    ),
    max_leaves=5,
)


@st.composite
def made_odd(draw: st.DrawFn, event: dict[str, Any]) -> Any:
    """An event with any of its fields changed, renamed or gone; or anything in its place."""
    if draw(st.integers(0, 5)) == 0:
        return draw(VALUES)
    fields = dict(event)
    for name in draw(st.sets(st.sampled_from(sorted(event)))):
        del fields[name]
        if draw(st.booleans()):
            fields[draw(st.sampled_from([name, name.upper(), name.title()]))] = draw(VALUES)
    return fields


@settings(deadline=None)
@given(st.lists(st.one_of(st.just(None), made_odd(cloud_event())), max_size=8), st.data())
def test_any_list_of_odd_cloud_events_leaves_the_good_ones(odd: list[Any], data: st.DataObject):
    good = [cloud_event(id=f"good-{number}") for number in range(3)]

    delivery = parse(json.dumps(data.draw(st.permutations([*good, *odd]))).encode())

    assert [event for event in parse_cloud(*good).events if event not in delivery.events] == []
    assert delivery.odd + delivery.others + len(delivery.events) >= len(good) + len(odd)
    assert all(storable(event) for event in delivery.events)


@settings(deadline=None)
@given(st.lists(st.one_of(st.just(None), made_odd(legacy_entity())), max_size=8), st.data())
def test_any_list_of_odd_events_of_the_old_format_leaves_the_good_ones(odd: list[Any], data: st.DataObject):
    good = [legacy_entity(id=str(number)) for number in range(3)]

    delivery = parse(legacy(*data.draw(st.permutations([*good, *odd]))))

    assert {event.qbo_id for event in delivery.events} >= {"0", "1", "2"}
    assert delivery.odd + delivery.others + len(delivery.events) >= len(good) + len(odd)
    assert all(storable(event) for event in delivery.events)


@settings(deadline=None)
@given(st.lists(st.one_of(VALUES, made_odd({"realmId": "1", "dataChangeEvent": {"entities": []}}))))
def test_any_list_of_odd_notifications_leaves_the_good_one(odd: list[Any]):
    content = json.loads(legacy(legacy_entity()))
    content["eventNotifications"] += odd

    assert parse(legacy(legacy_entity())).events[0] in parse(json.dumps(content).encode()).events


def storable(event: Event) -> bool:
    texts = (*key(event), event.operation)
    return all(text.isascii() and text.isprintable() for text in texts) and event.entity in STAGED


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
