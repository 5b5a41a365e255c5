"""The page of one company, its "QuickBooks status", and what people do there."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, HTTPException, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from include.receivables.alerts.causes import list_causes
from include.receivables.company import companies
from include.receivables.views import company_status, deliveries, problem_actions, proofs
from include.receivables.views.company_status import RunFilter
from include.receivables.views.problem_actions import FollowUp, UnknownProblemError
from include.web import required_actions, status_charts
from include.web.database import Db, KnownCompany
from include.web.rendering import redirect, render
from include.web.required_actions import RequiredAction
from include.web.runs import dag_runs_of, start
from include.web.security import Operator, Viewer

router = APIRouter(prefix="/companies/{company_id}")

Id = Annotated[int, Path(ge=1, lt=2**63)]
ProblemState = Literal["open", "ignored", "resolved"]


def run_filter(
    dag_id: str = "", state: str = "", entity: str = "", day: str = "", before: int | None = None
) -> RunFilter:
    """Read the filters of the sync log as its form sends them: an empty one means all."""
    try:
        chosen_day = date.fromisoformat(day) if day else None
    except ValueError:
        raise HTTPException(422, "The day is not one: write it as 2026-11-25.") from None
    return RunFilter(dag_id or None, state or None, entity or None, chosen_day, before)


def known_problem(db: Db, company: KnownCompany, problem_id: Id) -> int:
    """Return the id of a problem that is the company's."""
    try:
        return problem_actions.get_problem(db, company, problem_id).problem_id
    except UnknownProblemError:
        raise HTTPException(404, "There is no such problem.") from None


KnownProblem = Annotated[int, Depends(known_problem)]


def connected_company(db: Db, company: KnownCompany) -> companies.Company:
    """Return a company that QuickBooks may be asked about; else say why not."""
    return companies.get_connected_company(db, company.company_id)


ConnectedCompany = Annotated[companies.Company, Depends(connected_company)]


def retried_problem(user: Operator, db: Db, problem_id: KnownProblem, company: ConnectedCompany) -> FollowUp:
    """Retry a problem as far as the database goes."""
    follow_up = problem_actions.retry(db, company, problem_id, by=user.name)
    return follow_up


async def asked_in_airflow(
    request: Request, user: Operator, company: KnownCompany, problem_id: Id
) -> list[RequiredAction]:
    """List what Airflow asks about deletions, before anything is decided."""
    return await required_actions.list_open(request, user, company, "deletions", problem_id)


def confirmed_deletions(
    user: Operator,
    db: Db,
    problem_id: KnownProblem,
    company: ConnectedCompany,
    asked: Annotated[list[RequiredAction], Depends(asked_in_airflow)],
) -> tuple[FollowUp, list[RequiredAction]]:
    """Believe the deletions of a problem as far as the database goes, and return what Airflow asked about them."""
    follow_up = problem_actions.confirm_deletions(db, company, problem_id, by=user.name)
    return follow_up, asked


@router.get("")
def show_company(
    request: Request,
    user: Viewer,
    db: Db,
    company: KnownCompany,
    chosen: Annotated[RunFilter, Depends(run_filter)],
    problem_state: Annotated[ProblemState, Query(alias="problems")] = "open",
    problem_page: Annotated[int, Query(ge=0, le=1000)] = 0,
    run: str = "",
) -> HTMLResponse:
    """Show the connection, what is wrong, and the sync log."""
    cursors = company_status.read_cursors(db, company)
    return render(
        request,
        user,
        "company.html",
        company=company,
        status=company_status.read_status(db, company),
        causes=list_causes(db, company.company_id),
        cursors=cursors,
        deliveries=company_status.count_deliveries(db, company),
        records=companies.count_records(db, company),
        problems=company_status.list_problems(
            db, company, state=problem_state, skipped=problem_page * company_status.PAGE
        ),
        problem_counts=company_status.count_problems(db, company),
        problem_state=problem_state,
        problem_page=problem_page,
        proof=next(iter(proofs.list_proofs(db, company, most=1)), None),
        charts=status_charts.draw(db, company, cursors),
        runs=company_status.list_runs(db, company, chosen),
        chosen=chosen,
        logged=company_status.LOGGED,
        run_states=company_status.RUN_STATES,
        entity_words=status_charts.ENTITY_WORDS,
        **dag_runs_of(request, run),
    )


@router.post("/sync")
async def sync_now(request: Request, user: Operator, company: ConnectedCompany) -> RedirectResponse:
    """Sync the company now."""
    return await start(request, user, company, problem_actions.sync_follow_up(company))


