"""Sales tax of invoices and credit memos: one code per form in the US, one per line elsewhere."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox import faults
from sandbox.json_text import ZERO, amount, cents, decimal_of, plain
from sandbox.tax_pseudo_codes import PSEUDO_IDS

if TYPE_CHECKING:
    from sandbox.books import Books

NO_TAX = ("", "NON")


class Taxable(NamedTuple):
    """The amount of one line after its share of the discount, and its tax code."""

    amount: Decimal
    code: str


def tax_detail(
    books: Books, body: dict[str, Any], lines: list[Taxable], customer_code: str | None
) -> dict[str, Any]:
    """
    Return the TxnTaxDetail of a form.

    :param customer_code: the code of the customer, for a form that names none.
    :raises faults.Fault: 2500 when a code is unknown.
    """
    given = body.get("TxnTaxDetail", {})
    if body.get("GlobalTaxCalculation") == "NotApplicable":
        return {"TotalTax": ZERO}
    form_code = form_code_of(body, customer_code)
    by_code = _by_code(lines, form_code)
    if not by_code and "TotalTax" in given and not given.get("TaxLine"):
        return {"TotalTax": amount(decimal_of(given["TotalTax"]))}
    tax_lines = _tax_lines(books, by_code)
    detail: dict[str, Any] = {"TxnTaxCodeRef": {"value": form_code}} if form_code else {}
    detail["TotalTax"] = amount(sum((line["Amount"] for line in tax_lines), ZERO))
    if tax_lines:
        detail["TaxLine"] = tax_lines
    return detail


def form_code_of(body: dict[str, Any], customer_code: str | None) -> str | None:
    """Return the tax code of a whole form."""
    code: str | None = body.get("TxnTaxDetail", {}).get("TxnTaxCodeRef", {}).get("value")
    return code or customer_code


def percent_of(books: Books, line_code: str, form_code: str | None) -> Decimal:
    """
    Return the percentage that a line is taxed with.

    :raises faults.Fault: 2500 when a code is unknown.
    """
    code = _resolved(line_code, form_code)
    rates = [] if code in NO_TAX else rates_of(books, code)
    return sum((Decimal(books.get("TaxRate", rate).fields()["RateValue"]) for rate in rates), ZERO)


def _resolved(line_code: str, form_code: str | None) -> str:
    return form_code or "" if line_code in PSEUDO_IDS - {"NON"} else line_code


def _by_code(lines: list[Taxable], form_code: str | None) -> dict[str, Decimal]:
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for line in lines:
        code = _resolved(line.code, form_code)
        if code not in NO_TAX:
            totals[code] += line.amount
    return totals


def _tax_lines(books: Books, by_code: dict[str, Decimal]) -> list[dict[str, Any]]:
    by_rate: dict[str, Decimal] = defaultdict(Decimal)
    for code, taxable in by_code.items():
        for rate_id in rates_of(books, code):
            by_rate[rate_id] += taxable
    return [_tax_line(books, rate_id, taxable) for rate_id, taxable in by_rate.items()]


def rates_of(books: Books, code: str) -> list[str]:
    """
    Return the Ids of the rates that a tax code adds up.

    :raises faults.Fault: 2500 when the code is unknown.
    """
    record = books.find("TaxCode", code)
    if record is None:
        raise faults.invalid_reference("Tax Codes", code)
    details = record.fields()["SalesTaxRateList"]["TaxRateDetail"]
    return [detail["TaxRateRef"]["value"] for detail in details]


def _tax_line(books: Books, rate_id: str, taxable: Decimal) -> dict[str, Any]:
    percent = Decimal(books.get("TaxRate", rate_id).fields()["RateValue"])
    return {
        "Amount": amount(cents(taxable * percent / 100)),
        "DetailType": "TaxLineDetail",
        "TaxLineDetail": {
            "TaxRateRef": {"value": rate_id},
            "PercentBased": True,
            "TaxPercent": plain(percent),
            "NetAmountTaxable": amount(taxable),
        },
    }
