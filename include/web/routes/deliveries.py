"""The payments on their way to QuickBooks: a list, one with all that is known of it, and what people decide."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Form, HTTPException, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from include.receivables.outbound import deliveries
from include.receivables.views import company_status, concerns, lineage, problem_actions
from include.receivables.views.delivery_choices import read_choices
from include.web import audit
from include.web.database import Db, KnownCompany
from include.web.rendering import redirect, render
from include.web.runs import dag_runs_of, start
from include.web.security import Operator, Viewer

router = APIRouter(prefix="/companies/{company_id}/deliveries")

Json = dict[str, Any]

UNDECIDED = "undecided"
CONFIRMED = "yes"


def known_lineage(
    db: Db, company: KnownCompany, delivery_id: Annotated[int, Path(ge=1, lt=2**63)]
) -> list[Json]:
    """Follow a delivery's payment; that of another company is the same as none."""
    followed = lineage.follow(db, company, delivery_id)
    if not followed:
        raise HTTPException(404, "There is no such delivery.")
    return followed


Lineage = Annotated[list[Json], Depends(known_lineage)]


@router.get("")
def list_deliveries(
    request: Request,
    user: Viewer,
    db: Db,
    company: KnownCompany,
    state: str = "",
    before: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
) -> HTMLResponse:
    """List the deliveries, all or those in a state."""
    states = list(concerns.UNDECIDED) if state == UNDECIDED else [state] if state else None
    most = company_status.PAGE
    rows = deliveries.list_deliveries(db, company, states=states, before=before, most=most + 1)
    return render(
        request,
        user,
        "deliveries.html",
        company=company,
        rows=rows[:most],
        has_more=len(rows) > most,
        before=before,
        counts=company_status.count_deliveries(db, company),
        chosen=state,
        **dag_runs_of(request),
    )


@router.get("/{delivery_id}")
def show_delivery(
    request: Request,
    user: Viewer,
    db: Db,
    company: KnownCompany,
    delivery_id: int,
    followed: Lineage,
    run: str = "",
) -> HTMLResponse:
    """Show a delivery: its state, what is or would be sent, and all that came of its payment."""
    delivery = deliveries.show(db, company, delivery_id)
    answer = deliveries.dry_run(db, company, delivery_id)
    return render(
        request,
        user,
        "delivery.html",
        company=company,
        delivery=delivery,
        payment=_payment(db, company, delivery_id),
        answer=answer,
        requests=[each | {"payload": _readable(each["payload"])} for each in answer["requests"]],
        lineage=followed,
        choices=read_choices(db, company, delivery_id),
        **dag_runs_of(request, run),
    )


@router.get("/{delivery_id}/retry")
def ask_before_retry(
    request: Request, user: Operator, db: Db, company: KnownCompany, delivery_id: int, followed: Lineage
) -> HTMLResponse:
    """Say what a retry may lead to."""
    return render(
        request,
        user,
        "delivery_retry.html",
        company=company,
        delivery=deliveries.show(db, company, delivery_id),
        choices=read_choices(db, company, delivery_id),
        payment=_payment(db, company, delivery_id),
    )


def needs_confirmation(
    db: Db, company: KnownCompany, delivery_id: int, followed: Lineage, confirmed: Annotated[str, Form()] = ""
) -> bool:
    """Tell whether a retry may be wrong, and nobody has said that it is not."""
    return read_choices(db, company, delivery_id).doubt is not None and confirmed != CONFIRMED


def retried(
    user: Operator,
    db: Db,
    company: KnownCompany,
    delivery_id: int,
    is_asked: Annotated[bool, Depends(needs_confirmation)],
) -> bool:
    """Retry a delivery as far as the database goes, and tell whether it was done."""
    if is_asked:
        return False
    deliveries.retry(db, company, delivery_id)
    audit.record(user, "quickbooks.delivery_retry", company.company_id, delivery_id=delivery_id)
    return True


@router.post("/{delivery_id}/retry")
async def retry_delivery(
    request: Request,
    user: Operator,
    company: KnownCompany,
    delivery_id: int,
    is_done: Annotated[bool, Depends(retried)],
) -> RedirectResponse:
    """Let a delivery go on; where that may be wrong, only after its consequences were shown."""
    page = f"deliveries/{delivery_id}"
    if not is_done:
        return redirect(request, user, f"companies/{company.company_id}/{page}/retry")
    return await start(request, user, company, problem_actions.delivery_follow_up(company), page)


@router.post("/{delivery_id}/ignore")
def ignore_delivery(
    request: Request, user: Operator, db: Db, company: KnownCompany, delivery_id: int, followed: Lineage
) -> RedirectResponse:
    """Let go of a delivery."""
    deliveries.ignore(db, company, delivery_id)
    audit.record(user, "quickbooks.delivery_ignore", company.company_id, delivery_id=delivery_id)
    return redirect(
        request,
        user,
        f"companies/{company.company_id}/deliveries/{delivery_id}",
        notice="Ignored: Peakflo does not send it. Retry takes that back.",
    )


def _payment(db: Db, company: KnownCompany, delivery_id: int) -> Json:
    """Read what the list says of one delivery: its customer, amount and date."""
    [row] = deliveries.list_deliveries(db, company, before=delivery_id + 1, most=1)
    return row


def _readable(payload: str | None) -> str:
    """Lay JSON out in lines, every value as it is written."""
    return msgspec.json.format(payload, indent=2) if payload else ""
