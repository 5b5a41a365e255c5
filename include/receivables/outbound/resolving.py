"""Finds out what became of requests whose answer was lost; none is repeated blindly."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.errors import ReceivablesError
from include.quickbooks import query
from include.quickbooks.entities import JOURNAL_ENTRY, PAYMENT
from include.quickbooks.paging import read_pages
from include.receivables.outbound import outbox, payloads, voiding
from include.receivables.outbound.outbox import UNDECIDED
from include.receivables.outbound.response_diff import is_voided
from include.receivables.outbound.sending import (
    ENTITIES,
    NO_ANSWER,
    RETRIED,
    Work,
    intend,
    is_settled,
    record_delivered,
    refuse,
    send,
)
from include.sql import load

if TYPE_CHECKING:
    from include.quickbooks.entities import Entity
    from include.receivables.outbound.outbox import Delivery

logger = logging.getLogger(__name__)

# Where a leg's reference is searched.
_SEARCHED = {"payment": (PAYMENT, "PaymentRefNum"), "adjustment": (JOURNAL_ENTRY, "DocNumber")}

# A record, its version and its JSON.
Found = tuple[str, int, bytes]


@dataclass(frozen=True, slots=True)
class Findings:
    """
    What QuickBooks has that may be a delivery.

    :param own: bears its marker.
    :param unmarked: bears its reference without its marker: copied by hand, or edited by hand.
    :param odd: records that may be it and cannot be read.
    """

    own: list[Found]
    unmarked: list[Found]
    odd: list[str]


def resolve(work: Work, delivery_id: int, *, may_send: bool) -> None:
    """
    Decide what became of a delivery that was sent, if that can be told.

    What QuickBooks has of it is adopted. If it has nothing, the same request is sent again while QuickBooks still
    recognises its id; after that a person decides. One that a person wants to be sent anew is made anew.

    :param may_send: false to look only.
    """
    delivery = outbox.lock(work.db, delivery_id)
    if delivery.state not in UNDECIDED:
        return
    if delivery.operation == "void":
        voiding.resolve(work, delivery, may_send=may_send)
        return
    is_retried = delivery.code == RETRIED
    is_past_replay = not is_retried and _is_past_replay(work, delivery)
    is_over = is_settled(work, delivery) and (may_send or is_past_replay)
    found = search(work, delivery, thoroughly=is_over)
    if found.own:
        _adopt(work, delivery, found.own)
    elif not is_over:
        _wait(work, delivery)
    elif found.odd:
        _wait(work, delivery, f"Whether it is in QuickBooks cannot be told: {found.odd[0]}.")
    elif found.unmarked:
        _report_unmarked(work, delivery, found.unmarked)
    elif is_retried:
        outbox.put_back(work.db, delivery)
    elif is_past_replay:
        _give_up(work, delivery)
    else:
        _repeat(work, delivery)


def search(work: Work, delivery: Delivery, *, thoroughly: bool) -> Findings:
    """
    Look for what a delivery made in QuickBooks: first among what is staged, then by asking.

    :param thoroughly: look through all of its day if its reference does not lead to it, which may have been edited.
    :raises QuotaError: when QuickBooks does not let itself be read.
    """
    with work.reading():
        return _search(work, delivery, thoroughly=thoroughly)


def _search(work: Work, delivery: Delivery, *, thoroughly: bool) -> Findings:
    attempt_id = outbox.start_search(work.db, delivery, run_id=work.run.run_id)
    try:
        found = _find(work, delivery, thoroughly=thoroughly)
    except ReceivablesError as error:
        outbox.end_attempt(
            work.db,
            attempt_id,
            "unknown",
            intuit_tid=error.intuit_tid,
            error=f"{type(error).__name__}: {error}",
        )
        raise
    outbox.end_attempt(work.db, attempt_id, "found" if found.own else "not_found")
    return found


def _find(work: Work, delivery: Delivery, *, thoroughly: bool) -> Findings:
    staged = _find_mapped(work, delivery) or _find_staged(work, delivery)
    if staged:
        return Findings(staged, [], [])
    reference = query.quote(payloads.reference_number(delivery.payment_id))
    entity, field = _SEARCHED[delivery.leg]
    found, odd = _ask(work, delivery, entity, f"{field} = {reference}")
    own = _marked(delivery, found)
    date = outbox.parse(delivery.payload).get("TxnDate")
    if not own and thoroughly and date:
        of_day, odd_of_day = _ask(work, delivery, entity, f"TxnDate = {query.quote(date)}")
        own = _marked(delivery, of_day)
        odd += odd_of_day
    return Findings(own, found, odd)


def _marked(delivery: Delivery, found: list[Found]) -> list[Found]:
    """
    Pick what is the delivery's: a reference can be copied or edited by hand, the marker names the payment.

    One that was voided beside another one is what a person made of two.
    """
    marker = payloads.marker(delivery.payment_id)
    records = [(each, outbox.parse(each[2])) for each in found]
    own = [(each, record) for each, record in records if marker in str(record.get("PrivateNote"))]
    alive = [each for each, record in own if not is_voided(record)]
    return alive or [each for each, _ in own]


def _find_mapped(work: Work, delivery: Delivery) -> list[Found]:
    """Find what the sync recognised as this payment, whatever was made of its reference and note since."""
    if delivery.leg != "payment":
        return []
    qbo_id = outbox.find_in_quickbooks(work.db, delivery)
    keys = {"realm_id": delivery.realm_id, "entity": "payment", "qbo_id": qbo_id}
    rows = work.db.execute(load("staging/read_record"), keys).fetchall()
    return [(str(qbo_id), sync_token, payload.encode()) for sync_token, _, payload in rows]


def _find_staged(work: Work, delivery: Delivery) -> list[Found]:
    keys = {
        "realm_id": delivery.realm_id,
        "payment_id": delivery.payment_id,
        "leg": delivery.leg,
        # Also what a clock behind ours stamped.
        "since": delivery.queued_at - work.replay_window,
    }
    rows = work.db.execute(load("outbox/find_staged"), keys).fetchall()
    return [(qbo_id, sync_token, payload.encode()) for qbo_id, sync_token, payload in rows]


def _former(work: Work, delivery: Delivery) -> list[str]:
    """List what stood for the delivery once, was undone, and is not to be found again."""
    keys = {"delivery_id": delivery.delivery_id}
    return [row[0] for row in work.db.execute(load("outbox/list_former"), keys)]


def _ask(work: Work, delivery: Delivery, entity: Entity, where: str) -> tuple[list[Found], list[str]]:
    """Return what fulfils a condition, all of it, and what of it cannot be read."""
    former = _former(work, delivery)
    found: dict[str, Found] = {}
    odd: list[str] = []
    for portion in read_pages(work.quickbooks, entity, where=where):
        for record in portion.page.records:
            if record.qbo_id not in former:
                found[record.qbo_id] = (record.qbo_id, record.sync_token, record.payload)
        odd += [f"{entity.name} {each.qbo_id} cannot be read, {each.reason}" for each in portion.page.odd]
    return list(found.values()), odd


def _adopt(work: Work, delivery: Delivery, found: list[Found]) -> None:
    if len(found) > 1:
        _report_orphan(
            work,
            delivery,
            "several_found",
            f"QuickBooks has several of it ({', '.join(qbo_id for qbo_id, _, _ in found)}), so none was chosen.",
            "Delete all but one in QuickBooks, then retry the delivery.",
        )
        return
    [(qbo_id, sync_token, payload)] = found
    with work.db.transaction():
        record_delivered(work, delivery, qbo_id, sync_token, payload)


def _repeat(work: Work, delivery: Delivery) -> None:
    """
    Send the same request again; a refusal of it does not say that the first one was refused.

    One that proves nothing is believed once it has come twice and nothing is there.
    """
    with work.db.transaction():
        intent = intend(work, delivery, (delivery.payload or "").encode())
    if send(work, intent):
        return
    after = outbox.lock(work.db, delivery.delivery_id)
    if after.code == NO_ANSWER:
        return
    found = search(work, after, thoroughly=True)
    if found.own:
        _adopt(work, after, found.own)
    elif after.state in UNDECIDED:
        with work.db.transaction():
            refuse(work, after, str(after.code), str(after.reason))


def _is_past_replay(work: Work, delivery: Delivery) -> bool:
    return delivery.first_sent_at is None or delivery.read_at - delivery.first_sent_at >= work.replay_window


def _wait(work: Work, delivery: Delivery, reason: str | None = None) -> None:
    code = RETRIED if delivery.code == RETRIED else NO_ANSWER
    outbox.set_state(work.db, delivery, "unknown", code, reason or delivery.reason or _no_answer(delivery))


def _give_up(work: Work, delivery: Delivery) -> None:
    _report_orphan(
        work,
        delivery,
        "possible_orphan",
        f"{_no_answer(delivery)} It was not found there, and QuickBooks no longer recognises the request.",
        "Look for it in QuickBooks: retry the delivery if it is not there, else ignore the delivery.",
    )


def _report_unmarked(work: Work, delivery: Delivery, found: list[Found]) -> None:
    entity, names = ENTITIES[delivery.leg], ", ".join(qbo_id for qbo_id, _, _ in found)
    _report_orphan(
        work,
        delivery,
        "unmarked_found",
        f"{_no_answer(delivery)} {entity} {names} bears its reference, but its note does not name the payment.",
        "If it is this payment, ignore the delivery; if not, change its reference number in QuickBooks and retry it.",
    )


def _report_orphan(work: Work, delivery: Delivery, code: str, message: str, cure: str) -> None:
    with work.db.transaction():
        outbox.set_state(work.db, delivery, "possible_orphan", code, message)
        outbox.report(work.db, delivery, code=code, message=message, cure=cure, actor="bookkeeper")


def _no_answer(delivery: Delivery) -> str:
    sent_at = delivery.sent_at or delivery.first_sent_at or delivery.queued_at
    return (
        f"QuickBooks' answer to the {ENTITIES[delivery.leg]} sent at {sent_at:%Y-%m-%d %H:%M} UTC was lost."
    )
