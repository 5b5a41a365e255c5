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


TEXTS = ["x" * 3_999 + "\ud83d", "\ude00x", "\ud83d\ud83d\ude00"]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("way", ["sync", "import", "verdict"])
def test_the_record_goes_in_and_so_do_all_others(reading: Reading, text: str, way: str):
    reading.bench.sandbox.serve(
        reading.company.realm_id, "Invoice", reading.odd, {"Line.0.Description": text}
    )
    for invoice in (reading.odd, reading.good):
        reading.books.change("Invoice", invoice, PrivateNote="changed")
    if way == "verdict":
        assert reading.verdicts() == {reading.odd: "send", reading.good: "send"}
    else:
        run = reading.bench.sync if way == "sync" else reading.bench.import_all
        run(reading.company)
    statement = "select source_id, note from peakflo.invoice"
    assert dict(reading.bench.db.execute(statement).fetchall()).keys() == {reading.odd, reading.good}
    [(kept,)] = reading.bench.db.execute(
        "select payload #>> '{Line,0,Description}' from staging.invoice where qbo_id = %s", [reading.odd]
    ).fetchall()
    assert "\ufffd" in kept
    assert reading.problems() == set()
