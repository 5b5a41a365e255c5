from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from include.receivables.outbound import compare
from tests.support.staged import Staged, staged_company

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

Json = dict[str, Any]

NOTES = ("Voided", "Voided - cheque 7", "Annulé", "Storniert: falscher Kunde", "無効", "", None)
ITEM = {"ItemRef": {"value": "1"}}
CLEARED = {"Amount": 0, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": ITEM | {"Qty": 0}}
CLEARED_WITHOUT_QUANTITY = {"Amount": 0, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": ITEM}
GIFT = {
    "Amount": 0,
    "DetailType": "SalesItemLineDetail",
    "SalesItemLineDetail": ITEM | {"Qty": 2, "UnitPrice": 0},
}
SOLD = {"Amount": 30, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": ITEM | {"Qty": 1}}
SUBTOTAL = {"Amount": 0, "DetailType": "SubTotalLineDetail", "SubTotalLineDetail": {}}
DISCOUNT = {"Amount": 30, "DetailType": "DiscountLineDetail", "DiscountLineDetail": {}}
TEXT = {"Description": "a text", "DetailType": "DescriptionOnly"}
KIT = {"Amount": 0, "DetailType": "GroupLineDetail", "GroupLineDetail": {"Quantity": 1, "Line": [CLEARED]}}
LINK = {"Amount": 30, "LinkedTxn": [{"TxnId": "8", "TxnType": "JournalEntry"}]}
UNLINK = {"Amount": 30, "LinkedTxn": [{"TxnId": "9", "TxnType": "Check"}]}

VOIDED_LINES = (
    [],
    [CLEARED],
    [CLEARED_WITHOUT_QUANTITY, SUBTOTAL],
    [CLEARED, TEXT, SUBTOTAL],
    [KIT, SUBTOTAL],
)
ACTIVE_LINES = ([GIFT], [SOLD, DISCOUNT], [CLEARED, SOLD, DISCOUNT])


@pytest.fixture
def books(db: psycopg.Connection) -> Iterator[Staged]:
    with staged_company(db) as books:
        yield books


def form(lines: list[Json], note: str | None, **more: Any) -> Json:
    return {
        "CustomerRef": {"value": "1"},
        "TxnDate": "2026-03-02",
        "Line": lines,
        "PrivateNote": note,
        **more,
    }


def statuses(books: Staged, entity: str, table: str, records: list[Json]) -> set[str]:
    books.merge(entity, *(record | {"Id": str(number)} for number, record in enumerate(records)))
    assert books.problems() == {}
    assert books.rows(f"select count(*) from peakflo.{table}") == [(len(records),)]
    return {row[0] for row in books.rows(f"select status from peakflo.{table}")}


@pytest.mark.parametrize(("lines", "status"), [(VOIDED_LINES, "cancelled"), (ACTIVE_LINES, "paid")])
def test_an_invoice_is_void_by_its_amounts_and_lines(
    books: Staged, lines: tuple[list[Json], ...], status: str
):
    nothing = {"TotalAmt": 0, "Balance": 0}
    records = [form(each, note, **nothing) for each in lines for note in NOTES]
    assert statuses(books, "Invoice", "invoice", records) == {status}


@pytest.mark.parametrize(("lines", "status"), [(VOIDED_LINES, "voided"), (ACTIVE_LINES, "applied")])
def test_a_credit_memo_is_void_by_its_amounts_and_lines(
    books: Staged, lines: tuple[list[Json], ...], status: str
):
    nothing = {"TotalAmt": 0, "RemainingCredit": 0, "Balance": 0}
    records = [form(each, note, **nothing) for each in lines for note in NOTES]
    assert statuses(books, "CreditMemo", "credit_note", records) == {status}


def test_what_still_has_an_amount_is_not_void_whatever_its_note_says(books: Staged):
    invoices = [form([SOLD], note, TotalAmt=30, Balance=30) for note in NOTES]
    assert statuses(books, "Invoice", "invoice", invoices) == {"sent"}
    notes = [form([SOLD], note, TotalAmt=30, RemainingCredit=30, Balance=30) for note in NOTES]
    assert statuses(books, "CreditMemo", "credit_note", notes) == {"open"}


PAYMENTS = (
    *((form([], note, TotalAmt=0, UnappliedAmt=0), True) for note in NOTES),
    (form([{"Amount": 0, "LinkedTxn": []}], "Annulé", TotalAmt=0, UnappliedAmt=0), True),
    (form([], "Voided", TotalAmt=30, UnappliedAmt=30), False),
    (
        form([LINK, UNLINK], "Created by QB Online to link credits to charges.", TotalAmt=0, UnappliedAmt=0),
        False,
    ),
    (form([LINK, UNLINK], "Voided", TotalAmt=0, UnappliedAmt=0), False),
)


@pytest.mark.parametrize("is_void", [True, False])
def test_a_payment_is_void_by_its_amounts_and_lines(books: Staged, is_void: bool):
    records = [record for record, expected in PAYMENTS if expected is is_void]
    assert statuses(books, "Payment", "payment", records) == {"voided" if is_void else "active"}


ENTRY_LINE = {"DetailType": "JournalEntryLineDetail", "JournalEntryLineDetail": {}}
ENTRIES = (
    ({"Line": [ENTRY_LINE | {"Amount": 0}, ENTRY_LINE | {"Amount": 0}]}, True),
    ({"Line": [ENTRY_LINE | {"Amount": 0}, TEXT], "TotalAmt": 0}, True),
    ({"Line": [ENTRY_LINE | {"Amount": 3}, ENTRY_LINE | {"Amount": 3}]}, False),
    ({"Line": [ENTRY_LINE | {"Amount": 3}, ENTRY_LINE | {"Amount": 3}], "TotalAmt": 0}, False),
)
GAPS = (
    {},
    {"Line": []},
    {"Line": None},
    {"Line": [None]},
    {"TotalAmt": None, "Line": []},
    {"TotalAmt": "", "UnappliedAmt": 0},
    {"UnappliedAmt": 0},
    {"TotalAmt": 0, "UnappliedAmt": 30},
)


def test_both_homes_of_the_rule_say_the_same(books: Staged):
    cases = [*PAYMENTS, *ENTRIES, *((gap, False) for gap in GAPS)]
    for record, is_void in cases:
        text = json.dumps(record)
        [(in_sql,)] = books.rows("select staging.is_voided(%s::jsonb)", text)
        assert (in_sql, compare.is_void(json.loads(text, parse_float=Decimal))) == (is_void, is_void), record
