from __future__ import annotations

import json
from collections import defaultdict
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from include.quickbooks import reports
from include.quickbooks.records import MalformedAnswerError
from include.quickbooks.reports import DoubtfulReportError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.quickbooks.client import QuickBooksClient
    from sandbox.control import SandboxControl
    from tests.support.workbench import Workbench

Json = dict[str, Any]
DAY = date(2030, 12, 31)
SHAPES: tuple[Json, ...] = (
    {"report_columns": "reversed"},
    {"report_row_types": "all"},
    {"report_row_types": "none"},
    {"report_zeros": "blank"},
    {"report_zeros": ".00"},
    {"report_labels": "title"},
    {"report_order": "id"},
)


@pytest.fixture
def quickbooks(bench: Workbench) -> Iterator[QuickBooksClient]:
    """The books of a company with sub-customers, credits and other money."""
    company = bench.connect("demo")
    bench.sandbox.events(company.realm_id, 60, 3)
    with bench.access.open_books(company.company_id) as books:
        yield books.quickbooks


def read(quickbooks: QuickBooksClient) -> tuple[dict[str, Decimal], list[reports.OpenTransaction]]:
    balances = reports.customer_balances(quickbooks.report(reports.CUSTOMER_BALANCE, DAY, "USD"))
    return balances, reports.open_transactions(quickbooks.report(reports.OPEN_TRANSACTIONS, DAY, "USD"))


def without_zeros(amounts: dict[str, Decimal]) -> dict[str, Decimal]:
    return {key: value for key, value in amounts.items() if value}


def test_both_reports_tell_the_same_of_each_customer(quickbooks: QuickBooksClient):
    balances, transactions = read(quickbooks)
    owed: dict[str, Decimal] = defaultdict(Decimal)
    for each in transactions:
        owed[each.customer_id] += each.amount
    assert without_zeros(owed) == without_zeros(balances)
    assert len(balances) > 5
    assert {each.kind for each in transactions} >= {"Invoice", "Payment"}


def test_in_whatever_shape_a_report_comes_it_says_the_same(quickbooks: QuickBooksClient, bench: Workbench):
    balances, transactions = read(quickbooks)
    for shape in SHAPES:
        bench.sandbox.change_settings(**shape)
        shaped_balances, shaped_transactions = read(quickbooks)
        assert without_zeros(shaped_balances) == without_zeros(balances), shape
        assert sorted(shaped_transactions, key=str) == sorted(transactions, key=str), shape


@pytest.mark.parametrize("lines", range(1, 40, 3))
def test_a_report_that_is_cut_anywhere_is_no_report(
    quickbooks: QuickBooksClient, sandbox: SandboxControl, lines: int
):
    size = reports_lines(quickbooks)
    sandbox.change_settings(report_rows=lines)
    for name, read_rows in (
        (reports.CUSTOMER_BALANCE, reports.customer_balances),
        (reports.OPEN_TRANSACTIONS, reports.open_transactions),
    ):
        report = quickbooks.report(name, DAY, "USD")
        if lines < size[name]:
            with pytest.raises(DoubtfulReportError, match=f"report {name} is cut"):
                read_rows(report)
        else:
            read_rows(report)


def reports_lines(quickbooks: QuickBooksClient) -> dict[str, int]:
    """Count the lines of both reports; a section has its header and its summary besides those between them."""

    def count(part: Json) -> int:
        rows = part.get("Rows", {}).get("Row", [])
        return sum(count(row) + 2 if "Rows" in row else 1 for row in rows)

    names = (reports.CUSTOMER_BALANCE, reports.OPEN_TRANSACTIONS)
    return {name: count(quickbooks.report(name, DAY, "USD")) for name in names}


def test_a_report_with_too_many_cells_is_no_report(quickbooks: QuickBooksClient, sandbox: SandboxControl):
    sandbox.change_settings(report_cells=100)
    with pytest.raises(DoubtfulReportError, match="is cut"):
        reports.open_transactions(quickbooks.report(reports.OPEN_TRANSACTIONS, DAY, "USD"))


