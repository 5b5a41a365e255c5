from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.bookkeeper import Bookkeeper
    from tests.support.workbench import Workbench


@pytest.fixture
def reading(bench: Workbench, keep_books: Callable[..., Bookkeeper]) -> Reading:
    return Reading.begin(bench, keep_books)


UNREADABLE: list[dict[str, object]] = [
    {"SyncToken": ""},
    {"SyncToken": "one"},
    {"SyncToken": "99999999999"},
    {"SyncToken": []},
    {"Balance": b"NaN"},
    {"PrivateNote": b'"\\u0000"'},
    {"PrivateNote": b"[" * 30_000 + b"]" * 30_000},
]
WITHOUT_TIME: list[dict[str, object]] = [
    {"MetaData.LastUpdatedTime": "0000-00-00T00:00:00-08:00"},
    {"MetaData.LastUpdatedTime": "0001-01-01T00:00:00+08:00"},
    {"MetaData.LastUpdatedTime": ""},
]


@pytest.mark.parametrize("header", UNREADABLE, ids=lambda header: repr(header)[:30])
def test_it_is_one_problem_until_it_can_be_read(reading: Reading, header: dict[str, object]):
    reading.books.change("Invoice", reading.odd, PrivateNote="changed")
    late = reading.books.invoice(reading.customer, "7")
    reading.bench.sandbox.serve(reading.company.realm_id, "Invoice", reading.odd, header)
    odd = {("invoice", reading.odd, "unreadable")}
    for _ in range(2):
        assert reading.bench.sync(reading.company).calls == 1
        assert reading.problems() == odd
    assert reading.due() == {reading.odd: "100", reading.good: "100", late: "7"}
    assert reading.verdicts() == {reading.odd: "unknown", reading.good: "send"}
    reading.bench.import_all(reading.company)
    assert reading.problems() == odd
    reading.bench.sandbox.serve_truth(reading.company.realm_id)
    assert reading.verdicts() == {reading.odd: "send", reading.good: "send"}
    assert reading.problems() == set()


@pytest.mark.parametrize("header", WITHOUT_TIME, ids=lambda header: repr(header)[:60])
def test_a_newer_version_without_a_time_goes_in(reading: Reading, header: dict[str, object]):
    reading.books.pay(reading.customer, "100", ("Invoice", reading.odd, "100"))
    reading.bench.sandbox.serve(reading.company.realm_id, "Invoice", reading.odd, header)
    reading.bench.sync(reading.company)
    assert reading.due() == {reading.odd: "0", reading.good: "100"}
    assert reading.problems() == set()


@pytest.mark.parametrize("raw", [b"null", b"{}", b"7", b'{"Id":null}'])
def test_a_record_without_an_id_is_one_problem_too(reading: Reading, raw: bytes):
    reading.books.change("Invoice", reading.odd, PrivateNote="changed")
    reading.bench.sandbox.serve(reading.company.realm_id, "Invoice", reading.odd, raw=raw)
    for _ in range(2):
        reading.bench.sync(reading.company)
        [(entity, _, code)] = reading.problems()
        assert (entity, code) == ("invoice", "unreadable")
    assert reading.verdicts() == {reading.odd: "unknown", reading.good: "send"}
    reading.bench.sandbox.serve_truth(reading.company.realm_id)
    reading.bench.import_all(reading.company)
    assert reading.problems() == set()
