"""That the campaigns' check of what deliveries leave behind sees what is wrong."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from include.errors import RecordError
from tests.support.delivery_trace import Trace, object_to_moves
from tests.support.payment_steps import settle

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from tests.support.cashier import Cashier

BEGIN = """
insert into outbox.record (company_id, realm_id, payment_id, document, generation, request_id, state)
select company_id, realm_id, payment_id, document, generation + 1, request_id || '-g1', 'undone'
from outbox.record
"""
MOVE = """
insert into outbox.move (record_id, from_state, to_state, why, run_id)
select max(record_id), %s, %s, 'planted', 1 from outbox.record
"""


@pytest.fixture
def trace(db_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trace:
    watching = Trace(db_url, tmp_path / "requests")
    watching.watch_here(monkeypatch)
    return watching


@pytest.fixture
def payment_id(cashier: Cashier, trace: Trace) -> UUID:
    """A payment that was delivered, cancelled and undone."""
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    cashier.push()
    cashier.cancel(payment_id)
    settle(cashier)
    return payment_id


def test_a_life_that_went_well_is_objected_to_in_nothing(cashier: Cashier, trace: Trace, payment_id: UUID):
    assert trace.objections(cashier.bench.db) == []
    assert len(trace.log.read_text().splitlines()) == 2


def test_a_request_that_was_not_written_down_is_told(cashier: Cashier, trace: Trace, payment_id: UUID):
    trace.log.unlink()
    with cashier.bench.access.open_books(cashier.company.company_id) as books, suppress(RecordError):
        books.quickbooks.void_payment(cashier.record(payment_id)["qbo_id"], 0, request_id="pf-p-other")
    assert trace.objections(cashier.bench.db) == ["pf-p-other left 1 times, and was written down 0"]


@pytest.mark.usefixtures("payment_id")
@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("undone", "refused", "moved from undone to refused"),
        ("made", "gone", "was undone, and moved from made to gone"),
    ],
)
def test_a_move_that_no_record_may_make_is_told(cashier: Cashier, before: str, after: str, said: str):
    cashier.bench.db.execute(MOVE, [before, after])
    assert any(said in sentence for sentence in object_to_moves(cashier.bench.db))


def test_a_state_without_a_move_is_told(cashier: Cashier, payment_id: UUID):
    cashier.bench.db.execute("update outbox.record set state = 'made'")
    [said] = object_to_moves(cashier.bench.db)
    assert said.endswith("is made, and was last moved to undone")


def test_two_that_live_at_once_are_told(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    cashier.push()
    cashier.bench.db.execute(BEGIN)
    for move in (("intended", "made"), ("made", "undoing"), ("undoing", "undone")):
        cashier.bench.db.execute(MOVE, move)
    told = [f"payment 1 of {payment_id} is {state} beside another one" for state in ("made", "undoing")]
    assert object_to_moves(cashier.bench.db) == told
