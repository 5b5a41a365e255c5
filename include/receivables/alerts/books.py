"""Whether a company's books are read: its connection, its import, how fresh it is, and what cannot be taken in."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from include.errors import DeletionBrakeError
from include.receivables.alerts.model import LATE, Cause, tell_age, tell_count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from include.receivables.alerts.app import Stops
    from include.receivables.alerts.facts import AppState, CompanyState, OpenProblems

# Long enough before the consent ends for its renewal to be planned.
SOON = timedelta(days=30)
LONGEST_ERROR = 500


def find_stop(
    company: CompanyState, problems: Sequence[OpenProblems], app: AppState, stops: Stops
) -> Cause | None:
    """Find the one cause for which a company's books are not read, unless all companies have it in common."""
    if company.status != "connected":
        return _look_at_connection(company)
    failure = newest_failure(problems)
    is_late = _is_late(company, failure, app)
    if company.is_importing and (is_late or not company.is_imported):
        return _importing(company)
    if _find_guard(problems) or stops.explain(failure):
        return None
    if not company.is_imported:
        return _not_imported(company)
    return _not_fresh(company, failure) if is_late else None


def find_failures(problems: Sequence[OpenProblems], stops: Stops) -> list[Cause]:
    """Find what the last run met of a company that is not late: the next ones go past it, or it becomes late."""
    failure = newest_failure(problems)
    if failure is None or stops.have_in_common(failure):
        return []
    return [
        Cause(
            company_id=failure.company_id,
            code="run_failed",
            detail=failure.code,
            level="warning",
            sentence=failure.message,
            remedy=failure.remedy,
            owner=failure.owner,
            action="problems",
            count=failure.problems,
            since=failure.since,
            is_told=False,
        )
    ]


def list_book_causes(company: CompanyState, problems: Sequence[OpenProblems]) -> list[Cause]:
    """List what else is wrong with a company's books."""
    found = (
        _look_at_deletions(problems),
        _look_at_consent(company),
        _look_at_records(problems),
    )
    return [cause for cause in found if cause is not None]


def _look_at_connection(company: CompanyState) -> Cause:
    reconnect = Cause(
        company_id=company.company_id,
        code="reconnect",
        detail="",
        level="danger",
        sentence=f"Nothing is read or sent. {company.last_error or 'QuickBooks no longer accepts the connection.'}",
        remedy="Reconnect, signed in to QuickBooks as an admin.",
        owner="admin",
        action="reconnect",
        since=company.status_since,
    )
    match company.status:
        case "disconnected":
            return replace(
                reconnect,
                code="disconnected",
                sentence="Nothing is read or sent: QuickBooks is disconnected.",
                remedy="Reconnect when it is to go on.",
                is_told=False,
            )
        case "paused":
            return replace(
                reconnect,
                code="paused",
                level="warning",
                sentence="Nothing is read or sent while it is paused.",
                remedy="Resume when it is to go on.",
                owner="data engineer",
                action="resume",
                is_told=False,
            )
    return reconnect


def _importing(company: CompanyState) -> Cause:
    return Cause(
        company_id=company.company_id,
        code="importing",
        detail="",
        level="warning",
        sentence="An import is at work: what changes meanwhile is read once it is done.",
        remedy="Nothing: the syncs go on by themselves.",
        owner="nobody",
        action="import",
        since=company.import_started_at,
        is_told=False,
    )


