"""How people are asked in Airflow to decide, and what is done with their answers."""

from __future__ import annotations

import logging
from itertools import islice
from typing import TYPE_CHECKING, Any

from include.dag_defaults import pages_url
from include.errors import ConfigurationError
from include.hooks.decision_makers import read_asking
from include.hooks.receivables_db import ReceivablesDbHook
from include.receivables.views import questions
from include.receivables.views.asking import ASKING_DAG, Asked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk.types import RuntimeTaskInstanceProtocol

    from include.receivables.views.asking import Question

logger = logging.getLogger(__name__)

# As many as somebody can look at: the others are asked as these are answered.
MOST_OPEN = 20
Json = dict[str, Any]


def list_new(task_instance: RuntimeTaskInstanceProtocol) -> list[Json]:
    """List the runs that ask what nobody was asked yet, as arguments of the operator that triggers them."""
    count = task_instance.get_dr_count
    room = MOST_OPEN - count(dag_id=ASKING_DAG, states=["queued", "running"])
    with ReceivablesDbHook().get_conn() as db:
        found = (each.asked for each in questions.list_questions(db, read_asking(pages_url())))
        new = (each for each in found if not count(dag_id=ASKING_DAG, run_ids=[each.run_id]))
        return [_run(asked) for asked in islice(new, max(room, 0))]


def find(params: Mapping[str, Any]) -> Question | None:
    """Return the question that a run is to ask, if it is still open; else say in the log what was decided."""
    asked = _asked(params)
    with ReceivablesDbHook().get_conn() as db:
        question = questions.find_question(db, read_asking(pages_url()), asked)
        if question is None:
            logger.info("%s", questions.say_end(db, asked))
    return question


def answer(params: Mapping[str, Any], label: str, *, by: str) -> list[Json]:
    """
    Decide what a person answered; what cannot be decided any more is said in the log, and does no harm.

    :return: the DAG run that does it soon, as arguments of the operator that triggers it; none if none does.
    """
    with ReceivablesDbHook().get_conn() as db:
        try:
            follow_up = questions.answer(db, read_asking(pages_url()), _asked(params), label, by=by)
        except ConfigurationError as refusal:
            logger.warning("Nothing was done by what %s answered (%s). %s", by, label, refusal)
            return []
    logger.info("%s decided: %s.", by, label)
    return [{"trigger_dag_id": follow_up.dag_id, "conf": follow_up.conf}] if follow_up else []


def _run(asked: Asked) -> Json:
    conf = {"company_id": asked.company_id, "kind": asked.kind, "asked_id": asked.asked_id, "key": asked.key}
    return {"trigger_run_id": asked.run_id, "conf": conf}


def _asked(params: Mapping[str, Any]) -> Asked:
    return Asked(params["company_id"], params["kind"], params["asked_id"], params["key"])
