"""Remembers the answers of writes by their requestid."""

from __future__ import annotations

from typing import NamedTuple

from sandbox import faults

LIMIT = 50
BATCH_LIMIT = 36


class Replay(NamedTuple):
    """An answer that is given again; its body is JSON without the time."""

    at: float
    status: int
    body: bytes


class Replays:
    """The remembered answers of one company."""

    def __init__(self) -> None:
        self.kept: dict[str, Replay] = {}
        self.dirty: set[str] = set()

    def find(self, request_id: str, *, now: float, window: float) -> Replay | None:
        """Return the answer that a requestid got within the window, whatever the body is now (Intuit)."""
        replay = self.kept.get(request_id)
        return replay if replay is not None and now - replay.at < window else None

    def keep(self, request_id: str, replay: Replay) -> None:
        """Remember an answer."""
        self.kept[request_id] = replay
        self.dirty.add(request_id)


def check_length(request_id: str, *, is_batch: bool) -> None:
    """
    Check the length of a requestid.

    :raises faults.Fault: 6000 when it is too long.
    """
    limit = BATCH_LIMIT if is_batch else LIMIT
    if len(request_id) > limit:
        raise faults.business(f"You cannot enter more than {limit} characters in the request_id field")
