"""Turns an answer of QuickBooks that is a refusal into one of our errors."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from include.errors import ConfigurationError, ReceivablesError, RecordError, RejectedError, ThrottledError
from include.plain_text import one_line
from include.quickbooks.catalogue import CATALOGUE, KnownFault, TokenRejectedError, find

if TYPE_CHECKING:
    from collections.abc import Iterable

    import requests

__all__ = [
    "CATALOGUE",
    "Fault",
    "KnownFault",
    "TokenRejectedError",
    "error_for",
    "find",
    "raise_for_answer",
    "raise_for_fault",
    "redact",
    "retry_after",
]

# Intuit: after a 429, wait 60 seconds. Retry-After is honoured where it is sent.
THROTTLE_SECONDS = 60.0

_LONGEST_DETAIL = 300
_LONG_OPAQUE = re.compile(r"\beyJ[\w.\-]+|[\w.~+/=\-]{40,}")
_AFTER_TOKEN_WORD = re.compile(r"(?i)(token expired:|(?:bearer )?\w*token[\"']?\s*[:=]|bearer)\s*\S+")
_ERROR_CODE = re.compile(r"errorCode=(\d+)")


@dataclass(frozen=True, slots=True)
class Fault:
    """
    What QuickBooks itself says, before we know what it means.

    :param code: without leading zeros; empty if the answer names none.
    :param text: its words, of all errors in the fault.
    :param type: what QuickBooks calls this kind of fault; empty if the answer is not from QuickBooks.
    """

    code: str
    text: str
    type: str = ""


def raise_for_answer(response: requests.Response, *, secrets: Iterable[str] = ()) -> None:
    """
    Raise what an answer that is not a 2xx means.

    :param secrets: what must not show in the error although QuickBooks may repeat it.
    :raises ReceivablesError: of the class that says what to do about it.
    """
    if not HTTPStatus.OK <= response.status_code < HTTPStatus.MULTIPLE_CHOICES:
        fault = _read_fault(response.content) or Fault("", "")
        raise error_for(response, fault, secrets=secrets)


def raise_for_fault(response: requests.Response, *, secrets: Iterable[str] = ()) -> None:
    """
    Raise the fault that an answer holds although its status is a 2xx.

    :param secrets: what must not show in the error although QuickBooks may repeat it.
    :raises ReceivablesError: of the class that says what to do about it.
    """
    fault = _read_fault(response.content)
    if fault and fault.code:
        raise error_for(response, fault, secrets=secrets)


def error_for(response: requests.Response, fault: Fault, *, secrets: Iterable[str] = ()) -> ReceivablesError:
    """Build the error for a fault: what is wrong, what to do, and what QuickBooks said, without secrets."""
    known = _recognise(response.status_code, fault)
    said = redact(f"{fault.code} {fault.text}", secrets) or f"HTTP {response.status_code}"
    message = f"{known.advice} (QuickBooks: {said})."
    tid = response.headers.get("intuit_tid")
    if issubclass(known.error, ThrottledError):
        return known.error(message, retry_after=retry_after(response), intuit_tid=tid)
    return known.error(message, code=fault.code or None, intuit_tid=tid)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """
    Take out what is or looks like a token, and cut a text to one line of a length fit for a log.

    QuickBooks repeats the rejected access token in the detail of a 401.
    """
    for secret in filter(None, secrets):
        text = text.replace(secret, "[redacted]")
    text = _AFTER_TOKEN_WORD.sub(r"\1 [redacted]", text)
    text = one_line(_LONG_OPAQUE.sub("[redacted]", text))
    return text if len(text) <= _LONGEST_DETAIL else f"{text[: _LONGEST_DETAIL - 1]}…"


def retry_after(response: requests.Response) -> float:
    """Return how many seconds QuickBooks asks us to wait."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return THROTTLE_SECONDS
    return max((moment.astimezone(UTC) - datetime.now(UTC)).total_seconds(), 0.0)


