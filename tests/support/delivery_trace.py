"""What deliveries leave behind: each move of a record a legal one, and each request written down before it leaves."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import requests.adapters
from psycopg.rows import dict_row

from include.receivables.outbound.model import LIVE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

Json = dict[str, Any]

# A request leaves at most once for each time that it was written down, unless it is turned away for its access token.
RECORDED = "select count(*) from outbox.move where request_id = %s"
LEFT, TURNED_AWAY = "left", "turned away"
MOVES = """
select move.*, record.company_id, record.payment_id, record.document, record.generation
from outbox.move as move
inner join outbox.record as record on move.record_id = record.record_id
order by move.move_id
"""


@dataclass(frozen=True)
class Trace:
    """
    Watches the requests that leave for QuickBooks, of all processes of a test that are told to.

    :param log: the file to which each process adds what leaves it; a kill does not take that back.
    """

    db_url: str
    log: Path

    def watch_here(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Watch what leaves the process of the test itself."""
        monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", self._watching())

    def watch(self) -> None:
        """Watch what leaves this process, until it ends."""
        requests.adapters.HTTPAdapter.send = self._watching()  # type: ignore[method-assign]

    def objections(self, db: psycopg.Connection) -> list[str]:
        """Return one sentence for each way in which what was done is not as it must be."""
        return [*self._object_to_requests(), *object_to_moves(db)]

    def _watching(self) -> Callable[..., Any]:
        send = requests.adapters.HTTPAdapter.send

        def send_and_tell(adapter: Any, request: Any, **options: Any) -> Any:
            [request_id] = parse_qs(urlsplit(request.url).query).get("requestid", [""])
            if request_id:
                self._tell(LEFT, request_id, self._recorded(request_id))
            answer = send(adapter, request, **options)
            if request_id and answer.status_code == requests.codes.unauthorized:
                self._tell(TURNED_AWAY, request_id, 0)
            return answer

        return send_and_tell

    def _recorded(self, request_id: str) -> int:
        """Return how often a request is written down at this moment, and committed."""
        while True:
            try:
                with psycopg.connect(self.db_url, autocommit=True) as db:
                    [(count,)] = db.execute(RECORDED, [request_id]).fetchall()
                    return int(count)
            except psycopg.OperationalError:
                continue  # a campaign takes connections away

    def _tell(self, what: str, request_id: str, recorded: int) -> None:
        with self.log.open("a") as log:
            log.write(f"{what}\t{request_id}\t{recorded}\n")

    def _object_to_requests(self) -> list[str]:
        if not self.log.exists():
            return ["No request was seen to leave"]
        found, left = [], Counter[str]()
        for line in self.log.read_text().splitlines():
            what, request_id, recorded = line.split("\t")
            if what == TURNED_AWAY:
                left[request_id] -= 1
                continue
            left[request_id] += 1
            if left[request_id] > int(recorded):
                found.append(f"{request_id} left {left[request_id]} times, and was written down {recorded}")
        return found


def object_to_moves(db: psycopg.Connection) -> list[str]:
    """Return one sentence for each move that no record may make, and each time at which two of a payment lived."""
    allowed = set(db.execute("select from_state, to_state from outbox.allowed_move").fetchall())
    found: list[str] = []
    states: dict[int, str] = {}
    living: dict[tuple[Any, ...], set[int]] = defaultdict(set)
    for move in _rows(db, MOVES):
        record_id, before, after = move["record_id"], move["from_state"], move["to_state"]
        name = f"{move['document']} {move['generation']} of {move['payment_id']}"
        # A record begins as intended, which is no move.
        known = states.get(record_id, "intended")
        if before != known:
            found.append(f"{name} was {known}, and moved from {before} to {after}")
        if (before, after) not in allowed:
            found.append(f"{name} moved from {before} to {after}")
        states[record_id] = after
        alive = living[move["company_id"], move["payment_id"], move["document"]]
        alive.discard(record_id)
        if after in LIVE:
            alive.add(record_id)
        if len(alive) > 1:
            found.append(f"{name} is {after} beside another one")
    for record in _rows(db, "select * from outbox.record"):
        known = states.get(record["record_id"], "nothing")
        if record["state"] != known:
            found.append(f"Record {record['record_id']} is {record['state']}, and was last moved to {known}")
    return found


def _rows(db: psycopg.Connection, statement: str) -> list[Json]:
    with db.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement).fetchall()  # type: ignore[arg-type]
