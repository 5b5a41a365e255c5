"""Who owes what, and since when: the columns and rows of the reports about receivables."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from sandbox.json_text import ZERO
from sandbox.report_rows import Cell, Row, cell, money, section

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date
    from decimal import Decimal

    from sandbox.books import Books
    from sandbox.open_on_day import OpenItem

Amounts = list["Decimal"]


class Column(NamedTuple):
    """A column, and by which key it is known."""

    title: str
    type: str
    key: str = ""


class Report(NamedTuple):
    """The columns and the rows of a report."""

    columns: list[Column]
    rows: list[Row]


class Inputs(NamedTuple):
    """
    What a report is made of.

    :param aged_at: the day from which days past due are counted.
    :param periods: how many periods of past due there are.
    :param days: how long a period is.
    """

    books: Books
    items: list[OpenItem]
    aged_at: date
    periods: int
    days: int

    def period(self, item: OpenItem) -> int:
        """Return in which period an item is past due; 0 is none."""
        late = max((self.aged_at - item.due).days, 0)
        return min(-(-late // self.days), self.periods)

    def title(self, period: int, last: str) -> str:
        """Return the days of a period; of the last one in the report's own words."""
        if not period:
            return "Current"
        first = (period - 1) * self.days + 1
        return last.format(first) if period == self.periods else f"{first} - {period * self.days}"


def aged_receivables(inputs: Inputs) -> Report:
    """Tell what each customer owes, by how long it is past due."""
    titles = [inputs.title(period, "{} and over") for period in range(inputs.periods + 1)]
    keys = ["current", *(str(number) for number in range(inputs.periods))]
    amounts: dict[str, Amounts] = defaultdict(lambda: [ZERO] * (inputs.periods + 2))
    for item in inputs.items:
        amounts[item.customer][inputs.period(item)] += item.left
        amounts[item.customer][-1] += item.left
    columns = [Column(title, "Money", key) for title, key in zip(titles, keys, strict=True)]
    return _summary(inputs.books, [*columns, Column("Total", "Money", "total")], amounts)


def customer_balance(inputs: Inputs) -> Report:
    """Tell what each customer owes."""
    amounts: dict[str, Amounts] = defaultdict(lambda: [ZERO])
    for item in inputs.items:
        amounts[item.customer][0] += item.left
    return _summary(inputs.books, [Column("Total", "Money", "total")], amounts)


def aged_receivable_detail(inputs: Inputs) -> Report:
    """Tell each open transaction, by how long it is past due; what is the longest comes first."""
    details = _Details(inputs, _DETAIL)
    rows = []
    for period in range(inputs.periods, -1, -1):
        items = [item for item in inputs.items if inputs.period(item) == period]
        label = inputs.title(period, "{} or more") + (" days past due" if period else "")
        if items:
            rows.append(details.section(cell(label), details.rows(items), items))
    return details.report(rows)


def customer_balance_detail(inputs: Inputs) -> Report:
    """Tell each open transaction, by customer."""
    details = _Details(inputs, [column for column in _DETAIL if column.key != "cust_name"])
    by_customer: dict[str, list[OpenItem]] = defaultdict(list)
    for item in inputs.items:
        by_customer[item.customer].append(item)

    def of(customer: str) -> tuple[Row, list[OpenItem]]:
        items = by_customer[customer]
        below = [of(each) for each in details.customers.below(customer)]
        rows = [*details.rows(items), *(row for row, _ in below)]
        all_items = [*items, *(item for _, more in below for item in more)]
        label = cell(details.customers.name(customer), customer)
        return details.section(label, rows, all_items), all_items

    return details.report([of(customer)[0] for customer in details.customers.roots()])


class _Customers:
    """The customers with a figure and those above them, by name or as set."""

    def __init__(self, books: Books, ids: Iterable[str]) -> None:
        self._tree = books.index.trees["Customer"]
        self._order = books.settings.report_order
        shown = {each for customer in ids for each in (customer, *self._tree.ancestors(customer))}
        self._facts = {each: books.get("Customer", each).fields() for each in shown}

    def name(self, customer: str, prop: str = "DisplayName") -> str:
        return str(self._facts[customer][prop])

    def roots(self) -> list[str]:
        return self._sorted(each for each in self._facts if not any(self._tree.ancestors(each)))

    def below(self, customer: str) -> list[str]:
        return self._sorted(each for each in self._tree.children(customer) if each in self._facts)

    def _sorted(self, customers: Iterable[str]) -> list[str]:
        if self._order == "id":
            return sorted(customers, key=int)
        return sorted(customers, key=lambda customer: self.name(customer).lower())


