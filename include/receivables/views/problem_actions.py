"""
What people decide about problems: try again, ignore, resolve, reopen; each with who and when.

The problems of a payment are where it stands: they open and close by themselves, and only what was ignored is reopened.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row

from include.errors import ConfigurationError, DeletionBrakeError
from include.receivables.outbound import decisions
from include.sql import load

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg import Connection

    from include.receivables.company.companies import Company


class UnknownProblemError(ConfigurationError):
    """The company has no problem of that number."""

    code = "unknown_problem"


@dataclass(frozen=True, slots=True)
class Problem:
    """
    What cannot sync, as far as a decision needs it.

    :param direction: ``inbound``, ``outbound`` or ``connection``.
    :param peakflo_id: the payment, of an outbound problem.
    """

    problem_id: int
    direction: str
    realm_id: str
    entity: str
    qbo_id: str
    peakflo_id: UUID | None
    code: str
    message: str
    state: str


@dataclass(frozen=True, slots=True)
class FollowUp:
    """
    A DAG run that carries out what was decided.

    :param conf: with which to trigger it.
    """

    dag_id: str
    conf: dict[str, Any] = field(default_factory=dict)


def get_problem(db: Connection, company: Company, problem_id: int) -> Problem:
    """
    Read one problem of a company.

    :raises UnknownProblemError: when the company has none of that number.
    """
    keys = {"company_id": company.company_id, "problem_id": problem_id}
    with db.cursor(row_factory=class_row(Problem)) as cursor:
        problem = cursor.execute(load("sync/select_problem"), keys).fetchone()
    if problem is None:
        raise UnknownProblemError(f"Company {company.company_id!r} has no problem {problem_id}.")
    return problem


def retry(db: Connection, company: Company, problem_id: int, *, by: str) -> FollowUp:
    """
    Try again what a problem kept from happening; an ignored problem counts as open from then on.

    A payment is retried, or, where there is nothing to be sent, compared once more with what QuickBooks has. A record
    of QuickBooks is queued to be merged again. A connection is simply used again.

    :param by: who decided so.
    :return: the DAG run that does it soon.
    :raises ConfigurationError: when the problem is resolved, or the payment may be in QuickBooks already: that is
        decided for the payment itself.
    """
    with db.transaction():
        problem = _decide(db, company, problem_id, "retried", "open", ("open", "ignored"), by)
        if problem.direction == "outbound":
            _retry_payment(db, company, problem, by=by)
            return delivery_follow_up(company)
        if problem.direction == "inbound":
            keys = {"realm_id": problem.realm_id, "entity": problem.entity, "qbo_id": problem.qbo_id}
            db.execute(load("staging/queue_record"), keys)
    return sync_follow_up(company)


def confirm_deletions(db: Connection, company: Company, problem_id: int, *, by: str) -> FollowUp:
    """
    Believe the deletions that were too many to be taken in without a person.

    The books are read from the beginning: what QuickBooks has by then stays, whoever said that it was deleted.

    :param by: who decided so.
    :return: the DAG run that does it soon.
    :raises ConfigurationError: when the problem is another one, or is resolved.
    """
    check_deletions_doubted(get_problem(db, company, problem_id))
    _decide(db, company, problem_id, "retried", "open", ("open", "ignored"), by)
    return FollowUp("import_company", {"company_id": company.company_id, "accept_deletions": True})


def check_deletions_doubted(problem: Problem) -> None:
    """
    Make sure that a problem is about deletions that are not believed.

    :raises ConfigurationError: when it is about anything else.
    """
    if problem.code != DeletionBrakeError.code:
        raise ConfigurationError(f"Problem {problem.problem_id} is not about deletions: retry or ignore it.")


def ignore(db: Connection, company: Company, problem_id: int, *, by: str) -> None:
    """
    Keep quiet about a problem until its code or its record changes; what passes and comes back is news, too.

    :param by: who decided so.
    :raises ConfigurationError: when the problem is not open.
    """
    with db.transaction():
        problem = _decide(db, company, problem_id, "ignored", "ignored", ("open",), by)
        if problem.direction == "outbound" and problem.peakflo_id is not None:
            decisions.ignore(db, company, problem.peakflo_id, by=by, codes=[problem.code])


def resolve(db: Connection, company: Company, problem_id: int, *, by: str) -> None:
    """
    Close a problem; when it is met again, it is open again.

    :param by: who decided so.
    :raises ConfigurationError: when the problem is resolved already, or is a payment's.
    """
    if get_problem(db, company, problem_id).direction == "outbound":
        raise ConfigurationError(
            f"Problem {problem_id} is about a payment: it closes by itself once Peakflo and QuickBooks agree. Retry or "
            "ignore it."
        )
    _decide(db, company, problem_id, "resolved", "resolved", ("open", "ignored"), by)


def reopen(db: Connection, company: Company, problem_id: int, *, by: str) -> None:
    """
    Open a problem again that was ignored or resolved; of a payment only one that was ignored, which is a retry of it.

    :param by: who decided so.
    :raises ConfigurationError: when it is open, the same problem was met again since, or it is a payment's that is
        resolved or not retried from here.
    """
    if get_problem(db, company, problem_id).direction != "outbound":
        _decide(db, company, problem_id, "reopened", "open", ("ignored", "resolved"), by)
        return
    with db.transaction():
        problem = _decide(db, company, problem_id, "reopened", "open", ("ignored",), by)
        _retry_payment(db, company, problem, by=by)


def sync_follow_up(company: Company) -> FollowUp:
    """Return the DAG run that syncs one company now."""
    return FollowUp("quickbooks_to_peakflo", {"companies": [company.company_id]})


def delivery_follow_up(company: Company) -> FollowUp:
    """Return the DAG run that delivers one company's payments now."""
    return FollowUp("peakflo_to_quickbooks", {"companies": [company.company_id]})


def _decide(
    db: Connection,
    company: Company,
    problem_id: int,
    decision: str,
    state: str,
    expected: tuple[str, ...],
    by: str,
) -> Problem:
    """Record a decision, and return the problem as it was before."""
    problem = get_problem(db, company, problem_id)
    keys = {
        "company_id": company.company_id,
        "problem_id": problem_id,
        "decision": decision,
        "state": state,
        "expected": list(expected),
        "decided_by": by,
    }
    if db.execute(load("sync/decide_problem"), keys).fetchone() is not None:
        return problem
    current = get_problem(db, company, problem_id).state
    if current in expected:
        raise ConfigurationError(
            f"Problem {problem_id} was met again and is listed anew: decide about that one."
        )
    raise ConfigurationError(f"Problem {problem_id} is {current}: it cannot be {decision}.")


def _retry_payment(db: Connection, company: Company, problem: Problem, *, by: str) -> None:
    if problem.peakflo_id is None:
        return
    doubts = decisions.doubts_of(db, company, problem.peakflo_id, [problem.code])
    if doubts:
        raise ConfigurationError(
            "The payment may be in QuickBooks already, or somebody undid it there: look for it, then retry or "
            "ignore the payment itself."
        )
    decisions.retry_or_look(db, company, problem.peakflo_id, by=by, codes=[problem.code])
