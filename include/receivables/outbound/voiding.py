"""Undoes in QuickBooks what Peakflo cancelled: only what Peakflo created, and only while it is unchanged there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.errors import NotFoundError
from include.quickbooks.entities import JOURNAL_ENTRY, PAYMENT
from include.receivables.outbound import outbox, payloads
from include.receivables.outbound.outbox import UNDECIDED
from include.receivables.outbound.response_diff import differences, is_voided
from include.receivables.outbound.sending import (
    ENTITIES,
    NO_ANSWER,
    RETRIED,
    Work,
    intend,
    is_settled,
    record_delivered,
    refuse,
    reject,
    send,
)
from include.sql import load

if TYPE_CHECKING:
    from include.quickbooks.records import Record
    from include.receivables.outbound.outbox import Delivery
    from include.receivables.outbound.sending import Intent


@dataclass(frozen=True, slots=True)
class Current:
    """
    What QuickBooks holds right now.

    :param record: none if it was deleted there.
    """

    record: Record | None


def read_entry(work: Work, delivery_id: int) -> Current | None:
    """
    Read the journal entry that a delivery is about to delete, outside of any transaction.

    It is not staged, and QuickBooks may give it a new version when a payment links it.

    :return: nothing if the delivery is about something else, or cannot go now anyway.
    """
    delivery = outbox.lock(work.db, delivery_id)
    if (delivery.leg, delivery.operation) != ("adjustment", "void"):
        return None
    created = outbox.find(work.db, delivery, "adjustment", "create")
    if created is None or created.qbo_id is None or _obstacle(work, delivery, created) is not None:
        return None
    try:
        with work.reading() as quickbooks:
            return Current(quickbooks.read(JOURNAL_ENTRY, created.qbo_id))
    except NotFoundError:
        return Current(None)


def prepare(work: Work, delivery: Delivery, entry: Current | None) -> Intent | None:
    """Commit to undoing a delivery, in the caller's transaction; without an intent, the delivery says why not."""
    created = outbox.find(work.db, delivery, delivery.leg, "create")
    obstacle = _obstacle(work, delivery, created)
    if obstacle is not None:
        outbox.set_state(work.db, delivery, "held", *obstacle)
        return None
    if created is None or created.state != "delivered" or created.qbo_id is None:
        outbox.set_state(work.db, delivery, "withdrawn", "never_sent", "It never came to QuickBooks.")
        return None
    sync_token = _version(work, delivery, created, entry)
    if sync_token is None:
        return None
    key = {"Id": created.qbo_id, "SyncToken": str(sync_token)}
    return intend(work, delivery, payloads.encode(key))


def closed_door(work: Work, delivery: Delivery) -> tuple[str, str] | None:
    """Say why nothing goes to a delivery's books now, if so."""
    if delivery.realm_id != work.company.realm_id:
        return "other_books", f"It is in QuickBooks company {delivery.realm_id}, which is not connected now."
    if not outbox.is_auto_sync(work.db, work.company):
        return "auto_sync_off", "Two-way payment sync is switched off for the company."
    return None


def _obstacle(work: Work, delivery: Delivery, created: Delivery | None) -> tuple[str, str] | None:
    door = closed_door(work, delivery)
    if door is not None:
        return door
    if created is not None and created.state in (*UNDECIDED, "possible_orphan"):
        return "undecided", f"Whether it came to QuickBooks is {created.state}: that is found out first."
    if delivery.leg == "adjustment":
        first = outbox.find(work.db, delivery, "payment", "void")
        if first is not None and first.state not in ("delivered", "withdrawn"):
            return (
                "payment_first",
                f"The payment that links it is to be voided first, which is {first.state}.",
            )
    return None


def _version(work: Work, delivery: Delivery, created: Delivery, entry: Current | None) -> int | None:
    """Return the version to undo; none if it is undone or changed already, which the delivery then says."""
    if delivery.leg == "payment":
        return _payment_version(work, delivery, created)
    if entry is None:
        return None
    if entry.record is None:
        outbox.set_state(work.db, delivery, "withdrawn", "gone", "It was deleted in QuickBooks already.")
        return None
    if differences(created, outbox.parse(entry.record.payload)):
        _refuse(work, delivery, created)
        return None
    return entry.record.sync_token


def _payment_version(work: Work, delivery: Delivery, created: Delivery) -> int | None:
    keys = {"realm_id": created.realm_id, "entity": "payment", "qbo_id": created.qbo_id}
    row = work.db.execute(load("staging/read_record"), keys).fetchone()
    if row is None or (row[0] <= (created.sync_token or 0) and not row[1]):
        return created.sync_token
    sync_token, is_deleted, payload = row
    staged = outbox.parse(payload)
    if is_deleted or is_voided(staged):
        outbox.set_state(
            work.db, delivery, "withdrawn", "gone", "It was voided or deleted in QuickBooks already."
        )
        return None
    if differences(created, staged):
        _refuse(work, delivery, created)
        return None
    return int(sync_token)


def _refuse(work: Work, delivery: Delivery, created: Delivery) -> None:
    entity = ENTITIES[delivery.leg]
    reject(
        work,
        delivery,
        "changed_in_quickbooks",
        f"The payment was cancelled in Peakflo, but {entity} {created.qbo_id} was changed in QuickBooks by hand.",
        cure=f"Void or delete {entity} {created.qbo_id} in QuickBooks, then ignore the delivery.",
        actor="bookkeeper",
    )


def resolve(work: Work, delivery: Delivery, *, may_send: bool) -> None:
    """
    Look whether an undoing took place whose answer was lost, or does not say it for sure.

    It may be repeated: a version is undone once only.
    """
    qbo_id = str(outbox.parse(delivery.payload)["Id"])
    try:
        with work.reading() as quickbooks:
            record = quickbooks.read(PAYMENT if delivery.leg == "payment" else JOURNAL_ENTRY, qbo_id)
    except NotFoundError:
        record = None
    if record is None or is_voided(outbox.parse(record.payload)):
        payload = b'{"status": "Deleted"}' if record is None else record.payload
        sync_token = 0 if record is None else record.sync_token
        with work.db.transaction():
            record_delivered(work, delivery, qbo_id, sync_token, payload)
    elif delivery.code == RETRIED:
        outbox.put_back(work.db, delivery)
    elif delivery.code and delivery.code != NO_ANSWER:
        with work.db.transaction():
            refuse(work, delivery, delivery.code, str(delivery.reason))
    elif may_send and is_settled(work, delivery):
        with work.db.transaction():
            intent = intend(work, delivery, (delivery.payload or "").encode())
        send(work, intent)
    else:
        outbox.set_state(work.db, delivery, "unknown", NO_ANSWER, delivery.reason)
