from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.quickbooks.entities import ACCOUNT, CUSTOMER, INVOICE, PAYMENT, SYNCED
from include.quickbooks.records import OLDEST, MalformedAnswerError, parse_changes, parse_count, parse_page

SERVER_TIME = datetime(2026, 11, 23, 16, 30, 15, 496000, tzinfo=UTC)
TIME = "2026-11-23T08:30:15.496-08:00"
INVOICE_JSON = (
    '{"DocNumber":"1037","TotalAmt":362.07,"Balance":0,"domain":"QBO","sparse":false,"Id":"130","SyncToken":"2",'
    '"MetaData":{"CreateTime":"2026-11-22T13:16:17-08:00","LastUpdatedTime":"2026-11-23T08:16:17-08:00"}}'
)


def page_of(*rows: str, entity: str = "Invoice", time: str = TIME) -> bytes:
    return f'{{"QueryResponse":{{"{entity}":[{",".join(rows)}],"startPosition":1}},"time":"{time}"}}'.encode()


def changes_of(*responses: str) -> bytes:
    return f'{{"CDCResponse":[{{"QueryResponse":[{",".join(responses)}]}}],"time":"{TIME}"}}'.encode()


def payments(count: int) -> str:
    return ",".join(f'{{"Id":"{number}"}}' for number in range(count))


def test_a_record_keeps_what_orders_its_versions_and_its_bytes():
    page = parse_page(page_of(INVOICE_JSON), INVOICE)

    (record,) = page.records
    assert (page.entity, page.server_time) == (INVOICE, SERVER_TIME)
    assert (record.qbo_id, record.sync_token, record.is_deleted) == ("130", 2, False)
    assert record.updated_at == datetime(2026, 11, 23, 16, 16, 17, tzinfo=UTC)
    assert record.updated_at.tzinfo is UTC
    assert record.payload == INVOICE_JSON.encode()


def test_an_answer_without_the_entity_is_an_empty_page():
    page = parse_page(f'{{"QueryResponse":{{}},"time":"{TIME}"}}'.encode(), INVOICE)

    assert (page.records, page.server_time) == ([], SERVER_TIME)


def test_another_entity_in_the_answer_is_not_taken_for_the_one_asked_for():
    assert parse_page(page_of('{"Id":"1"}', entity="Estimate"), INVOICE).records == []


@pytest.mark.parametrize(
    "header", ['"Id":"7"', '"Id":"7","SyncToken":null,"MetaData":null', '"Id":"7","MetaData":{}']
)
def test_a_record_without_version_or_time_has_the_lowest_version_and_the_oldest_time(header):
    (record,) = parse_page(page_of(f"{{{header}}}"), INVOICE).records

    assert (record.sync_token, record.updated_at, record.is_ordered) == (0, OLDEST, False)


@pytest.mark.parametrize(
    "meta_data",
    [
        '{"LastUpdatedTime":"0000-00-00T00:00:00-08:00"}',
        '{"LastUpdatedTime":"0001-01-01T00:00:00+08:00"}',
        '{"LastUpdatedTime":"9999-12-31T23:59:59-08:00"}',
        '{"LastUpdatedTime":""}',
        '{"LastUpdatedTime":1730024394085}',
        "[]",
        '"2026-11-23"',
    ],
)
def test_a_time_that_is_none_is_the_oldest(meta_data):
    page = parse_page(page_of(f'{{"Id":"7","SyncToken":"4","MetaData":{meta_data}}}', INVOICE_JSON), INVOICE)

    assert [(record.qbo_id, record.sync_token) for record in page.records] == [("7", 4), ("130", 2)]
    assert (page.records[0].updated_at, page.records[0].is_ordered, page.odd) == (OLDEST, False, [])


def test_a_deletion_without_a_time_is_as_old_as_the_answer():
    page = parse_page(page_of('{"Id":"7","status":"Deleted"}'), INVOICE)

    assert [(record.updated_at, record.is_deleted) for record in page.records] == [(SERVER_TIME, True)]


HALF = "\\ud83d"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"x{HALF}", r"x\ufffd"),
        (rf"{HALF}{HALF}\ude00", rf"\ufffd{HALF}\ude00"),
        (r"\udc00x", r"\ufffdx"),
        (rf"\\ud83d {HALF}\u0041", r"\\ud83d \ufffd\u0041"),
    ],
)
def test_half_a_surrogate_pair_is_replaced_and_nothing_else(text, kept):
    row = '{{"Id":"7","SyncToken":"1","Balance":1.10,"PrivateNote":"{}"}}'

    page = parse_page(page_of(row.format(text), INVOICE_JSON), INVOICE)

    assert [record.payload.decode() for record in page.records] == [row.format(kept), INVOICE_JSON]


