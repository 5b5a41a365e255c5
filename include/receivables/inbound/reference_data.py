"""Refreshes what changes rarely: accounts, and taxes, terms, payment methods and the company's own facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.errors import ConfigurationError
from include.quickbooks.entities import (
    ACCOUNT,
    COMPANY_INFO,
    PAYMENT_METHOD,
    PREFERENCES,
    TAX_CODE,
    TAX_RATE,
    TERM,
)
from include.quickbooks.paging import read_pages
from include.receivables.company import budget, companies, problems
from include.receivables.inbound.merging import merge_pending
from include.receivables.inbound.staging import stage_page
from include.receivables.inbound.syncing import finish
from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta

    from psycopg import Connection

    from include.quickbooks.client import QuickBooksClient
    from include.receivables.company.runs import Run

# What the buttons Refresh Accounts and Refresh Taxes read; the rest comes with the daily refresh.
GROUPS = {
    "accounts": (ACCOUNT,),
    "taxes": (TAX_RATE, TAX_CODE),
    "terms": (TERM, PAYMENT_METHOD),
    "company": (COMPANY_INFO, PREFERENCES),
}


def list_due(db: Connection, *, reach: timedelta) -> list[str]:
    """
    List the connected companies whose reference data is to be refreshed: all, unless the month's reads would not last.

    :param reach: as for :func:`include.receivables.company.companies.list_due_companies`.
    """
    due = [company.company_id for company in companies.list_due_companies(db, reach=reach)]
    every = budget.read(db).daily_work_every
    if every is None:
        return due
    keys = {"entities": [entity.table for group in GROUPS.values() for entity in group], "period": every}
    refreshed = {row[0] for row in db.execute(load("sync/list_refreshed"), keys)}
    return [company_id for company_id in due if company_id not in refreshed]


def refresh_reference_data(
    db: Connection, quickbooks: QuickBooksClient, run: Run, *, groups: Iterable[str] = tuple(GROUPS)
) -> None:
    """
    Read the whole lists of the groups and merge what changed; one metered call per list of up to 1,000.

    :param groups: of :data:`GROUPS`.
    :raises ConfigurationError: when there is no group of that name.
    """
    chosen = list(groups)
    unknown = [group for group in chosen if group not in GROUPS]
    if unknown:
        raise ConfigurationError(
            f"There is no group {unknown[0]!r} of reference data: use {', '.join(GROUPS)}."
        )
    for entity in (entity for group in chosen for entity in GROUPS[group]):
        met: list[str] = []
        for portion in read_pages(quickbooks, entity):
            stage_page(db, run, portion.page)
            met += portion.page.ids
        problems.resolve_nameless(db, run.company, entity.table, met)
    merge_pending(db, run)
    finish(db, run)
