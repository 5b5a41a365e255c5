from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.quick_start import let_an_hour_pass
from tests.support.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.bookkeeper import Bookkeeper
    from tests.support.workbench import Workbench


@pytest.fixture
def reading(bench: Workbench, keep_books: Callable[..., Bookkeeper]) -> Reading:
    return Reading.begin(bench, keep_books)


FAULTS = ["unprintable", "inactive"]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_sync_and_a_verdict_name_it_and_take_in_the_others(reading: Reading, fault: str):
    for invoice in (reading.odd, reading.good):
        reading.books.change("Invoice", invoice, PrivateNote="changed")
    late = reading.books.invoice(reading.customer, "7")
    reading.bench.sandbox.poison(reading.company.realm_id, "Invoice", reading.odd, fault)
    odd = {("invoice", reading.odd, "unreadable")}
    reading.bench.sync(reading.company)
    assert reading.problems() == odd
    assert reading.due() == {reading.odd: "100", reading.good: "100", late: "7"}
    reading.quiet()
    assert reading.bench.sync(reading.company).calls == 1
    assert reading.verdicts() == {reading.odd: "unknown", reading.good: "send"}
    assert reading.problems() == odd
    reading.bench.sandbox.serve_truth(reading.company.realm_id)
    assert reading.verdicts() == {reading.odd: "send", reading.good: "send"}
    assert reading.problems() == set()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_verdict_of_others_needs_no_sync_before(reading: Reading, fault: str):
    reading.books.change("Invoice", reading.odd, PrivateNote="changed")
    reading.bench.sandbox.poison(reading.company.realm_id, "Invoice", reading.odd, fault)
    assert reading.verdicts() == {reading.odd: "unknown", reading.good: "send"}


@pytest.mark.parametrize("entity", ["Invoice", "Customer"])
def test_an_import_names_it_and_takes_in_the_others(reading: Reading, entity: str):
    bad = {"Invoice": reading.odd, "Customer": reading.customer}[entity]
    reading.bench.sandbox.poison(reading.company.realm_id, entity, bad)
    reading.bench.db.execute("truncate staging.record, staging.unmerged")
    reading.bench.import_all(reading.company)
    assert (entity.lower(), bad, "unreadable") in reading.problems()
    staged = reading.bench.db.execute("select count(*) from staging.record where qbo_id = %s", [bad])
    assert staged.rowcount == 1


def test_it_is_tried_again_now_and_then(reading: Reading):
    reading.books.change("Invoice", reading.odd, PrivateNote="changed")
    reading.bench.sandbox.poison(reading.company.realm_id, "Invoice", reading.odd)
    reading.bench.sync(reading.company)
    reading.quiet()
    reading.bench.sandbox.serve_truth(reading.company.realm_id)
    reading.bench.sync(reading.company)
    assert reading.problems() == {("invoice", reading.odd, "unreadable")}
    let_an_hour_pass(reading.bench.db)
    reading.bench.sync(reading.company)
    assert reading.problems() == set()
