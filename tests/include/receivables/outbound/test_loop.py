"""Long random life on both sides: both come to rest, agree, and stay as they are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support import two_sides
from tests.support.delivery_trace import Trace
from tests.support.random_life import Life

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cashier import Cashier

# The full size is 1,000 events in 50 cycles: LOOP_EVENTS=1000 LOOP_CYCLES=50 LOOP_SEEDS=1,2,3
EVENTS = int(os.environ.get("LOOP_EVENTS", "80"))
CYCLES = int(os.environ.get("LOOP_CYCLES", "6"))
SEEDS = [int(seed) for seed in os.environ.get("LOOP_SEEDS", "1").split(",")]
IDLE_CYCLES = 10


@pytest.mark.timeout(300 + EVENTS * 2)
@pytest.mark.parametrize("seed", SEEDS)
def test_both_sides_agree_after_random_life_and_then_nothing_is_written_any_more(
    cashier: Cashier, seed: int, db_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    trace = Trace(db_url, tmp_path / "requests")
    trace.watch_here(monkeypatch)
    life = Life(cashier, seed)
    for _ in range(CYCLES):
        life.happen(EVENTS // CYCLES)
        life.cycle()
        cashier.bench.sandbox.advance_clock(life.random.choice((0, 60, 300, 900)))
    life.rest()
    assert two_sides.disagreements(cashier) == []
    assert trace.objections(cashier.bench.db) == []
    assert len(life.taken) > EVENTS / 10

    realm = cashier.company.realm_id
    before, rows = two_sides.books(cashier), two_sides.versions(cashier)
    cashier.bench.sandbox.reset_calls(realm)
    for _ in range(IDLE_CYCLES):
        assert cashier.bench.sync(cashier.company).calls == 1
        assert cashier.push().calls == 0
    assert two_sides.books(cashier) == before
    after = two_sides.versions(cashier)
    assert [table for table in after if after[table] != rows[table]] == []
    assert cashier.bench.sandbox.calls(realm)["by_path"] == {"cdc": IDLE_CYCLES}
