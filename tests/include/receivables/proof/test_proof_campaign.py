"""Random books with seeded damage: each damage is found, told for what it is, and repaired where it can be."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Any

import pytest

from tests.include.receivables.proof.test_reconciling import prove
from tests.support import truth
from tests.support.damages import DAMAGES, HOUR, Vandal

if TYPE_CHECKING:
    from collections.abc import Callable

    from include.receivables.company.companies import Company
    from tests.support.bookkeeper import Bookkeeper
    from tests.support.workbench import Workbench

BOOKS = int(os.environ.get("PROOF_BOOKS", str(len(DAMAGES))))
FIRST = int(os.environ.get("PROOF_FROM", "0"))
EVENTS = 40
# Beside each damage of its turn, some that are drawn.
MOST_DAMAGES = 3


@pytest.mark.parametrize("seed", range(FIRST, FIRST + BOOKS))
def test_each_damage_is_found_and_nothing_else(
    bench: Workbench, keep_books: Callable[[Company], Bookkeeper], seed: int
) -> None:
    draw = random.Random(seed)
    company = bench.imported("empty" if seed % 2 else "demo", country=draw.choice(("US", "SG")))
    bench.sandbox.events(company.realm_id, EVENTS, seed)
    bench.sync(company)
    bench.sandbox.advance_clock(2 * HOUR)
    bench.sync(company)
    proof, before = prove(bench, company)
    print(*unexpected(before), sep="\n")
    assert unexpected(before) == []
    assert proof["verdict"] == ("explained" if before else "equal")

    vandal = Vandal(bench, company, keep_books(company), seed)
    kinds = [DAMAGES[seed % len(DAMAGES)], *draw.sample(DAMAGES, draw.randrange(MOST_DAMAGES))]
    expected = [each for each in (getattr(vandal, kind)() for kind in kinds) if each is not None]
    proof, found = prove(bench, company)
    known = {(each["entity"], each["qbo_id"]) for each in before if each["class"] == "other_money"}
    told = {
        (each["class"], each["entity"], each["qbo_id"], each["is_repaired"]): each["field"]
        for each in found
        if each["class"] != "exchange_rounding" and (each["entity"], each["qbo_id"]) not in known
    }
    for each in expected:
        key = (each.class_name, each.entity, each.qbo_id, each.is_repaired)
        assert key in told, (seed, kinds, each, told)
        # What hidden changes drag along is merged again by the sync of the proof, whatever else was wrong with it.
        assert each.field in told.pop(key).split(", ") or is_hidden(kinds)
    # What hidden changes drag along, such as the balance of a customer, is found with them.
    assert all(key[0] == "missed_change" and key[3] for key in told), (seed, kinds, told)
    if not is_hidden(kinds):
        assert not told, (seed, kinds, told)
    if "a_row_doubled" in kinds:
        # It is marked as deleted, which the books know nothing of.
        statement = "delete from peakflo.invoice where source_id = %s and deleted_at is not null"
        bench.db.execute(statement, [vandal.doubled])
    assert truth.differences(bench.db, bench.sandbox, company) == []
    _, again = prove(bench, company)
    assert unexpected(again) == []


def is_hidden(kinds: list[str]) -> bool:
    """Tell whether something happened in QuickBooks of which no change is read."""
    return any(kind.startswith(("a_hidden", "a_journal")) for kind in kinds)


def unexpected(differences: list[dict[str, Any]]) -> list[str]:
    """Return what is told besides money that Peakflo has no tables for."""
    return [
        f"{each['class']} {each['entity']} {each['qbo_id']} {each['field']}: {each['sentence']}"
        for each in differences
        if each["class"] not in ("other_money", "exchange_rounding")
    ]
