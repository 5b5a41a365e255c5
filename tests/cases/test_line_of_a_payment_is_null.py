from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.bookkeeper import Bookkeeper
    from tests.support.workbench import Workbench


@pytest.fixture
def reading(bench: Workbench, keep_books: Callable[..., Bookkeeper]) -> Reading:
    return Reading.begin(bench, keep_books)


SHAPES: dict[str, dict[str, Any]] = {
    "no list of lines": {"Line": None},
    "one line": {"Line": {"Amount": 100}},
    "a text": {"Line": "none"},
    "no list of links": {"Line.0.LinkedTxn": None},
    "one link": {"Line.0.LinkedTxn": {"TxnId": "1", "TxnType": "Invoice"}},
    "a link to no invoice": {"Line.0.LinkedTxn.0": {"TxnType": "Invoice"}},
    "a link to no deposit": {"Line.0.LinkedTxn.0": {"TxnType": "Deposit"}},
    "a link to nothing": {"Line.0.LinkedTxn.0": {"TxnId": "1"}},
    "a line that is none": {"Line.0": None},
    "a list of lines for a line": {
        "Line.0": [{"Amount": 40, "LinkedTxn": [{"TxnId": "1", "TxnType": "Invoice"}]}]
    },
    "a list of none for a line": {"Line.0": [None]},
    "a text for a line": {"Line.0": "none"},
    "a list of links for a link": {"Line.0.LinkedTxn.0": [{"TxnId": "1", "TxnType": "Invoice"}]},
    "a link that is none": {"Line.0.LinkedTxn.0": None},
    "an amount that is none": {"Line.0.Amount": "much"},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_payment_is_one_problem_and_the_cycle_goes_on(reading: Reading, shape: str):
    payment = reading.books.pay(reading.customer, "40", ("Invoice", reading.odd, "40"))
    reading.bench.sandbox.serve(reading.company.realm_id, "Payment", payment, SHAPES[shape])
    for amount in ("10", "20"):
        reading.books.pay(reading.customer, amount, ("Invoice", reading.odd, amount))
        assert reading.bench.sync(reading.company).calls == 1
        odd = set() if shape == "a line that is none" else {("payment", payment, "unmergeable")}
        assert reading.problems() == odd
    assert reading.due() == {reading.odd: "30", reading.good: "100"}
    reading.quiet()
    assert reading.bench.sync(reading.company).calls == 1
    reading.bench.sandbox.serve_truth(reading.company.realm_id)
    reading.books.change("Payment", payment, PaymentRefNum="seen")
    reading.bench.sync(reading.company)
    assert reading.problems() == set()
