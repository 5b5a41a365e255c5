"""The account mapping, and the import that follows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from include.errors import ConfigurationError
from include.receivables.company.companies import Company
from include.receivables.connecting import consent
from include.receivables.outbound.account_mapping import check_purpose
from include.receivables.views import mapping_form
from include.receivables.views.import_status import STEPS, ImportStatus, read_import
from include.receivables.views.mapping_form import Key
from include.receivables.views.mapping_layout import KIND_OF
from include.web.dag_runs import dag_run_url
from include.web.database import Db, KnownCompany, QuickBooksAccess
from include.web.rendering import redirect, render
from include.web.routes.connecting import read_accounts
from include.web.runs import IMPORT, start_import
from include.web.security import Operator, SignedIn, Viewer

router = APIRouter()

FIELD = "account/"
# A purpose of each kind of detail, to check what is typed.
PURPOSE_OF = {kind: purpose for purpose, kind in reversed(KIND_OF.items()) if kind}


@dataclass(frozen=True, slots=True)
class Input:
    """
    What the form of the account mapping holds.

    :param action: the button: ``check``, ``edit`` or ``add/`` and a kind of detail; whoever types a detail and presses
        Enter means to add it.
    :param added: the detail that was typed, by kind.
    """

    chosen: dict[Key, str]
    action: str
    added: dict[str, str]


async def read_input(request: Request) -> Input:
    """Read the form."""
    chosen: dict[Key, str] = {}
    added: dict[str, str] = {}
    form = await request.form()
    for name, value in form.multi_items():
        if name.startswith(FIELD) and isinstance(value, str):
            purpose, _, detail = name.removeprefix(FIELD).partition("/")
            chosen[purpose, detail] = value
        if name.startswith("new/") and isinstance(value, str):
            added[name.removeprefix("new/")] = " ".join(value.split())
    action = str(form.get("action", "check"))
    typed = next((kind for kind, detail in added.items() if detail), None)
    return Input(chosen, f"add/{typed}" if action == "check" and typed else action, added)


MappingInput = Annotated[Input, Depends(read_input)]


@router.get("/companies/{company_id}/mapping")
def show_mapping(request: Request, user: Viewer, db: Db, company: KnownCompany) -> HTMLResponse:
    """Show the account mapping."""
    return _mapping_page(request, user, db, company, mapping_form.read_form(db, company))


@router.post("/companies/{company_id}/mapping")
def check_mapping(
    request: Request, user: Operator, db: Db, company: KnownCompany, given: MappingInput
) -> HTMLResponse:
    """Add a row to the form, or check it and show what was chosen once more."""
    if given.action.startswith("add/"):
        return _with_added_row(request, user, db, company, given)
    is_draft = given.action == "edit"
    groups = mapping_form.read_form(db, company, chosen=given.chosen, is_draft=is_draft)
    has_faults = any(row.fault for group in groups for row in group.rows)
    if is_draft or has_faults:
        return _mapping_page(
            request, user, db, company, groups, status_code=422 if has_faults and not is_draft else 200
        )
    status = read_import(db, company)
    return render(
        request, user, "double_check.html", company=company, groups=groups, field=FIELD, status=status
    )


@router.post("/companies/{company_id}/finish")
async def finish(
    request: Request, user: Operator, db: Db, company: KnownCompany, given: MappingInput
) -> Response:
    """Save the account mapping, and import the company unless it is imported already."""
    refusal = await run_in_threadpool(_save, request, user, db, company, given)
    if refusal is not None:
        return refusal
    status = await run_in_threadpool(read_import, db, company)
    if not status.is_due or company.status != "connected":
        return redirect(
            request, user, f"companies/{company.company_id}", notice="The account mapping is saved."
        )
    if status.state == "waiting":
        await start_import(request, user, company, status)
    return redirect(request, user, f"companies/{company.company_id}/import")


@router.post("/companies/{company_id}/read-accounts")
def refresh_accounts(
    request: Request, user: Operator, company: KnownCompany, access: QuickBooksAccess
) -> RedirectResponse:
    """Read the chart of accounts again."""
    is_read = read_accounts(access, company)
    notice = "The chart of accounts is up to date." if is_read else ""
    return redirect(request, user, f"companies/{company.company_id}/mapping", notice=notice)


@router.get("/companies/{company_id}/import")
def show_import(request: Request, user: Viewer, db: Db, company: KnownCompany) -> HTMLResponse:
    """Show how far the import is."""
    status = read_import(db, company)
    return render(
        request,
        user,
        "import_progress.html",
        company=company,
        status=status,
        steps=STEPS,
        run_url=_run_url(request, status),
        is_over=status.state == "done",
    )


@router.get("/companies/{company_id}/progress", response_class=JSONResponse)
def tell_progress(request: Request, user: Viewer, db: Db, company: KnownCompany) -> dict[str, Any]:
    """Tell how far the import is, for the page that shows it."""
    status = read_import(db, company)
    return {
        "state": status.state,
        "sentence": status.sentence,
        "finished": status.finished,
        "steps": STEPS,
        "run_url": _run_url(request, status),
        "entities": [
            {"entity": each.entity, "records": each.records, "state": each.state} for each in status.entities
        ],
    }


@router.post("/companies/{company_id}/import")
async def retry_import(request: Request, user: Operator, db: Db, company: KnownCompany) -> RedirectResponse:
    """Import again what was interrupted or failed; it goes on where it stopped."""
    status = await run_in_threadpool(read_import, db, company)
    if status.state in ("failed", "interrupted", "waiting"):
        await start_import(request, user, company, status, reason="retry")
    return redirect(request, user, f"companies/{company.company_id}/import")


def _save(request: Request, user: SignedIn, db: Db, company: Company, given: Input) -> HTMLResponse | None:
    try:
        mapping_form.save_all(db, company, given.chosen, mapped_by=user.name)
    except ConfigurationError:
        groups = mapping_form.read_form(db, company, chosen=given.chosen)
        return _mapping_page(request, user, db, company, groups, status_code=422)
    return None


def _with_added_row(request: Request, user: SignedIn, db: Db, company: Company, given: Input) -> HTMLResponse:
    kind = given.action.removeprefix("add/")
    detail = given.added.get(kind, "")
    if kind == "currency":
        detail = detail.upper()
    fault = "Type a name first."
    added: list[Key] = []
    if detail and kind in PURPOSE_OF:
        try:
            check_purpose(PURPOSE_OF[kind], detail)
        except ConfigurationError as error:
            fault = str(error)
        else:
            fault, added = "", [(kind, detail)]
    groups = mapping_form.read_form(db, company, added=added, chosen=given.chosen, is_draft=True)
    return _mapping_page(
        request,
        user,
        db,
        company,
        groups,
        add_fault=(kind, fault) if fault else None,
        status_code=422 if fault else 200,
    )


def _mapping_page(
    request: Request,
    user: SignedIn,
    db: Db,
    company: Company,
    groups: list[mapping_form.Group],
    *,
    add_fault: tuple[str, str] | None = None,
    status_code: int = 200,
) -> HTMLResponse:
    return render(
        request,
        user,
        "mapping.html",
        status_code=status_code,
        company=company,
        groups=groups,
        faults=[row for group in groups for row in group.rows if row.fault],
        add_fault=add_fault,
        field=FIELD,
        has_accounts=any(row.choices for group in groups for row in group.rows),
        read_failure=consent.first_failure(db, company),
    )


def _run_url(request: Request, status: ImportStatus) -> str | None:
    return dag_run_url(request, IMPORT, status.dag_run_id) if status.dag_run_id else None
