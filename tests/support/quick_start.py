"""Companies that are ready to be synced at once, where an import would only cost a test time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from include.quickbooks.entities import SYNCED
from include.receivables.company.tokens import REFUSAL_PAUSE
from include.sql import load

if TYPE_CHECKING:
    import psycopg

    from include.receivables.company.companies import Company
    from tests.support.workbench import Workbench


def connect_as_imported(bench: Workbench, company_id: str) -> Company:
    """Connect a company whose new books are as good as imported: its first sync reads all there is."""

    def make() -> Company:
        company = bench.connect("empty", company_id=company_id)
        bench.db.execute(
            load("staging/advance_cursor"),
            {
                "realm_id": company.realm_id,
                "entities": [entity.table for entity in SYNCED],
                "changed_since": datetime.now(UTC),
            },
        )
        return company

    return bench.made_or_kept(f"as imported {company_id}", make)


def held(bench: Workbench, company_id: str) -> psycopg.Connection:
    """Hold a company as another process would."""
    holder = bench.access.connect()
    holder.execute("select pg_advisory_lock(hashtextextended('company/' || %s, 0))", [company_id])
    return holder


def pass_the_pause(db: psycopg.Connection) -> None:
    """Let the pause pass after which a refused refresh token is tried once more."""
    db.execute("update sync.connection set refused_at = refused_at - %s", [REFUSAL_PAUSE])


def let_an_hour_pass(db: psycopg.Connection) -> None:
    """Let the hour pass after which what could not be taken in is read again."""
    db.execute("update sync.problem set last_seen_at = last_seen_at - interval '1 hour'")
    db.execute("update staging.unmerged set queued_at = queued_at - interval '1 hour'")


def disconnect_in_quickbooks(bench: Workbench, company: Company) -> None:
    """Let an admin disconnect the app in QuickBooks, of which the sync has met the first sign a while ago."""
    bench.sandbox.revoke(company.realm_id)
    bench.db.execute(
        "update sync.connection set refused_at = now() - %s where company_id = %s",
        [REFUSAL_PAUSE, company.company_id],
    )
