"""What a check before a delivery may answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from include.receivables.outbound.payloads import OutgoingPayment


@dataclass(frozen=True, slots=True)
class Ready:
    """The payment may go."""

    outgoing: OutgoingPayment


@dataclass(frozen=True, slots=True)
class Held:
    """
    The payment goes by itself once the cause is gone.

    :param code: a stable name of the cause.
    :param sentence: what is wrong and what to do.
    """

    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Refused:
    """
    The payment does not go as it is: somebody has to correct it, or to decide.

    :param code: a stable name of the cause.
    :param sentence: what is wrong and what to do.
    :param candidate: the invoice that took the place of the one that the payment is applied to, if there is one.
    """

    code: str
    sentence: str
    candidate: UUID | None = None


Objection = Held | Refused
Answer = Ready | Held | Refused
