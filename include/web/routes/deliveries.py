"""The payments on their way to QuickBooks: a list, one with all that is known of it, and what people decide."""

from __future__ import annotations

from dataclasses import dataclass
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
from include.receivables.views.offers import offers_of
from include.web import required_actions
from include.web.database import Db, KnownCompany
from include.web.rendering import redirect, render
from include.web.required_actions import RequiredAction
from include.web.runs import dag_runs_of, start
from include.web.security import Admin, Operator, SignedIn, Viewer

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg import Connection

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
        offers=offers_of(standing),
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
    standing = decisions.standing_of(read_situation(db, company, payment_id))
    return render(
        request,
        user,
        "delivery_retry.html",
        company=company,
        delivery=_delivery(db, company, delivery_id),
        offer=next((each for each in offers_of(standing) if each.action == "retry"), None),
    )


async def asked_in_airflow(
    request: Request, user: Operator, company: KnownCompany, delivery_id: int
) -> list[RequiredAction]:
    """List what Airflow asks about a payment, before anything is decided."""
    return await required_actions.list_open(request, user, company, "payment", delivery_id)


@dataclass(frozen=True, slots=True)
class ChosenPayment:
    """
    A payment about which somebody decides.

    :param asked: what Airflow asked about it, before anything was decided.
    """

    db: Connection
    company: Company
    delivery_id: int
    payment_id: UUID
    asked: list[RequiredAction]

    def decide(self, user: SignedIn, action: str, decide: Callable[..., object]) -> ChosenPayment:
        """Decide, in the name of the user who asks."""
        decide(self.db, self.company, self.payment_id, by=user.name)
        return self


def chosen_payment(
    db: Db,
    company: KnownCompany,
    delivery_id: int,
    payment_id: KnownPayment,
    asked: Annotated[list[RequiredAction], Depends(asked_in_airflow)],
) -> ChosenPayment:
    """Return the payment that a path names, to be decided about."""
    return ChosenPayment(db, company, delivery_id, payment_id, asked)


Chosen = Annotated[ChosenPayment, Depends(chosen_payment)]


def retried(user: Operator, payment: Chosen, confirmed: Annotated[str, Form()] = "") -> ChosenPayment | None:
    """Retry a payment, unless that may be wrong and nobody has said that it is not."""
    doubt = read_choices(payment.db, payment.company, payment.payment_id).doubt
    if doubt is not None and confirmed != CONFIRMED:
        return None
    return payment.decide(user, "retry", decisions.retry)


def approved(user: Admin, payment: Chosen) -> ChosenPayment:
    """Approve a payment."""
    return payment.decide(user, "approve", decisions.approve)


def relinked(user: Operator, payment: Chosen) -> ChosenPayment:
    """Relink a payment."""
    return payment.decide(user, "relink", decisions.relink)


def ignored(user: Operator, payment: Chosen) -> ChosenPayment:
    """Ignore how a payment differs."""
    return payment.decide(user, "ignore", decisions.ignore)


@router.post("/{delivery_id}/retry")
async def retry_delivery(
    request: Request,
    user: Operator,
    company: KnownCompany,
    delivery_id: int,
    payment: Annotated[ChosenPayment | None, Depends(retried)],
) -> RedirectResponse:
    """Let a delivery go on; where that may be wrong, only after its consequences were shown."""
    if payment is None:
        return redirect(request, user, f"companies/{company.company_id}/deliveries/{delivery_id}/retry")
    await required_actions.end(request, user, payment.asked, "retry")
    return await _deliver_now(request, user, payment)


@router.post("/{delivery_id}/ignore")
async def ignore_delivery(
    request: Request, user: Operator, payment: Annotated[ChosenPayment, Depends(ignored)]
) -> RedirectResponse:
    """Ignore how a payment differs, or let go of one that was not sent."""
    await required_actions.end(request, user, payment.asked, "ignore")
    return redirect(
        request,
        user,
        f"companies/{payment.company.company_id}/deliveries/{payment.delivery_id}",
        notice="Ignored, until it changes. What was not sent is not sent any more; Retry takes that back.",
    )


@router.post("/{delivery_id}/approve")
async def approve_delivery(
    request: Request, user: Admin, payment: Annotated[ChosenPayment, Depends(approved)]
) -> RedirectResponse:
    """Let a payment go that is larger than the company lets go by itself."""
    await required_actions.end(request, user, payment.asked, "approve")
    return await _deliver_now(request, user, payment)


@router.post("/{delivery_id}/relink")
async def relink_delivery(
    request: Request, user: Operator, payment: Annotated[ChosenPayment, Depends(relinked)]
) -> RedirectResponse:
    """Apply a payment to the invoice that took the place of the one it was taken for."""
    await required_actions.end(request, user, payment.asked, "relink")
    return await _deliver_now(request, user, payment)


async def _deliver_now(request: Request, user: SignedIn, payment: ChosenPayment) -> RedirectResponse:
    """Have the company's payments delivered now, and go back to the one that was decided about."""
    follow_up = problem_actions.delivery_follow_up(payment.company)
    return await start(request, user, payment.company, follow_up, f"deliveries/{payment.delivery_id}")


def _delivery(db: Db, company: KnownCompany, delivery_id: int) -> Json:
    """Read what the list says of one payment."""
    [row] = deliveries.list_deliveries(db, company, before=delivery_id + 1, most=1)
    return row


def _readable(payload: str | None) -> str:
    """Lay JSON out in lines, every value as it is written."""
    return msgspec.json.format(payload, indent=2) if payload else ""
