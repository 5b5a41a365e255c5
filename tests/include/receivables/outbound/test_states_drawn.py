"""The diagram of docs/deliveries.md has exactly the moves that the database allows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, get_args

import pytest
from psycopg.errors import CheckViolation

from include.receivables.outbound.model import LIVE, State
from tests.support.airflow_settings import ROOT
from tests.support.desk import Desk

if TYPE_CHECKING:
    import psycopg

DRAWN = re.compile(r"^ +(\w+) --> (\w+): (.+)$", re.MULTILINE)


def test_the_diagram_has_exactly_the_allowed_moves(db: psycopg.Connection):
    allowed = db.execute("select from_state, to_state, meaning from outbox.allowed_move").fetchall()

    assert sorted(DRAWN.findall((ROOT / "docs/deliveries.md").read_text())) == sorted(allowed)


def test_each_state_is_reached_and_each_living_one_can_be_left(db: psycopg.Connection):
    moves = db.execute(
        "select from_state, to_state from outbox.allowed_move where from_state <> to_state"
    ).fetchall()

    assert {to for _, to in moves} == set(get_args(State))
    assert {before for before, _ in moves} >= set(LIVE)


def test_a_move_that_is_not_allowed_is_refused_by_name(db: psycopg.Connection):
    payment_id = Desk(db).pay()
    begun = db.execute(
        "select outbox.begin('acme', '9130', %s, 'journal_entry', 0, 'pf-j-1', 'sent', 1, 'test', '{}')",
        [payment_id],
    ).fetchone()
    assert begun is not None

    with pytest.raises(CheckViolation, match="is sent: it cannot become undone"):
        db.execute("select outbox.move(%s, 'undone', 1, 'test')", [begun[0]])
