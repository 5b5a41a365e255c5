"""
Prices that include the tax.

QuickBooks answers such lines without it: Amount and UnitPrice are net, TaxInclusiveAmt is what was entered.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox import tax
from sandbox.json_text import ZERO, amount, cents, decimal_of, plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.books import Books

Line = dict[str, Any]
_DETAIL = "SalesItemLineDetail"
_PRICE_PLACES = Decimal("0.0000001")


def is_inclusive(form: dict[str, Any]) -> bool:
    """Tell whether the prices of a form include the tax."""
    return form.get("GlobalTaxCalculation") == "TaxInclusive"


def net_lines(books: Books, lines: list[Line], form_code: str | None) -> list[Line]:
    """Return lines as they are without tax; the members of bundles too."""
    return [_net_line(books, line, form_code) for line in lines]


def _net_line(books: Books, line: Line, form_code: str | None) -> Line:
    if line.get("DetailType") == "GroupLineDetail":
        detail = line.get("GroupLineDetail", {})
        return {
            **line,
            "GroupLineDetail": {**detail, "Line": net_lines(books, detail.get("Line", []), form_code)},
        }
    detail = line.get(_DETAIL)
    if line.get("DetailType") != _DETAIL or not detail or "Amount" not in line:
        return line
    gross = decimal_of(detail.get("TaxInclusiveAmt", line["Amount"]))
    percent = tax.percent_of(books, detail.get("TaxCodeRef", {}).get("value", "NON"), form_code)
    net = gross / (1 + percent / 100)
    shown = {**detail, "TaxInclusiveAmt": amount(gross)}
    quantity = decimal_of(detail.get("Qty", 0))
    if quantity and "UnitPrice" in detail:
        shown["UnitPrice"] = plain((net / quantity).quantize(_PRICE_PLACES))
    return {**line, "Amount": amount(cents(net)), _DETAIL: shown}


def fit_tax(form: dict[str, Any], lines: Iterable[Line]) -> None:
    """Let net amounts and tax add up to what was entered; a cent that rounding leaves goes to the largest tax."""
    gap = sum(
        (decimal_of(line[_DETAIL]["TaxInclusiveAmt"]) - decimal_of(line["Amount"]) for line in lines), ZERO
    )
    detail = form["TxnTaxDetail"]
    gap -= decimal_of(detail["TotalTax"])
    if gap and detail.get("TaxLine"):
        largest = max(detail["TaxLine"], key=lambda line: Decimal(line["Amount"]))
        largest["Amount"] = amount(decimal_of(largest["Amount"]) + gap)
        detail["TotalTax"] = amount(decimal_of(detail["TotalTax"]) + gap)