def _recognise(status: int, fault: Fault) -> KnownFault:
    """Find what an answer means; the status decides before the body, which a gateway may have written."""
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return _known("3001")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _known("10000")
    known = find(fault.code, fault.text)
    # A record is refused by its validation: a failure of the system says nothing of the record.
    if known and not (fault.type == "SystemFault" and issubclass(known.error, RecordError)):
        return known
    if status == HTTPStatus.UNAUTHORIZED:
        return _known("3200")
    if fault.type == "SystemFault":
        return _known("10000")
    if not (fault.code or fault.type):
        return _NOT_THE_API
    return _known("3100") if status == HTTPStatus.FORBIDDEN else _REFUSED


def _known(code: str) -> KnownFault:
    known = find(code)
    assert known is not None, f"the catalogue lacks {code}"  # noqa: S101
    return known


_REFUSED = KnownFault(
    "rejected",
    "QuickBooks refuses the request",
    "correct what QuickBooks names and try again",
    "data engineer",
    RejectedError,
)
# A 403 or 404 without a fault is not from the API: a proxy, or a wrong address.
_NOT_THE_API = KnownFault(
    "configuration",
    "The address of QuickBooks' API does not answer as the API does",
    "check api_url, discovery_url, the realm id and the proxy",
    "data engineer",
    ConfigurationError,
)


def _read_fault(body: bytes) -> Fault | None:
    """Read the fault in a body: JSON in either casing, XML, or a gateway's HTML page."""
    text = body.decode("utf-8", "replace").strip()
    if text.startswith("<"):
        return _fault_in_markup(text)
    try:
        answer = json.loads(text, parse_float=str)
    except ValueError:
        return None
    return _fault_in(answer)


def _fault_in(answer: Any) -> Fault | None:
    """Look for a fault at the top and where records stand, never inside a record."""
    if isinstance(answer, list):
        return next(filter(None, map(_fault_in, answer)), None)
    if not isinstance(answer, dict):
        return None
    fault = answer.get("Fault") or answer.get("fault")
    if isinstance(fault, dict):
        return _fault_of(fault)
    if isinstance(answer.get("error"), str):  # OAuth's shape
        return Fault(answer["error"], str(answer.get("error_description") or ""))
    return _fault_in(answer.get("CDCResponse")) or _fault_in(answer.get("QueryResponse"))


def _fault_of(fault: dict[str, Any]) -> Fault:
    errors = [_lower(error) for error in _as_list(_lower(fault).get("error")) if isinstance(error, dict)]
    words = [
        ": ".join(str(error[key]) for key in ("message", "detail", "element") if error.get(key))
        for error in errors
    ]
    code = str(errors[0].get("code") or "") if errors else ""
    return _fault(code, "; ".join(words), str(_lower(fault).get("type") or ""))


def _fault(code: str, text: str, kind: str = "") -> Fault:
    in_text = _ERROR_CODE.search(text)
    code = code.lstrip("0") or (in_text[1].lstrip("0") if in_text else "")
    return Fault(code, text, kind)


def _lower(fields: dict[str, Any]) -> dict[str, Any]:
    return {key.lower(): value for key, value in fields.items()}


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _fault_in_markup(text: str) -> Fault:
    reader = _MarkupReader()
    reader.feed(text)
    reader.close()
    said = ": ".join(reader.words[tag] for tag in ("message", "detail", "title") if tag in reader.words)
    return _fault(reader.code, said, reader.type)


class _MarkupReader(HTMLParser):
    """Reads QuickBooks' XML fault or a gateway's HTML page; markup that is broken reads as less text."""

    def __init__(self) -> None:
        super().__init__()
        self.code = ""
        self.type = ""
        self.words: dict[str, str] = {}
        self._tag = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag = tag
        values = dict(attrs)
        if tag == "fault":
            self.type = values.get("type") or ""
        if tag == "error" and not self.code:
            self.code = values.get("code") or ""

    def handle_endtag(self, tag: str) -> None:
        self._tag = ""

    def handle_data(self, data: str) -> None:
        if self._tag and data.strip():
            self.words.setdefault(self._tag, data.strip())
