"""What people decide about payments: retry, ignore, relink, approve; each bound to the difference that it is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from include.errors import ConfigurationError
from include.quickbooks.writing import encode
from include.receivables.outbound import standings
from include.receivables.outbound.case import LET_GO, fingerprint
from include.receivables.outbound.decide import decide
from include.receivables.outbound.model import Send, Standing
from include.receivables.outbound.preflight import APPROVAL_NEEDED
from include.receivables.outbound.preflight_answers import Held
from include.receivables.outbound.situation import read_situation
from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from psycopg import Connection

    from include.receivables.company.companies import Company
    from include.receivables.outbound.model import DecisionKind, Kind, Situation

Doubt = Literal["may_be_there", "was_undone"]

# Differences of which a retry may book a second time what is booked already, and what is to be weighed before.
DOUBTS: dict[str, Doubt] = {
    "possible_orphan": "may_be_there",
    "unmarked_found": "may_be_there",
    "voided_in_quickbooks": "was_undone",
    "deleted_in_quickbooks": "was_undone",
}


_KIND_WORDS: dict[Kind, str] = {
    "agrees": "agrees with QuickBooks",
    "waits": "waits",
    "differs": "differs",
    "ignored": "is ignored",
}


@dataclass(frozen=True, slots=True)
class Choices:
    """
    What may be decided about a payment.

    :param doubt: why a retry may be wrong: the payment ``may_be_there`` in QuickBooks already, or ``was_undone`` there
        by somebody.
    :param candidate: the invoice to which the payment can be moved.
    """

    may_retry: bool = False
    may_ignore: bool = False
    may_approve: bool = False
    doubt: Doubt | None = None
    candidate: UUID | None = None


def choices_of(standing: Standing | None) -> Choices:
    """Tell what may be decided about a payment that stands like this; nothing while it is being worked on."""
    if standing is None:
        return Choices()
    doubts = [DOUBTS[each.code] for each in standing.differences if each.may_retry and each.code in DOUBTS]
    candidates = [each.candidate for each in standing.open_differences if each.candidate]
    return Choices(
        may_retry=standing.is_let_go
        or any(each.may_retry or each.is_ignored for each in standing.differences),
        may_ignore=bool(standing.open_differences) or standing.may_let_go,
        may_approve=standing.waits is not None and standing.waits.code == APPROVAL_NEEDED,
        doubt=doubts[0] if doubts else None,
        candidate=candidates[0] if candidates else None,
    )


def retry(db: Connection, company: Company, payment_id: UUID, *, by: str, codes: Sequence[str] = ()) -> None:
    """
    Have a payment go on: what ever left is looked for in QuickBooks first, and what a person let go of goes again.

    Of what cannot be tried again, only the ignoring is taken back.

    :param codes: of the differences that it is about; all when omitted.
    :raises ConfigurationError: when there is nothing to be retried.
    """
    _record(db, company, payment_id, "retry", lambda standing: to_retry(standing, codes), by=by)


def ignore(db: Connection, company: Company, payment_id: UUID, *, by: str, codes: Sequence[str] = ()) -> None:
    """
    Keep quiet about how a payment differs, until that changes; one that is not in QuickBooks is not sent any more.

    :param codes: of the differences that it is about; all when omitted.
    :raises ConfigurationError: when there is nothing to be ignored.
    """
    _record(db, company, payment_id, "ignore", lambda standing: to_ignore(standing, codes), by=by)


def retry_or_look(
    db: Connection, company: Company, payment_id: UUID, *, by: str, codes: Sequence[str]
) -> None:
    """Retry a payment, or have it looked at once more where there is nothing to be retried."""
    try:
        retry(db, company, payment_id, by=by, codes=codes)
    except ConfigurationError:
        db.execute(load("outbox/enqueue"), {"company_id": company.company_id, "payment_id": payment_id})


def doubts_of(db: Connection, company: Company, payment_id: UUID, codes: Sequence[str]) -> list[Doubt]:
    """Tell why a retry of some differences may book a second time what is booked already."""
    standing = standing_of(read_situation(db, company, payment_id))
    return [
        DOUBTS[each.code]
        for each in (standing.differences if standing else ())
        if each.may_retry and each.code in codes and each.code in DOUBTS
    ]


def approve(db: Connection, company: Company, payment_id: UUID, *, by: str) -> None:
    """
    Let a payment go that is larger than the company lets go without a second person's word.

    :raises ConfigurationError: when it does not wait for that.
    """

    def choose(standing: Standing) -> list[Chosen]:
        return [Chosen(APPROVAL_NEEDED, APPROVAL_NEEDED)] if choices_of(standing).may_approve else []

    _record(db, company, payment_id, "approve", choose, by=by)


def relink(db: Connection, company: Company, payment_id: UUID, *, by: str) -> None:
    """
    Apply a payment to the invoice that took the place of the one it was taken for.

    :raises ConfigurationError: when there is none that surely did.
    """

    def choose(standing: Standing) -> list[Chosen]:
        return [Chosen(each.code, each.fingerprint) for each in standing.open_differences if each.candidate]

    with db.transaction():
        _record(db, company, payment_id, "relink", choose, by=by)
        db.execute(load("outbox/relink"), {"company_id": company.company_id, "payment_id": payment_id})
        standings.refresh(db, company, payment_id)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A difference that a decision is about, and whether it means that the payment is not sent any more."""

    code: str
    fingerprint: str
    lets_go: bool = False


