"""The payments on their way to QuickBooks: a list, one with all that is known of it, and what people decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Form, HTTPException, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from include.errors import ConfigurationError
from include.receivables.outbound import decisions
from include.receivables.outbound.situation import read_situation
from include.receivables.views import company_status, deliveries, lineage, problem_actions
from include.receivables.views.deliveries import read_choices
from include.web import audit
from include.web.database import Db, KnownCompany
from include.web.rendering import redirect, render
from include.web.runs import dag_runs_of, start
from include.web.security import Admin, Operator, SignedIn, Viewer

if TYPE_CHECKING:
    from include.receivables.company.companies import Company

router = APIRouter(prefix="/companies/{company_id}/deliveries")

Json = dict[str, Any]

CONFIRMED = "yes"


def known_payment(db: Db, company: KnownCompany, delivery_id: Annotated[int, Path(ge=1, lt=2**63)]) -> UUID:
    """Return the payment that is known by a number; that of another company is the same as none."""
    try:
        return deliveries.payment_of(db, company, delivery_id)
    except ConfigurationError:
        raise HTTPException(404, "There is no such delivery.") from None


KnownPayment = Annotated[UUID, Depends(known_payment)]


@router.get("")
def list_deliveries(
    request: Request,
    user: Viewer,
    db: Db,
    company: KnownCompany,
    kind: Literal["", "agrees", "waits", "differs", "ignored"] = "",
    before: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
) -> HTMLResponse:
    """List the payments, all or those that stand in some way."""
    most = company_status.PAGE
    rows = deliveries.list_deliveries(
        db, company, kinds=[kind] if kind else None, before=before, most=most + 1
    )
    return render(
        request,
        user,
        "deliveries.html",
        company=company,
        rows=rows[:most],
        has_more=len(rows) > most,
        before=before,
        counts=company_status.count_deliveries(db, company),
        chosen=kind,
        **dag_runs_of(request),
    )


@router.get("/{delivery_id}")
def show_delivery(
    request: Request,
    user: Viewer,
    db: Db,
    company: KnownCompany,
    delivery_id: int,
    payment_id: KnownPayment,
    run: str = "",
) -> HTMLResponse:
    """Show a payment: where it stands, what was or would be sent, and all that came of it."""
    situation = read_situation(db, company, payment_id)
    answer, standing = deliveries.dry_run(situation), decisions.standing_of(situation)
    return render(
        request,
        user,
        "delivery.html",
        company=company,
        delivery=_delivery(db, company, delivery_id),
        answer=answer,
        requests=[each | {"payload": _readable(each["payload"])} for each in answer["requests"]],
        lineage=lineage.follow(db, company, delivery_id),
        differences=standing.differences if standing else (),
        choices=decisions.choices_of(standing),
        **dag_runs_of(request, run),
    )


@router.get("/{delivery_id}/retry")
def ask_before_retry(
    request: Request,
    user: Operator,
    db: Db,
    company: KnownCompany,
    delivery_id: int,
    payment_id: KnownPayment,
) -> HTMLResponse:
    """Say what a retry may lead to."""
    return render(
        request,
        user,
        "delivery_retry.html",
        company=company,
        delivery=_delivery(db, company, delivery_id),
        choices=read_choices(db, company, payment_id),
    )


def needs_confirmation(
    db: Db,
    company: KnownCompany,
    payment_id: KnownPayment,
    confirmed: Annotated[str, Form()] = "",
) -> bool:
    """Tell whether a retry may be wrong, and nobody has said that it is not."""
    return read_choices(db, company, payment_id).doubt is not None and confirmed != CONFIRMED


def retried(
    user: Operator,
    db: Db,
    company: KnownCompany,
    delivery_id: int,
    payment_id: KnownPayment,
    is_asked: Annotated[bool, Depends(needs_confirmation)],
) -> bool:
    """Decide to retry a payment, and tell whether that was done."""
    if is_asked:
        return False
    decisions.retry(db, company, payment_id, by=user.name)
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
    if not is_done:
        return redirect(request, user, f"companies/{company.company_id}/deliveries/{delivery_id}/retry")
    return await _deliver_now(request, user, company, delivery_id)


def approved(user: Admin, db: Db, company: KnownCompany, delivery_id: int, payment_id: KnownPayment) -> bool:
    """Approve a payment."""
    decisions.approve(db, company, payment_id, by=user.name)
    audit.record(user, "quickbooks.delivery_approve", company.company_id, delivery_id=delivery_id)
    return True


def relinked(
    user: Operator, db: Db, company: KnownCompany, delivery_id: int, payment_id: KnownPayment
) -> bool:
    """Relink a payment."""
    decisions.relink(db, company, payment_id, by=user.name)
    audit.record(user, "quickbooks.delivery_relink", company.company_id, delivery_id=delivery_id)
    return True


@router.post("/{delivery_id}/ignore")
def ignore_delivery(
    request: Request,
    user: Operator,
    db: Db,
    company: KnownCompany,
    delivery_id: int,
    payment_id: KnownPayment,
) -> RedirectResponse:
    """Ignore how a payment differs, or let go of one that was not sent."""
    decisions.ignore(db, company, payment_id, by=user.name)
    audit.record(user, "quickbooks.delivery_ignore", company.company_id, delivery_id=delivery_id)
    return redirect(
        request,
        user,
        f"companies/{company.company_id}/deliveries/{delivery_id}",
        notice="Ignored, until it changes. What was not sent is not sent any more; Retry takes that back.",
    )


@router.post("/{delivery_id}/approve")
async def approve_delivery(
    request: Request,
    user: Admin,
    company: KnownCompany,
    delivery_id: int,
    is_done: Annotated[bool, Depends(approved)],
) -> RedirectResponse:
    """Let a payment go that is larger than the company lets go by itself."""
    return await _deliver_now(request, user, company, delivery_id)


@router.post("/{delivery_id}/relink")
async def relink_delivery(
    request: Request,
    user: Operator,
    company: KnownCompany,
    delivery_id: int,
    is_done: Annotated[bool, Depends(relinked)],
) -> RedirectResponse:
    """Apply a payment to the invoice that took the place of the one it was taken for."""
    return await _deliver_now(request, user, company, delivery_id)


async def _deliver_now(
    request: Request, user: SignedIn, company: Company, delivery_id: int
) -> RedirectResponse:
    """Have the company's payments delivered now, and go back to the one that was decided about."""
    follow_up = problem_actions.delivery_follow_up(company)
    return await start(request, user, company, follow_up, f"deliveries/{delivery_id}")


def _delivery(db: Db, company: KnownCompany, delivery_id: int) -> Json:
    """Read what the list says of one payment."""
    [row] = deliveries.list_deliveries(db, company, before=delivery_id + 1, most=1)
    return row


def _readable(payload: str | None) -> str:
    """Lay JSON out in lines, every value as it is written."""
    return msgspec.json.format(payload, indent=2) if payload else ""
