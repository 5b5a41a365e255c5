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


@pytest.mark.parametrize("seconds", [60, 86_400])
@pytest.mark.parametrize("way", ["sync", "import", "verdict"])
def test_the_greater_sync_token_is_what_counts(reading: Reading, seconds: int, way: str):
    reading.bench.sandbox.change_settings(reading.company.realm_id, falling_times=seconds)
    reading.books.pay(reading.customer, "100", ("Invoice", reading.odd, "100"))
    if way == "verdict":
        assert reading.verdicts() == {reading.odd: "hold", reading.good: "send"}
    elif way == "sync":
        reading.bench.sync(reading.company)
    else:
        reading.bench.import_all(reading.company)
    if way != "sync" or seconds < 600:  # change data capture goes by the time, too
        assert reading.due() == {reading.odd: "0", reading.good: "100"}
