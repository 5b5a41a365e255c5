"""
Payments' way to QuickBooks, checked by a model: all that may happen, in whatever order, to a depth.

The decisions, what is done for them and what people may choose are the product's own; QuickBooks, people, the clock and
the database are the model's.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from include.receivables.outbound import (
    acting,
    decide,
    finding_out,
    following,
    looking,
    making,
    unmaking,
)
from include.receivables.outbound.case import Case as Deciding
from include.receivables.outbound.model import Adopt, Undo
from include.receivables.outbound.preflight_answers import Ready
from tests.support.delivery_model import case as cases
from tests.support.delivery_model import trace
from tests.support.delivery_model.case import Case, Edition
from tests.support.delivery_model.checker import KINDS, Checker, Limits
from tests.support.delivery_model.database import ALLOWED
from tests.support.delivery_model.quickbooks import one_page
from tests.support.delivery_model.world import Ours, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.delivery_model.database import Move

# Deeper: MODEL_DEPTH=12 MODEL_EVENTS=4
USUAL_DEPTH = 9
DEPTH = int(os.environ.get("MODEL_DEPTH", USUAL_DEPTH))
EVENTS = int(os.environ.get("MODEL_EVENTS", "3"))

PLAIN = Case()
# A fee is booked by a journal entry beside the payment; tax that was kept back by one that the payment links.
FEE = Case((Edition(100, fee=1), Edition(100, fee=0)))
TAX = Case((Edition(100, tax=5), Edition(101, tax=5)))


LOOK_AGAIN = finding_out._look_again

# Moves that come about only in more than three events.
RARE: set[Move] = {("absent", "made"), ("absent", "unknown"), ("refused", "made")}


@pytest.fixture(autouse=True)
def modelled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Search the model's QuickBooks, and do not log."""
    monkeypatch.setattr(looking, "read_pages", one_page)
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.timeout(7200)
@pytest.mark.parametrize(
    ("case", "limits", "never"),
    [
        pytest.param(PLAIN, Limits(DEPTH, EVENTS), RARE, id="payment"),
        pytest.param(FEE, Limits(DEPTH - 4, EVENTS), None, id="fee"),
        pytest.param(TAX, Limits(DEPTH - 4, EVENTS), None, id="tax"),
    ],
)
def test_no_order_of_events_breaks_a_rule(
    case: Case, limits: Limits, never: set[Move] | None, capsys: pytest.CaptureFixture[str]
):
    report = Checker(case, limits).run()
    with capsys.disabled():
        print(f"\n{report}")
    assert report.broken == ""
    assert report.moves <= ALLOWED
    # The table allows nothing that never happens.
    assert never is None or DEPTH < USUAL_DEPTH or ALLOWED - report.moves <= never


def test_a_payment_that_is_not_settled_waits_for_its_money():
    waiting = World(Ours(is_settled=False))
    report = Checker(PLAIN, Limits(6, 2), waiting).run()
    assert report.broken == ""
    assert report.rests["waits, waits for not_settled"] > 0
    assert report.rests["ignored, let go"] > 0


def test_the_log_of_a_real_delivery_is_held_against_the_model():
    def move(a: str, b: str, request_id: str | None = None) -> dict[str, Any]:
        return {"record_id": 1, "from_state": a, "to_state": b, "request_id": request_id}

    record = {"record_id": 1, "request_id": "pf-p-1", "state": "made"}
    lost = [move("intended", "sent", "pf-p-1"), move("sent", "unknown")]
    looked = move("unknown", "unknown")
    repeated = [move("unknown", "sent", "pf-p-1"), move("sent", "made")]
    undone = [move("made", "undoing", "pf-p-1-u1"), move("undoing", "made")]
    assert trace.broken_rules([record], [*lost, looked, *repeated, *undone]) == []
    for broken in (
        [*lost, *repeated],
        [*lost, looked],
        [*lost, looked, move("unknown", "sent", "pf-p-2"), move("sent", "made")],
        [*lost, move("unknown", "undone"), move("undone", "made")],
        [*lost, move("made", "made")],
    ):
        assert len(trace.broken_rules([record], broken)) > 0


@dataclass(frozen=True)
class Seeded:
    """
    A bug to be found.

    :param named: what is replaced, by its module and name.
    :param told: what the checker says of it.
    :param happens: how many events of which kinds lead to it.
    """

    named: tuple[Any, str]
    value: Any
    told: str
    happens: dict[str, int] = field(default_factory=dict)
    depth: int = 6
    case: Case = PLAIN

    @property
    def limits(self) -> Limits:
        happens = dict.fromkeys(KINDS, 0) | self.happens
        return Limits(self.depth, sum(self.happens.values()), happens)


def nothing(*_args: Any, **_words: Any) -> None:
    """Do nothing, and find nothing."""


def yes(*_args: Any) -> bool:
    return True


