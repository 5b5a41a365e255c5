"""
What is wrong, each cause once: the one list that pages, the command line and alerts are told from.

What follows from a cause is not listed beside it. While a company has to be connected again it is not late as well, and
while the DAG of the syncs stands still no company is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.receivables.alerts.app import find_stops, list_app_causes
from include.receivables.alerts.books import find_failures, find_stop, list_book_causes, newest_failure
from include.receivables.alerts.facts import read_facts
from include.receivables.alerts.model import Cause
from include.receivables.alerts.payments import (
    FOLLOWS_A_STOP,
    add_waiting,
    follow_a_stop,
    list_payment_causes,
)
from include.receivables.alerts.proofs import look_at_proof, look_for_proof

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection

    from include.receivables.alerts.app import Stops
    from include.receivables.alerts.facts import CompanyState, Facts, OpenProblems

__all__ = ["Cause", "list_causes", "list_causes_of"]

# The worst first, among those of one level.
ORDER = (
    "dag_not_running",
    "nothing_read",
    "quota_used_up",
    "reconnect",
    "disconnected",
    "paused",
    "import_failed",
    "not_imported",
    "importing",
    "deletion_guard",
    "not_fresh",
    "proof_failed",
    "payments_undecided",
    "payments_differ",
    "payments_waiting",
    "auto_sync_off",
    "problems",
    "consent_ends",
    "quota_nearly_used",
    "webhook_forged",
    "webhook_silent",
    "run_failed",
)


def list_causes(db: Connection, company_id: str | None = None) -> list[Cause]:
    """
    List what is wrong with all companies, or with one, and with what all have in common; the worst first.

    :param company_id: the company to look at; all when None.
    """
    return list_causes_of(db, None if company_id is None else [company_id])


def list_causes_of(db: Connection, company_ids: Sequence[str] | None) -> list[Cause]:
    """
    List what is wrong with some companies, and with what all have in common; the worst first.

    As many statements for one company as for thousands.

    :param company_ids: the companies to look at; all when None.
    """
    facts = read_facts(db, company_ids)
    stops = find_stops(facts)
    causes = list_app_causes(facts, stops)
    for company in facts.companies:
        causes += _list_company_causes(facts, stops, company)
    return sorted(causes, key=_rank)


def _list_company_causes(facts: Facts, stops: Stops, company: CompanyState) -> list[Cause]:
    problems, held = facts.problems.get(company.company_id, []), facts.held.get(company.company_id, [])
    others = [
        *list_book_causes(company, problems),
        *look_at_proof(facts.proofs.get(company.company_id)),
    ]
    stop = find_stop(company, problems, facts.app, stops)
    if stop is not None:
        waiting = follow_a_stop(held)
        return [add_waiting(stop, waiting), *others, *list_payment_causes(held, besides=FOLLOWS_A_STOP)]
    failure = newest_failure(problems)
    if not (stops.are_proofs_over or stops.explain(failure)):
        others += look_for_proof(company, facts.app)
    besides = _follows(facts, stops, failure)
    return [*find_failures(problems, stops), *others, *list_payment_causes(held, besides=besides)]


def _follows(facts: Facts, stops: Stops, failure: OpenProblems | None) -> Sequence[str]:
    """Return the codes of payments that wait for what is told of all companies."""
    if failure is not None and failure.code == stops.common_code:
        return FOLLOWS_A_STOP
    return ("queued",) if _is_looked_after(facts, stops) else ()


def _is_looked_after(facts: Facts, stops: Stops) -> bool:
    """Tell whether that nobody looks at queued payments is told already, or is about to be over."""
    return stops.are_cycles_over or stops.are_deliveries_over or facts.app.cycles_since is not None


def _rank(cause: Cause) -> tuple[bool, int, str, str]:
    return cause.level != "danger", ORDER.index(cause.code), cause.company_id, cause.detail
