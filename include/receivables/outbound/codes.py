"""How a payment may differ between Peakflo and QuickBooks, and what it may wait for: the words, and who acts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

Owner = Literal["admin", "data engineer", "bookkeeper", "nobody"]


@dataclass(frozen=True, slots=True)
class Code:
    """
    A kind of difference.

    :param message: a sentence with the names of what it is about in braces.
    :param remedy: what to do about it.
    :param may_retry: whether a person may have it tried again.
    :param lets_go: whether to ignore it means that the payment is settled otherwise and not sent any more.
    """

    message: str
    remedy: str
    may_retry: bool = False
    lets_go: bool = False
    owner: Owner = "bookkeeper"


_MISSING_AGAIN = (
    "If the money did arrive, retry it, which enters it in QuickBooks again; if not, cancel the payment in Peakflo; or "
    "ignore it."
)
CORRECT = "Correct it in Peakflo or in QuickBooks: the payment then goes by itself; or enter it by hand and ignore it."

CODES: dict[str, Code] = {
    # Of a payment that is not in QuickBooks
    "possible_orphan": Code(
        "QuickBooks' answer to the {entity} sent at {sent_at} was lost. It was not found there, and QuickBooks no "
        "longer recognises the request.",
        "Look for it in QuickBooks: retry if it is not there, which looks once more; else ignore it.",
        may_retry=True,
        lets_go=True,
    ),
    "unmarked_found": Code(
        "QuickBooks' answer to the {entity} sent at {sent_at} was lost. {entity} {qbo_ids} bears its reference, but "
        "its note does not name the payment.",
        "If it is this payment, ignore it; if not, change its reference number in QuickBooks and retry.",
        may_retry=True,
        lets_go=True,
    ),
    "several_found": Code(
        "QuickBooks has several of it ({entity} {qbo_ids}), so none was chosen.",
        'Delete all but one in QuickBooks; or take "Peakflo payment" and what follows out of the notes of the others.',
        lets_go=True,
    ),
    "adjustment_outdated": Code(
        "Its fee, taxes or rounding, or their accounts, were changed after their journal entry {qbo_id} had gone to "
        "QuickBooks.",
        "Change them back, or cancel the payment in Peakflo and enter it again.",
        lets_go=True,
    ),
    "edited_after_ignoring": Code(
        "The payment was changed in Peakflo after somebody had let go of it.",
        "Correct by hand what was entered for it in QuickBooks, then ignore this; or retry, which sends it.",
        may_retry=True,
        lets_go=True,
    ),
    # Of one that is there, or was
    "edited_after_sending": Code(
        "The payment was changed in Peakflo after it had been sent to QuickBooks, which keeps what was sent.",
        "Change it in QuickBooks likewise, or cancel the payment in Peakflo and enter it again.",
    ),
    "answer_differs": Code(
        "QuickBooks took {entity} {qbo_id}, but not as it was sent: {how}.",
        "Compare it with the payment in Peakflo, and correct it in QuickBooks.",
    ),
    "edited_in_quickbooks": Code(
        "{entity} {qbo_id}, which Peakflo created, was edited in QuickBooks by hand: {how}.",
        "Change it back in QuickBooks, or correct the payment in Peakflo to match.",
    ),
    "voided_in_quickbooks": Code(
        "{entity} {qbo_id}, which Peakflo created, was voided in QuickBooks by hand; the payment in Peakflo is as it "
        "was.",
        _MISSING_AGAIN,
        may_retry=True,
        lets_go=True,
    ),
    "deleted_in_quickbooks": Code(
        "{entity} {qbo_id}, which Peakflo created, was deleted in QuickBooks by hand; the payment in Peakflo is as it "
        "was.",
        _MISSING_AGAIN,
        may_retry=True,
        lets_go=True,
    ),
    "entry_missing": Code(
        "The payment's fee, taxes or rounding are not in QuickBooks.",
        "Enter them there by hand, then ignore this; or cancel the payment in Peakflo and enter it again.",
    ),
    "twice_in_quickbooks": Code(
        "Peakflo's payment is in QuickBooks twice: it has {entity} {extra} beside {qbo_id}.",
        'Delete {entity} {extra} in QuickBooks; or, if it is another one, take "Peakflo payment" and what follows out '
        "of its note.",
    ),
    # Of one that was cancelled
    "changed_in_quickbooks": Code(
        "The payment was cancelled in Peakflo, but {entity} {qbo_id} was changed in QuickBooks by hand: {how}.",
        "Void or delete {entity} {qbo_id} in QuickBooks; or ignore this.",
    ),
    "revived_in_quickbooks": Code(
        "{entity} {qbo_id}, which was undone because Peakflo cancelled the payment or sent it anew, was given money "
        "again in QuickBooks by hand.",
        "Void or delete it in QuickBooks.",
    ),
    "copied_in_quickbooks": Code(
        "The payment was cancelled in Peakflo and undone, but {entity} {qbo_ids} in QuickBooks names it.",
        'Void or delete it in QuickBooks; or, if it is another one, take "Peakflo payment" and what follows out of '
        "its note.",
    ),
}


@dataclass(frozen=True, slots=True)
class Wait:
    """
    Something that payments wait for.

    :param why: what keeps them, said of one or of many.
    :param remedy: what ends it.
    :param owner: who has to act, once they have waited longer than is usual.
    :param usual: for how long nobody need act; None where a payment may wait for it as long as it likes.
    """

    why: str
    remedy: str
    owner: Owner
    usual: timedelta | None = timedelta(0)

    def is_usual(self, age: timedelta) -> bool:
        """Tell whether a payment may have waited for so long without anybody having to act."""
        return self.usual is None or age < self.usual


# Three rounds of deliveries and syncs.
_ROUNDS = timedelta(minutes=15)

WAITS: dict[str, Wait] = {
    # What somebody has to do
    "auto_sync_off": Wait(
        "two-way payment sync is off", "Switch it on: what waits is sent.", "data engineer"
    ),
    "approval_needed": Wait(
        "somebody has to approve so large a payment", "Approve or ignore it on the payment's page.", "admin"
    ),
    "other_books": Wait(
        "another QuickBooks company is connected than the one it was taken for",
        "Connect that one again; or have it entered by hand, then ignore it.",
        "admin",
    ),
    "account_unmapped": Wait(
        "an account is not mapped",
        "Choose it in the account mapping: what waits goes by itself.",
        "bookkeeper",
    ),
    "account_unfit": Wait(
        "a mapped account cannot serve",
        "Choose another one in the account mapping, or correct it in QuickBooks.",
        "bookkeeper",
    ),
    "receivable_ambiguous": Wait(
        "QuickBooks has several receivable accounts in the currency",
        "Map the one that the invoices are booked on in the account mapping.",
        "bookkeeper",
    ),
    "books_closed": Wait(
        "the books are closed for its date",
        "Reopen the period in QuickBooks, or change the date in Peakflo.",
        "bookkeeper",
    ),
    "customer_inactive": Wait(
        "the customer is not active in QuickBooks", "Make the customer active there.", "bookkeeper"
    ),
    "customer_merged": Wait(
        "the customer is gone from QuickBooks, and into whom it was merged cannot be told",
        "Enter in Peakflo whose the payment is now.",
        "bookkeeper",
    ),
    # What comes by itself, or else has to be looked into
    "customer_unknown": Wait(
        "QuickBooks does not have the customer",
        "Enter the customer in QuickBooks, or correct in Peakflo whose the payment is.",
        "bookkeeper",
        _ROUNDS,
    ),
    "target_unknown": Wait(
        "QuickBooks does not have what it pays for",
        "Enter that in QuickBooks, or correct in Peakflo what the payment is applied to.",
        "bookkeeper",
        _ROUNDS,
    ),
    "company_unknown": Wait(
        "the company's own currency is not known", "Refresh its accounts and taxes.", "data engineer", _ROUNDS
    ),
    "not_connected": Wait(
        "QuickBooks is not connected", "Connect the company, or let it go on.", "admin", _ROUNDS
    ),
    "not_fresh": Wait(
        "QuickBooks may have it already, which the next sync tells",
        "Sync the company.",
        "data engineer",
        _ROUNDS,
    ),
    "stale": Wait(
        "QuickBooks has a newer version of it, which the next sync reads",
        "Sync the company.",
        "data engineer",
        _ROUNDS,
    ),
    "undecided": Wait(
        "QuickBooks' answer was lost, and whether it has it is not known yet",
        "Read the log of peakflo_to_quickbooks, which looks for it; nothing is sent twice.",
        "data engineer",
        _ROUNDS,
    ),
    "queued": Wait(
        "nothing stands against it, and still it is not sent",
        "See in Airflow whether peakflo_to_quickbooks runs, and read its log.",
        "data engineer",
        _ROUNDS,
    ),
    "not_settled": Wait(
        "the money has not arrived", "Nothing: it goes when the money is there.", "nobody", None
    ),
}
