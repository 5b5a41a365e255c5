"""Writes down where payments stand; the problems of a payment are its standing."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from include.receivables.outbound.decide import decide
from include.receivables.outbound.model import Difference, Standing
from include.receivables.outbound.situation import read_situation
from include.sql import load

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg import Connection

    from include.receivables.company.companies import Company
    from include.receivables.outbound.model import Situation
    from include.receivables.outbound.situation import Patience


def settle(db: Connection, company: Company, situation: Situation, standing: Standing) -> None:
    """Write down where a payment stands: open the problems of what differs, and close those of what does not."""
    keys = {
        "realm_id": situation.realm_id,
        "payment_id": situation.payment_id,
        "queued_at": situation.queued_at,
    }
    _write(db, company, keys, standing, rest(situation))


def refresh(
    db: Connection,
    company: Company,
    payment_id: UUID,
    patience: Patience | None = None,
    *,
    is_cut_off: bool = False,
) -> None:
    """
    Write down where a payment stands, unless something has to be done about it first.

    :param is_cut_off: whether QuickBooks cannot be asked about it, whatever is known of its books.
    """
    situation = read_situation(db, company, payment_id, patience)
    if situation is None:
        return
    decided = decide(replace(situation, can_read=False) if is_cut_off else situation)
    if isinstance(decided, Standing):
        settle(db, company, situation, decided)


def set_aside(db: Connection, company: Company, payment_id: UUID, error: Exception) -> None:
    """Tell that this program fails at a payment, whatever is the matter with it; it stays queued."""
    code = type(error).__name__
    difference = Difference(
        code,
        f"The payment cannot be delivered because of a fault of this program ({code}: see the task's log).",
        "Report it as a fault of this program; once that is mended, the payment goes by itself.",
        "data engineer",
        code,
    )
    keys = {"realm_id": company.realm_id, "payment_id": payment_id, "queued_at": None}
    _write(db, company, keys, Standing(differences=(difference,)), code)


def is_settled(situation: Situation, standing: Standing) -> bool:
    """Tell whether it is written down already that a payment stands there, and it is not queued."""
    kind, code, sentence, *codes = situation.stands or (None, None, None)
    differences = {difference.code for difference in standing.differences}
    return (
        situation.queued_at is None
        and (kind, code, sentence) == headline(standing, rest(situation))
        and set(codes) == differences
    )


def headline(standing: Standing, rest: str) -> tuple[str, str, str | None]:
    """Say in one line where a payment stands: the kind, the code and the sentence that says why, if any does."""
    reason = standing.reason
    return standing.kind, reason.code if reason else rest, reason.sentence if reason else None


def _write(db: Connection, company: Company, keys: dict[str, Any], standing: Standing, rest: str) -> None:
    kind, code, sentence = headline(standing, rest)
    written = {
        "company_id": company.company_id,
        "kind": kind,
        "code": code,
        "sentence": sentence,
        "differences": Jsonb([_row(difference) for difference in standing.differences]),
    }
    db.execute(load("outbox/settle"), keys | written)


def rest(situation: Situation) -> str:
    """Say in which way both sides agree."""
    payment = situation.last("payment")
    return "delivered" if payment is not None and payment.state == "made" else "cancelled"


def _row(difference: Difference) -> dict[str, Any]:
    row = asdict(difference)
    return {name: row[name] for name in ("code", "message", "remedy", "owner", "is_ignored")}
