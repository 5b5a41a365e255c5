"""What people start and change here, and that Airflow names them."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
from fastapi import FastAPI, HTTPException, Request
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.support.airflow_settings import define_connections

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.control import SandboxControl
    from tests.support.fixtures_web import Web


def events(web: Web, **conditions: Any) -> list[dict[str, Any]]:
    found = web.airflow("admin", "GET", "eventLogs", params={"order_by": "-event_log_id", **conditions})
    entries: list[dict[str, Any]] = found["event_logs"]
    return entries


def test_airflow_runs_what_a_user_started_and_says_who_it_was(web: Web, add_company: Callable[..., str]):
    add_company("acme")
    answer = web.as_("engineer").submit("companies/acme/sync")
    assert answer.status_code == 303, answer.text
    latest = events(web, dag_id="quickbooks_to_peakflo", event="trigger_dag_run")[0]
    assert latest["owner"] == "engineer"
    assert json.loads(latest["extra"])["conf"] == {"companies": ["acme"]}
    runs = web.airflow(
        "admin", "GET", "dags/quickbooks_to_peakflo/dagRuns", params={"order_by": "-start_date"}
    )["dag_runs"]
    run = next(run for run in runs if run["dag_run_id"] in unquote(answer.headers["location"]))
    assert run["triggering_user_name"] == "engineer"
    assert run["conf"] == {"companies": ["acme"]}


def test_who_may_not_act_starts_nothing(web: Web, add_company: Callable[..., str]):
    add_company("acme")
    before = len(events(web, event="trigger_dag_run"))
    assert web.as_("reminder").submit("companies/acme/sync").status_code == 403
    assert len(events(web, event="trigger_dag_run")) == before


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxControl, db_url: str) -> None:
    """The connections of a test's own database."""
    define_connections(monkeypatch, sandbox, db_url)


class Airflow:
    """An API that answers as told, and remembers what it was asked."""

    def __init__(self, answer: Response, root_path: str = "") -> None:
        self.answer = answer
        self.asked: list[tuple[str, str, Any]] = []
        self.app = Starlette(routes=[Route("/{path:path}", self._answer, methods=["POST"])])
        self.root_path = root_path

    async def _answer(self, request: Request) -> Response:
        self.asked.append((request.url.path, request.headers["Authorization"], await request.json()))
        return self.answer

    def trigger(self, *arguments: Any) -> str:
        from include.web.dag_runs import trigger
        from include.web.security import SignedIn

        scope = {
            "type": "http",
            "headers": [(b"host", b"airflow.example")],
            "path": f"{self.root_path}/quickbooks/",
            "root_path": f"{self.root_path}/quickbooks",
            "app_root_path": self.root_path,
            "airflow_app": self.app,
            "server": ("airflow.example", 80),
        }
        user = SignedIn(
            name="engineer",
            groups=("op",),
            can_see=True,
            can_read_verdicts=True,
            can_act=True,
            can_administer=False,
            token="the-token",
            session="s",
        )
        return asyncio.run(trigger(Request(scope), user, *arguments))


def test_a_run_is_asked_for_as_the_user_below_the_base_path(app: FastAPI, connections: None):
    airflow = Airflow(JSONResponse({"dag_run_id": "manual__1"}), root_path="/air/flow")
    assert airflow.trigger("import_company", {"company_id": "acme"}) == "manual__1"
    assert airflow.asked == [
        (
            "/air/flow/api/v2/dags/import_company/dagRuns",
            "Bearer the-token",
            {"logical_date": None, "conf": {"company_id": "acme"}},
        )
    ]


def test_a_run_may_have_an_id_of_ours(app: FastAPI, connections: None):
    airflow = Airflow(JSONResponse({"dag_run_id": "connect__acme"}))
    airflow.trigger("import_company", {}, "connect__acme")
    assert airflow.asked[0][2]["dag_run_id"] == "connect__acme"


@pytest.mark.parametrize(
    ("answer", "status", "sentence"),
    [
        (JSONResponse({"detail": "x"}, 401), 401, "sign in to Airflow again"),
        (JSONResponse({"detail": "x"}, 403), 403, "You may not trigger import_company"),
        (JSONResponse({"detail": "x"}, 404), 404, "Airflow does not know the DAG import_company"),
        (JSONResponse({"detail": "x"}, 409), 409, "was started already"),
        (JSONResponse({"detail": "company_id is wrong"}, 400), 400, "company_id is wrong"),
        (JSONResponse({"detail": [{"msg": "no"}]}, 422), 422, "Airflow refused to run import_company"),
        (PlainTextResponse("<b>inside</b>", 500), 503, "it answered 500."),
        (JSONResponse(["odd"], 503), 503, "it answered 503."),
    ],
)
def test_a_refusal_of_airflow_becomes_a_sentence(
    app: FastAPI, answer: Response, status: int, sentence: str, caplog: pytest.LogCaptureFixture
):
    with pytest.raises(HTTPException) as refused:
        Airflow(answer).trigger("import_company", {"company_id": "acme"})
    assert refused.value.status_code == status
    assert sentence in refused.value.detail
    assert "the-token" not in refused.value.detail + caplog.text
