from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.staged import Staged, staged_company

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

Json = dict[str, Any]

NOTHING = Decimal(0)
AMOUNTS = st.decimals("-500", "2000", places=2)


@pytest.fixture
def books(db: psycopg.Connection) -> Iterator[Staged]:
    with staged_company(db) as books:
        yield books


def invoice(*lines: Json, total: Any, **more: Any) -> Json:
    return {
        "Id": "5",
        "CustomerRef": {"value": "1"},
        "TotalAmt": total,
        "Balance": total,
        "Line": lines,
        **more,
    }


def item(amount: Any, text: str = "", **detail: Any) -> Json:
    detail = {"ItemRef": {"value": "7"}, **detail}
    return {
        "Amount": amount,
        "Description": text,
        "DetailType": "SalesItemLineDetail",
        "SalesItemLineDetail": detail,
    }


def bundle(amount: Any, **detail: Any) -> Json:
    detail = {"GroupItemRef": {"value": "9"}, "Quantity": 2, **detail}
    return {
        "Amount": amount,
        "Description": "a kit",
        "DetailType": "GroupLineDetail",
        "GroupLineDetail": detail,
    }


def other(kind: str, amount: Any, text: str = "") -> Json:
    return {"Amount": amount, "Description": text, "DetailType": kind, kind: {}}


def totals(books: Staged) -> tuple[Decimal, ...]:
    [row] = books.rows(
        "select sub_total, total_discount, total_tax_amount, total_amount from peakflo.invoice"
    )
    return row


def lines(books: Staged) -> list[tuple[Any, ...]]:
    columns = "description, quantity, total_amount, item_ref"
    return books.rows(f"select {columns} from peakflo.invoice_line order by invoice_id, position")


def test_without_a_subtotal_line_the_lines_are_the_subtotal(books: Staged):
    books.merge("Invoice", invoice(item(100), total=110, TxnTaxDetail={"TotalTax": 10}))
    assert totals(books) == (100, 0, 10, 110)
    books.merge("Invoice", invoice(total=110, TxnTaxDetail={"TotalTax": 10}))
    assert (totals(books), lines(books)) == ((100, 0, 10, 110), [])


def test_a_subtotal_between_the_lines_is_not_counted_again(books: Staged):
    first, second = other("SubTotalLineDetail", 30), other("SubTotalLineDetail", 0, "not a line")
    books.merge(
        "Invoice",
        invoice(item(10), item(20), first, item(70), second, other("SubTotalLineDetail", 100), total=100),
    )
    assert totals(books) == (100, 0, 0, 100)
    assert [row[2] for row in lines(books)] == [10, 20, 70]


@pytest.mark.parametrize(
    "members", [{}, {"Line": []}, {"Line": None}, {"Line": [{"DetailType": "DescriptionOnly"}]}]
)
def test_a_bundle_whose_members_do_not_tell_its_amount_is_a_line(books: Staged, members: Json):
    books.merge("Invoice", invoice(bundle(100, **members), total=100))
    assert totals(books) == (100, 0, 0, 100)
    assert lines(books) == [("a kit", 2, 100, "9")]


@pytest.mark.parametrize("amount", [100, 0, None])
def test_the_members_of_a_bundle_stand_in_its_place(books: Staged, amount: int | None):
    text = {"Description": "by hand", "DetailType": "DescriptionOnly", "DescriptionLineDetail": {}}
    kit = bundle(amount, Line=[item(60, "wood", Qty=3), text, item(40, "nails", Qty=1)])
    books.merge("Invoice", invoice(item(5, "first"), kit, item(7, "last"), total=112))
    assert totals(books) == (112, 0, 0, 112)
    assert [row[:3] for row in lines(books)] == [
        ("first", None, 5),
        ("wood", 3, 60),
        ("by hand", None, None),
        ("nails", 1, 40),
        ("last", None, 7),
    ]


def test_prices_that_include_tax_are_net_in_the_lines(books: Staged):
    net = [item("83.33", TaxInclusiveAmt=100), item("16.67", TaxInclusiveAmt=20)]
    more = {"GlobalTaxCalculation": "TaxInclusive", "TxnTaxDetail": {"TotalTax": 20}}
    books.merge("Invoice", invoice(*net, other("SubTotalLineDetail", 100), total=120, **more))
    assert totals(books) == (100, 0, 20, 120)


@pytest.mark.parametrize("is_tax_after", [True, False])
def test_a_discount_is_taken_off_the_lines(books: Staged, is_tax_after: bool):
    discount = {
        "Amount": 10,
        "DetailType": "DiscountLineDetail",
        "DiscountLineDetail": {"PercentBased": True, "DiscountPercent": 10},
    }
    tax = 9 if is_tax_after else 10
    more = {"ApplyTaxAfterDiscount": is_tax_after, "TxnTaxDetail": {"TotalTax": tax}}
    books.merge("Invoice", invoice(item(100), discount, total=90 + tax, **more))
    assert totals(books) == (100, 10, tax, 90 + tax)
    assert [row[2] for row in lines(books)] == [100]


def test_a_deposit_lowers_what_is_owed_and_not_the_total(books: Staged):
    books.merge("Invoice", invoice(item(100), total=100, Deposit=30) | {"Balance": 70})
    assert totals(books) == (100, 0, 0, 100)
    assert books.rows("select amount_due, status from peakflo.invoice") == [(70, "sent")]


