from __future__ import annotations

import re

import pytest

from include import errors
from include.quickbooks.catalogue import CATALOGUE, TokenRejectedError, find, proves_refusal

# Code, QuickBooks' words, and what to make of them.
KNOWN = [
    ("3200", "message=AuthenticationFailed; errorCode=003200; statusCode=401", TokenRejectedError),
    ("3100", "message=ApplicationAuthenticationFailed; errorCode=003100", errors.ConfigurationError),
    ("3201", "message=AuthorizationFailure; errorCode=003201", errors.ReauthorizeError),
    ("3202", "message=AuthorizationFailure; errorCode=003202", errors.ReauthorizeError),
    ("120", "AuthorizationFailure: -11014", errors.ReauthorizeError),
    ("invalid_grant", "Incorrect or invalid refresh token", errors.ReauthorizeError),
    ("access_denied", "", errors.ReauthorizeError),
    ("invalid_client", "", errors.ConfigurationError),
    ("invalid_request", "", errors.ConfigurationError),
    ("invalid_scope", "", errors.ConfigurationError),
    ("unauthorized_client", "", errors.ConfigurationError),
    ("unsupported_grant_type", "", errors.ConfigurationError),
    ("3001", "message=ThrottleExceeded; errorCode=003001; statusCode=429", errors.ThrottledError),
    ("10000", "An application error has occurred while processing your request", errors.UnreachableError),
    (
        "500",
        "Operation cdc with changedSince date 2026-01-01 which is older than fixed days is not supported.",
        errors.ChangesExpiredError,
    ),
    ("500", "Unsupported Operation: Operation foo is not supported.", errors.FatalError),
    ("4000", 'QueryParserError: Encountered " <IDENTIFIER> "FORM', errors.FatalError),
    ("4001", "QueryValidationError: value 0 is too small. Min allowed value is 1", errors.FatalError),
    ("4002", "QueryProcessingError: To email address entered is invalid", errors.RejectedError),
    ("610", "Object Not Found: something you're trying to use has been made inactive", errors.NotFoundError),
    ("620", "TxnID Cannot Be Linked", errors.RejectedError),
    ("2010", "Request has invalid or unsupported property", errors.RejectedError),
    ("2020", "Required param missing, need to supply the required value for the API", errors.RejectedError),
    (
        "2050",
        "String length is either shorter or longer than supported by specification",
        errors.RejectedError,
    ),
    ("2080", "Illegal number format", errors.RejectedError),
    ("2170", "Invalid Enumeration : HAS_BEEN_BILLED", errors.RejectedError),
    ("2210", "Email Address does not conform to the syntax rules", errors.RejectedError),
    ("2500", "Invalid Reference Id : Accounts element id 33 not found", errors.RejectedError),
    (
        "5010",
        "Stale Object Error : You and root were working on this at the same time.",
        errors.RejectedError,
    ),
    (
        "5010",
        "The account period has closed and the account books cannot be updated through the QBO Services API.",
        errors.RejectedError,
    ),
    ("5020", "Permission Denied Error", errors.RejectedError),
    ("5030", "Feature Not Supported Error", errors.RejectedError),
    ("6000", "A business validation error has occurred while processing your request", errors.RejectedError),
    ("6000", "Business Validation Error: Unexpected Internal Error. (-30003)", errors.RejectedError),
    ("6000", "Business Validation Error: You must set a transaction amount.", errors.RejectedError),
    (
        "6000",
        "The currency of the transaction is invalid for customer / vendor / account.",
        errors.RejectedError,
    ),
    ("6000", "You need to select a different type of account for this transaction.", errors.RejectedError),
    ("6000", "Amount applied is greater than payment or refund amount.", errors.RejectedError),
    (
        "6000",
        "The amount applied cannot be more than the open balance of the transaction.",
        errors.RejectedError,
    ),
    ("6000", "You cannot enter more than 50 characters in the request_id field", errors.RejectedError),
    ("6000", "Fill out at least two detail lines to continue.", errors.RejectedError),
    (
        "6000",
        "When you use Accounts Receivable, you must choose a customer in the Name field.",
        errors.RejectedError,
    ),
    (
        "6000",
        "When you use Accounts Payable, you must choose a vendor in the Name field.",
        errors.RejectedError,
    ),
    ("6000", "Please balance debits and credits.", errors.RejectedError),
    ("6140", "Duplicate Document Number Error", errors.RejectedError),
    ("6190", "Invalid Company Status: Subscription period has ended", errors.FatalError),
    ("6210", "Account Period Closed, Cannot Update Through Services API", errors.RejectedError),
    ("6240", "Duplicate Name Exists Error", errors.RejectedError),
    ("6250", "Customer is not valid", errors.RejectedError),
    ("6430", "Invalid account type used", errors.RejectedError),
    ("6540", "Deposited Transaction cannot be changed", errors.RejectedError),
    ("6560", "CustomerRef is missing", errors.RejectedError),
]