ODD_ROWS = {
    '{"Id":"7","SyncToken":""}': "7",
    '{"Id":"7","SyncToken":"seven"}': "7",
    '{"Id":"7","SyncToken":true}': "7",
    '{"Id":"7","SyncToken":"-1"}': "7",
    '{"Id":"7","SyncToken":"2147483648"}': "7",
    '{"Id":"7","SyncToken":"99999999999999999999999"}': "7",
    '{"Id":"7","SyncToken":"1","Balance":NaN}': "7",
    '{"Id":"7","SyncToken":"1","Balance":01}': "7",
    '{"SyncToken":"1","Line":' + "[" * 20_000 + "]" * 20_000 + ',"Id":"7"}': "7",
    '{"DocNumber":"1037"}': None,
    '{"Id":null,"SyncToken":"1"}': None,
    '{"Id":"","SyncToken":"1"}': None,
    '{"Id":"7\\u0000","SyncToken":"1"}': None,
    '{"Id":{"value":"7"},"SyncToken":"1"}': None,
    "{}": None,
    "null": None,
    "17": None,
    '["7"]': None,
    '"7"': None,
}


@pytest.mark.parametrize("row", ODD_ROWS)
def test_a_record_that_cannot_be_read_is_told_apart_and_the_others_go_on(row):
    page = parse_page(page_of(INVOICE_JSON, row, INVOICE_JSON.replace("130", "131")), INVOICE)
    changes = parse_changes(changes_of(f'{{"Invoice":[{row},{INVOICE_JSON}]}}'), [INVOICE, PAYMENT])

    assert [record.qbo_id for record in page.records] == ["130", "131"]
    assert [record.payload.decode() for record in changes.records["Invoice"]] == [INVOICE_JSON]
    for (odd,) in (page.odd, changes.odd):
        assert (odd.entity, odd.has_id) == (INVOICE, ODD_ROWS[row] is not None)
        assert odd.qbo_id == (ODD_ROWS[row] or page.odd[0].qbo_id)
        assert odd.reason
    assert not changes.is_full


def test_an_id_that_is_a_number_is_one():
    page = parse_page(page_of('{"Id":7,"SyncToken":4}'), INVOICE)

    assert [(record.qbo_id, record.sync_token) for record in page.records] == [("7", 4)]


@pytest.mark.parametrize(("rows", "ids"), [("null", []), ("[]", []), (INVOICE_JSON, ["130"])])
def test_nothing_in_the_place_of_a_list_is_an_empty_one_and_an_object_a_list_of_one(rows, ids):
    page = parse_page(f'{{"QueryResponse":{{"Invoice":{rows}}},"time":"{TIME}"}}'.encode(), INVOICE)
    changes = parse_changes(changes_of(f'{{"Invoice":{rows}}}', "null"), [INVOICE])

    assert [record.qbo_id for record in page.records] == ids
    assert [record.qbo_id for record in changes.records["Invoice"]] == ids


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-09-10T21:31:25.179851517Z", datetime(2026, 9, 10, 21, 31, 25, 179851, tzinfo=UTC)),
        ("2026-09-10T21:31:25-0700", datetime(2026, 9, 11, 4, 31, 25, tzinfo=UTC)),
        ("2026-09-10T21:31:25+05:45", datetime(2026, 9, 10, 15, 46, 25, tzinfo=UTC)),
        ("2026-09-10T21:31:25", datetime(2026, 9, 10, 21, 31, 25, tzinfo=UTC)),
    ],
)
def test_times_of_any_precision_and_offset_become_utc(text, moment):
    row = f'{{"Id":"7","MetaData":{{"LastUpdatedTime":"{text}"}}}}'

    (record,) = parse_page(page_of(row, time=text), INVOICE).records

    assert record.updated_at == moment
    assert parse_page(page_of(time=text), INVOICE).server_time == moment


json_numbers = st.from_regex(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,4})?", fullmatch=True)


@given(st.lists(json_numbers, min_size=1), st.text())
def test_any_amount_and_text_passes_byte_for_byte(amounts, text):
    lines = ", ".join(f'{{"Amount" : {amount}}}' for amount in amounts)
    row = f'{{"Id":"7", "PrivateNote":{json.dumps(text)},\n  "Line":[{lines}], "TotalAmt":{amounts[0]} }}'

    page = parse_page(page_of(row, row), INVOICE)

    assert [record.payload for record in page.records] == [row.encode()] * 2


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_text_that_is_not_escaped_passes_byte_for_byte(text):
    row = json.dumps({"Id": "7", "DisplayName": text}, ensure_ascii=False)

    (record,) = parse_page(page_of(row), INVOICE).records

    assert record.payload == row.encode()


