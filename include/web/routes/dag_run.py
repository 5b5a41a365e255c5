"""What a run of a DAG did, for the tab of the run in Airflow."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse

from include.receivables.views.dag_run import list_dag_run
from include.web.database import Db
from include.web.rendering import render
from include.web.runs import RUN_ID, WORDS
from include.web.security import Viewer

router = APIRouter()


@router.get("/runs/{dag_id}/{dag_run_id}")
def show_dag_run(request: Request, user: Viewer, db: Db, dag_id: str, dag_run_id: str) -> HTMLResponse:
    """Show the companies that a run worked for, each linked to its page."""
    if not (RUN_ID.fullmatch(dag_id) and RUN_ID.fullmatch(dag_run_id)):
        raise HTTPException(404, "There is no such run.")
    return render(
        request,
        user,
        "dag_run.html",
        title=WORDS.get(dag_id, dag_id),
        dag_run_id=dag_run_id,
        companies=list_dag_run(db, dag_id, dag_run_id),
    )
