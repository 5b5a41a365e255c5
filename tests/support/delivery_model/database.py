"""The outbox's rows: what the SQL functions outbox.begin and outbox.move do to them, and what the schema refuses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from include.migrate import MIGRATIONS
from include.quickbooks.writing import encode
from include.receivables.outbound import model
from tests.support.delivery_model.world import Row, parse

if TYPE_CHECKING:
    from tests.support.delivery_model.world import World

Json = dict[str, Any]
Move = tuple[str, str]


class BrokenRuleError(Exception):
    """Something happened that must not."""


def allowed_moves() -> set[Move]:
    """Read the moves that there are out of the migration."""
    text = (MIGRATIONS / "0005_outbox.sql").read_text()
    [(values)] = re.findall(r"insert into outbox\.allowed_move[^;]*", text)
    return set(re.findall(r"\('(\w+)', '(\w+)', ", values))


ALLOWED = allowed_moves()


class Database:
    """
    Takes the statements that write records, for :mod:`include.receivables.outbound.records`.

    :param world: as it is by now; whoever writes puts a changed one in its place.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.moved: list[Move] = []

    def execute(self, _statement: str, keys: Json) -> Database:
        if "record_id" not in keys:
            row = Row(keys["document"], keys["generation"], keys["request_id"])
            index = len(self.world.ours.rows)
        else:
            index = keys["record_id"] - 1
            row = self.world.ours.rows[index]
        self._move(index, row, keys["state"], parse(keys["facts"]))
        self._last = index + 1
        return self

    def fetchone(self) -> tuple[int]:
        return (self._last,)

    def _move(self, index: int, row: Row, state: model.State, facts: Json) -> None:
        if (row.state, state) not in ALLOWED:
            raise BrokenRuleError(f"A record that is {row.state} cannot become {state}.")
        self.moved.append((row.state, state))
        self.world = self.world._replace(now=self.world.now + 1)
        self.world = self.world.with_row(index, moved(row, state, facts, self.world.now))
        _hold(self.world)


def moved(row: Row, state: model.State, facts: Json, now: int) -> Row:
    """Move a row as outbox.move does, whose columns these are."""
    leaves = state == "sent" or (state == "undoing" and "request_id" in facts)
    is_first = row.state in ("intended", "made")
    row = row._replace(
        code=facts.get("code"),
        reason=facts.get("reason"),
        payload=_text(facts, "payload", row.payload),
        sent_snapshot=_text(facts, "sent_snapshot", row.sent_snapshot),
        qbo_id=facts.get("qbo_id", row.qbo_id),
        sync_token=facts.get("sync_token", row.sync_token),
        response=_text(facts, "response", row.response),
        read_sync_token=facts.get("read_sync_token", row.read_sync_token),
        read_payload=_text(facts, "read_payload", row.read_payload),
        undone_sync_token=facts.get("undone_sync_token", row.undone_sync_token),
        undo_count=row.undo_count + (row.state == "made" and state == "undoing"),
        state=state,
    )
    if leaves:
        row = row._replace(sends=1 if is_first else row.sends + 1, sent_at=now)
        row = row._replace(first_sent_at=now) if is_first else row
    if state == "intended":
        row = row._replace(first_sent_at=None, sent_at=None)
    return row._replace(looked_at=now) if "looked" in facts else row


def _text(facts: Json, name: str, before: str | None) -> str | None:
    return encode(facts[name]).decode() if name in facts else before


def _hold(world: World) -> None:
    """Hold what the unique indexes do."""
    rows = world.ours.rows
    living = [row.document for row in rows if row.state in model.LIVE]
    named = [(row.document, row.qbo_id) for row in rows if row.qbo_id]
    generations = [(row.document, row.generation) for row in rows]
    for unique in (living, named, generations):
        if len(set(unique)) < len(unique):
            raise BrokenRuleError(f"The database refuses what is there twice: {unique}.")
