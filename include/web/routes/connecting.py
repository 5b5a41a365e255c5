"""The life of a connection: connect, reconnect, change the QuickBooks company, disconnect."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from anyio import from_thread
from fastapi import APIRouter, Form, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from include.errors import ConfigurationError, ReceivablesError
from include.hooks.quickbooks import QuickBooksHook
from include.receivables.company import companies
from include.receivables.company.access import Access
from include.receivables.company.companies import Company
from include.receivables.connecting import connections, consent
from include.receivables.connecting.consent import Answer, ConnectError, Intent, Visitor
from include.receivables.views import mapping_form
from include.receivables.views.import_status import ImportStatus, read_import
from include.receivables.views.problem_actions import sync_follow_up
from include.web.dag_runs import trigger
from include.web.database import Db, KnownCompany, QuickBooksAccess
from include.web.rendering import path, redirect, render
from include.web.runs import start_import
from include.web.security import Admin, SignedIn, Viewer

router = APIRouter()
# What anybody may see.
landing = APIRouter()

# Nothing of what Intuit adds to this address may be kept: it opens a company's books.
CALLBACK = "/callback"
# How each cause looks: its title and its status.
OUTCOMES = {
    "state_unknown": ("This answer cannot be placed", HTTPStatus.BAD_REQUEST),
    "state_expired": ("That took too long", HTTPStatus.BAD_REQUEST),
    "state_used": ("Used already", HTTPStatus.CONFLICT),
    "connected_already": ("Connected already", HTTPStatus.CONFLICT),
    "other_user": ("Begun by somebody else", HTTPStatus.FORBIDDEN),
    "other_session": ("Begun elsewhere", HTTPStatus.FORBIDDEN),
    "denied": ("Cancelled", HTTPStatus.FORBIDDEN),
    "consent_failed": ("QuickBooks refused", HTTPStatus.BAD_REQUEST),
    "incomplete": ("Half an answer", HTTPStatus.BAD_REQUEST),
    "wrong_company": ("Another QuickBooks company was chosen", HTTPStatus.CONFLICT),
    "realm_in_use": ("This QuickBooks company is in use", HTTPStatus.CONFLICT),
    "code_refused": ("The consent has expired", HTTPStatus.BAD_REQUEST),
    "exchange_lost": ("QuickBooks did not answer", HTTPStatus.BAD_GATEWAY),
    "books_closed": ("QuickBooks does not open these books", HTTPStatus.CONFLICT),
    "busy": ("A sync is at work", HTTPStatus.CONFLICT),
}


@router.get("/connect")
def show_connect(
    request: Request, user: Admin, db: Db, access: QuickBooksAccess, company_id: str = ""
) -> Response:
    """Ask which company is to be connected."""
    if company_id and companies.find_company(db, company_id):
        return RedirectResponse(path(request, f"companies/{company_id}/reconnect"), status_code=303)
    return _connect_page(request, user, access, company_id=company_id)


@router.post("/connect")
def connect(
    request: Request,
    user: Admin,
    db: Db,
    access: QuickBooksAccess,
    company_id: Annotated[str, Form()] = "",
    name: Annotated[str, Form()] = "",
) -> Response:
    """Go to QuickBooks for a company."""
    company_id = company_id.strip()
    try:
        url = consent.begin(db, access.app, _visitor(user), company_id=company_id, name=name)
    except ConfigurationError as error:
        if _wants_json(request):
            raise
        return _connect_page(
            request, user, access, company_id=company_id, name=name, fault=str(error), status_code=422
        )
    return _leave(request, url)


@router.post("/connect/check")
def check_keys(request: Request, user: Admin, access: QuickBooksAccess) -> Response:
    """Ask Intuit whether the app's keys are right: those that are stored, where they are used."""
    is_right, sentence = QuickBooksHook().test_connection()
    if is_right:
        return redirect(request, user, "connect", notice=sentence)
    return _connect_page(request, user, access, fault=sentence, status_code=409)


@router.get("/companies/{company_id}/reconnect")
def show_reconnect(
    request: Request, user: Admin, db: Db, company: KnownCompany, access: QuickBooksAccess
) -> Response:
    """Say what reconnecting does."""
    return _leaving_page(request, user, db, access, company, intent="reconnect")


@router.post("/companies/{company_id}/reconnect")
def reconnect(
    request: Request, user: Admin, db: Db, company: KnownCompany, access: QuickBooksAccess
) -> Response:
    """Go to QuickBooks for the same books."""
    return _leave(request, _begin(db, access, user, company, "reconnect"))


@router.get("/companies/{company_id}/change-organisation")
def show_change(
    request: Request, user: Admin, db: Db, company: KnownCompany, access: QuickBooksAccess
) -> Response:
    """Say what changing the QuickBooks company does."""
    return _leaving_page(request, user, db, access, company, intent="change")


@router.post("/companies/{company_id}/change-organisation")
def change(
    request: Request, user: Admin, db: Db, company: KnownCompany, access: QuickBooksAccess
) -> Response:
    """Go to QuickBooks for other books."""
    return _leave(request, _begin(db, access, user, company, "change"))


@router.get(CALLBACK)
def complete(
    request: Request,
    user: Admin,
    db: Db,
    access: QuickBooksAccess,
    state: str = "",
    code: str = "",
    realm_id: Annotated[str, Query(alias="realmId")] = "",
    error: str = "",
) -> Response:
    """Come back from QuickBooks, look into the books, and go on to the account mapping."""
    try:
        company = consent.complete(access, _visitor(user), Answer(state, code, realm_id, error))
    except ConnectError as refused:
        return _refusal_page(request, user, db, refused)
    is_mapped = read_accounts(access, company) and not mapping_form.list_unmapped(db, company)
    return from_thread.run(_go_on, request, user, company, read_import(db, company), is_mapped)