@router.post("/refresh-accounts")
async def refresh_accounts(request: Request, user: Operator, company: ConnectedCompany) -> RedirectResponse:
    """Read the chart of accounts anew."""
    return await start(request, user, company, _refresh(company, "accounts"))


@router.post("/refresh-taxes")
async def refresh_taxes(request: Request, user: Operator, company: ConnectedCompany) -> RedirectResponse:
    """Read tax codes and rates anew."""
    return await start(request, user, company, _refresh(company, "taxes"))


@router.post("/auto-sync")
def switch_auto_sync(
    request: Request,
    user: Operator,
    db: Db,
    company: KnownCompany,
    switch: Annotated[Literal["on", "off"], Form()],
) -> RedirectResponse:
    """Switch two-way payment sync on or off."""
    deliveries.set_auto_sync(db, company, is_on=switch == "on")
    sentence = {
        "on": "Auto-sync is on: payments taken in Peakflo go to QuickBooks.",
        "off": "Auto-sync is off: payments taken in Peakflo wait until it is on again.",
    }
    return _back(request, user, company, sentence[switch])


@router.post("/pause")
def pause(request: Request, user: Operator, db: Db, company: KnownCompany) -> RedirectResponse:
    """Stop reading the company's books."""
    companies.set_paused(db, company, is_paused=True)
    return _back(request, user, company, "Paused: nothing is read or sent until somebody resumes it.")


@router.post("/resume")
def resume(request: Request, user: Operator, db: Db, company: KnownCompany) -> RedirectResponse:
    """Go on reading the company's books."""
    companies.set_paused(db, company, is_paused=False)
    return _back(request, user, company, "Resumed: the next sync goes on where the last one ended.")


@router.post("/problems/{problem_id}/retry")
async def retry_problem(
    request: Request,
    user: Operator,
    company: KnownCompany,
    follow_up: Annotated[FollowUp, Depends(retried_problem)],
) -> RedirectResponse:
    """Try again what a problem kept from happening."""
    return await start(request, user, company, follow_up)


@router.get("/problems/{problem_id}/confirm-deletions")
def ask_before_believing(
    request: Request, user: Operator, db: Db, company: ConnectedCompany, problem_id: KnownProblem
) -> HTMLResponse:
    """Say what it means to believe the deletions that a problem is about."""
    problem = problem_actions.get_problem(db, company, problem_id)
    problem_actions.check_deletions_doubted(problem)
    return render(request, user, "confirm_deletions.html", company=company, problem=problem)


@router.post("/problems/{problem_id}/confirm-deletions")
async def confirm_deletions(
    request: Request,
    user: Operator,
    company: KnownCompany,
    confirmed: Annotated[tuple[FollowUp, list[RequiredAction]], Depends(confirmed_deletions)],
) -> RedirectResponse:
    """Take in the deletions that a problem is about."""
    follow_up, asked = confirmed
    await required_actions.end(request, user, asked, "believe")
    return await start(request, user, company, follow_up)


@router.post("/problems/{problem_id}/ignore")
def ignore_problem(
    request: Request, user: Operator, db: Db, company: KnownCompany, problem_id: KnownProblem
) -> RedirectResponse:
    """Keep quiet about a problem."""
    problem_actions.ignore(db, company, problem_id, by=user.name)
    return _back(request, user, company, "Ignored until its cause or its record changes.")


@router.post("/problems/{problem_id}/resolve")
def resolve_problem(
    request: Request, user: Operator, db: Db, company: KnownCompany, problem_id: KnownProblem
) -> RedirectResponse:
    """Close a problem."""
    problem_actions.resolve(db, company, problem_id, by=user.name)
    return _back(request, user, company, "Resolved: it opens again if it happens again.")


@router.post("/problems/{problem_id}/reopen")
def reopen_problem(
    request: Request, user: Operator, db: Db, company: KnownCompany, problem_id: KnownProblem
) -> RedirectResponse:
    """Open a problem again."""
    problem_actions.reopen(db, company, problem_id, by=user.name)
    return _back(request, user, company, "Open again.")


def _refresh(company: companies.Company, group: str) -> FollowUp:
    return FollowUp("refresh_reference_data", {"company_id": company.company_id, "groups": [group]})


def _back(request: Request, user: Operator, company: companies.Company, notice: str) -> RedirectResponse:
    return redirect(request, user, f"companies/{company.company_id}", notice=notice)
