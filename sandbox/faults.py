"""QuickBooks' faults: their codes, their words and their bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

INACTIVE = (
    "Something you're trying to use has been made inactive. "
    "Check the fields with accounts, customers, items, vendors or employees."
)


class Fault(Exception):  # noqa: N818  (QuickBooks' own word)
    """
    An answer that refuses a request.

    :param code: QuickBooks' code, as it stands in the body.
    :param message: the general message of the code.
    :param detail: what is wrong with this request.
    :param element: the property concerned.
    :param kind: the fault's ``type``.
    :param status: the HTTP status.
    """

    def __init__(
        self,
        code: str,
        message: str,
        detail: str,
        *,
        element: str | None = None,
        kind: str = "ValidationFault",
        status: int = 400,
    ) -> None:
        super().__init__(f"{code} {detail}")
        self.code = code
        self.kind = kind
        self.status = status
        self.errors = [_error(code, message, detail, element)]

    def body(self) -> dict[str, Any]:
        """Return the fault object of the answer."""
        return {"Error": self.errors, "type": self.kind}


def _error(code: str, message: str, detail: str, element: str | None) -> dict[str, str]:
    error = {"Message": message, "Detail": detail, "code": code}
    if element is not None:
        error["element"] = element
    return error


def merged(faults: Sequence[Fault]) -> Fault:
    """Join several faults of one record into the one that QuickBooks answers."""
    first = faults[0]
    first.errors = [error for fault in faults for error in fault.errors]
    return first


def business(detail: str) -> Fault:
    """6000: a rule of bookkeeping is broken."""
    return Fault(
        "6000",
        "A business validation error has occurred while processing your request",
        f"Business Validation Error: {detail}",
        element="",
    )


def missing(name: str) -> Fault:
    """2020: a required property is missing."""
    return Fault(
        "2020",
        "Required param missing, need to supply the required value for the API",
        f"Required parameter {name} is missing in the request",
        element=name,
    )


def invalid_property(name: str | None = None) -> Fault:
    """2010: the body is not JSON, or has a property that QuickBooks does not know."""
    detail = "failed to parse json object;a property specified is unsupported or invalid"
    return Fault(
        "2010",
        "Request has invalid or unsupported property",
        f"Property Name:{detail}" if name is None else f"Property Name:Can not construct {name};{detail}",
        element=name,
    )


def too_long(element: str, limit: int, length: int) -> Fault:
    """2050: a text is longer than its field."""
    return Fault(
        "2050",
        "String length is either shorter or longer than supported by specification",
        "String length specified does not match the supported length. "
        f"Min:0 Max:{limit:,} supported. Supplied length:{length}",
        element=element,
    )


def invalid_reference(kind: str, record_id: str) -> Fault:
    """2500: a reference points at nothing."""
    return Fault(
        "2500",
        "Invalid Reference Id",
        f"Invalid Reference Id : {kind} element id {record_id} not found",
        element="",
    )


def inactive_reference() -> Fault:
    """2500: a reference points at an inactive record."""
    return Fault("2500", "Invalid Reference Id", f"Invalid Reference Id : {INACTIVE}", element="")


def not_found() -> Fault:
    """610: the record does not exist, or not any more."""
    return Fault("610", "Object Not Found", f"Object Not Found : {INACTIVE}", element="")


def cannot_link(txn_id: str) -> Fault:
    """620: a payment line points at a transaction that it cannot pay."""
    return Fault(
        "620",
        "TxnID Cannot Be Linked",
        f"TxnID Cannot Be Linked : The transaction {txn_id} cannot be linked to this one.",
        element="",
    )


def stale() -> Fault:
    """5010: somebody changed the record in between."""
    return Fault(
        "5010",
        "Stale Object Error",
        "Stale Object Error : You and somebody else were working on this at the same time. "
        "Somebody else finished before you did, so your work was not saved.",
        element="",
    )


def duplicate_name(kind: str) -> Fault:
    """6240: the name is taken."""
    return Fault(
        "6240",
        "Duplicate Name Exists Error",
        f"The name supplied already exists. : Another {kind} is already using this name. "
        "Please use a different name.",
        element="",
    )


def duplicate_number(number: str, txn_type: str, txn_id: str) -> Fault:
    """6140: the document number is taken."""
    return Fault(
        "6140",
        "Duplicate Document Number Error",
        "Duplicate Document Number Error : You must specify a different number. This number has already "
        f"been used. DocNumber={number} is assigned to TxnType={txn_type} with TxnId={txn_id}",
        element="",
    )


def invalid_enumeration(value: str) -> Fault:
    """2170: the value is not one of the allowed ones."""
    return Fault("2170", "Invalid Enumeration", f"Invalid Enumeration : {value}", element="")


def invalid_email() -> Fault:
    """2210: an e-mail address breaks RFC 822."""
    return Fault(
        "2210",
        "Invalid Email Address format",
        "Email Address does not conform to the syntax rules of RFC 822.",
        element="EmailAddress",
    )


def books_closed() -> Fault:
    """6210: the transaction's date lies in a closed period."""
    closed = "Account Period Closed, Cannot Update Through Services API"
    return Fault(
        "6210",
        closed,
        f"{closed} : The account period has closed and the account books cannot be updated through through "
        "the QBO Services API. Please use the QBO website to make these changes.",
        element="",
    )


