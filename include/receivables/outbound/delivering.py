"""Outbox → QuickBooks: a company's payments, each delivered exactly once."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg

from include.errors import (
    QuotaError,
    ReceivablesError,
    RecordError,
    RetryableError,
    ThrottledError,
    UnreachableError,
)
from include.receivables.outbound import outbox, payloads, preflight, voiding
from include.receivables.outbound.outbox import UNDECIDED, WAITING
from include.receivables.outbound.resolving import resolve
from include.receivables.outbound.sending import Intent, Work, intend, reject, send

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from include.receivables.outbound.outbox import Delivery
    from include.receivables.outbound.payloads import OutgoingPayment

logger = logging.getLogger(__name__)

CORRECT_AND_RETRY = "Correct it in Peakflo or in QuickBooks, then retry the delivery."
# So many deliveries one after another that QuickBooks gives no answer to: it is down, not troubled by one of them.
DOWN_AFTER = 2


def deliver_company(work: Work) -> None:
    """
    Deliver all that is due: what is undecided first, then what was never sent, the oldest first.

    The caller holds the company's deliveries, see :func:`include.receivables.outbound.outbox.delivery_lock`.

    :raises UnreachableError: at the end, when QuickBooks gave no answer about a delivery; the others went on unless it
        gave none about several.
    :raises ThrottledError: likewise, when it refused to be read; what needs no reading went on.
    :raises ReceivablesError: when QuickBooks does not take requests at all; the rest stays as it is.
    """
    this_round = _Round(work)
    may_send = outbox.is_auto_sync(work.db, work.company)
    for delivery_id in outbox.list_in_states(work.db, work.company, UNDECIDED):
        if work.is_time_up:
            break
        this_round.take(delivery_id, lambda each: resolve(work, each, may_send=may_send))
    for delivery_id in _in_turn(work):
        work.run.counts["payment"].read += 1
        this_round.take(delivery_id, lambda each: deliver(work, each))
    this_round.end()


def deliver(work: Work, delivery_id: int) -> None:
    """Deliver a payment with what it links, or undo one, as far as it can be done now."""
    while (intent := prepare(work, delivery_id)) is not None:
        if not send(work, intent):
            delivery_id = intent.delivery.delivery_id
            break
    resolve(work, delivery_id, may_send=False)


def prepare(work: Work, delivery_id: int) -> Intent | None:
    """
    Decide what to send next for a delivery, and commit to it.

    :return: what to send, or nothing: it is delivered, or the delivery says why not.
    """
    current = voiding.read_entry(work, delivery_id)
    with work.db.transaction():
        delivery = outbox.lock(work.db, delivery_id)
        if delivery.state not in WAITING:
            return None
        if delivery.operation == "void":
            return voiding.prepare(work, delivery, current)
        if _is_met(work, delivery):
            return None
        if delivery.leg == "adjustment":
            return _prepare_again(work, delivery)
        match preflight.check(work.db, work.company, delivery):
            case preflight.Ready(outgoing):
                return _prepare_leg(work, delivery, outgoing)
            case preflight.Held(code, sentence):
                outbox.set_state(work.db, delivery, "held", code, sentence)
            case preflight.Refused(code, sentence):
                reject(work, delivery, code, sentence, cure=CORRECT_AND_RETRY, actor="bookkeeper")
    return None


class _Round:
    """One delivery after another; one that fails does not stop the others."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._first: RetryableError | None = None
        self._in_a_row = 0

    def take(self, delivery_id: int, step: Callable[[int], None]) -> None:
        """Work on one delivery."""
        try:
            step(delivery_id)
        except UnreachableError as error:
            self._pass_over(delivery_id, error)
            return
        except RecordError as error:
            # What it would undo cannot be read, of which the sync tells.
            logger.warning("Delivery %d has to wait: %s", delivery_id, error)
        except QuotaError as error:
            self._leave(delivery_id, error)
            return
        except (ReceivablesError, psycopg.OperationalError):
            raise
        except Exception as error:
            logger.exception("Delivery %d failed.", delivery_id)
            _set_aside(self._work, delivery_id, error)
        self._in_a_row = 0

    def end(self) -> None:
        """Raise the first failure that was passed over, so that the run shows it."""
        if self._first is not None:
            raise self._first

    def _leave(self, delivery_id: int, error: QuotaError) -> None:
        """Leave what needs a read until there are reads again; that QuickBooks refused one just now is news."""
        logger.warning("Delivery %d has to wait: %s", delivery_id, error)
        if isinstance(error.__cause__, ThrottledError):
            self._first = self._first or error.__cause__

    def _pass_over(self, delivery_id: int, error: UnreachableError) -> None:
        logger.warning("Delivery %d has to wait: %s", delivery_id, error)
        self._first = self._first or error
        self._in_a_row += 1
        if self._in_a_row == DOWN_AFTER:
            self.end()