def no(*_args: Any) -> bool:
    return False


def unchanged(*_args: Any) -> str:
    """Find nothing changed by hand."""
    return ""


def adopt_in_any_case(_case: Any, _document: Any, strays: Any) -> Adopt:
    return Adopt(strays[0], None)


def untellable(code: str) -> Callable[..., Any]:
    """Leave out one kind of difference."""
    differ = Deciding.differ

    def differ_but(case: Any, noted: str, *about: Any, **words: Any) -> Any:
        difference = differ(case, noted, *about, **words)
        if noted == code:
            case.differences.remove(difference)
        return difference

    return differ_but


def ask_again(case: Any, record: Any) -> Any:
    return finding_out._look(case, record, thoroughly=True)


def ask_where_nothing_ever_was(case: Any, record: Any) -> Any:
    """Take what was deleted by now for what keeps QuickBooks from telling."""
    return None if case.situation.strays else LOOK_AGAIN(case, record)


def ready(case: Case, ours: Any) -> Ready:
    """Let a payment go whatever is known of QuickBooks."""
    return Ready(cases._outgoing(case.editions[ours.edition]))


def undo_the_newest(case: Any, record: Any) -> Any:
    """Undo whatever version is there, without asking what it is."""
    return Undo(record, record.current.sync_token)


SEEDED = {
    "sent without having been looked for": Seeded(
        (finding_out, "_was_looked_for"), yes, "not looked for", {"fault": 1}
    ),
    "given up while it is still on its way": Seeded(
        (finding_out, "_is_over"), yes, "not looked for once it was over", {"fault": 1}
    ),
    "repeated past the replay window": Seeded(
        (finding_out, "_is_past_replay"), no, "forgotten", {"fault": 1, "hours": 1}
    ),
    "a failure taken for a refusal": Seeded(
        (acting, "proves_refusal"), yes, "all of them live", {"fault": 1, "person": 1}
    ),
    "adopted beside one that is there": Seeded(
        (following, "_adopt_living"), adopt_in_any_case, "The database refuses", {"hand": 1}
    ),
    "a second one not told": Seeded((decide, "adopt"), nothing, "not told", {"hand": 1}),
    "a change by hand undone": Seeded(
        (unmaking, "changed_by_hand"), unchanged, "is undone", {"hand": 1, "peakflo": 1}
    ),
    "the newest version undone": Seeded(
        (unmaking, "_undo"), undo_the_newest, "is undone", {"hand": 1, "peakflo": 1}
    ),
    "a difference not told": Seeded((making, "compare_record"), nothing, "not told", {"hand": 1}),
    "an edit in Peakflo not told": Seeded(
        (Deciding, "differ"), untellable("edited_after_sending"), "not told", {"peakflo": 1}
    ),
    "a revived one not told": Seeded(
        (Deciding, "differ"), untellable("revived_in_quickbooks"), "not told", {"peakflo": 1, "hand": 1}
    ),
    "what is gone not followed": Seeded((decide, "follow"), nothing, "leads out", {"hand": 1}),
    "a cancelled one left there": Seeded((decide, "unmake"), nothing, "not told", {"peakflo": 1}),
    "the journal entry left there": Seeded(
        (unmaking, "DOCUMENTS"), ("payment",), "not told", {"peakflo": 1}, case=FEE
    ),
    "a lost one never found out": Seeded(
        (finding_out, "_find_out_made"), nothing, "waits for what does not come", {"fault": 1}
    ),
    "sent though a person let go of it": Seeded(
        (making, "_stays_wanted"), yes, "is not heard", {"person": 1, "settings": 2}
    ),
    "a retry not heard": Seeded((Deciding, "is_retried"), no, "is not heard", {"hand": 1}),
    "an ignoring not heard": Seeded((Deciding, "_is_ignored"), no, "is not heard", {"hand": 1}),
    "QuickBooks asked over and over": Seeded(
        (finding_out, "_look_again"), ask_again, "steps at once", {"fault": 1, "hand": 1}
    ),
    "never asked again about what was deleted": Seeded(
        (finding_out, "_look_again"),
        ask_where_nothing_ever_was,
        "waits for what does not come",
        {"fault": 1, "hand": 3},
        depth=10,
    ),
    "sent without having read QuickBooks since the backup": Seeded(
        (Case, "_check"), ready, "all of them live", {"restore": 2, "hours": 1}
    ),
}


@pytest.mark.parametrize("name", SEEDED)
def test_a_seeded_bug_is_found(name: str, monkeypatch: pytest.MonkeyPatch):
    seeded = SEEDED[name]
    assert Checker(seeded.case, seeded.limits).run().broken == ""
    monkeypatch.setattr(*seeded.named, seeded.value)
    report = Checker(seeded.case, seeded.limits).run()
    assert seeded.told in report.broken, report
