"""The lines of invoices and credit memos."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox import chart, faults, validation
from sandbox.json_text import ZERO, amount, cents, decimal_of
from sandbox.tax import Taxable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.books import Books

Line = dict[str, Any]
DETAIL_TYPES = (
    "SalesItemLineDetail",
    "SubTotalLineDetail",
    "DiscountLineDetail",
    "GroupLineDetail",
    "DescriptionOnly",
)


def complete_lines(books: Books, lines: list[Line]) -> list[Line]:
    """
    Return the lines as QuickBooks stores them: numbered, with names, a subtotal and the discount behind it.

    :raises faults.Fault: when a line breaks a rule.
    """
    for line in lines:
        validation.require(line, "DetailType")
        validation.check_enumerations(line, {"DetailType": DETAIL_TYPES})
        validation.check_lengths(line, {"Description": 4000})
    kept = [line for line in lines if line["DetailType"] not in ("SubTotalLineDetail", "DiscountLineDetail")]
    discounts = [line for line in lines if line["DetailType"] == "DiscountLineDetail"]
    used = {str(line["Id"]) for line in kept if "Id" in line}
    completed = [_complete_line(books, line, number, used) for number, line in enumerate(kept, 1)]
    subtotal = sum((decimal_of(line.get("Amount", 0)) for line in completed), ZERO)
    completed.append(
        {"Amount": amount(subtotal), "DetailType": "SubTotalLineDetail", "SubTotalLineDetail": {}}
    )
    return completed + [_complete_discount(books, line, subtotal) for line in discounts]


def _complete_line(books: Books, line: Line, number: int, used: set[str]) -> Line:
    completed = {**line, "Id": _line_id(line, number, used), "LineNum": number}
    if line["DetailType"] == "SalesItemLineDetail":
        return _complete_item_line(books, completed)
    if line["DetailType"] == "GroupLineDetail":
        return _complete_group(books, completed)
    return completed


def _line_id(line: Line, number: int, used: set[str]) -> str:
    if "Id" in line:
        return str(line["Id"])
    while str(number) in used:
        number += 1
    used.add(str(number))
    return str(number)


def _complete_item_line(books: Books, line: Line) -> Line:
    validation.require(line, "SalesItemLineDetail")
    detail = dict(line["SalesItemLineDetail"])
    if "Amount" not in line:
        raise faults.missing("Line.Amount")
    _check_amount(line, detail)
    item = validation.referenced(books, detail.get("ItemRef", {"value": "1"}), "Item")
    detail["ItemRef"] = {"value": item.id, "name": item.fields()["FullyQualifiedName"]}
    detail.setdefault("TaxCodeRef", {"value": "NON"})
    return {**line, "Amount": amount(decimal_of(line["Amount"])), "SalesItemLineDetail": detail}


def _check_amount(line: Line, detail: dict[str, Any]) -> None:
    # Intuit's own sandbox takes Qty 0 and UnitPrice 0 with an Amount (python-quickbooks' tests).
    quantity, price = (decimal_of(detail.get(name, 0)) for name in ("Qty", "UnitPrice"))
    if quantity and price and cents(quantity * price) != cents(decimal_of(line["Amount"])):
        raise faults.Fault(
            "6070",
            "Amount calculation incorrect in the request",
            f"Amount is not equal to UnitPrice * Qty. Supplied value:{line['Amount']}",
            element="",
        )


def _complete_group(books: Books, line: Line) -> Line:
    detail = line.get("GroupLineDetail", {})
    inner = [_complete_item_line(books, each) for each in detail.get("Line", [])]
    total = sum((each["Amount"] for each in inner), ZERO)
    return {**line, "Amount": amount(total), "GroupLineDetail": {**detail, "Line": inner}}


def _complete_discount(books: Books, line: Line, subtotal: Decimal) -> Line:
    detail = dict(line.get("DiscountLineDetail", {}))
    if detail.get("PercentBased"):
        value = cents(subtotal * decimal_of(detail.get("DiscountPercent", 0)) / 100)
    else:
        value = decimal_of(line.get("Amount", 0))
    if value > subtotal:
        raise faults.business("The discount cannot be more than the subtotal.")
    ref = detail.get("DiscountAccountRef")
    account = (
        chart.referenced_account(books, ref) if ref else chart.by_sub_type(books, "DiscountsRefundsGiven")
    )
    detail["DiscountAccountRef"] = chart.account_ref(books, account)
    return {"Amount": amount(value), "DetailType": "DiscountLineDetail", "DiscountLineDetail": detail}


def subtotal_of(lines: list[Line]) -> Decimal:
    """Return the sum of the lines before discount and tax."""
    return sum(
        (decimal_of(line["Amount"]) for line in lines if line["DetailType"] == "SubTotalLineDetail"), ZERO
    )


def discount_of(lines: list[Line]) -> Decimal:
    """Return the discount, a positive amount that is taken off."""
    return sum(
        (decimal_of(line["Amount"]) for line in lines if line["DetailType"] == "DiscountLineDetail"), ZERO
    )


def item_lines(lines: list[Line]) -> Iterator[Line]:
    """Return the lines that sell something, also those inside groups."""
    for line in lines:
        if line["DetailType"] == "SalesItemLineDetail":
            yield line
        elif line["DetailType"] == "GroupLineDetail":
            yield from line["GroupLineDetail"]["Line"]


def net_amounts(form: dict[str, Any]) -> list[Taxable]:
    """Return the taxable amount of each line; the discount lowers it with ApplyTaxAfterDiscount."""
    subtotal, discount = subtotal_of(form["Line"]), discount_of(form["Line"])
    share = Decimal(1)
    if form["ApplyTaxAfterDiscount"] and subtotal:
        share = (subtotal - discount) / subtotal
    return [
        Taxable(decimal_of(line["Amount"]) * share, line["SalesItemLineDetail"]["TaxCodeRef"]["value"])
        for line in item_lines(form["Line"])
    ]


def account_amounts(books: Books, lines: list[Line]) -> dict[str, Decimal]:
    """Return what the lines earn per income account, the discount negative on its own."""
    earned: dict[str, Decimal] = defaultdict(Decimal)
    for line in item_lines(lines):
        detail = line["SalesItemLineDetail"]
        ref = detail.get("ItemAccountRef") or _income_account(books, detail["ItemRef"]["value"])
        earned[ref["value"]] += decimal_of(line["Amount"])
    for line in lines:
        if line["DetailType"] == "DiscountLineDetail":
            earned[line["DiscountLineDetail"]["DiscountAccountRef"]["value"]] -= decimal_of(line["Amount"])
    return earned


def _income_account(books: Books, item_id: str) -> dict[str, Any]:
    ref: dict[str, Any] = books.get("Item", item_id).fields()["IncomeAccountRef"]
    return ref
