"""A task that asks people in Airflow, under Required Actions, and waits for their answer without holding anything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk.exceptions import TaskAwaitingInput

from include.dag_defaults import refuse_unknown

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow.sdk import Context

# An open question is looked at again, whether it was decided elsewhere: soon at first, then ever more seldom.
SOON = timedelta(minutes=5)
SELDOM = timedelta(hours=1)


class DecisionOperator(HITLOperator):
    """
    Asks the question that the run's params name, and has decided what is answered.

    The question is read when it is asked, so that nothing of it is in the DAG; the task ends well, and asks nothing, if
    it is not open any more. Whatever ends the task without an answer decides nothing.
    """

    template_fields: Collection[str] = ()

    def __init__(self, **arguments: Any) -> None:
        super().__init__(
            subject="A decision is needed.",
            options=["As the question says"],
            response_timeout=SOON,
            **arguments,
        )

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Ask, unless there is nothing to be asked any more."""
        from include import decision_tasks

        refuse_unknown(context["dag_run"].conf, context["dag"].params)
        question = decision_tasks.find(context["params"])
        if question is None:
            return []
        self.subject, self.body, self.options = question.headline, question.body, question.labels
        self.assigned_users = [{"id": user, "name": user} for user in question.answerers]
        super().execute(context)
        return []

    def execute_complete(self, context: Context, event: dict[str, Any]) -> list[dict[str, Any]]:
        """
        Have decided what was answered; without an answer, wait on as long as the question is open.

        :return: the DAG run that does what was decided, if there is one.
        """
        from include import decision_tasks

        if event.get("error_type") == "timeout":
            return self._look_again(context)
        if "error" in event:
            self.process_trigger_event_error(event)
        [label], responder = event["chosen_options"], event["responded_by_user"]
        return decision_tasks.answer(context["params"], label, by=responder["name"])

    def _look_again(self, context: Context) -> list[dict[str, Any]]:
        from include import decision_tasks

        if decision_tasks.find(context["params"]) is None:
            return []
        age = datetime.now(UTC) - context["dag_run"].run_after
        raise TaskAwaitingInput(method_name="execute_complete", timeout=min(max(age, SOON), SELDOM))