def _not_imported(company: CompanyState) -> Cause:
    if company.import_state == "failed":
        error = (company.import_error or "").partition(": ")[2] or company.import_error or ""
        return Cause(
            company_id=company.company_id,
            code="import_failed",
            detail="",
            level="danger",
            sentence=f"The import failed. {error[:LONGEST_ERROR]}".strip(),
            remedy="Do what it says, then retry the import: it goes on where it stopped.",
            owner="data engineer",
            action="import",
            since=company.import_ended_at,
        )
    since = company.may_be_read_since
    is_overdue = company.read_at - since > LATE
    is_first = company.fresh_until is None
    return Cause(
        company_id=company.company_id,
        code="not_imported",
        detail="",
        level="danger" if is_overdue else "warning",
        sentence="The first import is not done yet."
        if is_first
        else "The books were not read for so long that they have to be imported again.",
        remedy="See in Airflow why import_company does not go on."
        if is_overdue
        else "Nothing: the import is started by itself.",
        owner="data engineer" if is_overdue else "nobody",
        action="import",
        since=since,
        is_told=is_overdue,
    )


def _is_late(company: CompanyState, failure: OpenProblems | None, app: AppState) -> bool:
    """Tell whether the books should be known further, by the cycles that there were to read them."""
    # One that failed with all the others, and was not tried since these are read again, is no later than they are.
    is_untried = failure and app.answered_since and failure.last_seen_at < app.answered_since
    moments = (
        company.fresh_until,
        company.may_be_read_since,
        app.cycles_since,
        app.answered_since if is_untried else None,
    )
    return company.read_at - max(moment for moment in moments if moment is not None) > company.late_after


def _not_fresh(company: CompanyState, failure: OpenProblems | None) -> Cause:
    age = tell_age(company.read_at - (company.fresh_until or company.connected_at))
    return Cause(
        company_id=company.company_id,
        code="not_fresh",
        detail="",
        level="danger",
        sentence=f"The last {age} have not been read." + (f" {failure.message}" if failure else ""),
        remedy=failure.remedy if failure else "Sync it now; if that does not help, the log says why.",
        owner=failure.owner if failure else "data engineer",
        action="sync",
        since=company.fresh_until,
    )


def newest_failure(problems: Sequence[OpenProblems]) -> OpenProblems | None:
    """Return what the last runs of a company met."""
    failures = [
        each for each in problems if each.direction == "connection" and each.code != DeletionBrakeError.code
    ]
    return max(failures, key=lambda each: each.last_seen_at, default=None)


def _find_guard(problems: Sequence[OpenProblems]) -> OpenProblems | None:
    return next((each for each in problems if each.code == DeletionBrakeError.code), None)


def _look_at_deletions(problems: Sequence[OpenProblems]) -> Cause | None:
    guard = _find_guard(problems)
    if guard is None:
        return None
    return Cause(
        company_id=guard.company_id,
        code="deletion_guard",
        detail="",
        level="danger",
        sentence=guard.message,
        remedy=guard.remedy,
        owner=guard.owner,
        action="problems",
        count=guard.problems,
        since=guard.since,
    )


def _look_at_consent(company: CompanyState) -> Cause | None:
    ends_at = company.consent_ends_at
    if company.status not in ("connected", "paused") or ends_at is None or ends_at - company.read_at > SOON:
        return None
    return Cause(
        company_id=company.company_id,
        code="consent_ends",
        detail="",
        level="warning",
        sentence=f"QuickBooks' consent ends on {ends_at.day} {ends_at:%b %Y}; after that nothing is read or sent.",
        remedy="Reconnect before, signed in to QuickBooks as an admin.",
        owner="admin",
        action="reconnect",
    )


def _look_at_records(problems: Sequence[OpenProblems]) -> Cause | None:
    records = [each for each in problems if each.direction == "inbound"]
    if not records:
        return None
    count = sum(each.problems for each in records)
    said = (
        records[0].message
        if count == 1
        else f"{tell_count(count, 'record')} of QuickBooks cannot be taken in."
    )
    return Cause(
        company_id=records[0].company_id,
        code="problems",
        detail="",
        level="warning",
        sentence=said,
        remedy=records[0].remedy if count == 1 else "Do what each problem says; it then closes by itself.",
        owner=records[0].owner,
        action="problems",
        count=count,
        since=min(each.since for each in records),
    )