def _set_aside(work: Work, delivery_id: int, error: Exception) -> None:
    """Report an unforeseen failure; one in mid-air stays as it is, and is resolved by the next run."""
    code = type(error).__name__
    message = (
        f"The payment cannot be delivered because of a fault of this program ({code}: see the task's log)."
    )
    with work.db.transaction():
        delivery = outbox.lock(work.db, delivery_id)
        if delivery.state in WAITING:
            outbox.set_state(work.db, delivery, "rejected", code, message)
        cure = "Report it as a fault of this program; once that is mended, retry the delivery."
        outbox.report(work.db, delivery, code=code, message=message, cure=cure, actor="data engineer")


def _in_turn(work: Work) -> Iterator[int]:
    """Go through what waits, each delivery once; more may come meanwhile, also by what is delivered."""
    tried: set[int] = set()
    while due := [
        each for each in outbox.list_in_states(work.db, work.company, WAITING) if each not in tried
    ]:
        for delivery_id in due:
            if work.is_time_up:
                outbox.wake(work.db, work.company)
                return
            tried.add(delivery_id)
            yield delivery_id


def _prepare_leg(work: Work, delivery: Delivery, outgoing: OutgoingPayment) -> Intent | None:
    """Commit to the journal entry that the payment links, and once that is delivered to the payment."""
    entry = None
    if payloads.needs_adjustment(outgoing):
        adjustment = outbox.add_leg(work.db, delivery, "adjustment")
        payload = payloads.encode(payloads.adjustment(outgoing))
        if adjustment.state in ("queued", "withdrawn") and not _is_met(work, adjustment):
            return intend(work, adjustment, payload)
        if not _is_settled(work, delivery, adjustment, outgoing):
            return None
        entry = payloads.linked_entry(outgoing, (adjustment.response or "").encode())
    return intend(work, delivery, payloads.encode(payloads.payment(outgoing, entry)))


def _is_met(work: Work, delivery: Delivery) -> bool:
    """Have a delivery looked into, instead of sent, that the sync met in QuickBooks."""
    is_met = outbox.is_met(work.db, delivery)
    if is_met:
        outbox.set_state(work.db, delivery, "unknown", "recognised", "The sync met it in QuickBooks.")
    return is_met


def _prepare_again(work: Work, delivery: Delivery) -> Intent | None:
    """Commit to sending a journal entry once more whose payment is in QuickBooks: it says what it said before."""
    obstacle = voiding.closed_door(work, delivery)
    if obstacle is not None:
        outbox.set_state(work.db, delivery, "held", *obstacle)
        return None
    return intend(work, delivery, (delivery.payload or "").encode())


def _is_settled(work: Work, delivery: Delivery, adjustment: Delivery, outgoing: OutgoingPayment) -> bool:
    """Tell whether the journal entry is in QuickBooks, and is still the one that the payment needs."""
    if adjustment.state != "delivered":
        reason = (
            f"The journal entry for its fee, taxes or rounding is {adjustment.state} (delivery "
            f"{adjustment.delivery_id}): the payment follows once that is delivered."
        )
        outbox.set_state(work.db, delivery, "held", f"adjustment_{adjustment.state}", reason)
        return False
    if not _is_as_sent(work, adjustment, outgoing):
        reject(
            work,
            delivery,
            "adjustment_outdated",
            "Its fee, taxes or rounding were changed after their journal entry had gone to QuickBooks.",
            cure="Change them back and retry the delivery, or cancel the payment in Peakflo and enter it again.",
            actor="bookkeeper",
        )
        return False
    return True


def _is_as_sent(work: Work, adjustment: Delivery, outgoing: OutgoingPayment) -> bool:
    """Tell whether a journal entry still says what the payment needs; its customer may have been merged since."""
    sent = outbox.parse(adjustment.payload)
    customer = payloads.customer_of(sent)
    if customer and outbox.find_survivor(work.db, adjustment, customer) == outgoing.customer_qbo_id:
        outgoing = replace(outgoing, customer_qbo_id=customer)
    return sent == outbox.parse(payloads.encode(payloads.adjustment(outgoing)))
