"""Before a reminder: the invoices and customers it is about read afresh, merged, and judged, by a deadline."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import psycopg

from include.errors import ConfigurationError, ReceivablesError
from include.receivables.company import runs
from include.receivables.company.companies import get_company
from include.receivables.company.deadline import Deadline, in_background
from include.receivables.reminders.check import (
    GRACE_SECONDS,
    OVERDUE,
    ReminderCheck,
    ReminderRequest,
    connect,
    find_targets,
    limit_waits,
)
from include.receivables.reminders.judgement import Judgement
from include.receivables.reminders.reads import DatabaseUnreachableError, LateError, cause_of
from include.receivables.reminders.verdicts import unknown

if TYPE_CHECKING:
    from psycopg import Connection

    from include.receivables.company.access import Access
    from include.receivables.company.companies import Company
    from include.receivables.company.run_context import RunContext

logger = logging.getLogger(__name__)


def refresh_and_judge(
    access: Access, request: ReminderRequest, run_context: RunContext, *, seconds: float
) -> Judgement:
    """
    Say for each invoice whether to send a reminder, no later than the deadline and a moment.

    Nothing is raised for what cannot be checked: it is ``unknown``, and the judgement says why.

    :param seconds: until the deadline.
    """
    deadline = Deadline(seconds)
    check = in_background(lambda: _check(access, request, run_context, deadline))
    try:
        return check.result(timeout=deadline.left + GRACE_SECONDS)
    except (TimeoutError, *OVERDUE):
        error: ReceivablesError = LateError("The reminder run was not done within its deadline: try again.")
    except psycopg.OperationalError as lost:
        error = DatabaseUnreachableError(f"The receivables database went away ({lost}): try again.")
    except ReceivablesError as refused:
        error = refused
    logger.error("%s", error)
    return unchecked(request, error)


def unchecked(request: ReminderRequest, error: ReceivablesError) -> Judgement:
    """Judge without having looked at anything."""
    cause = cause_of(error)
    return Judgement([unknown(invoice_id, cause) for invoice_id in request.invoice_ids], error)


def _check(
    access: Access, request: ReminderRequest, run_context: RunContext, deadline: Deadline
) -> Judgement:
    with connect(access) as db:
        limit_waits(db, max(deadline.left, GRACE_SECONDS))
        company = _get_company(db, request.company_id)
        targets = find_targets(db, company, "reminders/find_targets", request)
        run = runs.start_concurrent_run(db, company, run_context)
        check = ReminderCheck(db, run, request, run_context.dag_run_id, targets, deadline)
        refusal = _refusal(company, deadline)
        return check.refresh(access) if refusal is None else check.refuse(refusal)


def _refusal(company: Company, deadline: Deadline) -> ReceivablesError | None:
    """Return why QuickBooks is not even asked."""
    if company.status != "connected":
        return ConfigurationError(
            f"Company {company.company_id!r} is {company.status}, so QuickBooks is not asked.",
            code=company.status,
        )
    return None if deadline.left else LateError("The reminder run began after its deadline: try again.")


def _get_company(db: Connection, company_id: str) -> Company:
    try:
        return get_company(db, company_id)
    except ConfigurationError as error:
        raise ConfigurationError(str(error), code="no_company") from None
