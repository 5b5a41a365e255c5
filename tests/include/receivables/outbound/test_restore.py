"""A database that is put back to an earlier day learns what had been delivered since, and delivers nothing twice."""

from __future__ import annotations

import os
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import two_sides
from tests.support.delivery_ledger import ACCOUNTS
from tests.support.kept_companies import Rows
from tests.support.payment_steps import alive, lose_answer, settle

if TYPE_CHECKING:
    from uuid import UUID

    from tests.support.cashier import Cashier

# More payments: RESTORED_PAYMENTS=1000
PAYMENTS = int(os.environ.get("RESTORED_PAYMENTS", "200"))
KINDS: tuple[dict[str, Any], ...] = (
    {},
    {"processing_fee": "1.10"},
    {"rounding_amount": "0.05"},
    {"withholding_tax_amount": "2.00", "withholding_tax_type": "VAT"},
    {"processing_fee": "0.35", "rounding_amount": "-0.01"},
)
# Tokens are no part of what is tried here: a company whose tokens are outdated is connected again.
TOKENS = "sync.connection"


def take(cashier: Cashier, count: int) -> list[UUID]:
    """Take payments of all kinds, each for an invoice that is open for more."""
    invoices = cashier.invoices(count, "1000")
    return [
        cashier.take(invoice, "100", **KINDS[number % len(KINDS)]) for number, invoice in enumerate(invoices)
    ]


def grow_old(cashier: Cashier) -> None:
    """Let a day pass since the database was written to, and QuickBooks forget all requests."""
    for table, column in (
        ("staging.cursor", "changed_since"),
        ("sync.run", "started_at"),
        ("sync.run", "ended_at"),
    ):
        cashier.bench.db.execute(f"update {table} set {column} = {column} - interval '24 hours'")
    cashier.bench.sandbox.change_settings(cashier.company.realm_id, requestid_window_seconds=0)


def in_quickbooks(cashier: Cashier, payments: list[UUID]) -> Counter[tuple[UUID, str]]:
    return Counter(
        {
            (payment_id, entity): len(alive(cashier, payment_id, entity))
            for payment_id in payments
            for entity in ("Payment", "JournalEntry")
        }
    )


@pytest.mark.timeout(600)
def test_what_was_delivered_since_a_backup_is_recognised_and_delivered_no_second_time(cashier: Cashier):
    cashier.map_accounts(ACCOUNTS)
    payments = take(cashier, PAYMENTS)
    backup = Rows.read(cashier.bench.db)
    cashier.push()
    settle(cashier)
    before, books = in_quickbooks(cashier, payments), two_sides.books(cashier)
    assert sum(before.values()) > PAYMENTS

    backup.restore(cashier.bench.db, but=TOKENS)
    grow_old(cashier)
    cashier.push()
    assert in_quickbooks(cashier, payments) == before
    assert {cashier.standing(payment_id) for payment_id in payments} == {("waits", "not_fresh")}
    settle(cashier)

    assert in_quickbooks(cashier, payments) == before
    assert two_sides.books(cashier) == books
    assert {cashier.standing(payment_id) for payment_id in payments} == {("agrees", "delivered")}
    assert two_sides.disagreements(cashier) == []


@pytest.mark.timeout(600)
def test_whatever_befell_payments_since_a_backup_none_is_there_twice_and_nobody_is_overruled(
    cashier: Cashier,
):
    cashier.map_accounts(ACCOUNTS)
    chance = random.Random(7)
    payments = take(cashier, PAYMENTS // 4)
    old, new = payments[: len(payments) // 2], payments[len(payments) // 2 :]
    cashier.bench.db.execute("update peakflo.payment set settled_at = null where id = any(%s)", [new])
    cashier.push()
    cashier.bench.sync(cashier.company)
    backup = Rows.read(cashier.bench.db)
    cashier.bench.db.execute("update peakflo.payment set settled_at = now() where id = any(%s)", [new])
    lose_answer(cashier)
    cashier.push()
    voided = [payment_id for payment_id in payments if chance.random() < 0.2]
    for payment_id in voided:
        cashier.books.void("Payment", cashier.record(payment_id)["qbo_id"])
    cancelled = [payment_id for payment_id in payments if payment_id not in voided and chance.random() < 0.2]
    for payment_id in cancelled:
        cashier.cancel(payment_id)
    settle(cashier)
    before = in_quickbooks(cashier, payments)

    backup.restore(cashier.bench.db, but=TOKENS)
    # Peakflo's own service says again what it said last.
    cashier.bench.db.execute("update peakflo.payment set settled_at = now() where id = any(%s)", [new])
    for payment_id in cancelled:
        cashier.cancel(payment_id)
    grow_old(cashier)
    for _ in range(3):
        settle(cashier)

    assert in_quickbooks(cashier, payments) == before
    assert {cashier.standing(payment_id)[1] for payment_id in voided} == {"voided_in_quickbooks"}
    assert {cashier.standing(payment_id) for payment_id in cancelled} == {("agrees", "cancelled")}
    assert two_sides.disagreements(cashier) == []
    assert old
