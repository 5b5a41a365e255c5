"""What no payment of Peakflo's can be, and for which books one is that does not say."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg.errors import CheckViolation, NumericValueOutOfRange

from tests.support.desk import COMPANY, OTHER, Desk
from tests.support.staged import staged_company

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from tests.support.cashier import Cashier

FORMER = "8000"
NAN, INFINITY = Decimal("NaN"), Decimal("Infinity")
FIRST, LAST = date(1990, 1, 1), date(2100, 12, 31)
TABLES = ("peakflo.payment", "peakflo.payment_allocation", "outbox.delivery")
same_desk = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

ODD = [
    *[
        ({name: NAN}, "has NaN for an amount or for the exchange rate: give it numbers")
        for name in ("amount", "unapplied_amount", "processing_fee", "exchange_rate")
    ],
    *[
        ({"exchange_rate": rate}, "has the exchange rate .*: give it one above zero, or none")
        for rate in (0, -1, "0.00000000004")
    ],
    *[
        ({name: day}, "is of .*: give it days from 1990 to 2100")
        for name in ("payment_date", "settled_at")
        for day in ("1989-12-31", "2101-01-02", "infinity", "-infinity", "0001-01-01 BC")
    ],
    (
        {"realm_id": "1"},
        "is for QuickBooks company 1, but its customer is of 9130: give it the realm_id 9130",
    ),
    ({"realm_id": ""}, "is for QuickBooks company , but its customer is of 9130: give it the realm_id 9130"),
    ({"realm_id": OTHER["realm_id"]}, "is for QuickBooks company 9131, but its customer is of 9130"),
    ({"company_id": "nobody"}, "is of company nobody, which was never connected to QuickBooks"),
    ({"customer_id": uuid4()}, "has no customer .*: take it for one of the same company"),
    ({"customer_id": None}, "has no customer without id"),
    ({"currency": None}, "names no currency: give it the currency of its customer, EUR"),
]


@pytest.fixture
def desk(db: psycopg.Connection) -> Desk:
    return Desk(db)


@contextmanager
def refused(desk: Desk, sentence: str, error: type[psycopg.Error] = CheckViolation) -> Iterator[None]:
    """Expect a refusal that is one sentence, and that nothing is left of what was refused."""
    before = [desk.count(table) for table in TABLES]
    with pytest.raises(error, match=sentence) as refusal:
        yield
    if error is CheckViolation:
        assert str(refusal.value).splitlines()[0].endswith(".")
    assert [desk.count(table) for table in TABLES] == before


@pytest.mark.parametrize(("columns", "sentence"), ODD)
def test_each_odd_value_is_refused_by_itself(desk: Desk, columns: dict[str, Any], sentence: str) -> None:
    with refused(desk, sentence):
        desk.pay({"amount": 10}, **columns)


@pytest.mark.parametrize(("columns", "sentence"), [each for each in ODD if "company_id" not in each[0]])
def test_no_payment_becomes_odd_later(desk: Desk, columns: dict[str, Any], sentence: str) -> None:
    desk.pay()
    before = desk.db.execute("select * from peakflo.payment").fetchall()
    [(name, value)] = columns.items()
    with refused(desk, sentence):
        desk.db.execute(f"update peakflo.payment set {name} = %s", [value])  # type: ignore[arg-type]
    assert desk.db.execute("select * from peakflo.payment").fetchall() == before


@pytest.mark.parametrize("name", ["amount", "withholding_tax_amount", "rounding_amount"])
def test_an_allocation_of_nan_is_refused(desk: Desk, name: str) -> None:
    with refused(desk, "Allocation 1 of payment .* is not possible: its amounts must be finite"):
        desk.pay({"amount": 10, name: NAN})


@pytest.mark.parametrize("value", [INFINITY, -INFINITY, 10**18])
def test_what_is_too_large_does_not_fit(desk: Desk, value: Decimal | int) -> None:
    for name in ("amount", "unapplied_amount", "processing_fee", "exchange_rate"):
        with refused(desk, "numeric field overflow", NumericValueOutOfRange):
            desk.pay(**{name: value})
    for name in ("amount", "withholding_tax_amount", "rounding_amount"):
        with refused(desk, "numeric field overflow", NumericValueOutOfRange):
            desk.pay({"amount": 10, name: value})


@pytest.mark.parametrize(
    "columns",
    [
        {"payment_date": FIRST},
        {"payment_date": LAST},
        {"settled_at": "1990-01-01Z"},
        {"settled_at": "2100-12-31 23:59:59Z"},
        {"exchange_rate": "0.0000000001"},
        {"exchange_rate": None},
        {"amount": "9999999999999999.9999"},
        {"amount": "0.0001"},
        {"processing_fee": 100},
        {"unapplied_amount": -1},
    ],
)
def test_what_is_just_within_the_limits_is_taken(desk: Desk, columns: dict[str, Any]) -> None:
    desk.pay(**columns)
    assert desk.count() == 1


@same_desk
@given(st.dates())
@example(date(1989, 12, 31))
@example(date(2101, 1, 1))
def test_a_payment_is_of_our_days(desk: Desk, day: date) -> None:
    before = desk.count()
    if FIRST <= day <= LAST:
        desk.pay(payment_date=day)
        assert desk.count() == before + 1
    else:
        with refused(desk, f"is of {day}: give"):
            desk.pay(payment_date=day)


@same_desk
@given(st.decimals(-2, 10, places=10) | st.just(NAN))
@example(Decimal(0))
def test_an_exchange_rate_is_above_zero(desk: Desk, rate: Decimal) -> None:
    before = desk.count()
    if rate.is_finite() and rate > 0:
        desk.pay(exchange_rate=rate)
        assert desk.count() == before + 1
    else:
        with refused(desk, "NaN" if rate.is_nan() else "exchange rate"):
            desk.pay(exchange_rate=rate)


@pytest.mark.parametrize("realm", [{}, {"realm_id": None}, {"realm_id": COMPANY["realm_id"]}])
def test_a_payment_that_names_no_books_is_for_those_of_its_company(desk: Desk, realm: dict[str, Any]) -> None:
    desk.pay(**realm)
    assert desk.db.execute("select realm_id from peakflo.payment").fetchall() == [(COMPANY["realm_id"],)]


def test_a_payment_that_names_no_books_is_delivered(cashier: Cashier) -> None:
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice, realm_id=None)
    cashier.push()
    assert cashier.states(payment_id) == {"payment": ["made"]}


def test_a_payment_for_the_books_of_before_says_so(desk: Desk) -> None:
    customer_id = desk.add_customer("acme", FORMER)
    desk.pay(customer_id=customer_id, realm_id=FORMER)

    with refused(
        desk, "is for QuickBooks company 9130, but its customer is of 8000: give it the realm_id 8000"
    ):
        desk.pay(customer_id=customer_id)

    assert desk.db.execute("select realm_id from peakflo.payment").fetchall() == [(FORMER,)]


def test_a_payment_can_be_cancelled_whatever_became_of_its_company(desk: Desk) -> None:
    payment_id = desk.pay()
    desk.db.execute("delete from peakflo.company where company_id = 'acme'")

    desk.db.execute("update peakflo.payment set status = 'voided' where id = %s", [payment_id])

    assert desk.db.execute("select status from peakflo.payment").fetchone() == ("voided",)


def test_quickbooks_payments_are_merged_whatever_they_say(db: psycopg.Connection) -> None:
    odd = {
        "Id": "7",
        "CustomerRef": {"value": "1"},
        "TxnDate": "1907-01-01",
        "TotalAmt": -5,
        "UnappliedAmt": -5,
        "ExchangeRate": 0,
        "Line": [],
    }
    with staged_company(db) as books:
        books.merge("Payment", odd, {**odd, "Id": "8", "TxnDate": "2999-01-01", "ExchangeRate": -1})

        assert books.problems() == {}
        assert books.rows(
            "select payment_date, amount, exchange_rate from peakflo.payment order by source_id"
        ) == [(date(1907, 1, 1), -5, 0), (date(2999, 1, 1), -5, -1)]
