"""Questions as a person in Airflow sees and answers them, without Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.errors import DeletionBrakeError
from include.receivables.company import problems
from include.receivables.views.asking import Asking
from include.receivables.views.questions import answer, list_questions

if TYPE_CHECKING:
    import psycopg

    from include.receivables.company.companies import Company
    from include.receivables.views.asking import Question
    from include.receivables.views.problem_actions import FollowUp

ASKING = Asking(
    ops=("admin", "engineer"), admins=("admin",), pages_url="https://airflow.example.com/quickbooks/"
)
SURE = "It is not in QuickBooks: retry"
BELIEVE = "Believe the deletions"


def questions(db: psycopg.Connection, asking: Asking = ASKING) -> list[Question]:
    return list(list_questions(db, asking))


def only_question(db: psycopg.Connection) -> Question:
    [question] = questions(db)
    return question


def say(db: psycopg.Connection, question: Question, label: str, *, by: str = "engineer") -> FollowUp | None:
    """Answer a question."""
    return answer(db, ASKING, question.asked, label, by=by)


def doubt_deletions(db: psycopg.Connection, company: Company, count: int = 150) -> None:
    """Meet deletions that are too many to be believed."""
    error = DeletionBrakeError(f"QuickBooks reports {count} of 200 Invoice records as deleted.")
    problems.report_failure(db, company, error)
