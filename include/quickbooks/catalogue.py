"""
QuickBooks' fault codes: what each means, what cures it and who acts.

The words are the same in the log, in the list of problems and on the page. Sources: Intuit's pages on error
handling and common errors, and recorded answers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from include.errors import (
    ChangesExpiredError,
    ConfigurationError,
    FatalError,
    NotFoundError,
    ReauthorizeError,
    ReceivablesError,
    RejectedError,
    RetryableError,
    ThrottledError,
    UnreachableError,
)

Actor = Literal["data engineer", "bookkeeper", "nobody"]


class TokenRejectedError(ReauthorizeError):
    """QuickBooks does not accept this access token; a renewed one may do."""


@dataclass(frozen=True, slots=True)
class KnownFault:
    """
    A fault of QuickBooks that we know how to answer.

    :param code: QuickBooks' code without leading zeros.
    :param meaning: what is wrong, as the first half of a sentence.
    :param cure: what to do about it, as the second half.
    :param who: who has to act.
    :param error: the class to raise, which says whether to try again.
    :param phrase: when one code stands for several faults, the words that tell this one apart.
    :param is_proof: whether it proves that a write which it answers was not carried out.
    """

    code: str
    meaning: str
    cure: str
    who: Actor
    error: type[ReceivablesError]
    phrase: str = ""
    is_proof: bool = True

    @property
    def is_retryable(self) -> bool:
        """Whether the same call may go through later."""
        return issubclass(self.error, RetryableError)

    @property
    def advice(self) -> str:
        """What is wrong and what to do, as one sentence without its full stop."""
        return f"{self.meaning}: {self.cure}"


# Of rows with one code, those with a phrase come before the one without.
CATALOGUE = (
    # Access
    KnownFault(
        "3200",
        "QuickBooks does not accept the access token",
        "it is renewed by itself; if this stays, check the app's keys and connect the company again",
        "data engineer",
        TokenRejectedError,
    ),
    KnownFault(
        "3100",
        "QuickBooks does not let the app use this company",
        "check that environment, api_url and realm id belong together (sandbox or production)",
        "data engineer",
        ConfigurationError,
    ),
    KnownFault(
        "3201",
        "The app is no longer authorized for this company",
        "connect the company again",
        "bookkeeper",
        ReauthorizeError,
    ),
    KnownFault(
        "3202",
        "The connection lacks the accounting scope",
        "connect the company again and allow access to its accounting",
        "bookkeeper",
        ReauthorizeError,
    ),
    KnownFault(
        "120",
        "The person who connected QuickBooks has lost access to this company",
        "let an administrator of the company connect it again",
        "bookkeeper",
        ReauthorizeError,
    ),
    KnownFault(
        "invalid_grant",
        "QuickBooks no longer accepts the connection's refresh token or code",
        "connect the company again",
        "bookkeeper",
        ReauthorizeError,
    ),
    KnownFault(
        "invalid_client",
        "QuickBooks rejects the app's client id or secret",
        "copy both anew from the app's keys page at Intuit, for the right environment",
        "data engineer",
        ConfigurationError,
    ),
    KnownFault(
        "invalid_request",
        "QuickBooks does not accept the request for tokens",
        "check that redirect_uri is exactly as registered with the app at Intuit",
        "data engineer",
        ConfigurationError,
    ),
    KnownFault(
        "unauthorized_client",
        "The app may not connect companies in this environment",
        "check the app's state and keys at Intuit",
        "data engineer",
        ConfigurationError,
    ),
    KnownFault(
        "unsupported_grant_type",
        "QuickBooks does not offer this way to get tokens",
        "report it as a fault of this program",
        "data engineer",
        ConfigurationError,
    ),
    KnownFault(
        "invalid_scope",
        "The app may not ask for access to accounting",
        "switch the accounting scope on for the app at Intuit",
        "data engineer",
        ConfigurationError,
    ),
    KnownFault(
        "access_denied",
        "The person declined to connect the company",
        "connect it again and choose Connect",
        "bookkeeper",
        ReauthorizeError,
    ),
    # Limits and outages
    KnownFault(
        "3001",
        "QuickBooks asks to slow down",
        "it goes on by itself; if this stays for hours, the month's quota of reads is used up",
        "nobody",
        ThrottledError,
    ),
    KnownFault(
        "10000",
        "QuickBooks has an internal error",
        "it is tried again by itself",
        "nobody",
        UnreachableError,
        is_proof=False,
    ),
    # Reading
    KnownFault(
        "500",
        "Change data capture no longer reaches back to the last sync",
        "the company is imported anew by itself",
        "nobody",
        ChangesExpiredError,
        phrase="older than fixed days",
    ),
    KnownFault(
        "500",
        "QuickBooks does not support this operation",
        "report it as a fault of this program",
        "data engineer",
        FatalError,
    ),
    KnownFault(
        "4000",
        "QuickBooks cannot read the query",
        "report it as a fault of this program",
        "data engineer",
        FatalError,
    ),
    KnownFault(
        "4001",
        "QuickBooks refuses the query",
        "report it as a fault of this program",
        "data engineer",
        FatalError,
    ),
    # One record
    KnownFault(
        "4002",
        "QuickBooks fails at a record",
        "correct in QuickBooks what it names",
        "bookkeeper",
        RejectedError,
    ),
    KnownFault(
        "610",
        "QuickBooks does not have the record: it was deleted or made inactive",
        "restore it in QuickBooks, or map another one",
        "bookkeeper",
        NotFoundError,
    ),
    KnownFault(
        "620",
        "The invoice or credit cannot be linked: it is inactive, paid or another customer's",
        "check it in QuickBooks and try again",
        "bookkeeper",
        RejectedError,
    ),
    KnownFault(
        "2010",
        "QuickBooks does not take the value of a field",
        "report it as a fault of this program",
        "data engineer",
        RejectedError,
    ),
    KnownFault(
        "2020",
        "A required field is missing",
        "complete the record in Peakflo and try again",
        "data engineer",
        RejectedError,
    ),
    KnownFault(
        "2050",
        "A text is too long for QuickBooks",
        "shorten it in Peakflo and try again",
        "bookkeeper",
        RejectedError,
    ),
    KnownFault(
        "2080",
        "A number is not written as QuickBooks takes it",
        "correct it in Peakflo and try again",
        "bookkeeper",
        RejectedError,
    ),
    KnownFault(
        "2170",
        "A field has a value that QuickBooks does not offer",
        "report it as a fault of this program",
        "data engineer",
        RejectedError,
    ),
    KnownFault(
        "2210",
        "An e-mail address is not valid",
        "correct it in Peakflo and try again",
        "bookkeeper",
        RejectedError,
    ),
    KnownFault(
        "2500",
        "The record refers to one that QuickBooks does not have or that is inactive",
        "restore that one in QuickBooks, or map another, and try again",
        "bookkeeper",
        RejectedError,
    ),
    # A client's users report a closed period under this code, too (python-quickbooks, issue 208).
    KnownFault(
        "5010",
        "The books are closed for the record's date",
        "reopen the period in QuickBooks, or change the date, and try again",
        "bookkeeper",
        RejectedError,
        phrase="account period has closed",
    ),
    KnownFault(
        "5010",
        "The record was changed in QuickBooks in the meantime",
        "read it again and try again with its newest version",
        "nobody",
        RejectedError,
    ),
    KnownFault(
        "5020",
        "The company's QuickBooks plan or the person who connected it does not allow this",
        "switch the feature on in QuickBooks, or let an administrator connect the company",
        "bookkeeper",
        RejectedError,
    ),
    KnownFault(
        "5030",
        "The company's QuickBooks plan does not have this feature",
        "change the plan in QuickBooks, or leave the record out",
        "bookkeeper",
        RejectedError,
    ),
    # Business rules: QuickBooks files many of them under 6000 and tells them apart by text.
    KnownFault(
        "6000",
        "The payment has no amount",
        "enter it in Peakflo and try again",
        "bookkeeper",
        RejectedError,
        phrase="must set a transaction amount",
    ),
    KnownFault(
        "6000",
        "The currency differs from that of the customer or the account",
        "choose an account of the customer's currency in the account mapping and try again",
        "bookkeeper",
        RejectedError,
        phrase="currency of the transaction is invalid",
    ),
    KnownFault(
        "6000",
        "The mapped account is of the wrong type",
        "choose a bank account or Undeposited Funds in the account mapping and try again",
        "bookkeeper",
        RejectedError,
        phrase="select a different type of account",
    ),
    KnownFault(
        "6000",
        "More is applied to invoices than the payment holds",
        "correct the payment's allocations in Peakflo and try again",
        "bookkeeper",
        RejectedError,
        phrase="Amount applied is greater than",
    ),
    KnownFault(
        "6000",
        "More is applied to an invoice or taken from a credit than is open of it",
        "look in QuickBooks what settled it, correct the payment in Peakflo and try again",
        "bookkeeper",
        RejectedError,
        phrase="open balance",
    ),
    KnownFault(
        "6000",
        "The request id is longer than QuickBooks takes",
        "report it as a fault of this program",
        "data engineer",
        RejectedError,
        phrase="characters in the request_id field",
    ),
    KnownFault(
        "6000",
        "The journal entry has fewer than two lines",
        "report it as a fault of this program",
        "data engineer",
        RejectedError,
        phrase="at least two detail lines",
    ),
    KnownFault(
        "6000",
        "The journal entry's receivable line has no customer",
        "report it as a fault of this program",
        "data engineer",
        RejectedError,
        phrase="choose a customer in the Name field",
    ),
    KnownFault(
        "6000",
        "The journal entry posts to a payable account without a vendor",
        "choose another account in the account mapping and try again",
        "bookkeeper",
        RejectedError,
        phrase="choose a vendor in the Name field",
    ),
    KnownFault(
        "6000",
        "The journal entry's debits and credits differ",
        "report it as a fault of this program",
        "data engineer",
        RejectedError,
        phrase="balance debits and credits",
    ),
    # Payments were booked that were answered like that (zao-woocommerce-quickbooks-online-integration, issue 12).
    KnownFault(
        "6000",
        "QuickBooks had an internal error",
        "look in QuickBooks whether the record is there",
        "bookkeeper",
        RejectedError,
        phrase="internal error",
        is_proof=False,
    ),
    KnownFault(
        "6000",
        "A business rule of QuickBooks refuses the record",
        "correct what QuickBooks names and try again",
        "bookkeeper",
        RejectedError,
        is_proof=False,
    ),
    KnownFault(
        "6140",
        "The document number is in use already",
        "change the number in Peakflo or in QuickBooks and try again",
        "bookkeeper",
        RejectedError,
    ),
    KnownFault(
        "6190",
        "The company's QuickBooks subscription or trial has ended",
        "renew it in QuickBooks; until then nothing can be written",
        "bookkeeper",
        FatalError,
    ),
    KnownFault(
        "6210",
        "The books are closed for the record's date",
        "reopen the period in QuickBooks, or change the date, and try again",
        "bookkeeper",
        RejectedError,
    ),
    KnownFault(
        "6240",
        "The name is in use already by a customer, vendor or employee, perhaps an inactive one",
        "rename one of them and try again",
        "bookkeeper",
        RejectedError,
    ),
    KnownFault(
        "6250",
        "QuickBooks does not accept the customer",
        "map the customer again and try again",
        "bookkeeper",
        RejectedError,
    ),
    KnownFault(
        "6430",
        "An account is of a type that this record cannot use",
        "choose another account in the account mapping and try again",
        "bookkeeper",
        RejectedError,
    ),
    KnownFault(
        "6540",
        "The payment is part of a bank deposit and cannot be changed",
        "remove it from the deposit in QuickBooks and try again",
        "bookkeeper",
        RejectedError,
    ),
    KnownFault(
        "6560",
        "The record names no customer",
        "map the customer and try again",
        "bookkeeper",
        RejectedError,
    ),
)


def find(code: str, text: str = "") -> KnownFault | None:
    """
    Find what is known about a fault.

    :param text: QuickBooks' words, which tell apart faults that share a code.
    """
    for known in CATALOGUE:
        if known.code == code and known.phrase.lower() in text.lower():
            return known
    # Intuit: codes from 10000 up are system errors.
    if code.isdigit() and int(code) > 10000:
        return find("10000")
    return None


# Whatever their code: the words of a failure in the midst of the work.
_FAILED_AT_WORK = re.compile(r"unexpected|internal error|system failure|timed? ?out", re.IGNORECASE)


def proves_refusal(code: str, text: str) -> bool:
    """
    Tell whether a fault that answers a write proves that it was not carried out; one that nobody knows proves nothing.

    :param text: QuickBooks' words.
    """
    known = find(code, text)
    return known is not None and known.is_proof and not _FAILED_AT_WORK.search(text)
