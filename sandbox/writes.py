"""Create, update, sparse update, delete and void, the same way for the API, batches and events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox import (
    accounts,
    credit_memos,
    customers,
    deposits,
    faults,
    incoming,
    invoices,
    items,
    journals,
    payments,
    properties,
    purchases,
    small_lists,
    validation,
)
from sandbox.books import READ_ONLY
from sandbox.json_text import encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.books import Books, Record
    from sandbox.entities import Entity

    Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rules:
    """What may be written of an entity, and how."""

    create: Callable[[Books, Body], Record] | None = None
    update: Callable[[Books, Record, Body], Record] | None = None
    delete: Callable[[Books, Record], None] | None = None
    void: Callable[[Books, Record], Record] | None = None


RULES = {
    "Account": Rules(accounts.create, accounts.update),
    "Customer": Rules(customers.create, customers.update),
    "Item": Rules(items.create, items.update),
    "PaymentMethod": Rules(small_lists.create_payment_method, small_lists.update_payment_method),
    "Term": Rules(small_lists.create_term, small_lists.update_term),
    "TaxCode": Rules(),
    "TaxRate": Rules(),
    "Invoice": Rules(invoices.create, invoices.update, invoices.delete, invoices.void),
    "Payment": Rules(payments.create, payments.update, payments.delete, payments.void),
    "CreditMemo": Rules(credit_memos.create, credit_memos.update, credit_memos.delete),
    "JournalEntry": Rules(journals.create, journals.update, journals.delete),
    "Deposit": Rules(deposits.create, deposits.update, deposits.delete),
    "Purchase": Rules(purchases.create, purchases.update, purchases.delete),
    "CompanyInfo": Rules(update=small_lists.update_single),
    "Preferences": Rules(update=small_lists.update_single),
}


class Written(NamedTuple):
    """
    The result of a write.

    :param operation: create, update, delete or void.
    :param json: the record as it is now.
    """

    entity: str
    id: str
    operation: str
    json: bytes


def write(
    books: Books,
    entity: Entity,
    body: Any,
    operation: str | None = None,
    *,
    include: frozenset[str] = frozenset(),
    at: float | None = None,
) -> Written:
    """
    Carry out one write.

    :param operation: delete or void; without one, a body with an Id updates and one without creates.
    :param include: what the client asked for with ``include=``.
    :param at: the time of the write, now unless given.
    :raises faults.Fault: when QuickBooks would refuse it; nothing is changed then.
    """
    if books.settings.subscription == "ended":
        raise faults.subscription_ended()
    fields = incoming.read(entity.name, body)
    operation = operation or ("update" if fields.get("Id") else "create")
    books.begin(at, include)
    try:
        return _carry_out(books, entity, fields, operation, nulls_of(body))
    except Exception as error:
        books.roll_back()
        if isinstance(error, ValueError):
            raise faults.invalid_property() from error
        raise


def answer_of(books: Books, written: Written) -> bytes:
    """Return the JSON member of an answer that holds what was written."""
    is_gone = written.operation == "delete"
    json = books.serving.text(written.entity, written.id, written.json, tombstone=is_gone)
    return b'"%s":%s' % (written.entity.encode(), json)


def nulls_of(body: Body) -> set[str]:
    """Return the properties that a sparse update takes away."""
    return {name for name, value in body.items() if value in (None, "")}


def _carry_out(books: Books, entity: Entity, body: Body, operation: str, nulls: set[str]) -> Written:
    if operation == "create":
        return _create(books, entity, body)
    record = _current(books, entity, body)
    if operation == "delete":
        return _delete(books, entity, record)
    if operation == "void":
        return _void(books, entity, record)
    return _update(books, entity, record, body, nulls)


def _create(books: Books, entity: Entity, body: Body) -> Written:
    create = RULES[entity.name].create
    if create is None:
        raise faults.unsupported("create")
    record = create(books, _writable(body))
    return Written(entity.name, record.id, "create", record.json)


def _update(books: Books, entity: Entity, record: Record, body: Body, nulls: set[str]) -> Written:
    update = RULES[entity.name].update
    if update is None:
        raise faults.unsupported("update")
    fields = _writable(body)
    if body.get("sparse") is True or body.get("sparse") == "true":
        old = {name: value for name, value in record.fields().items() if name not in READ_ONLY}
        fields = {name: value for name, value in (old | fields).items() if name not in nulls}
    updated = update(books, record, fields)
    return Written(entity.name, updated.id, "update", updated.json)


def _delete(books: Books, entity: Entity, record: Record) -> Written:
    delete = RULES[entity.name].delete
    if delete is None:
        raise faults.unsupported("delete")
    delete(books, record)
    return Written(
        entity.name, record.id, "delete", encode({"domain": "QBO", "status": "Deleted", "Id": record.id})
    )


def _void(books: Books, entity: Entity, record: Record) -> Written:
    void = RULES[entity.name].void
    if void is None:
        raise faults.unsupported("void")
    voided = void(books, record)
    books.note(entity.name, voided.id, "Void")
    return Written(entity.name, voided.id, "void", voided.json)


def _current(books: Books, entity: Entity, body: Body) -> Record:
    validation.require(
        {"SyncToken": str(body.get("SyncToken", "")), "Id": str(body.get("Id", ""))}, "Id", "SyncToken"
    )
    record = books.get(entity.name, str(body["Id"]))
    if str(body["SyncToken"]) != str(record.sync_token):
        raise faults.stale()
    return record


def _writable(body: Body) -> Body:
    read_only = properties.COMPUTED.union(READ_ONLY)
    return {name: value for name, value in body.items() if name not in read_only}
