"""A few payments changed in any order, on either side, while answers get lost."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support import two_sides
from tests.support.random_life import Life

if TYPE_CHECKING:
    from tests.support.cashier import Cashier

# More orders: ORDERS=100; others: ORDERS_FROM=1000
ORDERS = int(os.environ.get("ORDERS", "5"))
ORDERS_FROM = int(os.environ.get("ORDERS_FROM", "1"))
PAYMENTS = 3
STEPS = 24


@pytest.mark.timeout(60 + ORDERS * 60)
def test_whatever_is_done_to_a_payment_in_whatever_order_ends_with_the_same_money_on_both_sides(
    cashier: Cashier, subtests: pytest.Subtests
):
    cashier.invoices(PAYMENTS + 2)
    for seed in range(ORDERS_FROM, ORDERS_FROM + ORDERS):
        with subtests.test(seed=seed):
            life = Life(cashier, seed)
            life.happen_only("take")
            life.happen(PAYMENTS)
            life.happen_only(
                "cancel", "take_up", "edit", "edit_back", "touch_payment", "touch_entry", "decide", "sync",
                "push", "push_over_a_bad_line",
            )  # fmt: skip
            life.happen(STEPS)
            life.rest()
            assert two_sides.disagreements(cashier) == []