@router.get("/companies/{company_id}/disconnect")
def show_disconnect(request: Request, user: Admin, company: KnownCompany) -> HTMLResponse:
    """Ask whether to disconnect."""
    return render(request, user, "disconnect.html", company=company)


@router.post("/companies/{company_id}/disconnect")
def disconnect(
    request: Request, user: Admin, db: Db, company: KnownCompany, access: QuickBooksAccess
) -> RedirectResponse:
    """Take the app's access back, and keep records and mappings."""
    connections.disconnect_company(db, company, app=access.app, cipher=access.cipher)
    notice = f"{company.name} is disconnected. Its records and account mapping are kept."
    return redirect(request, user, f"companies/{company.company_id}", notice=notice)


@router.get("/launch")
def launch(
    request: Request, user: Viewer, db: Db, realm_id: Annotated[str, Query(alias="realmId")] = ""
) -> RedirectResponse:
    """Open the app from QuickBooks: Intuit's launch URL."""
    company = consent.find_company_of_realm(db, realm_id)
    target = f"companies/{company.company_id}" if company else ""
    return RedirectResponse(path(request, target), status_code=303)


@router.get("/reconnect")
def reconnect_from_quickbooks(
    request: Request, user: Admin, db: Db, realm_id: Annotated[str, Query(alias="realmId")] = ""
) -> Response:
    """Find out which company QuickBooks wants reconnected: Intuit's reconnect URL."""
    company = consent.find_company_of_realm(db, realm_id)
    if company is None:
        return render(
            request,
            user,
            "consent_result.html",
            status_code=404,
            title="Not connected here",
            sentence="No company here is connected to the QuickBooks company that you come from: connect it first.",
            company=None,
            code="realm_unknown",
        )
    return RedirectResponse(path(request, f"companies/{company.company_id}/reconnect"), status_code=303)


@landing.get("/disconnected")
def show_disconnected(request: Request) -> HTMLResponse:
    """Receive people who disconnected the app in QuickBooks: Intuit's disconnect landing page."""
    return render(request, None, "disconnected.html")


def read_accounts(access: Access, company: Company) -> bool:
    """
    Read the company's own facts and its chart of accounts.

    :return: whether that went well; if not, the sync log has the reason.
    """
    try:
        consent.read_first(access, company.company_id)
    except ReceivablesError:
        return False
    return True


async def _go_on(
    request: Request, user: SignedIn, company: Company, status: ImportStatus, is_mapped: bool
) -> RedirectResponse:
    """Have a company read that was just connected, and lead to what is left to do."""
    home = f"companies/{company.company_id}"
    if status.is_due and not is_mapped:
        # Whoever finishes the mapping starts the import.
        return redirect(request, user, f"{home}/mapping")
    try:
        if status.is_due:
            await start_import(request, user, company, status)
            return redirect(request, user, f"{home}/import")
        follow_up = sync_follow_up(company)
        dag_run_id = await trigger(request, user, follow_up.dag_id, follow_up.conf)
    except HTTPException as refused:
        # Connected it is, and the next cycle reads it.
        notice = f"{company.name} is connected, but is not read at once. {refused.detail}"
        return redirect(request, user, home, notice=notice)
    if not is_mapped:
        return redirect(request, user, f"{home}/mapping")
    notice = f"{company.name} is connected again, with its accounts mapped as before."
    return redirect(request, user, home, notice=notice, run=f"{follow_up.dag_id}/{dag_run_id}")


def _visitor(user: SignedIn) -> Visitor:
    return Visitor(user.name, user.session)


def _begin(db: Db, access: Access, user: SignedIn, company: Company, intent: Intent) -> str:
    return consent.begin(db, access.app, _visitor(user), company_id=company.company_id, intent=intent)


def _wants_json(request: Request) -> bool:
    return request.headers.get("Accept", "") == "application/json"


def _leave(request: Request, url: str) -> Response:
    """Send the browser to QuickBooks; within Airflow's frame, a script leads the whole window there."""
    if _wants_json(request):
        return JSONResponse({"location": url})
    return RedirectResponse(url, status_code=303)


def _connect_page(
    request: Request,
    user: SignedIn,
    access: Access,
    *,
    company_id: str = "",
    name: str = "",
    fault: str = "",
    status_code: int = 200,
) -> HTMLResponse:
    return render(
        request,
        user,
        "connect.html",
        status_code=status_code,
        form_target=access.app.endpoints.authorize,
        company_id=company_id,
        name=name,
        fault=fault,
    )


def _leaving_page(
    request: Request, user: SignedIn, db: Db, access: Access, company: Company, *, intent: Intent
) -> HTMLResponse:
    return render(
        request,
        user,
        "reconnect.html",
        form_target=access.app.endpoints.authorize,
        company=company,
        books=companies.name_books(db, company.company_id, company.realm_id),
        intent=intent,
    )


def _refusal_page(request: Request, user: SignedIn, db: Db, refused: ConnectError) -> HTMLResponse:
    title, status = OUTCOMES[refused.code]
    context: dict[str, Any] = {
        "title": title,
        "sentence": str(refused),
        "company": companies.find_company(db, refused.company_id),
        "code": refused.code,
    }
    return render(request, user, "consent_result.html", status_code=status, **context)
