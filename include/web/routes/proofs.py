"""The proofs of a company: by customer and by difference, as a page and as tables for a spreadsheet."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from include.hooks.quickbooks import QuickBooksHook
from include.receivables.proof.differences import CLASSES
from include.receivables.views import proofs
from include.receivables.views.problem_actions import FollowUp
from include.web.database import Db, KnownCompany
from include.web.rendering import render
from include.web.routes.company import ConnectedCompany
from include.web.runs import dag_runs_of, start
from include.web.security import Operator, Viewer

router = APIRouter(prefix="/companies/{company_id}/proofs")

Json = dict[str, Any]
Id = Annotated[int, Path(ge=1, lt=2**63)]
ClassName = Literal[
    "",
    "missed_change",
    "in_flight",
    "exchange_rounding",
    "other_money",
    "unlinked",
    "held_payment",
    "not_read",
    "unknown",
]


def known_proof(db: Db, company: KnownCompany, proof_id: Id) -> Json:
    """Return a proof of the company's; that of another company is the same as none."""
    proof = proofs.find_proof(db, company, proof_id)
    if proof is None:
        raise HTTPException(404, "There is no such proof.")
    return proof


KnownProof = Annotated[Json, Depends(known_proof)]


@router.get("")
def list_proofs(request: Request, user: Viewer, db: Db, company: KnownCompany, run: str = "") -> HTMLResponse:
    """Show the last proof, and what those before came to."""
    made = proofs.list_proofs(db, company)
    return _page(request, user, db, company, made[0] if made else None, made, run=run)


@router.post("")
async def prove_now(request: Request, user: Operator, company: ConnectedCompany) -> RedirectResponse:
    """Prove the company now."""
    follow_up = FollowUp("reconcile_receivables", {"companies": [company.company_id]})
    return await start(request, user, company, follow_up, "proofs")


@router.get("/{proof_id}")
def show_proof(
    request: Request,
    user: Viewer,
    db: Db,
    company: KnownCompany,
    proof: KnownProof,
    class_name: ClassName = "",
    customer: str = "",
    q: str = "",
    only: Literal["", "different"] = "",
) -> HTMLResponse:
    """Show a proof, all of it or what is about a class, a customer or a name."""
    made = proofs.list_proofs(db, company)
    chosen = {"class_name": class_name, "customer": customer, "q": q, "only": only}
    return _page(request, user, db, company, proof, made, **chosen)


@router.get("/{proof_id}/differences.csv")
def differences_csv(db: Db, _user: Viewer, proof: KnownProof) -> Response:
    """Return all differences of a proof."""
    rows = proofs.list_differences(db, proof["proof_id"], most=None)
    return _csv(proofs.to_csv(rows, proofs.DIFFERENCE_COLUMNS), f"differences-{proof['proof_id']}")


@router.get("/{proof_id}/customers.csv")
def customers_csv(db: Db, _user: Viewer, proof: KnownProof) -> Response:
    """Return what each customer owes by either side of a proof."""
    rows = proofs.list_customers(db, proof["proof_id"], most=None)
    return _csv(proofs.to_csv(rows, proofs.CUSTOMER_COLUMNS), f"customers-{proof['proof_id']}")


def _page(
    request: Request,
    user: Viewer,
    db: Db,
    company: KnownCompany,
    proof: Json | None,
    made: list[Json],
    *,
    class_name: str = "",
    customer: str = "",
    q: str = "",
    only: str = "",
    run: str = "",
) -> HTMLResponse:
    proof_id = proof["proof_id"] if proof else 0
    differences = proofs.list_differences(db, proof_id, class_name=class_name, customer_id=customer)
    pages = QuickBooksHook().pages_url
    return render(
        request,
        user,
        "proofs.html",
        company=company,
        proof=proof,
        made=made,
        classes=proofs.count_classes(db, proof_id),
        titles={name: each.title for name, each in CLASSES.items()},
        differences=[each | {"address": proofs.address_of(each, company, pages)} for each in differences],
        customers=proofs.list_customers(db, proof_id, search=q, is_different=only == "different"),
        chosen={"class_name": class_name, "customer": customer, "q": q, "only": only},
        most=proofs.MOST_ROWS,
        **dag_runs_of(request, run),
    )


def _csv(text: str, name: str) -> Response:
    disposition = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=disposition)
