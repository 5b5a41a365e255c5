"""What the database refuses of Peakflo's payments, whoever inserts them."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from uuid import uuid4

import psycopg
import pytest
from psycopg.errors import CheckViolation

from tests.support.desk import COMPANY, Desk


@pytest.fixture
def desk(db) -> Desk:
    return Desk(db)


@pytest.mark.parametrize(
    ("allocations", "columns"),
    [
        ([], {}),
        ([{"amount": 100}], {}),
        ([{"amount": 60}, {"amount": 40}], {}),
        ([{"amount": 98, "withholding_tax_amount": 2}], {"amount": 98}),
        ([{"amount": "100.02", "rounding_amount": "-0.02"}], {"amount": "100.02"}),
        ([{"amount": 0, "withholding_tax_amount": 2}], {}),
        ([{"amount": 100}, {"target_type": "credit_note", "amount": 30}], {"amount": 70}),
        ([{"amount": 30}, {"target_type": "credit_note", "amount": 30}], {"amount": 0}),
        ([], {"currency": "USD"}),
        ([], {"processing_fee": 100}),
    ],
)
def test_what_can_be_right_is_taken(desk, allocations, columns):
    desk.pay(*allocations, **columns)

    assert desk.count() == 1


@pytest.mark.parametrize(
    ("allocations", "columns", "sentence"),
    [
        ([], {"amount": -1}, "neither may be negative"),
        ([], {"processing_fee": -1}, "neither may be negative"),
        ([], {"processing_fee": 101}, "nor the fee larger"),
        ([], {"amount": 0}, "pay or credit something"),
        ([], {"currency": "XXX"}, "is in XXX, which is no currency of the company"),
        ([], {"currency": None}, "names no currency: give it the currency of its customer, EUR"),
        ([{"amount": "100.01"}], {}, "apply no more than there is"),
        ([{"amount": 60}, {"amount": 41}], {}, "apply no more than there is"),
        ([{"amount": -1}], {}, "is not possible"),
        ([{"amount": 0}], {}, "is not possible"),
        ([{"amount": 5, "withholding_tax_amount": -1}], {}, "is not possible"),
        ([{"amount": 1, "rounding_amount": -2}], {}, "is not possible"),
        ([{"amount": 5, "target_type": "journal_entry"}], {}, "is not possible"),
        ([{"amount": 5, "target_type": "credit_note", "rounding_amount": 1}], {}, "is not possible"),
        ([{"amount": 10}, {"amount": 20, "target_type": "credit_note"}], {}, "use less of them"),
        ([{"amount": 10, "target_id": uuid4()}], {}, "has no invoice"),
        ([{"amount": 10, "target_id": None}], {}, "has no invoice without id"),
        ([{"amount": 5, "target_type": "credit_note", "target_id": uuid4()}], {}, "has no credit note"),
    ],
)
def test_what_cannot_be_right_is_refused_with_a_sentence(desk, allocations, columns, sentence):
    with pytest.raises(CheckViolation, match=sentence) as refused:
        desk.pay(*allocations, **columns)

    assert str(refused.value).splitlines()[0].endswith(".")
    assert desk.count() == 0
    assert desk.count("outbox.delivery") == 0


def test_an_invoice_of_another_company_is_unknown(desk):
    with pytest.raises(CheckViolation, match="Company acme has no invoice"):
        desk.pay({"amount": 10, "target_id": desk.ids["other"]["invoice"]})


def test_a_customer_of_another_company_is_unknown(desk):
    with pytest.raises(
        CheckViolation, match=r"Company acme has no customer .* take it for one of the same company\."
    ):
        desk.pay(customer_id=desk.ids["other"]["customer"])


@pytest.mark.parametrize(
    "change",
    [
        "update peakflo.payment set amount = 99",
        "update peakflo.payment set currency = 'XXX'",
        "update peakflo.payment_allocation set amount = 131 where target_type = 'invoice'",
        "delete from peakflo.payment_allocation where target_type = 'credit_note'",
    ],
)
def test_a_change_is_checked_as_well(desk, change):
    desk.pay({"amount": 130}, {"target_type": "credit_note", "amount": 30})

    with pytest.raises(CheckViolation):
        desk.db.execute(change)


def test_the_order_of_the_rows_within_a_transaction_does_not_matter(desk):
    payment_id = desk.pay({"amount": 100}, amount=100)

    with desk.db.transaction():
        desk.apply(payment_id, 2, amount=30)
        desk.db.execute("update peakflo.payment set amount = 130")

    assert desk.db.execute("select amount from peakflo.payment").fetchone() == (Decimal(130),)


def test_of_two_changes_at_once_the_later_one_sees_the_earlier(desk, db_url):
    payment_id = desk.pay()
    lock_waits = "select count(*) from pg_locks where not granted"

    with psycopg.connect(db_url) as earlier, ThreadPoolExecutor(1) as pool:
        desk.apply(payment_id, 1, db=earlier, amount=60)
        earlier.execute("set constraints all immediate")
        later = pool.submit(desk.apply, payment_id, 2, amount=60)
        deadline = time.monotonic() + 10
        while earlier.execute(lock_waits).fetchone() == (0,):
            assert time.monotonic() < deadline, "the later change does not wait"
        earlier.commit()
        with pytest.raises(CheckViolation, match="apply no more than there is"):
            later.result(timeout=10)

    assert desk.db.execute("select sum(amount) from peakflo.payment_allocation").fetchone() == (60,)


def test_a_payment_that_is_cancelled_or_removed_is_checked_no_more(desk):
    payment_id = desk.pay({"amount": 100})

    desk.db.execute("update peakflo.payment set status = 'voided', amount = 0 where id = %s", [payment_id])
    desk.db.execute("delete from peakflo.payment where id = %s", [payment_id])

    assert desk.count() == 0


def test_payments_from_quickbooks_are_taken_as_they_are(desk):
    desk.pay(
        {"amount": 500, "target_id": None, "target_type": "expense"},
        **COMPANY,
        origin="quickbooks",
        currency=None,
    )

    assert desk.count() == 1