def to_retry(standing: Standing, codes: Sequence[str] = ()) -> list[Chosen]:
    """Tell what a retry is about; nothing if there is nothing to be retried."""
    meant = [each for each in standing.differences if not codes or each.code in codes]
    # Where nothing is to be tried again, what was ignored is ignored no longer.
    about = [each for each in meant if each.may_retry] or [each for each in meant if each.is_ignored]
    chosen = [Chosen(each.code, each.fingerprint) for each in about]
    return chosen or ([Chosen(LET_GO, LET_GO)] if standing.is_let_go and not codes else [])


def to_ignore(standing: Standing, codes: Sequence[str] = ()) -> list[Chosen]:
    """Tell what to ignore is about; nothing if there is nothing to be ignored."""
    chosen = [
        Chosen(each.code, each.fingerprint, each.lets_go)
        for each in standing.open_differences
        if not codes or each.code in codes
    ]
    if not chosen and standing.waits is not None and standing.may_let_go:
        code = standing.waits.code
        return [Chosen(code, fingerprint(code), lets_go=True)]
    return chosen


def standing_of(situation: Situation | None) -> Standing | None:
    """Return where a payment stands; nowhere while something is being done about it right now, or if there is none."""
    decided = None if situation is None else decide(situation)
    if isinstance(decided, Send) and decided.record is None:
        return Standing(Held("queued", "It is about to be sent."), may_let_go=True)
    return decided if isinstance(decided, Standing) else None


def _record(
    db: Connection,
    company: Company,
    payment_id: UUID,
    kind: DecisionKind,
    choose: Callable[[Standing], list[Chosen]],
    *,
    by: str,
) -> None:
    """Record a decision about what differs, and what follows from it as far as nothing has to be asked for it."""
    keys = {"company_id": company.company_id, "payment_id": payment_id}
    with db.transaction():
        db.execute(load("outbox/lock_payment"), keys)
        situation = read_situation(db, company, payment_id)
        standing = standing_of(situation)
        chosen = [] if standing is None else choose(standing)
        if situation is None or not chosen:
            raise ConfigurationError(_refusal(kind, standing))
        for each in chosen:
            decision: dict[str, Any] = {
                "kind": kind,
                "code": each.code,
                "fingerprint": each.fingerprint,
                "lets_go": each.lets_go,
                "snapshot": encode(situation.snapshot).decode(),
                "decided_by": by,
            }
            db.execute(load("outbox/decide"), keys | decision)
        standings.refresh(db, company, payment_id)


def _refusal(kind: str, standing: Standing | None) -> str:
    if standing is None:
        return f"The payment is being worked on: wait until it stands still, then {kind} it."
    return f"The payment {_KIND_WORDS[standing.kind]}: there is nothing to {kind}."
