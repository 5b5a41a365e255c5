"""Writes every change through to an SQLite file, so that a kill loses nothing, and reads it back."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from sandbox.books import Record
from sandbox.entities import TRANSACTIONS
from sandbox.json_text import decode, encode
from sandbox.ledger import Posting
from sandbox.links import Target
from sandbox.oauth import Token
from sandbox.replays import Replay

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.books import Books
    from sandbox.company import Company
    from sandbox.oauth import OAuth


_SCHEMA = """
create table if not exists company (realm text primary key, facts text not null);
create table if not exists record (
    realm text, entity text, id text, sync_token int, created int, updated int, active int, json blob,
    primary key (realm, entity, id));
create table if not exists tombstone (
    realm text, entity text, id text, deleted int, primary key (realm, entity, id)) without rowid;
create table if not exists entry (
    realm text, entity text, id text, postings blob, links blob, primary key (realm, entity, id)) without rowid;
create table if not exists sequence (realm text, name text, value int, primary key (realm, name)) without rowid;
create table if not exists replay (
    realm text, request_id text, at real, status int, body blob, primary key (realm, request_id));
create table if not exists token (value text primary key, facts blob) without rowid;
create table if not exists fact (name text primary key, value text);
"""


class Storage:
    """
    The file of the sandbox; without a path nothing is kept.

    :param path: the SQLite file.
    """

    def __init__(self, path: Path | None) -> None:
        self._db: sqlite3.Connection | None = None
        if path is not None:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=1)
            self._db.execute("pragma locking_mode = exclusive")
            self._db.execute("pragma journal_mode = wal")
            self._db.execute("pragma synchronous = normal")
            self._db.executescript(_SCHEMA)

    @property
    def is_on(self) -> bool:
        """Whether anything is kept in a file."""
        return self._db is not None

    def close(self) -> None:
        """Close the file."""
        if self._db is not None:
            self._db.close()

    def save(self, company: Company) -> None:
        """Write what has changed in a company, in one transaction."""
        books = company.books
        if self._db is not None and (books.dirty or company.replays.dirty):
            self._db.execute("begin")
            _save_company(self._db, company)
            _save_records(self._db, books)
            _save_replays(self._db, company)
            self._db.execute("commit")
        books.dirty.clear()
        company.replays.dirty.clear()

    def save_tokens(self, oauth: OAuth) -> None:
        """Write the tokens that have changed."""
        if self._db is not None and oauth.dirty:
            self._db.execute("begin")
            self._db.executemany(
                "insert or replace into token values (?, ?)",
                ((value, msgspec.json.encode(oauth.tokens[value])) for value in oauth.dirty),
            )
            self._db.execute("commit")
        oauth.dirty.clear()

    def save_fact(self, name: str, value: Any) -> None:
        """Write a setting or the clock's offset."""
        if self._db is not None:
            self._db.execute("insert or replace into fact values (?, ?)", (name, encode(value).decode()))

    def facts(self) -> dict[str, Any]:
        """Return what save_fact has written."""
        return {name: decode(value.encode()) for name, value in self._rows("select name, value from fact")}

    def companies(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Return the realm and the facts of each company."""
        for realm, facts in self._rows("select realm, facts from company order by rowid"):
            yield realm, decode(facts.encode())

    def load_tokens(self, oauth: OAuth) -> None:
        """Read all tokens."""
        for value, facts in self._rows("select value, facts from token"):
            oauth.tokens[value] = msgspec.json.decode(facts, type=Token)

    def load(self, company: Company) -> None:
        """Read everything of a company."""
        books, realm = company.books, company.realm_id
        rows = self._rows(
            "select entity, id, sync_token, created, updated, active, json from record where realm = ? "
            "order by entity, length(id), id",
            realm,
        )
        for entity, record_id, token, created, updated, active, json in rows:
            number = int(record_id) if record_id.isdigit() else 0
            books.take(Record(entity, record_id, number, token, created, updated, bool(active), json))
        for entity, record_id, deleted in self._rows(
            "select entity, id, deleted from tombstone where realm = ? order by deleted, length(id), id",
            realm,
        ):
            books.tables[entity].deleted[record_id] = deleted
        for entity, record_id, postings, links in self._rows(
            "select entity, id, postings, links from entry where realm = ?", realm
        ):
            _load_entry(books, (entity, record_id), decode(postings), decode(links))
        for name, value in self._rows("select name, value from sequence where realm = ?", realm):
            books.reserve(name, value)
        for request_id, at, status, body in self._rows(
            "select request_id, at, status, body from replay where realm = ?", realm
        ):
            company.replays.kept[request_id] = Replay(at, status, body)

    def _rows(self, statement: str, *parameters: str) -> Iterator[Any]:
        if self._db is not None:
            yield from self._db.execute(statement, parameters)


def _save_company(db: sqlite3.Connection, company: Company) -> None:
    books = company.books
    facts = {
        "name": company.name,
        "home_currency": books.home_currency,
        "multicurrency": books.multicurrency,
    }
    db.execute("insert or replace into company values (?, ?)", (books.realm_id, encode(facts).decode()))
    db.executemany(
        "insert or replace into sequence values (?, ?, ?)",
        ((books.realm_id, name, value) for name, value in books.sequences.items()),
    )


def _save_records(db: sqlite3.Connection, books: Books) -> None:
    realm = books.realm_id
    live: list[tuple[str, str]] = []
    gone: list[tuple[str, str]] = []
    for entity, record_id in sorted(books.dirty):
        record = books.find(entity, record_id)
        (gone if record is None else live).append((entity, record_id))
    db.executemany(
        "insert or replace into record values (?, ?, ?, ?, ?, ?, ?, ?)",
        (_record_row(realm, books.tables[entity].records[record_id]) for entity, record_id in live),
    )
    db.executemany(
        "delete from record where realm = ? and entity = ? and id = ?", ((realm, *key) for key in gone)
    )
    db.executemany(
        "insert or replace into tombstone values (?, ?, ?, ?)",
        (
            (realm, entity, record_id, books.tables[entity].deleted[record_id])
            for entity, record_id in gone
            if record_id in books.tables[entity].deleted
        ),
    )
    db.executemany(
        "insert or replace into entry values (?, ?, ?, ?, ?)",
        (row for key in books.dirty for row in _entry_rows(books, key)),
    )


def _save_replays(db: sqlite3.Connection, company: Company) -> None:
    db.executemany(
        "insert or replace into replay values (?, ?, ?, ?, ?)",
        (
            (company.realm_id, request_id, *company.replays.kept[request_id])
            for request_id in company.replays.dirty
        ),
    )


def _record_row(realm: str, record: Record) -> tuple[Any, ...]:
    return (
        realm,
        record.entity,
        record.id,
        record.sync_token,
        record.created,
        record.updated,
        record.active,
        record.json,
    )


def _entry_rows(books: Books, key: tuple[str, str]) -> Iterator[tuple[Any, ...]]:
    postings = books.ledger.entries.get(key, ())
    links = books.links.of_payment(key[1]) if key[0] == "Payment" else {}
    if key[0] in TRANSACTIONS:
        rows = [
            [posting.account, posting.customer, str(posting.amount), str(posting.home)]
            for posting in postings
        ]
        applied = [[*target, str(value)] for target, value in links.items()]
        yield books.realm_id, *key, encode(rows), encode(applied)


def _load_entry(books: Books, key: tuple[str, str], postings: list[Any], links: list[Any]) -> None:
    books.ledger.post(
        key,
        [
            Posting(account, customer, Decimal(value), Decimal(home))
            for account, customer, value, home in postings
        ],
    )
    if links:
        books.links.set_payment(
            key[1], {Target(entity, txn_id, line): Decimal(value) for entity, txn_id, line, value in links}
        )
