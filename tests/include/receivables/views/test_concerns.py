from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.receivables.views.company_status import ProblemCounts
from include.receivables.views.concerns import Situation, list_concerns

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
FRESH = {"payment": NOW - timedelta(minutes=3), "invoice": NOW - timedelta(minutes=2)}


def situation(
    *,
    cursors: dict[str, datetime] | None = None,
    actors: dict[str, int] | None = None,
    deliveries: dict[str, int] | None = None,
    **status: Any,
) -> Situation:
    return Situation(
        {
            "status": "connected",
            "last_error": None,
            "auto_sync": True,
            "read_at": NOW,
            "late_after": timedelta(minutes=15),
            "refresh_token_hard_expires_at": NOW + timedelta(days=400),
            **status,
        },
        FRESH if cursors is None else cursors,
        ProblemCounts({"open": sum((actors or {}).values())}, actors or {}),
        deliveries or {},
    )


def test_a_company_in_step_concerns_nobody():
    assert list_concerns(situation(deliveries={"agrees": 9, "waits": 1, "ignored": 1})) == []


@pytest.mark.parametrize(
    ("given", "sentence", "actor", "remedy"),
    [
        ({"status": "reauthorize", "last_error": "Token gone."}, "Token gone.", "admin", "reconnect"),
        ({"status": "disconnected"}, "disconnected", "admin", "reconnect"),
        ({"status": "paused"}, "while it is paused", "data engineer", "resume"),
        ({"cursors": {}}, "The first import is not done yet", "nobody", "import"),
        (
            {"cursors": {**FRESH, "payment": NOW - timedelta(minutes=40)}},
            "The last 40 minutes have not been read",
            "data engineer",
            "sync",
        ),
        (
            {"refresh_token_hard_expires_at": NOW + timedelta(days=7)},
            "consent ends on 2 Dec 2026",
            "admin",
            "reconnect",
        ),
        ({"actors": {"bookkeeper": 1}}, "1 problem is open.", "bookkeeper", "problems"),
        (
            {"actors": {"bookkeeper": 1200, "data engineer": 1, "nobody": 2}},
            "1,203 problems are open.",
            "bookkeeper and data engineer",
            "problems",
        ),
        ({"actors": {"nobody": 2}}, "2 problems are open.", "nobody", "problems"),
        (
            {"deliveries": {"differs": 1}},
            "1 payment differs between Peakflo and QuickBooks.",
            "bookkeeper",
            "deliveries",
        ),
        (
            {"deliveries": {"differs": 1200, "ignored": 2}},
            "1,200 payments differ between Peakflo and QuickBooks.",
            "bookkeeper",
            "deliveries",
        ),
        (
            {"auto_sync": False, "deliveries": {"waits": 1}},
            "Auto-sync is off: 1 payment waits to be sent to QuickBooks.",
            "data engineer",
            "auto-sync",
        ),
    ],
)
def test_what_is_wrong_is_told_with_who_acts_and_what_sets_it_right(
    given: dict[str, Any], sentence: str, actor: str, remedy: str
):
    [concern] = list_concerns(situation(**given))
    assert sentence in concern.sentence
    assert (concern.actor, concern.remedy) == (actor, remedy)


def test_the_worst_comes_first():
    concerns = list_concerns(
        situation(status="reauthorize", auto_sync=False, deliveries={"waits": 1}, actors={"bookkeeper": 1})
    )
    assert [concern.remedy for concern in concerns] == ["reconnect", "problems", "auto-sync"]


def test_a_company_that_may_wait_is_not_late_before_its_time():
    old = {"payment": NOW - timedelta(minutes=40)}
    assert list_concerns(situation(cursors=old, late_after=timedelta(minutes=40))) == []
    assert list_concerns(situation(cursors=old, late_after=timedelta(minutes=39))) != []


def test_what_is_not_connected_is_not_called_late():
    old = {"payment": NOW - timedelta(days=3)}
    assert [each.remedy for each in list_concerns(situation(status="paused", cursors=old))] == ["resume"]
