"""A proof finds what is wrong, says why, and repairs what can be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from include.receivables.proof import reconciling

if TYPE_CHECKING:
    from include.receivables.company.companies import Company
    from tests.support.workbench import Workbench


def prove(bench: Workbench, company: Company, **options: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    reconciling.reconcile(bench.access, company.company_id, bench.run_context(), **options)
    with bench.db.cursor(row_factory=dict_row) as cursor:
        proof = cursor.execute("select * from proof.proof order by proof_id desc limit 1").fetchone()
        assert proof is not None
        differences = cursor.execute(
            "select * from proof.difference where proof_id = %s order by position", [proof["proof_id"]]
        ).fetchall()
    return proof, differences


def test_books_that_are_well_are_equal(bench: Workbench) -> None:
    company = bench.imported()
    proof, differences = prove(bench, company)
    assert differences == []
    assert proof["verdict"] == "equal"
    assert proof["quickbooks_total"] == proof["peakflo_total"] > 0
    print(proof)
