"""The tab of a run in Airflow: what it did for each company."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from tests.support.fixtures_web import Web

RUN = "scheduled__2026-11-25T09:00:00+00:00"
LOGGED = """
    insert into sync.run (company_id, realm_id, dag_id, dag_run_id, try_number, state, counts, calls, error)
    select %s, realm_id, 'quickbooks_to_peakflo', %s, %s, %s, %s, 1, %s from sync.connection where company_id = %s
"""


def log(db: psycopg.Connection, company_id: str, state: str, **more: object) -> None:
    counts = '{"invoice": {"read": 4, "merged": 3, "deleted": 0, "seconds": 0}}'
    values = [
        company_id,
        more.get("run_id", RUN),
        more.get("try_number", 1),
        state,
        counts,
        more.get("error"),
    ]
    db.execute(LOGGED, [*values, company_id])


def test_a_run_shows_the_last_try_of_each_of_its_companies_with_a_way_to_its_page(
    web: Web, db: psycopg.Connection, add_company: Callable[..., str]
):
    for number, company_id in enumerate(("acme", "globex", "other")):
        add_company(company_id, realm_id=f"913000{number}")
    log(db, "acme", "success")
    log(db, "globex", "failed", error="UnreachableError: <No> answer.")
    log(db, "globex", "success", try_number=2)
    log(db, "other", "failed", run_id="another", error="Not of this run.")

    page = web.as_("viewer").get(f"runs/quickbooks_to_peakflo/{RUN}")

    assert page.status_code == 200
    assert "Sync: 2 companies" in page.text
    assert "invoice 3" in page.text
    assert "try 2" in page.text
    assert page.text.count("/quickbooks/companies/") == 2
    assert "answer." not in page.text
    assert "Not of this run." not in page.text


def test_an_error_is_shown_as_text(web: Web, db: psycopg.Connection, add_company: Callable[..., str]):
    add_company("acme")
    log(db, "acme", "failed", error="UnreachableError: <No> answer.")

    page = web.as_("viewer").get(f"runs/quickbooks_to_peakflo/{RUN}").text

    assert "UnreachableError: &lt;No&gt; answer." in page


def test_a_run_that_worked_for_nobody_says_so(web: Web):
    page = web.as_("viewer").get("runs/import_company/manual__1")

    assert page.status_code == 200
    assert "No company was worked for" in page.text


def test_what_can_be_no_run_is_not_found(web: Web):
    for place in ("runs/import_company/%00", "runs/%00/manual__1", "runs/import_company/a b"):
        assert web.as_("viewer").get(place).status_code == 404
