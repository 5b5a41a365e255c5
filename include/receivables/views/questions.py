"""
What only a person can tell, as questions: asked in Airflow, and decided by the same functions as on the pages.

A question is bound to all that whoever answers it was shown. What has changed since, or was decided elsewhere, is
another question: an answer to the earlier one does nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row

from include.errors import ConfigurationError, DeletionBrakeError
from include.receivables.alerts.model import tell_moment
from include.receivables.company.companies import get_company
from include.receivables.outbound import decisions
from include.receivables.outbound.case import ORPHAN
from include.receivables.outbound.payment_targets import TARGET_GONE
from include.receivables.outbound.preflight import APPROVAL_NEEDED
from include.receivables.outbound.situation import read_situation
from include.receivables.views import problem_actions
from include.receivables.views.asking import Row, ask_about_deletions, ask_about_payment
from include.receivables.views.deliveries import payment_of
from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from psycopg import Connection

    from include.receivables.company.companies import Company
    from include.receivables.views.asking import Asked, Asking, Question
    from include.receivables.views.offers import Action
    from include.receivables.views.problem_actions import FollowUp

# Where payments stand that are asked about.
CODES = (APPROVAL_NEEDED, ORPHAN, TARGET_GONE)


def list_questions(db: Connection, asking: Asking) -> Iterator[Question]:
    """List what is to be asked in all companies, those that wait the longest first; none that nobody may answer."""
    return _questions(db, asking, {"company_id": None, "kind": None, "asked_id": None})


def find_question(db: Connection, asking: Asking, asked: Asked) -> Question | None:
    """Return a question, if it is still to be asked exactly so."""
    keys = {"company_id": asked.company_id, "kind": asked.kind, "asked_id": asked.asked_id}
    return next((each for each in _questions(db, asking, keys) if each.asked == asked), None)


def answer(db: Connection, asking: Asking, asked: Asked, label: str, *, by: str) -> FollowUp | None:
    """
    Decide what a person answered, as the pages do.

    :param by: who answered.
    :return: the DAG run that does it soon, if there is something to be done.
    :raises ConfigurationError: when the question is not open any more, or offers no such answer.
    """
    company = get_company(db, asked.company_id)
    with db.transaction():
        if asked.kind == "payment":
            # Whoever decides at the same time is done before this reads what is to be decided.
            keys = {"company_id": company.company_id, "payment_id": payment_of(db, company, asked.asked_id)}
            db.execute(load("outbox/lock_payment"), keys)
        question = find_question(db, asking, asked)
        if question is None:
            raise ConfigurationError(say_end(db, asked))
        chosen = next((offer for offer in question.offers if offer.label == label), None)
        if chosen is None:
            raise ConfigurationError(f"{label!r} is no answer to this question.")
        return DEEDS[chosen.action](db, company, asked.asked_id, by)


def say_end(db: Connection, asked: Asked) -> str:
    """Say of a question that is not open any more what was decided."""
    keys = {"company_id": asked.company_id, "kind": asked.kind, "asked_id": asked.asked_id}
    row = db.execute(load("sync/read_last_decision"), keys).fetchone()
    last = f" The last decision: {row[0]}, by {row[1]}, {tell_moment(row[2])}." if row else ""
    return f"The question is not open as it was asked; what is left to be decided is asked anew.{last}"


def _questions(db: Connection, asking: Asking, keys: dict[str, Any]) -> Iterator[Question]:
    chosen = keys | {"codes": list(CODES), "code": DeletionBrakeError.code}
    with db.cursor(row_factory=class_row(Row)) as cursor:
        rows = cursor.execute(load("sync/list_questions"), chosen).fetchall()
    for row in rows:
        question = _question(db, asking, get_company(db, row.company_id), row)
        if question is not None and question.answerers:
            yield question


def _question(db: Connection, asking: Asking, company: Company, row: Row) -> Question | None:
    if row.payment_id is None:
        return ask_about_deletions(asking, company, row)
    situation = read_situation(db, company, row.payment_id)
    standing = decisions.standing_of(situation)
    if situation is None or standing is None:
        return None
    return ask_about_payment(asking, company, row, situation, standing)


# What is done


def _decide(decide: Callable[..., None]) -> Callable[[Connection, Company, int, str], FollowUp]:
    """Return what decides about a payment that is known by its number, and has it delivered then."""

    def carry_out(db: Connection, company: Company, delivery_id: int, by: str) -> FollowUp:
        decide(db, company, payment_of(db, company, delivery_id), by=by)
        return problem_actions.delivery_follow_up(company)

    return carry_out


def _ignore(db: Connection, company: Company, delivery_id: int, by: str) -> None:
    decisions.ignore(db, company, payment_of(db, company, delivery_id), by=by)


def _believe(db: Connection, company: Company, problem_id: int, by: str) -> FollowUp:
    return problem_actions.confirm_deletions(db, company, problem_id, by=by)


def _leave(db: Connection, company: Company, problem_id: int, by: str) -> None:
    """Leave it as it is."""


DEEDS: dict[Action, Callable[[Connection, Company, int, str], FollowUp | None]] = {
    "approve": _decide(decisions.approve),
    "relink": _decide(decisions.relink),
    "retry": _decide(decisions.retry),
    "ignore": _ignore,
    "believe": _believe,
    "leave": _leave,
}
