"""What several companies fail for alike is one cause, and what is a company's own stays its own."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from include.errors import UnreachableError
from include.receivables.alerts.causes import list_causes
from include.receivables.proof.reconciling import reconcile
from tests.include.receivables.alerts.test_causes import SHORT, codes, cycle, cycle_in_vain, only
from tests.support.passing_time import let_pass
from tests.support.quick_start import connect_as_imported

if TYPE_CHECKING:
    from include.receivables.company.companies import Company
    from tests.support.workbench import Workbench


HOUR = timedelta(hours=1)


@pytest.fixture
def companies(bench: Workbench) -> list[Company]:
    """Three companies that were read a moment ago."""
    connected = [connect_as_imported(bench, name) for name in ("acme", "globex", "initech")]
    cycle(bench, *connected)
    let_pass(bench.db, SHORT)
    return connected


def fail(bench: Workbench, *chosen: Company) -> None:
    """Let a cycle go by in which some companies cannot be read."""
    for company in chosen:
        cycle_in_vain(bench, company, UnreachableError)
    let_pass(bench.db, SHORT)


def told(bench: Workbench, company_id: str | None = None) -> list[tuple[str, str]]:
    return [(cause.company_id, cause.code) for cause in list_causes(bench.db, company_id) if cause.is_told]


def test_what_all_companies_fail_for_is_one_cause_until_the_last_is_read(
    bench: Workbench, companies: list[Company]
):
    bench.sandbox.add_fault("500")
    seen = []
    for _ in range(4):
        fail(bench, *companies)
        seen.append(told(bench))

    assert seen == [[], [("", "nothing_read")], [("", "nothing_read")], [("", "nothing_read")]]
    cause = only(bench.db)
    assert (cause.count, cause.level, cause.owner) == (3, "danger", "nobody")
    assert cause.sentence.startswith("None of 3 companies could be read since ")
    assert only(bench.db, "globex") == cause
    bench.sandbox.clear_faults()
    cycle(bench, companies[0])
    assert told(bench) == []
    cycle(bench, *companies[1:])
    assert codes(bench.db) == []


def test_what_goes_on_for_companies_that_were_not_tried_since_is_told_in_time(
    bench: Workbench, companies: list[Company]
):
    bench.sandbox.add_fault("500")
    for _ in range(4):
        fail(bench, *companies)
    bench.sandbox.clear_faults()
    for _ in range(4):
        cycle(bench, companies[0])
        let_pass(bench.db, SHORT)
    assert told(bench) == [("globex", "not_fresh"), ("initech", "not_fresh")]


def test_what_companies_fail_for_while_others_are_read_is_their_own(
    bench: Workbench, companies: list[Company]
):
    for company in companies[1:]:
        bench.sandbox.add_fault("500", realm=company.realm_id)
    for _ in range(4):
        cycle(bench, companies[0])
        fail(bench, *companies[1:])
    assert told(bench) == [("globex", "not_fresh"), ("initech", "not_fresh")]


def test_a_company_that_fails_alone_stays_late_when_another_is_read_after_a_while(
    bench: Workbench, companies: list[Company]
):
    bench.sandbox.add_fault("500", realm=companies[0].realm_id)
    for _ in range(4):
        fail(bench, companies[0])
    cycle(bench, *companies[1:])
    cycle_in_vain(bench, companies[0], UnreachableError)
    assert told(bench) == [("acme", "not_fresh")]


# Proofs


@pytest.fixture
def proved(bench: Workbench) -> list[Company]:
    """Two companies that can be proved, and were read a moment ago."""
    imported = [bench.imported("empty", company_id=name) for name in ("acme", "globex")]
    cycle(bench, *imported)
    return imported


@pytest.mark.parametrize(("hours", "expected"), [(29, []), (31, [("", "dag_not_running")])])
def test_proofs_that_nobody_makes_are_one_cause(
    bench: Workbench, proved: list[Company], hours: int, expected: list[tuple[str, str]]
):
    let_pass(bench.db, hours * HOUR)
    cycle(bench, *proved)
    assert told(bench) == expected
    for company in proved:
        reconcile(bench.access, company.company_id, bench.run_context())
    assert told(bench) == []


def test_a_company_that_is_left_out_of_the_proofs_is_told_by_itself(bench: Workbench, proved: list[Company]):
    let_pass(bench.db, 31 * HOUR)
    cycle(bench, *proved)
    for company in proved[1:]:
        reconcile(bench.access, company.company_id, bench.run_context())
    cause = only(bench.db)
    assert (cause.company_id, cause.code, cause.detail) == ("acme", "proof_failed", "not_made")
    assert cause.sentence == "No proof could be made for 31 hours."


def test_after_a_standstill_there_is_a_night_for_proofs(bench: Workbench, proved: list[Company]):
    let_pass(bench.db, 90 * HOUR)
    cycle(bench, *proved)
    assert told(bench) == []


def test_while_reads_are_saved_proofs_are_made_weekly(bench: Workbench, proved: list[Company]):
    bench.db.execute(
        "insert into sync.read_budget (tier, quota, is_limit, forecast, proven_every, unproven_every, is_reserved)"
        " values ('builder', 500000, true, 8640000, '4 hours', '25 minutes', false)"
    )
    let_pass(bench.db, 31 * HOUR)
    cycle(bench, *proved)
    assert told(bench) == []
