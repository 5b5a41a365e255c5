"""JSON as QuickBooks writes it: amounts as 387.0, 314.28 and 0, other numbers as 275 and 4.5."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

import msgspec

ZERO = Decimal(0)
CENT = Decimal("0.01")
# Numbers that QuickBooks prints without a forced decimal place.
PLAIN_NUMBERS = frozenset(
    {
        "UnitPrice",
        "Qty",
        "TaxPercent",
        "DiscountPercent",
        "ExchangeRate",
        "RateValue",
        "RatePercent",
        "PurchaseCost",
        "QtyOnHand",
        "MarkupPercent",
    }
)
AMOUNTS = frozenset(
    {
        "Amount",
        "TotalAmt",
        "HomeTotalAmt",
        "Balance",
        "HomeBalance",
        "UnappliedAmt",
        "RemainingCredit",
        "TotalTax",
        "NetAmountTaxable",
        "TaxInclusiveAmt",
        "HomeTaxAmount",
        "BalanceWithJobs",
        "CurrentBalance",
        "Deposit",
        "CurrentBalanceWithSubAccounts",
    }
)

_encoder = msgspec.json.Encoder(decimal_format="number")
_decoder = msgspec.json.Decoder(float_hook=Decimal)


def encode(value: Any) -> bytes:
    """Return the JSON text of a value, with Decimals as numbers."""
    return _encoder.encode(value)


def decode(text: bytes) -> Any:
    """
    Return the value of a JSON text, with Decimals instead of floats.

    :raises msgspec.DecodeError: when the text is not JSON.
    """
    return _decoder.decode(text)


def decimal_of(value: Any) -> Decimal:
    """
    Read a number that a client sent, also as a string.

    :raises ValueError: when it is not a finite number.
    """
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"{value} is not a number") from None
    if isinstance(value, bool) or not number.is_finite():
        raise ValueError(f"{value} is not a number")
    return number


def cents(value: Decimal) -> Decimal:
    """Round an amount to two places."""
    return value.quantize(CENT, ROUND_HALF_UP)


def amount(value: Decimal) -> Decimal:
    """Return an amount in the form that prints as QuickBooks does: 387.0, 314.28, 0."""
    rounded = cents(value)
    if not rounded:
        return ZERO
    tenths = rounded.quantize(Decimal("0.1"))
    return tenths if tenths == rounded else rounded


def plain(value: Decimal) -> Decimal:
    """Return a quantity, price or rate in the form that prints without trailing zeros."""
    if value == value.to_integral_value():
        return value.quantize(Decimal(1))
    return value.normalize()


def canonical(value: Any) -> Any:
    """
    Put every number that a client sent into QuickBooks' form; null and empty texts are left out.

    python-quickbooks sends empty texts for what is not set, which QuickBooks takes for nothing.

    :raises ValueError: when an amount or a number is not one.
    """
    if isinstance(value, dict):
        return {key: _canonical_item(key, item) for key, item in value.items() if item not in (None, "")}
    if isinstance(value, list):
        return [canonical(item) for item in value]
    return value


def _canonical_item(key: str, item: Any) -> Any:
    if isinstance(item, dict | list):
        return canonical(item)
    if key in AMOUNTS:
        return amount(decimal_of(item))
    if key in PLAIN_NUMBERS:
        return plain(decimal_of(item))
    return item
