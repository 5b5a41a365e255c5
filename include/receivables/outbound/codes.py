"""How a payment may differ between Peakflo and QuickBooks: each code with its words, who acts, and what one may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Owner = Literal["data engineer", "bookkeeper", "nobody"]


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