def test_what_quickbooks_may_call_a_line_one_day_is_one(books: Staged):
    strange = [other("TDSLineDetail", -5), other("MilestoneLineDetail", 20), {"Amount": 3}]
    text = {"Description": "with an amount", "Amount": 2, "DetailType": "DescriptionOnly"}
    shipping = item(9, ItemRef={"value": "SHIPPING_ITEM_ID"})
    nothing = item(0, "for nothing", Qty=0)
    books.merge("Invoice", invoice(*strange, text, shipping, nothing, None, total=29))
    assert totals(books) == (29, 0, 0, 29)
    assert [row[2] for row in lines(books)] == [-5, 20, 3, 2, 9, 0]


def test_an_invoice_that_does_not_add_up_goes_in_with_quickbooks_total(books: Staged):
    books.merge("Invoice", invoice(item(100), total=50))
    assert (totals(books), books.problems()) == ((100, 0, 0, 50), {})


@dataclass(frozen=True, slots=True)
class Part:
    """A line as QuickBooks answers it, and the amounts of Peakflo's lines that it becomes."""

    line: Json
    amounts: list[Decimal | None]

    @property
    def total(self) -> Decimal:
        return sum((amount for amount in self.amounts if amount is not None), NOTHING)


def items() -> st.SearchStrategy[Part]:
    details = st.fixed_dictionaries({}, optional={"Qty": st.integers(0, 9), "TaxInclusiveAmt": AMOUNTS})
    return st.builds(lambda amount, detail: Part(item(amount, **detail), [amount]), AMOUNTS, details)


def texts() -> st.SearchStrategy[Part]:
    bare: Json = {"Description": "text", "DetailType": "DescriptionOnly"}
    return st.one_of(
        st.just(Part(bare, [None])),
        st.just(Part(bare | {"Amount": None}, [None])),
        st.builds(lambda amount: Part(bare | {"Amount": amount}, [amount]), AMOUNTS),
    )


def bundles() -> st.SearchStrategy[Part]:
    def told_by_members(members: list[Part], is_said: bool) -> Part:
        inside = [member.line for member in members]
        amounts = [amount for member in members for amount in member.amounts]
        total = sum((member.total for member in members), NOTHING)
        return Part(bundle(total if is_said else None, Line=inside), amounts)

    def told_by_itself(amount: Decimal, texts: int) -> Part:
        inside = [{"DetailType": "DescriptionOnly"}] * texts
        return Part(bundle(amount, **({"Line": inside} if texts else {})), [amount])

    return st.one_of(
        st.builds(told_by_members, st.lists(items() | texts(), min_size=1, max_size=4), st.booleans()),
        st.builds(told_by_itself, AMOUNTS.filter(bool), st.integers(0, 2)),
    )


def strange() -> st.SearchStrategy[Part]:
    kinds = st.sampled_from(["TDSLineDetail", "ItemAdjustmentLineDetail", "MilestoneLineDetail"])
    return st.builds(lambda kind, amount: Part(other(kind, amount), [amount]), kinds, AMOUNTS)


@st.composite
def invoices(draw: st.DrawFn) -> tuple[Json, list[Decimal | None]]:
    parts = draw(st.lists(items() | texts() | bundles() | strange(), max_size=6))
    subtotals = list(accumulate((part.total for part in parts), initial=NOTHING))
    given: list[Json] = []
    for part, subtotal in zip(parts, subtotals[1:], strict=True):
        given.append(part.line)
        if draw(st.booleans()):
            given.append(other("SubTotalLineDetail", subtotal))
    tax, discounts = draw(AMOUNTS), draw(st.lists(AMOUNTS, max_size=2))
    given += [other("DiscountLineDetail", amount) for amount in discounts]
    total = subtotals[-1] + tax - sum(discounts)
    deposit = draw(AMOUNTS)
    detail = {"TotalTax": tax} if tax or draw(st.booleans()) else {}
    more = {"TxnTaxDetail": detail, "Deposit": deposit}
    whole = invoice(*given, total=total, **more) | {"Balance": total - deposit}
    return whole, [amount for part in parts for amount in part.amounts]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(invoices(), min_size=1, max_size=12))
def test_the_lines_with_tax_and_without_discount_are_the_total(
    books: Staged, batch: list[tuple[Json, list[Decimal | None]]]
):
    books.merge("Invoice", *(whole | {"Id": str(number)} for number, (whole, _) in enumerate(batch)))
    assert books.problems() == {}
    found: dict[str, list[Decimal | None]] = {str(number): [] for number in range(len(batch))}
    for source_id, amount in books.rows(
        "select invoice.source_id, line.total_amount from peakflo.invoice_line as line "
        "join peakflo.invoice as invoice on invoice.id = line.invoice_id order by invoice.id, line.position"
    ):
        found.setdefault(source_id, []).append(amount)
    for number, (whole, amounts) in enumerate(batch):
        assert found[str(number)] == amounts, whole
    assert not books.rows(
        "select * from peakflo.invoice where sub_total + total_tax_amount - total_discount <> total_amount"
    )
    assert not books.rows(
        "select invoice.source_id from peakflo.invoice as invoice "
        "join peakflo.invoice_line as line on line.invoice_id = invoice.id "
        "group by invoice.source_id, invoice.sub_total having sum(line.total_amount) <> invoice.sub_total"
    )
