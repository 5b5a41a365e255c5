"""What is wrong with a company at a glance: one sentence each, who acts, and what sets it right."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from include.receivables.views.company_status import ProblemCounts

Json = dict[str, Any]
Remedy = Literal["reconnect", "resume", "problems", "deliveries", "import", "sync", "auto-sync"]

# Long enough before the consent ends for its renewal to be planned.
SOON = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Concern:
    """
    Something that is not as it should be.

    :param level: ``danger`` when records do not flow, else ``warning``.
    :param actor: who has to act; "nobody" when it passes by itself.
    :param remedy: what to offer.
    """

    level: Literal["danger", "warning"]
    sentence: str
    actor: str
    remedy: Remedy


@dataclass(frozen=True, slots=True)
class Situation:
    """
    What concerns are told from.

    :param status: as :func:`include.receivables.views.company_status.read_status` reads it.
    :param cursors: up to which moment each entity is known.
    :param deliveries: payments counted by where they stand.
    """

    status: Json
    cursors: Mapping[str, datetime]
    problems: ProblemCounts
    deliveries: Mapping[str, int]


def list_concerns(situation: Situation) -> list[Concern]:
    """List what is wrong, the worst first."""
    found = (look(situation) for look in LOOKS)
    return [concern for concern in found if concern is not None]


def _look_at_connection(situation: Situation) -> Concern | None:
    status = situation.status
    match status["status"]:
        case "reauthorize":
            reason = status["last_error"] or "QuickBooks no longer accepts the connection."
            return Concern("danger", f"Nothing is read or sent. {reason}", "admin", "reconnect")
        case "disconnected":
            return Concern(
                "danger", "Nothing is read or sent: QuickBooks is disconnected.", "admin", "reconnect"
            )
        case "paused":
            return Concern(
                "warning", "Nothing is read or sent while it is paused.", "data engineer", "resume"
            )
    return None


def _look_at_freshness(situation: Situation) -> Concern | None:
    status = situation.status
    if status["status"] != "connected":
        return None
    if not situation.cursors:
        return Concern("warning", "The first import is not done yet.", "nobody", "import")
    age = status["read_at"] - min(situation.cursors.values())
    if age <= status["late_after"]:
        return None
    minutes = int(age / timedelta(minutes=1))
    return Concern("danger", f"The last {minutes} minutes have not been read.", "data engineer", "sync")


def _look_at_consent(situation: Situation) -> Concern | None:
    status = situation.status
    ends_at = status["refresh_token_hard_expires_at"]
    if (
        status["status"] not in ("connected", "paused")
        or ends_at is None
        or ends_at - status["read_at"] > SOON
    ):
        return None
    return Concern(
        "warning",
        f"QuickBooks' consent ends on {ends_at.day} {ends_at:%b %Y}; after that nothing is read or sent.",
        "admin",
        "reconnect",
    )


def _look_at_problems(situation: Situation) -> Concern | None:
    actors = situation.problems.actors
    count = sum(actors.values())
    if not count:
        return None
    sentence = "1 problem is open." if count == 1 else f"{count:,} problems are open."
    return Concern(
        "warning", sentence, " and ".join(sorted(set(actors) - {"nobody"})) or "nobody", "problems"
    )


def _look_at_deliveries(situation: Situation) -> Concern | None:
    count = situation.deliveries.get("differs", 0)
    if not count:
        return None
    payments = "1 payment differs" if count == 1 else f"{count:,} payments differ"
    sentence = f"{payments} between Peakflo and QuickBooks."
    return Concern("warning", sentence, "bookkeeper", "deliveries")


def _look_at_auto_sync(situation: Situation) -> Concern | None:
    count = situation.deliveries.get("waits", 0)
    if situation.status["auto_sync"] or not count:
        return None
    payments = "1 payment waits" if count == 1 else f"{count:,} payments wait"
    return Concern(
        "warning", f"Auto-sync is off: {payments} to be sent to QuickBooks.", "data engineer", "auto-sync"
    )


LOOKS: tuple[Callable[[Situation], Concern | None], ...] = (
    _look_at_connection,
    _look_at_freshness,
    _look_at_consent,
    _look_at_problems,
    _look_at_deliveries,
    _look_at_auto_sync,
)
