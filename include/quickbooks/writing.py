"""What is written to QuickBooks and what it answers to that: JSON in which no amount passes through a float."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from include.quickbooks.records import MalformedAnswerError

# Intuit: a request id has up to 50 characters.
MAX_REQUEST_ID = 50


@dataclass(frozen=True, slots=True)
class Written:
    """
    A record as QuickBooks holds it after a write.

    :param sync_token: its version; of a deleted record the version that was deleted.
    :param payload: the record's JSON exactly as it came; of a deleted record the stub.
    :param intuit_tid: Intuit's transaction id of the answer.
    """

    qbo_id: str
    sync_token: int
    payload: bytes
    intuit_tid: str | None


class _Header(msgspec.Struct):
    qbo_id: str = msgspec.field(name="Id")
    sync_token: int | None = msgspec.field(default=None, name="SyncToken")


_answer = msgspec.json.Decoder(dict[str, msgspec.Raw])
_header = msgspec.json.Decoder(_Header, strict=False)
_encoder = msgspec.json.Encoder(decimal_format="number", order="deterministic")


def encode(payload: dict[str, Any]) -> bytes:
    """Write a record as JSON; a decimal becomes a number with the digits that it has."""
    return _encoder.encode(payload)


def parse_written(body: bytes, entity_name: str, *, intuit_tid: str | None, sync_token: int = 0) -> Written:
    """
    Read the record in the answer to a write.

    :param sync_token: the version to assume when the answer names none.
    :raises MalformedAnswerError: if the body is cut off or holds no such record: what was asked for may be done.
    """
    try:
        payload = bytes(_answer.decode(body)[entity_name])
        header = _header.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError) as error:
        raise MalformedAnswerError(
            f"QuickBooks' answer to a write is not readable ({error}): it may have been carried out."
        ) from None
    version = sync_token if header.sync_token is None else header.sync_token
    return Written(header.qbo_id, version, payload, intuit_tid)
