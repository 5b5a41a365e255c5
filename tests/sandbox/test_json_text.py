from __future__ import annotations

from decimal import Decimal

import pytest

from sandbox.json_text import amount, canonical, decimal_of, decode, encode, plain


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("387", "387.0"),
        ("314.28", "314.28"),
        ("477.50", "477.5"),
        ("0.00", "0"),
        ("-5", "-5.0"),
        ("1E+3", "1000.0"),
        ("0.005", "0.01"),
    ],
)
def test_amounts_have_one_decimal_place_at_least(value: str, text: str) -> None:
    assert encode(amount(Decimal(value))).decode() == text


@pytest.mark.parametrize(
    ("value", "text"), [("275.00", "275"), ("4.50", "4.5"), ("0", "0"), ("1.0900", "1.09"), ("1E+3", "1000")]
)
def test_quantities_prices_and_rates_have_none_that_they_do_not_need(value: str, text: str) -> None:
    assert encode(plain(Decimal(value))).decode() == text


def test_amounts_are_never_floats() -> None:
    assert decode(b'{"a":0.1,"b":387.0}') == {"a": Decimal("0.1"), "b": Decimal("387.0")}


def test_what_a_client_sends_is_put_in_form() -> None:
    sent = {
        "TotalAmt": "10.50",
        "Line": [{"Amount": 3, "Detail": {"Qty": 2.0, "UnitPrice": "1.500"}}],
        "Note": "",
        "Gone": None,
    }
    assert (
        encode(canonical(sent))
        == b'{"TotalAmt":10.5,"Line":[{"Amount":3.0,"Detail":{"Qty":2,"UnitPrice":1.5}}]}'
    )


@pytest.mark.parametrize("value", ["much", "NaN", "Infinity", True, None, []])
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="not a number"):
        decimal_of(value)
