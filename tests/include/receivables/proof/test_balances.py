from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from include.quickbooks.reports import OpenTransaction
from include.receivables.proof.balances import Comparison
from include.receivables.proof.frames import COMPARED, SIDES, VERSION, frame
from include.receivables.proof.reading import Reports

COLUMNS = ("created_at", *VERSION, "is_own", "is_waiting", "problem")


def compare(
    currency: str = "EUR",
    *,
    theirs: str,
    kind: str = "Invoice",
    balance: str | None = None,
    moved: Any = (),
    **more: Any,
) -> list[tuple[str, str, Decimal]]:
    """Compare an invoice of 10.00 at a rate of 1.5, which is 15.00, with what the reports say of it."""
    facts = dict.fromkeys((f"{side}_{fact}" for side in SIDES for fact in COMPARED), None)
    for side in SIDES:
        facts |= {
            f"{side}_owner_id": "7",
            f"{side}_status": "active",
            f"{side}_currency": currency,
            f"{side}_rate": Decimal("1.5"),
            f"{side}_open": Decimal("10.00"),
        }
    row = dict.fromkeys(COLUMNS) | facts | {"is_own": False, "is_waiting": False} | more
    known = frame([row | {"entity": "invoice", "qbo_id": "1"}], (*COLUMNS, *facts))
    open_of_it = [OpenTransaction(kind, "1", "7", "", Decimal(theirs))] if Decimal(theirs) else []
    reports = Reports(date(2030, 1, 1), {"7": Decimal(balance or theirs)}, open_of_it)
    found = Comparison(known, reports, moved, "USD", (), {}).find()
    return [(each.class_name, each.entity, each.amount) for each in found]


def test_what_is_equal_is_no_difference():
    assert compare(theirs="15.00") == []


@pytest.mark.parametrize("theirs", ["15.01", "14.99"])
def test_a_cent_of_a_foreign_document_is_rounding(theirs: str):
    rest = Decimal(theirs) - 15
    assert compare(theirs=theirs) == [("exchange_rounding", "invoice", rest)]


def test_two_cents_are_none_nor_is_one_at_home():
    assert compare(theirs="15.02") == [("unknown", "invoice", Decimal("0.02"))]
    assert compare("USD", theirs="15.01") == [("unknown", "invoice", Decimal("0.01"))]


def test_what_moved_is_in_flight():
    assert compare(theirs="4.00", moved={("invoice", "1")}) == [("in_flight", "invoice", Decimal(-11))]


def test_what_cannot_be_read_is_not_read():
    found = compare(theirs="20.00", is_waiting=True, problem="It has no TotalAmt.")
    assert found == [("not_read", "invoice", Decimal(5))]


def test_what_the_report_does_not_have_is_a_difference():
    assert compare(theirs="0") == [("unknown", "invoice", Decimal(-15))]


def test_a_document_is_known_by_its_id_in_whatever_language_a_report_speaks():
    assert compare(theirs="15.00", kind="Facture") == []


def test_reports_that_contradict_each_other_are_a_difference_of_the_customer():
    assert compare(theirs="15.00", balance="16.00") == [("unknown", "customer", Decimal(1))]