def _summary(books: Books, columns: list[Column], amounts: dict[str, Amounts]) -> Report:
    """Return a row for each customer with an amount; who has sub-customers with one is a section."""
    customers = _Customers(books, (customer for customer, values in amounts.items() if any(values)))
    nothing = [ZERO] * len(columns)

    def of(customer: str) -> tuple[Row, Amounts]:
        own = amounts.get(customer, nothing)
        label = cell(customers.name(customer), customer)
        below = [of(each) for each in customers.below(customer)]
        if not below:
            return {"ColData": [label, *_cells(books, own, "")]}, own
        total = _added([own, *(values for _, values in below)])
        header = [label, *_cells(books, own[:-1], ""), *_cells(books, own[-1:], "0.00")]
        summary = [cell(f"Total {label['value']}"), *_cells(books, total, "0.00")]
        return section(header, [row for row, _ in below], summary), total

    found = [of(customer) for customer in customers.roots()]
    rows = [row for row, _ in found]
    if found:
        total = _cells(books, _added([values for _, values in found]), "0.00")
        rows.append(_grand_total(books, total) | {"group": "GrandTotal"})
    return Report([Column("", "Customer"), *columns], rows)


def _cells(books: Books, amounts: Amounts, zero: str) -> list[Cell]:
    return [money(books.settings, value, zero) for value in amounts]


def _added(rows: list[Amounts]) -> Amounts:
    return [sum(column, ZERO) for column in zip(*rows, strict=True)]


def _grand_total(books: Books, cells: list[Cell]) -> Row:
    label = "TOTAL" if books.settings.report_labels == "capitals" else "Total"
    return {"Summary": {"ColData": [cell(label), *cells]}, "type": "Section"}


_DETAIL = (
    Column("Date", "Date", "tx_date"),
    Column("Transaction Type", "String", "txn_type"),
    Column("Num", "String", "doc_num"),
    Column("Customer", "String", "cust_name"),
    Column("Due Date", "Date", "due_date"),
)


class _Details:
    """
    The rows of a report with a row for each transaction.

    :param columns: those before the amounts.
    """

    def __init__(self, inputs: Inputs, columns: Sequence[Column]) -> None:
        self._books = inputs.books
        self._items = inputs.items
        self._columns = columns
        self.customers = _Customers(inputs.books, {item.customer for item in inputs.items})

    def rows(self, items: list[OpenItem]) -> list[Row]:
        if self._books.settings.report_order == "name":
            items = sorted(items, key=lambda item: (item.issued, int(item.id)))
        return [{"ColData": self._row(item)} for item in items]

    def _row(self, item: OpenItem) -> list[Cell]:
        cells = {
            "tx_date": cell(item.issued.isoformat()),
            "txn_type": cell(item.kind, item.id),
            "doc_num": cell(item.number),
            "cust_name": cell(self.customers.name(item.customer, "FullyQualifiedName"), item.customer),
            "due_date": cell(item.due.isoformat()),
        }
        amounts = _cells(self._books, [item.total, item.left], ".00")
        return [*(cells[column.key] for column in self._columns), *amounts]

    def section(self, label: Cell, rows: list[Row], items: list[OpenItem]) -> Row:
        header = [label, *[cell("")] * (len(self._columns) + 1)]
        return section(header, rows, [cell(f"Total for {label['value']}"), *self._totals(items)])

    def _totals(self, items: list[OpenItem]) -> list[Cell]:
        total = _added([[item.total, item.left] for item in items])
        return [*[cell("")] * (len(self._columns) - 1), *_cells(self._books, total, ".00")]

    def report(self, rows: list[Row]) -> Report:
        # Where a company has several currencies, the amounts at home have keys of their own.
        home = "home_" if self._books.multicurrency else ""
        amounts = [
            Column("Amount", "Money", f"subt_{home}amount"),
            Column("Open Balance", "Money", f"subt_{home}open_bal"),
        ]
        total = [_grand_total(self._books, self._totals(self._items))] if rows else []
        return Report([*self._columns, *amounts], [*rows, *total])
