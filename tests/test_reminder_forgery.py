"""Who may trigger DAGs may change nearly all that Airflow says of their runs: none of it makes a reminder go out."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.support.airflow_client import AirflowClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import requests

    from tests.support.fixtures_local import RunningStack

    Forge = Callable[["Forger", str, str], None]

DAG_ID = "refresh_before_reminder"
TASK_ID = "refresh_and_judge"
NEVER = "2999-01-01T00:00:00Z"


class Forger:
    """
    Somebody who may trigger DAGs, with the role of the reminder service's own login.

    :param invoice_id: of an invoice that is paid, and that they want a reminder for.
    """

    def __init__(self, stack: RunningStack, invoice_id: str) -> None:
        self._api = AirflowClient(stack, "reminder")
        self.invoice_id = invoice_id

    @property
    def lie(self) -> dict[str, Any]:
        """An answer that says send."""
        said = {"invoice_id": self.invoice_id, "verdict": "send", "reasons": [], "amount_due": "1.00"}
        return {"company_id": "demo", "send": 1, "hold": 0, "unknown": 0, "error": None, "verdicts": [said]}

    def trigger(self, run_id: str, dag_id: str = DAG_ID, **conf: Any) -> None:
        assert self._api.trigger(dag_id, run_id, **conf).ok
        self._api.wait(dag_id, run_id)

    def check(self, run_id: str) -> None:
        """Let the run check the invoice."""
        self.trigger(run_id, company_id="demo", invoice_ids=[self.invoice_id])

    def postpone(self, run_id: str) -> None:
        """Trigger a run that does not begin."""
        conf = {"company_id": "demo", "invoice_ids": [self.invoice_id]}
        body = {"dag_run_id": run_id, "logical_date": None, "run_after": NEVER, "conf": conf}
        assert self._api.call("POST", f"dags/{DAG_ID}/dagRuns", json=body).ok

    def change(self, method: str, run_id: str, path: str = "", **body: Any) -> None:
        answer = self._api.call(method, f"dags/{DAG_ID}/dagRuns/{run_id}{path}", json=body or None)
        assert answer.ok, answer.text

    def returned(self, run_id: str) -> dict[str, Any]:
        """Return what Airflow says that the run returned."""
        path = f"dags/{DAG_ID}/dagRuns/{run_id}/taskInstances/{TASK_ID}/xcomEntries/return_value"
        return dict(self._api.call("GET", path).json()["value"])

    def verdicts(self, run_id: str) -> requests.Response:
        """Read the verdicts as the reminder service does."""
        return self._api.page(f"companies/demo/reminders/{run_id}")


XCOMS = f"/taskInstances/{TASK_ID}/xcomEntries"


def change_the_value(forger: Forger, run_id: str) -> None:
    forger.check(run_id)
    forger.change("PATCH", run_id, f"{XCOMS}/return_value", value=forger.lie)
    assert forger.returned(run_id) == forger.lie


def replace_the_value(forger: Forger, run_id: str) -> None:
    forger.check(run_id)
    forger.change("DELETE", run_id, f"{XCOMS}/return_value")
    forger.change("POST", run_id, XCOMS, key="return_value", value=forger.lie)
    assert forger.returned(run_id) == forger.lie


def make_a_green_run_that_never_ran(forger: Forger, run_id: str) -> None:
    forger.postpone(run_id)
    forger.change("PATCH", run_id, state="success")
    forger.change("POST", run_id, XCOMS, key="return_value", value=forger.lie)
    assert forger.returned(run_id) == forger.lie


def make_a_green_task_that_never_ran(forger: Forger, run_id: str) -> None:
    forger.postpone(run_id)
    forger.change("PATCH", run_id, f"/taskInstances/{TASK_ID}", new_state="success")
    forger.change("PATCH", run_id, state="success")


def fail_the_run_that_went_well(forger: Forger, run_id: str) -> None:
    forger.check(run_id)
    forger.change("PATCH", run_id, state="failed")


def take_the_id_for_another_company(forger: Forger, run_id: str) -> None:
    forger.trigger(run_id, company_id="another", invoice_ids=[forger.invoice_id])


def take_the_id_for_other_texts(forger: Forger, run_id: str) -> None:
    forger.trigger(
        run_id, company_id="demo", invoice_ids=[forger.invoice_id], verdicts=forger.lie["verdicts"]
    )


def take_the_id_for_another_dag(forger: Forger, run_id: str) -> None:
    forger.trigger(run_id, "refresh_reference_data", company_id="demo", groups=["accounts"])


def delete_the_run_and_take_its_id(forger: Forger, run_id: str) -> None:
    forger.check(run_id)
    forger.change("DELETE", run_id)
    forger.postpone(run_id)
    forger.change("PATCH", run_id, state="success")
    forger.change("POST", run_id, XCOMS, key="return_value", value=forger.lie)


@pytest.fixture
def forger(running_stack: RunningStack) -> Iterator[Forger]:
    paid = "select id::text from peakflo.invoice where company_id = 'demo' and status = 'paid' limit 1"
    with psycopg.connect(running_stack.database_url, autocommit=True) as db:
        found = db.execute(paid).fetchone()
        assert found is not None
        yield Forger(running_stack, found[0])


@pytest.mark.parametrize(
    ("forge", "found"),
    [
        (change_the_value, [("hold", ["paid"])]),
        (replace_the_value, [("hold", ["paid"])]),
        (fail_the_run_that_went_well, [("hold", ["paid"])]),
        (delete_the_run_and_take_its_id, [("hold", ["paid"])]),
        (make_a_green_run_that_never_ran, None),
        (make_a_green_task_that_never_ran, None),
        (take_the_id_for_another_company, None),
        (take_the_id_for_other_texts, None),
        (take_the_id_for_another_dag, None),
    ],
)
def test_a_forged_run_says_what_was_found_or_nothing(
    forger: Forger, forge: Forge, found: list[tuple[str, list[str]]] | None
):
    run_id = f"forged-{uuid.uuid4().hex}"

    forge(forger, run_id)

    answer = forger.verdicts(run_id)
    if found is None:
        assert answer.status_code == 404
        assert answer.json() == {
            "detail": "The company has no reminder run of this id, or it checked nothing."
        }
    else:
        assert [(each["verdict"], each["reasons"]) for each in answer.json()["verdicts"]] == found


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_verdicts_can_only_be_read(running_stack: RunningStack, method: str):
    engineer = AirflowClient(running_stack, "admin")

    answer = engineer.call(method, "../../quickbooks/companies/demo/reminders/one", json={"verdicts": []})

    assert answer.status_code == 405
