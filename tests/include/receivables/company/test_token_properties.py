from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.errors import ReceivablesError
from include.receivables.company.side_connection import SideConnection
from include.receivables.company.tokens import REFUSAL_PAUSE, CompanyTokens

if TYPE_CHECKING:
    from include.receivables.company.companies import Company
    from tests.support.workbench import Workbench

DAY = 86_400
ROUNDS = 40

# What the token endpoint answers.
FAULTS = {
    "ok": None,
    "lost": {"kind": "lost_answer"},
    "cut off": {"kind": "truncated"},
    "429": {"kind": "429"},
    "503": {"kind": "503_html"},
    "500": {"kind": "500"},
    "reset": {"kind": "reset"},
    "unknown error": {"kind": "token_error", "error": "temporarily_unavailable"},
    "wrong keys": {"kind": "401"},
    "refused": {"kind": "token_error"},
}
Answer = Literal[
    "ok", "lost", "cut off", "429", "503", "500", "reset", "unknown error", "wrong keys", "refused"
]
LOST = ("lost", "cut off")
WAITS = (timedelta(0), timedelta(minutes=1), REFUSAL_PAUSE - timedelta(minutes=1), REFUSAL_PAUSE)


@dataclass
class Intuit:
    """
    What may be known of a connection from the answers alone.

    :param is_dead: whether the stored refresh token was used up by an answer that was lost, without a grace.
    :param refused_since: how long ago QuickBooks first refused it; None if it did not since the last success.
    """

    has_grace: bool
    is_dead: bool = False
    refused_since: timedelta | None = None
    is_disconnected: bool = False
    asked: list[str] = field(default_factory=list)

    def wait(self, span: timedelta) -> None:
        """Let time pass."""
        if self.refused_since is not None:
            self.refused_since += span

    def answer(self, answer: str) -> None:
        """Answer one refresh, unless nobody may ask for it."""
        if self.is_disconnected or (self.refused_since is not None and self.refused_since < REFUSAL_PAUSE):
            return
        self.asked.append(answer)
        if answer == "refused" or (answer == "ok" and self.is_dead):
            # The second one; a pause apart, for otherwise nobody would have asked.
            self.is_disconnected = self.refused_since is not None
            self.refused_since = self.refused_since or timedelta(0)
        elif answer == "ok":
            self.refused_since = None
        elif answer in LOST:
            self.is_dead = not self.has_grace


@pytest.fixture
def company(bench: Workbench) -> Company:
    return bench.connect("empty", company_id="acme")


@given(
    has_grace=st.booleans(),
    steps=st.lists(st.tuples(st.sampled_from(WAITS), st.sampled_from(list(FAULTS))), max_size=8),
)
@settings(max_examples=ROUNDS, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_answer_but_two_refusals_a_pause_apart_disconnects_and_no_refresh_token_is_lost(
    bench: Workbench, company: Company, *, has_grace: bool, steps: list[tuple[timedelta, Answer]]
):
    connect_anew(bench, company, has_grace=has_grace)
    intuit = Intuit(has_grace)
    for wait, answer in steps:
        let_pass(bench, wait)
        intuit.wait(wait)
        intuit.answer(answer)
        refresh(bench, company, answer)
        status = bench.db.execute("select status from sync.connection").fetchone()
        assert status == ("reauthorize" if intuit.is_disconnected else "connected",), intuit.asked
    if intuit.is_disconnected or intuit.is_dead:
        return
    let_pass(bench, REFUSAL_PAUSE)
    assert refresh(bench, company, "ok") is None


def connect_anew(bench: Workbench, company: Company, *, has_grace: bool) -> None:
    """Begin with tokens that nobody has used."""
    bench.sandbox.clear_faults()
    bench.sandbox.change_settings(company.realm_id, refresh_grace_seconds=DAY if has_grace else 0)
    token = bench.sandbox.tokens(company.realm_id)["refresh_token"]
    bench.db.execute(
        "update sync.connection set status = 'connected', refresh_token = %s, refused_at = null",
        [bench.access.cipher.encrypt(token)],
    )


def let_pass(bench: Workbench, span: timedelta) -> None:
    bench.db.execute("update sync.connection set refused_at = refused_at - %s", [span])


def refresh(bench: Workbench, company: Company, answer: Answer) -> ReceivablesError | None:
    """Meet an expired access token in a process that knows nothing of the others."""
    bench.db.execute("update sync.connection set access_token_expires_at = now()")
    fault = FAULTS[answer]
    if fault is not None:
        bench.sandbox.add_fault(**fault, path="token", count=1)
    side = SideConnection(bench.access.connect)
    try:
        CompanyTokens(
            company.company_id, company.realm_id, side=side, app=bench.access.app, cipher=bench.access.cipher
        ).current()
    except ReceivablesError as error:
        return error
    finally:
        side.close()
        bench.sandbox.clear_faults()
    return None
