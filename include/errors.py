"""
Every error of the sync, sorted by what to do about it.

* ReceivablesError
  + FatalError: retrying cannot help, a person has to act
    - ConfigurationError: a setting, an argument or a company id is wrong
    - ReauthorizeError: QuickBooks no longer accepts the company's tokens
    - DeletionBrakeError: more records vanished than a healthy company deletes
    - SilentChannelError: a channel keeps failing, so that alerts do not reach those who wait for them
  + RetryableError: the same call may go through later
    - UnreachableError: no answer, or an answer of the 5xx kind
      . UnrenderableError: QuickBooks fails at the answer, perhaps for one record's sake
    - ThrottledError: QuickBooks asked to slow down
    - QuotaError: QuickBooks answers no reads, as when the month's quota is used up; it takes writes
    - NoTokenError: QuickBooks gives no access token for now
    - BusyError: somebody else is at work on the same company
    - ChangesExpiredError: change data capture no longer reaches back to the cursor
    - ChannelError: a channel did not take a message
    - DiskFullError: the receivables database has no room left
  + RecordError: one record is refused, the others go on
    - NotFoundError: QuickBooks does not have the record
    - RejectedError: QuickBooks' business rules refuse the record
  + BatchError: some companies of a batch failed, each with its own error
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class ReceivablesError(Exception):
    """
    An error of the sync.

    :param message: one sentence that says what is wrong and what to do.
    :param code: a stable name of the cause: QuickBooks' fault code, or one of ours.
    :param intuit_tid: Intuit's transaction id of the answer, which its support asks for.
    """

    code = "error"

    def __init__(self, message: str, *, code: str | None = None, intuit_tid: str | None = None) -> None:
        super().__init__(message)
        self.code = code or type(self).code
        self.intuit_tid = intuit_tid

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message} (intuit_tid {self.intuit_tid})" if self.intuit_tid else message


class FatalError(ReceivablesError):
    """Retrying cannot help, a person has to act."""

    code = "fatal"


class ConfigurationError(FatalError):
    """A setting, an argument or a company id is wrong."""

    code = "configuration"


class ReauthorizeError(FatalError):
    """QuickBooks no longer accepts the company's tokens: connect the company again."""

    code = "reauthorize"


class DeletionBrakeError(FatalError):
    """More records vanished than a healthy company deletes: a person has to confirm."""

    code = "deletion_brake"


class SilentChannelError(FatalError):
    """A channel keeps failing: alerts do not reach those who wait for them."""

    code = "silent_channel"


class RetryableError(ReceivablesError):
    """The same call may go through later."""

    code = "retryable"


class UnreachableError(RetryableError):
    """QuickBooks gave no answer, or an answer of the 5xx kind."""

    code = "unreachable"


class UnrenderableError(UnreachableError):
    """QuickBooks fails at an answer: perhaps at one record in it, and the others come when they are asked for apart."""

    code = "unrenderable"


class ThrottledError(RetryableError):
    """
    QuickBooks asked to slow down; if that lasts, the monthly quota of reads is used up.

    :param retry_after: seconds to wait before the next call.
    """

    code = "throttled"

    def __init__(self, message: str, *, retry_after: float, intuit_tid: str | None = None) -> None:
        super().__init__(message, intuit_tid=intuit_tid)
        self.retry_after = retry_after


class QuotaError(RetryableError):
    """QuickBooks answers no reads, as when the month's quota is used up; what needs none goes on."""

    code = "quota"


class NoTokenError(RetryableError):
    """QuickBooks gives no access token for now: the call was not made, or turned away for its old token."""

    code = "no_token"


class BusyError(RetryableError):
    """Somebody else is at work on the same company."""

    code = "busy"


class ChangesExpiredError(RetryableError):
    """Change data capture no longer reaches back to the cursor: the company needs an import."""

    code = "changes_expired"


class ChannelError(RetryableError):
    """
    A channel did not take a message.

    :param is_uncertain: whether it may have taken it all the same, as when its answer was lost.
    """

    code = "channel"

    def __init__(self, message: str, *, is_uncertain: bool = False) -> None:
        super().__init__(message)
        self.is_uncertain = is_uncertain


class DiskFullError(RetryableError):
    """The receivables database has no room left."""

    code = "disk_full"


class RecordError(ReceivablesError):
    """One record is refused, the others go on."""

    code = "record"


class NotFoundError(RecordError):
    """QuickBooks does not have the record."""

    code = "610"


class RejectedError(RecordError):
    """QuickBooks' business rules refuse the record."""

    code = "rejected"


class BatchError(RetryableError):
    """
    Some companies of a batch failed, each with its own error.

    :param failures: the companies that failed and why.
    """

    code = "batch"

    def __init__(self, failures: Mapping[str, Exception]) -> None:
        self.failures = dict(failures)
        reasons = "; ".join(f"{company}: {error}" for company, error in self.failures.items())
        super().__init__(f"Failed companies ({len(self.failures)}): {reasons}")
