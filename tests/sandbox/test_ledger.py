from __future__ import annotations

from decimal import Decimal

import pytest

from sandbox.ledger import Ledger, Posting, UnbalancedEntryError

KEY = ("Invoice", "1")


def sides(amount: str) -> list[Posting]:
    value = Decimal(amount)
    return [Posting("ar", "ada", value, value), Posting("income", "", -value, -value)]


def test_an_entry_moves_accounts_and_the_customer() -> None:
    ledger = Ledger()
    touched = ledger.post(KEY, sides("10"))
    assert touched == (frozenset({"ar", "income"}), frozenset({"ada"}))
    assert ledger.trial_balance() == {"ar": 10, "income": -10}
    assert ledger.customer_balance["ada"] == 10


def test_entering_anew_replaces_the_entry() -> None:
    ledger = Ledger()
    ledger.post(KEY, sides("10"))
    assert ledger.post(KEY, sides("10")) == (frozenset(), frozenset())
    ledger.post(KEY, sides("4"))
    assert ledger.trial_balance() == {"ar": 4, "income": -4}
    ledger.post(KEY, ())
    assert ledger.trial_balance() == {}
    assert ledger.entries == {}


def test_an_entry_that_does_not_balance_is_refused() -> None:
    ledger = Ledger()
    with pytest.raises(UnbalancedEntryError):
        ledger.post(KEY, sides("10")[:1])
    assert ledger.trial_balance() == {}
