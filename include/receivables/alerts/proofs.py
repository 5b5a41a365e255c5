"""Whether companies are proved, and the last proof found both sides equal, or explained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.receivables.alerts.model import Cause, tell_age, tell_count

if TYPE_CHECKING:
    from datetime import datetime

    from include.receivables.alerts.facts import AppState, CompanyState, FailedProof


def is_overdue(since: datetime | None, app: AppState) -> bool:
    """Tell whether a proof should have been made since a moment."""
    return app.is_proof_due and (since is None or app.read_at - since > app.longest_unproved)


def has_no_proof(company: CompanyState, app: AppState) -> bool:
    """Tell whether a company should have been proved by now, by the nights in which it could be."""
    since = max(company.proved_at or company.may_be_read_since, company.may_be_read_since)
    return company.status == "connected" and company.is_imported and is_overdue(since, app)


def look_for_proof(company: CompanyState, app: AppState) -> list[Cause]:
    """Tell of a company of which no proof is made."""
    if not has_no_proof(company, app):
        return []
    since = company.proved_at or company.may_be_read_since
    age = tell_age(company.read_at - since)
    return [
        Cause(
            company_id=company.company_id,
            code="proof_failed",
            detail="not_made",
            level="warning",
            sentence=f"No proof could be made for {age}. {company.proof_error or ''}".strip(),
            remedy="Prove it now; if that does not help, the log says why.",
            owner="data engineer",
            action="proof",
            since=since,
        )
    ]


def look_at_proof(failed: FailedProof | None) -> list[Cause]:
    """Tell of a proof that found what nobody can explain, or that proved nothing."""
    if failed is None:
        return []
    if failed.verdict == "not_proved":
        return [
            Cause(
                company_id=failed.company_id,
                code="proof_failed",
                detail=failed.verdict,
                level="warning",
                sentence=f"Whether Peakflo has what QuickBooks has could not be proved. {failed.reason}",
                remedy="Prove it again; if that does not help, look at the report in QuickBooks.",
                owner="data engineer",
                action="proof",
                since=failed.made_at,
            )
        ]
    respects = tell_count(failed.differences, "respect")
    return [
        Cause(
            company_id=failed.company_id,
            code="proof_failed",
            detail=failed.verdict,
            level="danger",
            sentence=f"Peakflo and QuickBooks differ in {respects} of which nobody knows why, by "
            f"{failed.amount:,.2f} {failed.home_currency}.",
            remedy="Compare them in QuickBooks, which the page of the proof links.",
            owner="data engineer",
            action="proof",
            amounts={failed.home_currency: failed.amount},
            count=failed.differences,
            since=failed.made_at,
        )
    ]
