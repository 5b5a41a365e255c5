"""Whether what the database logged of real deliveries is a way that the model knows."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from include.receivables.outbound.model import UNDECIDED
from tests.support.delivery_model.database import ALLOWED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Json = dict[str, Any]


def broken_rules(records: Iterable[Json], moves: Iterable[Json]) -> list[str]:
    """
    Return one sentence for each rule of the model that a log breaks.

    :param records: rows of outbox.record.
    :param moves: the rows of outbox.move, in their order.
    """
    by_record: dict[int, list[Json]] = {record["record_id"]: [] for record in records}
    for move in moves:
        if move["record_id"] in by_record:
            by_record[move["record_id"]].append(move)
    return [
        f"{record['request_id']}: {fault}"
        for record in records
        for fault in _faults(record, by_record[record["record_id"]])
    ]


def _faults(record: Json, moves: list[Json]) -> Iterator[str]:
    states = ["intended", *(move["to_state"] for move in moves)]
    if [move["from_state"] for move in moves] != states[:-1] or states[-1] != record["state"]:
        yield f"it is {record['state']}, which its moves do not lead to"
    yield from (f"{a} became {b}" for a, b in pairwise(states) if (a, b) not in ALLOWED)
    asked_for = [move["request_id"] for move in moves if move["request_id"] is not None]
    if any(request_id.partition("-u")[0] != record["request_id"] for request_id in asked_for):
        yield f"the requests {asked_for} are not its own"
    yield from _repeated(moves)


def _repeated(moves: list[Json]) -> Iterator[str]:
    """Say what left once more without having been looked for; what was turned away unread never left."""
    left = None
    for move in moves:
        if move["request_id"] is None:
            # A question leaves the state as it is; any other move says what became of the request.
            if move["from_state"] == move["to_state"] or move["to_state"] not in UNDECIDED:
                left = None
        elif move["request_id"] == left:
            yield f"{left} left again without having been looked for"
        else:
            left = move["request_id"]
