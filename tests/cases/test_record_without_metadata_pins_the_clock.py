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


@pytest.mark.parametrize("meta_data", [None, {}, {"CreateTime": "", "LastUpdatedTime": ""}])
def test_it_goes_in_and_the_next_answer_replaces_it(reading: Reading, meta_data: object):
    payment = reading.books.pay(reading.customer, "40", ("Invoice", reading.odd, "40"))
    reading.bench.sandbox.serve(reading.company.realm_id, "Payment", payment, {"MetaData": meta_data})
    reading.bench.sync(reading.company)
    assert reading.due()[reading.odd] == "60"
    reading.bench.sandbox.serve_truth(reading.company.realm_id)
    reading.bench.sync(reading.company)
    [(is_dated,)] = reading.bench.db.execute(
        "select qbo_updated_at > '2020-01-01' from staging.payment"
    ).fetchall()
    assert is_dated
    assert reading.problems() == set()
