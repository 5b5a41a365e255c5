"""The records of one company, with their Ids, versions and times; what changed is remembered for the file."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from sandbox import faults
from sandbox.clock import record_time
from sandbox.entities import ENTITIES
from sandbox.index import Index
from sandbox.json_text import decode, encode
from sandbox.ledger import Ledger
from sandbox.links import Links
from sandbox.serving import Serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from decimal import Decimal

    from sandbox.clock import Clock
    from sandbox.ledger import Posting, Touched, TxnKey
    from sandbox.links import Target
    from sandbox.settings import Settings, SettingsBook


class _Numbered(msgspec.Struct):
    DocNumber: str = ""


_doc_number = msgspec.json.Decoder(_Numbered)
READ_ONLY = ("domain", "sparse", "Id", "SyncToken", "MetaData")
Operation = Literal["Create", "Update", "Delete", "Void", "Merge"]


@dataclass(frozen=True, slots=True)
class Record:
    """
    One version of a record.

    :param number: the Id as a number, by which QuickBooks compares; TaxCode has Ids that are words.
    :param updated: LastUpdatedTime in seconds since the epoch.
    :param json: the record as it is; everything else is read from it.
    """

    entity: str
    id: str
    number: int
    sync_token: int
    created: int
    updated: int
    active: bool
    json: bytes

    def fields(self) -> dict[str, Any]:
        """Return the record's properties, a fresh copy."""
        fields: dict[str, Any] = decode(self.json)
        return fields


class Change(NamedTuple):
    """What was done to a record, and which one was merged into it."""

    entity: str
    id: str
    operation: Operation
    loser: str = ""