def deposited() -> Fault:
    """6540: the payment sits in a deposit."""
    return Fault(
        "6540",
        "Deposited Transaction cannot be changed",
        "Deposited Transaction cannot be changed : If you want to modify or delete the transaction, "
        "delete it from the deposit first.",
        element="",
    )


def subscription_ended() -> Fault:
    """6190: the company's subscription does not allow writes."""
    return Fault(
        "6190",
        "Invalid Company Status",
        "Subscription period has ended or canceled or there was a billing problem : "
        "You can't add or edit data because your trial or subscription period ended.",
        element="",
    )


def unsupported(operation: str) -> Fault:
    """500: QuickBooks does not offer the operation."""
    return Fault("500", "Unsupported Operation", f"Operation {operation} is not supported.", element="")


def permission_denied(element: str) -> Fault:
    """5020: there is no such feature, or report, for this company (recorded: oauth-jsclient #89)."""
    return Fault(
        "5020",
        "Permission Denied Error",
        "Permission Denied Error : You do not have the access rights to use this feature.",
        element=element,
    )


def unparsable_query(detail: str) -> Fault:
    """4000: the text is no query."""
    return Fault("4000", "Error parsing query", f"QueryParserError: {detail}")


def invalid_query(detail: str) -> Fault:
    """4001: the query asks for what cannot be asked."""
    return Fault("4001", "Invalid query", f"QueryValidationError: {detail}")


def throttled() -> Fault:
    """3001: too many requests."""
    return Fault(
        "3001",
        "message=ThrottleExceeded; errorCode=003001; statusCode=429",
        "The request limit was reached.  Try again later",
        kind="SERVICE",
        status=429,
    )


def system_failure() -> Fault:
    """10000: QuickBooks itself failed."""
    return Fault(
        "10000",
        "An application error has occurred while processing your request",
        "System Failure Error: Unexpected Internal Error.",
        kind="SystemFault",
        status=500,
    )


def gateway_body(
    *, status: int, code: str, name: str, detail: str, kind: str, epoch: float
) -> dict[str, Any]:
    """
    Return the body of a 401 or 403, which the gateway writes in lower case.

    Recorded: ``time`` is in milliseconds since the epoch and the other members are empty.
    """
    message = f"message={name}; errorCode={code:0>6}; statusCode={status}"
    return {
        "warnings": None,
        "intuitObject": None,
        "fault": {
            "error": [{"message": message, "detail": detail, "code": code, "element": None}],
            "type": kind,
        },
        "report": None,
        "queryResponse": None,
        "batchItemResponse": [],
        "attachableResponse": [],
        "syncErrorResponse": None,
        "requestId": None,
        "time": int(epoch * 1000),
        "status": None,
        "cdcresponse": [],
    }