@pytest.mark.parametrize(
    ("settings", "currency", "sentence"),
    [
        ({"report_days_off": 1}, "USD", "another day: 2031-01-01 instead of 2030-12-31"),
        ({"report_basis": "Cash"}, "USD", "another basis: Cash instead of Accrual"),
        ({}, "EUR", "another currency: USD instead of EUR"),
    ],
)
def test_a_report_of_something_else_is_refused(
    quickbooks: QuickBooksClient, sandbox: SandboxControl, settings: Json, currency: str, sentence: str
):
    sandbox.change_settings(**settings)
    with pytest.raises(DoubtfulReportError, match=sentence):
        quickbooks.report(reports.CUSTOMER_BALANCE, DAY, currency)


def test_another_report_is_refused():
    body = json.dumps(answer(ReportName="VendorBalance")).encode()
    with pytest.raises(DoubtfulReportError, match="another report: VendorBalance instead of CustomerBalance"):
        reports.parse_report(body, reports.CUSTOMER_BALANCE, DAY, "USD")


def test_a_report_like_intuits_own_example_is_read():
    report = answer(
        Option=[{"Name": "report_date", "Value": "2030-12-31"}, {"Name": "NoReportData", "Value": "false"}]
    )
    del (
        report["Header"]["ReportBasis"],
        report["Header"]["EndPeriod"],
        report["Columns"]["Column"][1]["MetaData"],
    )
    row = {"ColData": [{"value": "Amy's Bird Sanctuary", "id": "1"}, {"value": "1593.50"}]}
    total = {"ColData": [{"value": "TOTAL"}, {"value": "1593.50"}]}
    report["Rows"] = {"Row": [row, {"group": "GrandTotal", "type": "Section", "Summary": total}]}
    body = json.dumps(report).encode()
    read_report = reports.parse_report(body, reports.CUSTOMER_BALANCE, DAY, "USD")
    assert reports.customer_balances(read_report) == {"1": Decimal("1593.50")}
    with pytest.raises(DoubtfulReportError, match="another day: 2030-12-31 instead of 2031-01-01"):
        reports.parse_report(body, reports.CUSTOMER_BALANCE, date(2031, 1, 1), "USD")


def test_no_rows_are_believed_if_the_header_says_so_and_not_else():
    assert reports.customer_balances(answer()) == {}
    option = [{"Name": "NoReportData", "Value": "false"}]
    with pytest.raises(DoubtfulReportError, match="is cut"):
        reports.customer_balances(answer(Option=option))


@pytest.mark.parametrize("amount", ["1,000.00", "NaN", "Infinity", "12 USD"])
def test_what_is_no_amount_is_refused(amount: str):
    row = {"ColData": [{"value": "Cafe", "id": "7"}, {"value": amount}]}
    total = {"Summary": {"ColData": [{"value": "TOTAL"}, {"value": "0.00"}]}}
    with pytest.raises(DoubtfulReportError, match="something else in the place of an amount"):
        reports.customer_balances(answer() | {"Rows": {"Row": [row, total]}})


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"Header": 1}', b"<html>", b'{"Header": {}, "Columns": 3}']
)
def test_what_is_no_report_is_asked_for_again(body: bytes):
    with pytest.raises(MalformedAnswerError, match="not readable"):
        reports.parse_report(body, reports.CUSTOMER_BALANCE, DAY, "USD")


def answer(**header: Any) -> Json:
    """A report of balances without any."""
    usual = {
        "ReportName": "CustomerBalance",
        "EndPeriod": "2030-12-31",
        "ReportBasis": "Accrual",
        "Currency": "USD",
        "Option": [{"Name": "NoReportData", "Value": "true"}],
    }
    columns = [
        {"ColTitle": "", "ColType": "Customer"},
        {"ColTitle": "Total", "ColType": "Money", "MetaData": [{"Name": "ColKey", "Value": "total"}]},
    ]
    return {"Header": usual | header, "Columns": {"Column": columns}, "Rows": {}}
