"""
Reads QuickBooks' reports about receivables, and makes sure that each is whole and of what was asked for.

A report has no page and no count: one that was cut, or is of another day, basis or currency, looks like any other. So
its header has to say what was asked for, and its rows have to add up to its grand total.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import msgspec

from include.errors import RecordError
from include.quickbooks.records import MalformedAnswerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

Json = dict[str, Any]

# Each customer's balance in one figure; each open transaction with what is open of it.
CUSTOMER_BALANCE = "CustomerBalance"
OPEN_TRANSACTIONS = "AgedReceivableDetail"
# Of a company with several currencies, the amounts at home have keys of their own.
_OPEN = ("subt_home_open_bal", "subt_open_bal")
# Intuit's own example has no key for the only column of money.
_TOTAL = ("total", "money")
_BASIS = "Accrual"

_decoder = msgspec.json.Decoder(dict[str, Any])


class DoubtfulReportError(RecordError):
    """A report proves nothing: it is cut, or of something else than what was asked for."""

    code = "doubtful_report"


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """
    What a report says is open of a transaction.

    :param kind: the transaction's type in QuickBooks' words, such as ``Invoice`` or ``Journal Entry``.
    :param amount: in the home currency; what is owed to the customer is below 0.
    """

    kind: str
    qbo_id: str
    customer_id: str
    number: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of figures, with the customer whose section it is in."""

    cells: Mapping[str, Json]
    customer_id: str


def parameters(day: date) -> dict[str, str]:
    """Return what a report is asked for: all that is open at the end of a day, whatever its dates."""
    return {
        "report_date": day.isoformat(),
        "accounting_method": _BASIS,
        "aging_method": "Report_Date",
    }


def parse_report(body: bytes, name: str, day: date, currency: str) -> Json:
    """
    Read a report and check that it is the one that was asked for.

    :param currency: the company's home currency, in which a report's figures have to be.
    :raises MalformedAnswerError: if the body is cut off or no report.
    :raises DoubtfulReportError: if it is another report, or of another day, basis or currency.
    """
    try:
        report = _decoder.decode(body)
        header, columns, _rows = report["Header"], report["Columns"]["Column"], report["Rows"].get("Row")
        options = _options(report)
        said = (
            ("report", header.get("ReportName"), name),
            ("day", header.get("EndPeriod", options.get("report_date")), day.isoformat()),
            ("day", options.get("report_date", day.isoformat()), day.isoformat()),
            # Intuit's own examples of these reports name none: on a cash basis, what is open would not add up.
            ("basis", header.get("ReportBasis", _BASIS), _BASIS),
            ("currency", header.get("Currency"), currency),
        )
    except (msgspec.MsgspecError, AttributeError, KeyError, TypeError):
        raise MalformedAnswerError(f"QuickBooks' report {name} is not readable: try again later.") from None
    for what, found, asked in said:
        if found != asked:
            raise DoubtfulReportError(
                f"QuickBooks' report {name} is of another {what}: {found or 'none'} instead of {asked}."
            )
    if not columns:
        raise DoubtfulReportError(f"QuickBooks' report {name} has no columns.")
    return report


def customer_balances(report: Json) -> dict[str, Decimal]:
    """
    Return what each customer owes, without its sub-customers, from a report of balances.

    :raises DoubtfulReportError: if its rows do not add up to its grand total.
    """
    column = next((key for key in _TOTAL if key in _keys(report)), _TOTAL[0])
    balances: dict[str, Decimal] = {}
    for row in _rows_of(report, with_headers=True):
        customer_id = row.cells.get("customer", {}).get("id")
        if not customer_id:
            raise _cut(report)
        balances[customer_id] = balances.get(customer_id, Decimal(0)) + _amount(
            report, row.cells.get(column, {})
        )
    _check_total(report, column, sum(balances.values(), Decimal(0)))
    return balances


def open_transactions(report: Json) -> list[OpenTransaction]:
    """
    Return what is open, transaction by transaction.

    :raises DoubtfulReportError: if its rows do not add up to its grand total.
    """
    column = next((key for key in _OPEN if key in _keys(report)), _OPEN[-1])
    found = []
    for row in _rows_of(report, with_headers=False):
        kind, customer = row.cells.get("txn_type", {}), row.cells.get("cust_name", {})
        if not kind.get("id"):
            raise _cut(report)
        found.append(
            OpenTransaction(
                kind=kind.get("value", ""),
                qbo_id=kind["id"],
                customer_id=customer.get("id") or row.customer_id,
                number=row.cells.get("doc_num", {}).get("value", ""),
                amount=_amount(report, row.cells.get(column, {})),
            )
        )
    _check_total(report, column, sum((each.amount for each in found), Decimal(0)))
    return found


def _options(report: Json) -> dict[str, str]:
    return {each.get("Name"): each.get("Value") for each in report["Header"].get("Option") or []}


def _keys(report: Json) -> list[str]:
    """List by what each column is known; the one that names the rows has no key, only a type."""
    return [
        next(
            (meta.get("Value") for meta in column.get("MetaData") or [] if meta.get("Name") == "ColKey"),
            str(column.get("ColType", "")).lower(),
        )
        for column in report["Columns"]["Column"]
    ]


def _rows_of(report: Json, *, with_headers: bool) -> Iterator[_Row]:
    """
    List the rows with figures of their own.

    :param with_headers: whether the header of a section is one: it holds what a parent owes itself.
    """
    keys = _keys(report)

    def inside(part: Json, customer_id: str) -> Iterator[_Row]:
        for row in (part.get("Rows") or {}).get("Row") or []:
            if "ColData" in row:
                yield _Row(_cells(report, keys, row), customer_id)
            elif "Rows" in row:
                header = _cells(report, keys, row.get("Header") or {})
                if with_headers:
                    yield _Row(header, customer_id)
                own = next((cell["id"] for cell in header.values() if cell.get("id")), customer_id)
                yield from inside(row, own)

    return inside(report, "")


def _cells(report: Json, keys: list[str], row: Json) -> Mapping[str, Json]:
    cells = row.get("ColData") or []
    if len(cells) != len(keys):
        raise _cut(report)
    return dict(zip(keys, cells, strict=True))


def _check_total(report: Json, column: str, total: Decimal) -> None:
    """Check that the rows add up to the grand total; a report without any row has none."""
    rows = (report.get("Rows") or {}).get("Row") or []
    if not rows:
        if _options(report).get("NoReportData", "true") != "true":
            raise _cut(report)
        return
    last = rows[-1]
    if "Summary" not in last or "Rows" in last:
        raise _cut(report)
    if _amount(report, _cells(report, _keys(report), last["Summary"]).get(column, {})) != total:
        raise _cut(report)


def _amount(report: Json, cell: Json) -> Decimal:
    """Read a cell of money: text, and nothing at all where it is zero."""
    try:
        amount = Decimal(cell.get("value") or 0)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise DoubtfulReportError(
            f"QuickBooks' report {report['Header']['ReportName']} has something else in the place of an amount."
        )
    return amount


def _cut(report: Json) -> DoubtfulReportError:
    name = report["Header"]["ReportName"]
    return DoubtfulReportError(f"QuickBooks' report {name} is cut: its rows do not add up to its total.")
