from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest

from include.receivables.company.run_context import RunContext
from include.receivables.connecting import consent
from include.receivables.inbound import jobs
from include.receivables.outbound import account_mapping
from tests.support.rows import audited

if TYPE_CHECKING:
    from requests import Response

    from include.receivables.company.companies import Company
    from tests.support.fixtures_web import Browser, Web
    from tests.support.workbench import Workbench

FEES, ROUNDING, DEPOSIT = "account/processing_fees/", "account/rounding/", "account/deposit_currency/USD"


@pytest.fixture
def company(web: Web, bench: Workbench) -> Company:
    """A company that was just connected."""
    connected = bench.connect("empty", company_id="acme")
    consent.read_first(bench.access, "acme")
    return connected


@pytest.fixture
def engineer(web: Web, company: Company) -> Browser:
    return web.as_("engineer")


def fields(answer: Response) -> dict[str, str]:
    """Return what the form of a page would send: its selects, or its hidden fields."""
    text = answer.text
    chosen = {}
    for name, options in re.findall(r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', text, re.DOTALL):
        selected = re.search(r'<option value="([^"]*)" selected>', options)
        chosen[unescape(name)] = unescape(selected.group(1)) if selected else ""
    hidden = re.findall(r'<input type="hidden" name="(account/[^"]*)" value="([^"]*)">', text)
    return chosen | {unescape(name): unescape(value) for name, value in hidden}


def double_check(browser: Browser, **changes: str) -> Response:
    chosen = fields(browser.get("companies/acme/mapping")) | changes
    return browser.submit("companies/acme/mapping", **chosen)


def finish(browser: Browser) -> Response:
    return browser.submit("companies/acme/finish", **fields(double_check(browser)))


def mapped(web: Web, company: Company) -> dict[tuple[str, str], str]:
    return {
        (row["purpose"], row["detail"]): row["name"] for row in account_mapping.list_mapping(web.db, company)
    }


def imports(web: Web) -> list[dict[str, Any]]:
    return web.airflow("admin", "GET", "dags/import_company/dagRuns", params={"limit": 1000})["dag_runs"]


def import_runs_of(web: Web, company: Company) -> list[str]:
    """Return the runs that were triggered for this very connection: the server is shared with other tests."""
    [stamp] = web.db.execute("select connected_at from sync.connection").fetchone()
    mark = f"{stamp:%Y-%m-%dT%H:%M:%S.%f}"
    return [run["dag_run_id"] for run in imports(web) if mark in run["dag_run_id"]]


def test_double_check_shows_each_account_with_type_and_currency_and_saves_nothing(web, engineer, company):
    answer = double_check(engineer)

    assert answer.status_code == 200
    assert "Double-check the account mapping" in answer.text
    rows = re.findall(r"<tr>\s*<th scope=\"row\">(.*?)</tr>", answer.text, re.DOTALL)
    cells = [re.sub(r"<[^>]*>|\s+", " ", row).split("  ") for row in rows]
    assert any("Payment Processing Fees" in " ".join(row) and "Expense" in " ".join(row) for row in cells)
    assert any("Checking" in " ".join(row) and "USD" in " ".join(row) for row in cells)
    assert mapped(web, company) == {}


def test_finish_saves_starts_one_import_and_shows_how_far_it_is(web, engineer, company):
    first, second = finish(engineer), finish(engineer)

    for answer in (first, second):
        assert (answer.status_code, answer.headers["Location"]) == (303, "/quickbooks/companies/acme/import")
    assert mapped(web, company)["deposit_currency", "USD"] == "Checking"
    [run_id] = import_runs_of(web, company)
    run = web.airflow("admin", "GET", f"dags/import_company/dagRuns/{run_id}")
    assert (run["conf"], run["triggering_user_name"]) == ({"company_id": "acme"}, "engineer")
    page = engineer.get("companies/acme/import").text
    assert "waits for Airflow to start it" in page
    assert '<progress class="progress" id="import-bar" max="12" value="0"' in page
    assert '<meta http-equiv="refresh"' in page
    assert {(entry["company_id"], entry["actor"]) for entry in audited(web.db, "account_mapping.insert")} == {
        ("acme", "engineer")
    }
    [triggered] = audited(web.db, "dag_run.trigger")
    assert (triggered["actor"], triggered["facts"]["dag_run_id"]) == ("engineer", run_id)


def test_the_progress_page_becomes_connected(web, engineer, company, bench):
    assert engineer.get("companies/acme/progress").json()["state"] == "waiting"
    jobs.import_all(bench.access, "acme", RunContext("import_company", "the run"))

    told = engineer.get("companies/acme/progress").json()

    assert (told["state"], told["finished"], told["steps"]) == ("done", 12, 12)
    assert told["run_url"] == "/dags/import_company/runs/the%20run"
    assert {each["entity"]: each["records"] for each in told["entities"]}["account"] > 10
    page = engineer.get("companies/acme/import").text
    assert 'data-state="done"' in page
    assert "Go to the status page" in page
    assert '<meta http-equiv="refresh"' not in page


def test_an_import_that_failed_says_why_and_is_retried_once(web, engineer, company, bench):
    bench.sandbox.add_fault("503_html", realm=company.realm_id, path="query", entity="Customer")
    with pytest.raises(Exception, match="QuickBooks"):
        jobs.import_all(bench.access, "acme", RunContext("import_company", "the run"))

    page = engineer.get("companies/acme/import").text
    assert 'data-state="failed"' in page
    assert "The import failed." in page
    before = len(imports(web))
    for _ in range(2):
        assert engineer.submit("companies/acme/import").status_code == 303
    assert len(imports(web)) == before + 1


def test_a_company_that_is_imported_is_only_saved(web, engineer, company, bench):
    bench.import_all(company)
    assert "Finish" not in double_check(engineer).text

    answer = finish(engineer)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/quickbooks/companies/acme")
    assert mapped(web, company)["rounding", ""] == "Rounding"
    assert import_runs_of(web, company) == []


def test_what_is_missing_or_cannot_serve_is_said_at_its_place_and_not_saved(web, engineer, company):
    checking = fields(engineer.get("companies/acme/mapping"))[DEPOSIT]
    answer = double_check(engineer, **{FEES: "", ROUNDING: checking})

    assert answer.status_code == 422
    assert "2 accounts to correct" in answer.text
    assert "Choose an account: payments would wait without it." in answer.text
    assert "is of type Bank: choose one of type Expense" in answer.text
    assert answer.text.count('aria-invalid="true"') == 2
    # The last page's fields may be tampered with, too.
    refused = engineer.submit("companies/acme/finish", **{FEES: "", ROUNDING: checking})
    assert refused.status_code == 422
    assert mapped(web, company) == {}
    assert engineer.submit("companies/acme/finish", **{"account/tips/": "1"}).status_code == 409


def test_wallets_currencies_and_taxes_are_added_without_losing_what_was_chosen(engineer, company):
    chosen = fields(engineer.get("companies/acme/mapping"))
    fees = next(value for value in chosen.values() if value and value != chosen[FEES])
    typed = {"new/wallet": " GrabPay <b> ", "new/currency": "eur", "new/tax": "PPh 23/26"}

    answer = None
    for kind in ("wallet", "currency", "tax"):
        answer = engineer.submit(
            "companies/acme/mapping", **{**chosen, ROUNDING: fees, **typed, "action": f"add/{kind}"}
        )
        assert answer.status_code == 200
        chosen = fields(answer)
    assert answer is not None
    assert chosen[ROUNDING] == fees
    assert {
        "account/deposit_wallet/GrabPay <b>",
        "account/funding_wallet/GrabPay <b>",
        "account/disburse_wallet/GrabPay <b>",
        "account/deposit_currency/EUR",
        "account/withholding_tax_receivable/PPh 23/26",
        "account/withholding_tax_payable/PPh 23/26",
    } <= chosen.keys()
    assert "<b>" not in answer.text


def test_a_wallet_that_was_typed_is_added_rather_than_lost(engineer):
    answer = double_check(engineer, **{"new/wallet": "GrabPay", "action": "check"})
    assert "account/deposit_wallet/GrabPay" in fields(answer)
    assert "Double-check the account mapping" not in answer.text


@pytest.mark.parametrize(
    ("kind", "typed", "sentence"),
    [("currency", "euros", "is no currency"), ("wallet", " ", "Type a name first."), ("nothing", "x", "")],
)
def test_what_cannot_be_added_is_said(engineer, kind, typed, sentence):
    answer = engineer.submit("companies/acme/mapping", **{f"new/{kind}": typed, "action": f"add/{kind}"})
    assert answer.status_code == 422
    assert sentence in unescape(answer.text)


def test_somebody_changes_their_mind_on_the_double_check_page(engineer):
    chosen = fields(double_check(engineer))
    answer = engineer.submit("companies/acme/mapping", **chosen, action="edit")
    assert answer.status_code == 200
    assert fields(answer) == chosen


def test_a_viewer_sees_the_mapping_and_the_import_and_changes_nothing(web, company):
    viewer = web.as_("viewer")
    page = viewer.get("companies/acme/mapping")
    assert page.status_code == 200
    assert "disabled" in page.text
    assert "Double-check</button>" not in page.text.partition("mapping-end")[2]
    assert viewer.get("companies/acme/import").status_code == 200
    token = {"csrf_token": viewer.csrf()}
    for action in ("mapping", "finish", "import", "read-accounts"):
        assert viewer.post(f"companies/acme/{action}", data=token).status_code == 403, action


def test_accounts_with_markup_in_their_names_are_shown_as_they_are(web, engineer, company):
    web.db.execute("update peakflo.account set full_name = '<i>\"Cash\"</i>' where name = 'Checking'")
    for page in (engineer.get("companies/acme/mapping"), double_check(engineer)):
        assert "<i>" not in page.text
        assert "&lt;i&gt;&#34;Cash&#34;&lt;/i&gt;" in page.text


def test_an_unknown_company_is_not_found(engineer):
    for page in ("mapping", "import", "progress", "disconnect"):
        assert engineer.get(f"companies/nobody/{page}").status_code in (403, 404)