@pytest.mark.parametrize(("code", "text", "error"), KNOWN)
def test_a_fault_is_recognised(code, text, error):
    known = find(code, text)

    assert known is not None
    assert (known.code, known.error) == (code, error)
    assert known.phrase.lower() in text.lower()


def test_every_row_of_the_catalogue_is_reached_by_a_fault():
    reached = {find(code, text) for code, text, _ in KNOWN}

    assert reached == set(CATALOGUE)


def test_a_fault_is_recognised_by_its_words_in_any_case():
    known = find("6000", "PLEASE BALANCE DEBITS AND CREDITS")

    assert known is not None
    assert known.phrase == "balance debits and credits"


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("6210", "Account Period Closed, Cannot Update Through Services API"),
        ("2500", "Invalid Reference Id"),
        ("6240", "Duplicate Name Exists Error"),
        ("610", "Object Not Found"),
        ("620", "TxnID Cannot Be Linked"),
        ("5010", "Stale Object Error"),
        ("2020", "Required parameter is missing"),
        ("6000", "Please balance debits and credits."),
    ],
)
def test_a_refusal_whose_cause_is_known_proves_that_nothing_was_written(code, text):
    assert proves_refusal(code, text)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("6000", "A business validation error has occurred while processing your request"),
        ("6000", "Unexpected Internal Error. (-30003)"),
        ("2010", "Unexpected Internal Error. (-30003)"),
        ("10000", "System Failure Error"),
        ("10417", ""),
        ("7777", "Something went wrong."),
        ("", ""),
        ("rejected", "QuickBooks refuses the request"),
    ],
)
def test_what_failed_at_work_or_is_not_known_proves_nothing(code, text):
    assert not proves_refusal(code, text)


@pytest.mark.parametrize("code", ["10001", "10500", "99999"])
def test_codes_from_ten_thousand_up_are_system_errors(code):
    assert find(code) is find("10000")


@pytest.mark.parametrize("code", ["", "0", "9999", "7777", "unheard_of"])
def test_what_nobody_described_is_not_known(code):
    assert find(code, "older than fixed days") is None


@pytest.mark.parametrize("known", CATALOGUE, ids=lambda known: f"{known.code} {known.phrase}".strip())
def test_advice_reads_as_one_sentence_for_the_person_who_acts(known):
    assert re.fullmatch(r"[A-Z][^.]*[^.:;]", known.advice)
    assert known.who in ("data engineer", "bookkeeper", "nobody")


@pytest.mark.parametrize("known", CATALOGUE, ids=lambda known: f"{known.code} {known.phrase}".strip())
def test_a_fault_that_heals_by_itself_is_nobodys_work(known):
    assert known.is_retryable is issubclass(known.error, errors.RetryableError)
    if known.is_retryable:
        assert known.who == "nobody"
