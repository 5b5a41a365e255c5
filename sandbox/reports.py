"""Reports: /v3/company/{realm}/reports/…, those about receivables."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from sandbox import faults, receivable_reports, validation
from sandbox.clock import record_time
from sandbox.json_text import encode
from sandbox.open_on_day import OpenItem, open_items
from sandbox.receivable_reports import Column, Inputs
from sandbox.report_rows import answered, in_order, shaped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.books import Books

_REPORTS = {
    "AgedReceivables": receivable_reports.aged_receivables,
    "AgedReceivableDetail": receivable_reports.aged_receivable_detail,
    "CustomerBalance": receivable_reports.customer_balance,
    "CustomerBalanceDetail": receivable_reports.customer_balance_detail,
}
# Without a date these are of all dates, the future too.
_BALANCES = ("CustomerBalance", "CustomerBalanceDetail")
# The sandbox knows no other range of dates by its name.
_ENUMERATIONS = {
    "aging_method": ("Report_Date", "Current"),
    "accounting_method": ("Accrual", "Cash"),
    "date_macro": ("Today",),
}
# Left out on a cash basis; undocumented, but until they are paid they are no income there.
_ACCRUED = ("Invoice", "CreditMemo")


def run(books: Books, name: str, options: Mapping[str, str]) -> bytes:
    """
    Return a report as JSON text.

    :raises faults.Fault: 5020 when there is no such report, 2010 or 2170 when a parameter is wrong.
    """
    if name not in _REPORTS:
        raise faults.permission_denied("ReportName")
    validation.check_enumerations(options, _ENUMERATIONS)
    day = _day(books, options)
    settings = books.settings
    report = _REPORTS[name](
        Inputs(
            books,
            _chosen(books, name, options, day),
            books.clock.today() if options.get("aging_method") == "Current" else day,
            _number(options, "num_periods", 4),
            _number(options, "aging_period", 30),
        )
    )
    rows = answered(report.rows, len(report.columns), settings)
    whole = {
        "Header": _header(books, name, options, day) | _options(day, is_empty=not report.rows),
        "Columns": {"Column": in_order([_column(column) for column in report.columns], settings)},
        "Rows": {"Row": [shaped(row, settings) for row in rows]} if report.rows else {},
    }
    return books.serving.text(name, "", encode(whole))


def _day(books: Books, options: Mapping[str, str]) -> date:
    name = "report_date" if "report_date" in options else "end_date"
    asked = validation.date_of(options, name, books.clock.today())
    return asked + timedelta(days=books.settings.report_days_off)


def _number(options: Mapping[str, str], name: str, default: int) -> int:
    text = options.get(name, str(default))
    if not text.isdecimal() or not int(text):
        raise faults.invalid_property(name)
    return int(text)


def _is_of_all_dates(books: Books, name: str, options: Mapping[str, str]) -> bool:
    dated = {"report_date", "start_date", "end_date", "date_macro"} & set(options)
    return name in _BALANCES and not dated and not books.settings.report_days_off


def _chosen(books: Books, name: str, options: Mapping[str, str], day: date) -> list[OpenItem]:
    until = date.max if _is_of_all_dates(books, name, options) else day
    since = validation.date_of(options, "start_date", date.min)
    customers = options.get("customer", "").split(",")
    is_cash = _basis(books, options) == "Cash"
    return [
        item
        for item in open_items(books, until)
        if item.issued >= since
        and ("customer" not in options or item.customer in customers)
        and not (is_cash and item.entity in _ACCRUED)
    ]


def _basis(books: Books, options: Mapping[str, str]) -> str:
    """Return the basis that is set, or asked for, or that the company prefers."""
    if books.settings.report_basis != "asked":
        return books.settings.report_basis
    preferred = next(books.all("Preferences")).fields()["ReportPrefs"]["ReportBasis"]
    return options.get("accounting_method", preferred)


def _header(books: Books, name: str, options: Mapping[str, str], day: date) -> dict[str, Any]:
    """Return the header; Intuit: it has only those filters that were asked for."""
    header: dict[str, Any] = {"Time": record_time(int(books.clock.now())), "ReportName": name}
    if _is_of_all_dates(books, name, options):
        header["DateMacro"] = "all"
    elif "report_date" in options or "end_date" in options:
        header |= {"StartPeriod": options["start_date"]} if "start_date" in options else {}
        header["EndPeriod"] = day.isoformat()
    else:
        header |= {"DateMacro": "today", "StartPeriod": day.isoformat(), "EndPeriod": day.isoformat()}
    if "accounting_method" in options:
        header["ReportBasis"] = _basis(books, options)
    header["Currency"] = books.home_currency
    if "customer" in options:
        header["Customer"] = options["customer"]
    return header


def _options(day: date, *, is_empty: bool) -> dict[str, Any]:
    values = {"report_date": day.isoformat(), "NoReportData": str(is_empty).lower()}
    return {"Option": [{"Name": name, "Value": value} for name, value in values.items()]}


def _column(column: Column) -> dict[str, Any]:
    shown: dict[str, Any] = {"ColTitle": column.title, "ColType": column.type}
    if column.key:
        shown["MetaData"] = [{"Name": "ColKey", "Value": column.key}]
    return shown