class Table:
    """
    The live records and the tombstones of one entity.

    :param name: the entity.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.records: dict[str, Record] = {}
        self.deleted: dict[str, int] = {}
        self.version = 0


class Books:
    """
    All records of one company.

    :param realm_id: the company's Id.
    :param clock: the sandbox's time.
    :param settings_book: what tests may change.
    :param home_currency: the currency in which the books balance.
    :param multicurrency: whether transactions may be in other currencies.
    """

    def __init__(
        self,
        realm_id: str,
        clock: Clock,
        settings_book: SettingsBook,
        *,
        home_currency: str = "USD",
        multicurrency: bool = False,
    ) -> None:
        self.realm_id = realm_id
        self.clock = clock
        self.home_currency = home_currency
        self.multicurrency = multicurrency
        self._settings_book = settings_book
        self.tables = {name: Table(name) for name in ENTITIES}
        self.sequences: dict[str, int] = defaultdict(int)
        self.ledger = Ledger()
        self.links = Links()
        self.index = Index()
        self.serving = Serving(lambda: self.settings)
        self.dirty: set[tuple[str, str]] = set()
        self._changes: list[Change] = []
        self.now = 0
        self.include: frozenset[str] = frozenset()
        self._undo: list[Callable[[], object]] = []
        self.begin()

    @property
    def settings(self) -> Settings:
        """The settings in force for this company."""
        return self._settings_book.of(self.realm_id)

    @property
    def contents(self) -> tuple[Any, ...]:
        """All that is in the books."""
        return self.tables, self.sequences, self.ledger, self.links, self.index

    @contents.setter
    def contents(self, contents: tuple[Any, ...]) -> None:
        self.tables, self.sequences, self.ledger, self.links, self.index = contents

    def begin(self, at: float | None = None, include: frozenset[str] = frozenset()) -> None:
        """
        Start a change: every record that it touches gets the same LastUpdatedTime.

        :param at: the time, now unless given.
        :param include: what the client asked for with ``include=``.
        """
        self.now = int(self.clock.now() if at is None else at)
        self.include = include
        self._undo.clear()

    def roll_back(self) -> None:
        """Undo everything since the change was started."""
        while self._undo:
            self._undo.pop()()

    def post(self, key: TxnKey, postings: Iterable[Posting]) -> Touched:
        """Enter a transaction into the ledger."""
        before = self.ledger.entries.get(key, ())
        self._undo.append(lambda: self.ledger.post(key, before))
        self.dirty.add(key)
        return self.ledger.post(key, postings)

    def apply(self, payment_id: str, applied: dict[Target, Decimal]) -> set[Target]:
        """Replace what a payment is applied to, and return the targets whose amount changed."""
        before = self.links.of_payment(payment_id)
        self._undo.append(lambda: self.links.set_payment(payment_id, before))
        return self.links.set_payment(payment_id, applied)

    def find(self, entity: str, record_id: str) -> Record | None:
        """Return a live record, or nothing."""
        return self.tables[entity].records.get(record_id)

    def get(self, entity: str, record_id: str) -> Record:
        """
        Return a live record.

        :raises faults.Fault: 610 when there is none.
        """
        record = self.find(entity, record_id)
        if record is None:
            raise faults.not_found()
        return record

    def all(self, entity: str) -> Iterator[Record]:
        """Return the live records of an entity."""
        return iter(self.tables[entity].records.values())

    def next_id(self, sequence: str) -> str:
        """Return the next Id of a counter."""
        self.sequences[sequence] += 1
        return str(self.sequences[sequence])

    def reserve(self, sequence: str, number: int) -> None:
        """Keep a counter above an Id that was given by hand."""
        self.sequences[sequence] = max(self.sequences[sequence], number)

    def add(self, entity: str, fields: dict[str, Any], record_id: str | None = None) -> Record:
        """Enter a new record; its Id comes from the entity's counter unless given."""
        sequence = ENTITIES[entity].sequence
        new_id = record_id or self.next_id(sequence)
        self.note(entity, new_id, "Create")
        if record_id and record_id.isdigit():
            self.reserve(sequence, int(record_id))
        return self._store(
            Record(
                entity=entity,
                id=new_id,
                number=int(new_id) if new_id.isdigit() else 0,
                sync_token=0,
                created=self.now,
                updated=self.now,
                active=True,
                json=b"",
            ),
            fields,
        )

    def revise(self, record: Record, fields: dict[str, Any]) -> Record:
        """Enter a new version: SyncToken and LastUpdatedTime move."""
        self.note(record.entity, record.id, "Update")
        falling = self.settings.falling_times
        updated = record.updated - falling if falling else self.now
        return self._store(replace(record, sync_token=record.sync_token + 1, updated=updated), fields)

    def touch(self, record: Record, changes: dict[str, Any]) -> Record:
        """
        Change what follows from other records: LastUpdatedTime moves, SyncToken stays.

        Recorded: so QuickBooks does with the balances of customers and accounts.
        """
        return self._store(replace(record, updated=self.now), {**record.fields(), **changes})

    def redraw(self, record: Record, fields: dict[str, Any]) -> Record:
        """Change what QuickBooks joins in when it is read, such as a name: no new version, no new time."""
        return self._store(record, fields)

    def remove(self, record: Record) -> None:
        """Delete a record; change data capture shows a tombstone of it."""
        table = self.tables[record.entity]
        self.note(record.entity, record.id, "Delete")
        self._undo.append(lambda: self._restore(record.entity, record.id, record))
        del table.records[record.id]
        table.deleted[record.id] = self.now
        self.index.drop(record.entity, record.id)
        self._changed(record)

    def note(self, entity: str, record_id: str, operation: Operation, loser: str = "") -> None:
        """Note a change that subscribers are told of; what only follows from another record is none."""
        self._changes.append(Change(entity, record_id, operation, loser))
        self._undo.append(self._changes.pop)

    def take_changes(self) -> list[Change]:
        """Return what was done to each record since this was last asked, and forget it."""
        done: dict[tuple[str, str], Change] = {}
        for change in self._changes:
            if change.operation != "Update" or change[:2] not in done:
                done[change.entity, change.id] = change
        self._changes.clear()
        return list(done.values())

    def take(self, record: Record) -> None:
        """Put in a record as it is, from a file or from a bulk load."""
        self.tables[record.entity].records[record.id] = record
        if ENTITIES[record.entity].kind == "transaction":
            self.index.put_number(record.entity, record.id, _doc_number.decode(record.json).DocNumber)
        else:
            self.index.put(record.entity, record.id, record.fields())
        if record.number:
            self.reserve(ENTITIES[record.entity].sequence, record.number)

    def _store(self, record: Record, fields: dict[str, Any]) -> Record:
        stored = replace(record, active=fields.get("Active", True), json=_json_of(record, fields))
        before = self.find(record.entity, record.id)
        self._undo.append(lambda: self._restore(record.entity, record.id, before))
        self.tables[record.entity].records[record.id] = stored
        self.index.put(record.entity, record.id, fields)
        self._changed(stored)
        return stored

    def _restore(self, entity: str, record_id: str, record: Record | None) -> None:
        table = self.tables[entity]
        table.deleted.pop(record_id, None)
        self.index.drop(entity, record_id)
        if record is None:
            table.records.pop(record_id, None)
        else:
            table.records[record_id] = record
            self.index.put(entity, record_id, record.fields())
        table.version += 1

    def _changed(self, record: Record) -> None:
        self.tables[record.entity].version += 1
        self.dirty.add((record.entity, record.id))


def _json_of(record: Record, fields: dict[str, Any]) -> bytes:
    own = {key: value for key, value in fields.items() if key not in READ_ONLY}
    head = {
        "domain": "QBO",
        "sparse": False,
        "Id": record.id,
        "SyncToken": str(record.sync_token),
        "MetaData": {
            "CreateTime": record_time(record.created),
            "LastUpdatedTime": record_time(record.updated),
        },
    }
    return encode(own | head)
