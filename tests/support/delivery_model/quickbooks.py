"""QuickBooks and the line to it, as one request after another meets them."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from include.errors import NotFoundError, RejectedError, ThrottledError, UnreachableError
from include.quickbooks.records import OLDEST, Page, Record
from include.quickbooks.writing import Written, encode
from include.receivables.outbound.model import ENTITIES
from tests.support.delivery_model.database import BrokenRuleError
from tests.support.delivery_model.world import Doc, Request, Waiting, is_void, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from include.quickbooks.entities import Entity
    from include.receivables.outbound.model import Document
    from tests.support.delivery_model.database import Database
    from tests.support.delivery_model.world import World

DOCUMENTS: dict[str, Document] = {entity: document for document, entity in ENTITIES.items()}
PROOF = "6210"
NO_PROOF = "6000"
STALE = "5010"
_LETTERS = {"payment": "p", "journal_entry": "j"}


class CrashError(Exception):
    """The worker is dead before it has recorded what came of its request."""


class Outcome(NamedTuple):
    """
    What becomes of a request.

    :param done: ``done`` if QuickBooks carries it out, ``later`` if it may still do so after the answer was given up.
    :param answer: what the worker gets to know: ``answered``, ``lost``, ``refused`` with a code that proves that
        nothing was done, ``failed`` with one that proves nothing, ``turned away`` unread, or nothing: ``crash``.
    """

    done: str
    answer: str

    def __str__(self) -> str:
        return f"{self.answer}, {self.done}"


ANSWERED = Outcome("done", "answered")
# QuickBooks makes of it something else than was asked for, and says so.
OTHERWISE = Outcome("otherwise", "answered")
FAULTS = (
    Outcome("done", "lost"),
    Outcome("not done", "lost"),
    Outcome("later", "lost"),
    Outcome("done", "crash"),
    Outcome("not done", "crash"),
    Outcome("later", "crash"),
    Outcome("not done", "refused"),
    Outcome("done", "failed"),
    Outcome("not done", "failed"),
    Outcome("not done", "turned away"),
)


class QuickBooks:
    """
    Answers the worker as :mod:`include.quickbooks.client` does.

    :param meanwhile: what happens between QuickBooks' deed and the worker's record of it.
    """

    def __init__(
        self, database: Database, outcome: Outcome, meanwhile: Callable[[World], World] | None = None
    ) -> None:
        self.database = database
        self.outcome = outcome
        self.meanwhile = meanwhile or (lambda world: world)
        self.created = False

    def create(self, entity_name: str, payload: bytes, *, request_id: str) -> Written:
        self.created = True
        content = payload.decode()
        made = altered(content) if self.outcome.done == "otherwise" else None
        return self._write(Waiting(request_id, DOCUMENTS[entity_name], content, made=made))

    def void_payment(self, qbo_id: str, sync_token: int, *, request_id: str) -> Written:
        return self._write(Waiting(request_id, "payment", None, qbo_id, sync_token))

    def delete(self, entity_name: str, qbo_id: str, sync_token: int, *, request_id: str) -> Written:
        return self._write(Waiting(request_id, DOCUMENTS[entity_name], None, qbo_id, sync_token))

    def read(self, _entity: Entity, qbo_id: str) -> Record:
        doc = self.database.world.doc(qbo_id)
        self._pass()
        if doc is None or doc.is_deleted:
            raise NotFoundError("QuickBooks does not have it.")
        return _answered(doc)

    def search(self) -> list[Doc]:
        found = [doc for doc in self.database.world.books if not doc.is_deleted]
        self._pass()
        return found

    def _pass(self) -> None:
        self.database.world = self.meanwhile(self.database.world)

    def _write(self, request: Waiting) -> Written:
        world, answer = self.database.world, self.outcome.answer
        error: Exception | None = None
        remembered: Request | None = None
        if self.outcome.done == "later":
            world = world._replace(line=tuple(sorted({*world.line, request}, key=repr)))
        elif self.outcome.done != "not done" or _is_remembered(world, request):
            world, remembered, error = carry_out(world, request)
        self.database.world = world
        self._pass()
        if answer == "crash":
            raise CrashError
        if answer == "lost":
            raise UnreachableError("QuickBooks gave no answer.")
        if answer == "turned away":
            raise ThrottledError("QuickBooks asked to slow down.", retry_after=1)
        if answer == "refused" and not _is_remembered(world, request):
            raise RejectedError("The books are closed.", code=PROOF)
        if answer == "failed":
            raise RejectedError("An error has occurred.", code=NO_PROOF)
        if error is not None or remembered is None:
            raise error or LookupError("an answer to nothing")
        return Written(remembered.qbo_id, remembered.token, remembered.content.encode(), None)


def _is_remembered(world: World, request: Waiting) -> bool:
    return any(each.request_id == request.request_id for each in world.requests)


def carry_out(world: World, request: Waiting) -> tuple[World, Request | None, Exception | None]:
    """Carry a request out, unless it is one that QuickBooks remembers: that is answered as it was the first time."""
    for remembered in world.requests:
        if remembered.request_id == request.request_id:
            return world, remembered, None
    if request.content is not None:
        qbo_id = _new_id(world, request)
        made = request.made or request.content
        doc = Doc(qbo_id, request.document, 0, made, made, request.content)
    else:
        before = world.doc(request.qbo_id)
        if before is None or before.is_deleted:
            return world, None, NotFoundError("QuickBooks does not have it.")
        if before.token != request.token:
            return world, None, RejectedError("It has another version by now.", code=STALE)
        if before.is_changed:
            raise BrokenRuleError(f"What was changed by hand in {before.qbo_id} is undone.")
        doc = undone(before)
    answer = Request(request.request_id, doc.qbo_id, doc.token, doc.content)
    world = world._replace(requests=tuple(sorted([*world.requests, answer])))
    return world.with_doc(doc), answer, None


def undone(doc: Doc) -> Doc:
    """Void a payment, or delete a journal entry."""
    if doc.document == "payment":
        return doc._replace(token=doc.token + 1, content=voided(doc.content))
    return doc._replace(is_deleted=True)


def _new_id(world: World, request: Waiting) -> str:
    """Number a record by the request that makes it, so that the order in which records are made does not matter."""
    generation = re.search(r"-g(\d+)$", request.request_id)
    name = f"{_LETTERS[request.document]}{generation[1] if generation else 0}"
    while world.doc(name):
        name += "x"
    return name


def _answered(doc: Doc) -> Record:
    return Record(
        qbo_id=doc.qbo_id,
        sync_token=doc.token,
        updated_at=OLDEST,
        is_deleted=False,
        payload=doc.content.encode(),
    )


def one_page(quickbooks: QuickBooks, entity: Entity, *, where: str) -> Iterator[object]:
    """Search as include.quickbooks.paging.read_pages does; a record that names the payment bears its reference, too."""
    found = [doc for doc in quickbooks.search() if ENTITIES[doc.document] == entity.name]
    yield _Portion(Page(entity, [_answered(doc) for doc in found], OLDEST))


class _Portion(NamedTuple):
    page: Page


# Contents of records as people or QuickBooks change them


@cache
def voided(content: str) -> str:
    return encode({**parse(content), "TotalAmt": 0, "Line": []}).decode()


@cache
def dated(content: str) -> str:
    """Enter another date: what a bookkeeper changes most."""
    return encode({**parse(content), "TxnDate": "2026-01-09"}).decode()


@cache
def altered(content: str) -> str:
    return encode({**parse(content), "TxnDate": "2026-01-02"}).decode()


@cache
def unnamed(content: str) -> str:
    return encode({**parse(content), "PrivateNote": "cheque"}).decode()


def can_be_voided(doc: Doc) -> bool:
    return doc.document == "payment" and doc.is_alive and not is_void(doc.content)