@given(st.integers(min_value=0))
def test_an_answer_cut_off_anywhere_is_never_taken_for_a_page(length):
    body = page_of(INVOICE_JSON)

    with pytest.raises(MalformedAnswerError, match="not readable"):
        parse_page(body[: length % len(body)], INVOICE)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Please log in</html>",
        b"null",
        b"[]",
        b'{"time":"2026-11-23T08:30:15-08:00"}',
        b'{"QueryResponse":{}}',
        b'{"QueryResponse":{},"time":"yesterday"}',
        b'{"QueryResponse":{},"time":1730024394085}',
        page_of("17").replace(b"[17]", b"17"),
    ],
)
def test_what_is_not_the_answer_of_a_query_is_malformed(body):
    with pytest.raises(MalformedAnswerError):
        parse_page(body, INVOICE)


def test_a_fault_in_the_place_of_records_is_no_empty_page():
    with pytest.raises(MalformedAnswerError, match="in the place of records"):
        parse_page(f'{{"QueryResponse":{{"Fault":{{"Error":[]}}}},"time":"{TIME}"}}'.encode(), INVOICE)


def test_a_count_is_read():
    assert parse_count(f'{{"QueryResponse":{{"totalCount":1234}},"time":"{TIME}"}}'.encode()) == 1234


def test_a_count_without_a_number_is_malformed():
    with pytest.raises(MalformedAnswerError, match="without totalCount"):
        parse_count(f'{{"QueryResponse":{{}},"time":"{TIME}"}}'.encode())


def test_changes_come_by_entity_in_whatever_place_they_stand():
    answer = changes_of(
        "{}", '{"Payment":[{"Id":"39"}],"startPosition":1,"maxResults":1}', f'{{"Invoice":[{INVOICE_JSON}]}}'
    )

    changes = parse_changes(answer, [INVOICE, PAYMENT, CUSTOMER])

    found = {name: [record.qbo_id for record in records] for name, records in changes.records.items()}
    assert found == {"Invoice": ["130"], "Payment": ["39"], "Customer": []}
    assert (changes.server_time, changes.is_full) == (SERVER_TIME, False)


def test_changes_of_one_entity_in_two_places_are_all_kept():
    changes = parse_changes(changes_of('{"Payment":[{"Id":"1"}]}', '{"Payment":[{"Id":"2"}]}'), [PAYMENT])

    assert [record.qbo_id for record in changes.records["Payment"]] == ["1", "2"]


def test_a_deleted_record_is_a_stub_with_the_time_of_its_deletion():
    stub = (
        '{"domain":"QBO","status":"Deleted","Id":"39",'
        '"MetaData":{"LastUpdatedTime":"2026-11-23T19:36:24-08:00"}}'
    )

    (record,) = parse_changes(changes_of(f'{{"Payment":[{stub}]}}'), [PAYMENT]).records["Payment"]

    assert (record.qbo_id, record.is_deleted, record.sync_token) == ("39", True, 0)
    assert record.updated_at == datetime(2026, 11, 24, 3, 36, 24, tzinfo=UTC)
    assert record.payload == stub.encode()


def test_a_void_is_no_deletion():
    (record,) = parse_changes(
        changes_of('{"Payment":[{"Id":"39","TotalAmt":0,"PrivateNote":"Voided","status":"Voided"}]}'),
        [PAYMENT],
    ).records["Payment"]

    assert not record.is_deleted


@pytest.mark.parametrize("responses", [[], ["{}"], ["{}"] * 5])
def test_no_changes_are_an_empty_answer_that_still_has_a_time(responses):
    changes = parse_changes(changes_of(*responses), SYNCED)

    assert changes.records == {entity.name: [] for entity in SYNCED}
    assert changes.server_time == SERVER_TIME


@pytest.mark.parametrize(("counts", "is_full"), [((999, 0), False), ((1000, 0), True), ((600, 400), True)])
def test_an_answer_of_a_thousand_objects_may_have_been_cut(counts, is_full):
    answer = changes_of(f'{{"Payment":[{payments(counts[0])}]}}', f'{{"Account":[{payments(counts[1])}]}}')

    assert parse_changes(answer, [PAYMENT, ACCOUNT]).is_full is is_full


@pytest.mark.parametrize(("total", "is_full"), [(2, False), (3, True)])
def test_an_answer_that_counts_more_than_it_holds_was_cut(total, is_full):
    answer = changes_of(f'{{"Payment":[{payments(2)}],"totalCount":{total}}}')

    assert parse_changes(answer, [PAYMENT]).is_full is is_full


@pytest.mark.parametrize(
    "body",
    [
        b"",
        page_of(INVOICE_JSON),
        changes_of('{"Payment":39}'),
        changes_of('{"Payment":[]}')[:-1],
        changes_of('{"Fault":{"Error":[]}}'),
        b'{"CDCResponse":[{"Fault":{"Error":[]}}],"time":"2026-11-23T08:30:15-08:00"}',
    ],
)
def test_what_is_not_the_answer_of_change_data_capture_is_malformed(body):
    with pytest.raises(MalformedAnswerError):
        parse_changes(body, [PAYMENT])
