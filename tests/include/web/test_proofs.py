from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest

from include.receivables.company.companies import Company
from include.receivables.proof.reconciling import reconcile
from include.receivables.views.proofs import address_of, to_csv
from tests.support.bookkeeper import Bookkeeper

if TYPE_CHECKING:
    from tests.support.fixtures_web import Web
    from tests.support.workbench import Workbench

PAGE = "companies/acme/proofs"
FORMULA = '=2+5&"evil"'


@pytest.fixture
def company(web: Web, bench: Workbench) -> Company:
    """A company with other money on accounts receivable, and a customer whose name is a formula."""
    company = bench.imported("demo", company_id="acme")
    bench.sandbox.change_settings(company.realm_id, throttle="off")
    with Bookkeeper(bench.sandbox, company.realm_id) as books:
        customer = books.customer(FORMULA)
        books.invoice(customer, "12.34")
    bench.sync(company)
    return company


def prove(bench: Workbench) -> None:
    reconcile(bench.access, "acme", bench.run_context())


def test_a_company_without_a_proof_says_so(web: Web, company: Company):
    assert "No proof has been made yet" in web.as_("viewer").get(PAGE).text
    company_page = web.as_("viewer").get("companies/acme").text
    assert "All is well" in company_page
    assert ", not proved yet." in company_page


def test_the_page_shows_the_last_proof_by_difference_and_by_customer(
    web: Web, bench: Workbench, company: Company
):
    bench.db.execute("update peakflo.invoice set amount_due = amount_due + 1 where source_id = '9'")
    prove(bench)
    page = web.as_("viewer").get(PAGE)
    assert page.status_code == 200
    assert "Explained" in page.text
    assert "Missed change (1, 1.00)" in page.text
    assert "Repaired" in page.text
    assert "Journal Entry" in page.text
    assert "=2+5&amp;&#34;evil&#34;" in page.text
    assert FORMULA not in page.text
    company_page = web.as_("viewer").get("companies/acme").text
    assert "Explained" in company_page
    assert ", proved to the cent <time" in company_page


def test_the_page_is_narrowed_to_a_class_a_customer_and_a_name(web: Web, bench: Workbench, company: Company):
    prove(bench)
    viewer = web.as_("viewer")
    [proof_id] = bench.db.execute("select max(proof_id) from proof.proof").fetchone() or [0]
    place = f"{PAGE}/{proof_id}"
    assert "Nothing differs like this" in viewer.get(f"{place}?class_name=unlinked").text
    assert "Journal Entry" in viewer.get(f"{place}?class_name=other_money").text
    [customer] = bench.db.execute(
        "select customer_id from proof.difference where class = 'other_money' limit 1"
    ).fetchone() or [""]
    assert f"Only of customer {customer}" in viewer.get(f"{place}?customer={customer}").text
    found = viewer.get(f"{place}?q=%3D2").text
    assert "12.34" in found
    assert "No customer fits" in viewer.get(f"{place}?q=nobody%25").text
    assert viewer.get(f"{place}?class_name=nonsense").status_code == 422


def test_the_tables_are_for_spreadsheets_and_hold_no_formula(web: Web, bench: Workbench, company: Company):
    prove(bench)
    viewer = web.as_("viewer")
    [proof_id] = bench.db.execute("select max(proof_id) from proof.proof").fetchone() or [0]
    for name in ("customers", "differences"):
        answer = viewer.get(f"{PAGE}/{proof_id}/{name}.csv")
        assert answer.headers["Content-Type"].startswith("text/csv")
        assert f'filename="{name}-{proof_id}.csv"' in answer.headers["Content-Disposition"]
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        [count] = bench.db.execute(
            f"select count(*) from proof.{name.removesuffix('s')} where proof_id = %s", [proof_id]
        ).fetchone() or [0]
        assert len(rows) == count > 0
        cells = [cell for row in rows for cell in row.values()]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "@"))]
    customers = csv.DictReader(io.StringIO(viewer.get(f"{PAGE}/{proof_id}/customers.csv").text))
    assert "'" + FORMULA in [row["name"] for row in customers]


def test_the_proof_of_another_company_is_none(web: Web, bench: Workbench, company: Company):
    prove(bench)
    bench.connect(company_id="globex")
    [proof_id] = bench.db.execute("select max(proof_id) from proof.proof").fetchone() or [0]
    for place in ("", "/differences.csv", "/customers.csv"):
        answer = web.as_("viewer").get(f"companies/globex/proofs/{proof_id}{place}")
        assert answer.status_code == 404
        assert "There is no such proof." in answer.text
    assert web.as_("viewer").get(f"{PAGE}/{2**63 - 1}").status_code == 404


def test_prove_now_starts_a_run_of_that_company(web: Web, bench: Workbench, company: Company):
    engineer = web.as_("engineer")
    answer = engineer.submit(PAGE, "companies/acme/proofs")
    assert answer.status_code == 303
    assert "Proof has been started." in engineer.get(answer.headers["Location"]).text
    runs = web.airflow("admin", "GET", "dags/reconcile_receivables/dagRuns")["dag_runs"]
    assert [run["conf"] for run in runs] == [{"companies": ["acme"]}]


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("@x", "'@x"),
        ("-1+1", "'-1+1"),
        ("\t=1", "'\t=1"),
        ("-12.34", "-12.34"),
        ("12.34", "12.34"),
        (None, ""),
        ("Smith, Jones", "Smith, Jones"),
    ],
)
def test_a_cell_is_no_formula_and_a_number_stays_one(value: str | None, cell: str):
    [row] = csv.DictReader(io.StringIO(to_csv([{"name": value}], ["name"])))
    assert row["name"] == cell


def test_quickbooks_shows_what_a_difference_is_about_where_it_has_pages():
    company, pages = Company("acme", "Acme", "4620816365", "connected"), "https://qbo.example/app"
    row = {"entity": "invoice", "qbo_id": "130"}
    assert address_of(row, company, pages) == f"{pages}/invoice?txnId=130&companyId=4620816365"
    assert address_of(row, company, None) is None
    assert address_of(row | {"entity": "account"}, company, pages) is None
    assert address_of(row | {"qbo_id": 'x"&y'}, company, pages) is None
