"""What reminder runs found, for the reminder service: as it is kept, where nobody but the runs themselves can write."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter, HTTPException
from fastapi.responses import JSONResponse

from include.receivables.reminders.verdict_records import read_answer
from include.web.database import Db, KnownCompany

router = APIRouter(prefix="/companies/{company_id}/reminders")


@router.get("/{reminder_run_id}", response_class=JSONResponse)
def tell_verdicts(
    db: Db, company: KnownCompany, reminder_run_id: str, after: UUID | None = None
) -> dict[str, Any]:
    """Tell the verdicts of a reminder run, a page at a time."""
    answer = read_answer(db, company, reminder_run_id, after=after)
    if answer is None:
        raise HTTPException(404, "The company has no reminder run of this id, or it checked nothing.")
    return answer
