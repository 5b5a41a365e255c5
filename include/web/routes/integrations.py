"""All companies on one page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from include.receivables.company import budget
from include.receivables.company.call_forecast import read_calls
from include.receivables.views.integrations import STATUSES, list_integrations
from include.web.database import Db
from include.web.rendering import render
from include.web.security import Viewer

router = APIRouter()

MOST_PAGES = 1_000_000


@router.get("/")
def show_integrations(
    request: Request,
    user: Viewer,
    db: Db,
    q: str = "",
    status: str = "",
    page: Annotated[int, Query(ge=1, le=MOST_PAGES)] = 1,
) -> HTMLResponse:
    """Show all companies, or those that a search finds."""
    status = status if status in STATUSES else ""
    return render(
        request,
        user,
        "integrations.html",
        listed=list_integrations(db, search=q, status=status, page=page),
        calls=read_calls(db),
        budget=budget.read(db),
        q=q,
        status=status,
    )
