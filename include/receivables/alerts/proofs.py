"""Whether the last proof found both sides equal, or explained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.receivables.alerts.model import Cause, tell_count

if TYPE_CHECKING:
    from include.receivables.alerts.facts import FailedProof


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
