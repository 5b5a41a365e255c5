from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest
from psycopg.types.json import Jsonb

from include.errors import DeletionBrakeError, ReauthorizeError, UnreachableError
from include.receivables.company import problems
from include.receivables.company.companies import get_company, mark_reauthorize
from include.receivables.views.deliveries import set_auto_sync
from tests.support.bookkeeper import Bookkeeper
from tests.support.cashier import Cashier
from tests.support.quick_start import connect_as_imported
from tests.support.rows import audited

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

    from include.receivables.company.companies import Company
    from tests.support.fixtures_web import Web
    from tests.support.workbench import Workbench

EVIL = '<script>alert("1")</script>'
ACTIONS = ("sync", "refresh-accounts", "refresh-taxes", "pause", "resume", "auto-sync")
PROBLEM_ACTIONS = ("retry", "confirm-deletions", "ignore", "resolve", "reopen")


@pytest.fixture
def company(web: Web) -> Company:
    """A company that is connected, as far as the database knows."""
    return known(web, "acme", "111")


def known(web: Web, company_id: str, realm_id: str) -> Company:
    web.db.execute(
        "insert into peakflo.company (company_id, realm_id, name, source_name) values (%s, %s, 'Acme', 'Acme Ltd')",
        [company_id, realm_id],
    )
    web.db.execute(
        "insert into sync.connection (company_id, realm_id, status, connected_by) "
        "values (%s, %s, 'connected', 'ada')",
        [company_id, realm_id],
    )
    return get_company(web.db, company_id)


def report(web: Web, company: Company, message: str = "It cannot be read.") -> int:
    problems.report_record(web.db, company, "invoice", "7", "unreadable", message)
    [(problem_id,)] = web.db.execute("select max(problem_id) from sync.problem").fetchall()
    return int(problem_id)


def log_run(web: Web, company: Company, **columns: Any) -> None:
    row = {
        "company_id": company.company_id,
        "realm_id": company.realm_id,
        "dag_id": "quickbooks_to_peakflo",
        "dag_run_id": "scheduled__1",
        "state": "success",
        "started_at": datetime.now(UTC),
        "ended_at": datetime.now(UTC) + timedelta(seconds=2),
        "counts": Jsonb({"invoice": {"read": 5, "changed": 4, "merged": 3, "deleted": 0}}),
        **columns,
    }
    names, values = ", ".join(row), ", ".join(f"%({name})s" for name in row)
    web.db.execute(f"insert into sync.run ({names}) values ({values})", row)


def runs_of(web: Web, dag_id: str) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = web.airflow("admin", "GET", f"dags/{dag_id}/dagRuns")["dag_runs"]
    return runs


def count_runs(web: Web, dag_id: str) -> int:
    return int(web.airflow("admin", "GET", f"dags/{dag_id}/dagRuns")["total_entries"])


def log_part(answer: requests.Response) -> str:
    return answer.text.partition('id="log-rows"')[2].partition("</table>")[0]


def state_of(web: Web, problem_id: int) -> tuple[str, str | None]:
    [row] = web.db.execute(
        "select state, decided_by from sync.problem where problem_id = %s", [problem_id]
    ).fetchall()
    return row


def test_a_viewer_sees_the_status_and_no_button(web: Web, bench: Workbench):
    company = bench.connect(company_id="acme")
    report(web, company)
    answer = web.as_("viewer").get("companies/acme")
    assert answer.status_code == 200
    text = unescape(answer.text)
    for word in ("QuickBooks status", "Connected", "It cannot be read.", "Correct the record in QuickBooks",
                 "Who acts: bookkeeper", "Consent ends for good", "Metered calls this month"):  # fmt: skip
        assert word in text
    assert 'method="post"' not in answer.text
    assert 'role="switch"' not in answer.text


def test_no_token_of_quickbooks_is_on_the_page(web: Web, bench: Workbench):
    bench.connect(company_id="acme")
    [secrets] = web.db.execute("select access_token, refresh_token from sync.connection").fetchall()
    text = web.as_("admin").get("companies/acme").text
    assert not any(secret in text or bench.access.cipher.decrypt(secret) in text for secret in secrets)


def test_the_page_works_before_anything_was_read(web: Web, company: Company):
    text = web.as_("viewer").get("companies/acme").text
    assert "The first import is not done yet." in text
    assert 'companies/acme/import">See the import</a>' in text
    assert "Peakflo has taken no payment for this company yet." in text


def banners(page: str) -> list[str]:
    return re.findall(r'data-cause="(\w+)"', page)


@pytest.fixture
def cashier(web: Web, bench: Workbench) -> Iterator[Cashier]:
    """Somebody who takes payments in a company of which no account is mapped."""
    company = bench.imported("demo", company_id="acme")
    bench.sandbox.change_settings(company.realm_id, throttle="off")
    with Bookkeeper(bench.sandbox, company.realm_id) as books:
        yield Cashier(bench, company, books)


def test_payments_that_are_held_are_no_longer_well(web: Web, cashier: Cashier):
    browser = web.as_("engineer")
    assert banners(browser.get("companies/acme").text) == []
    for invoice, amount in zip(cashier.invoices(3, "2000"), ("1234.56", "0.05", "100"), strict=True):
        cashier.take(invoice, amount)
    cashier.push()

    page = unescape(browser.get("companies/acme").text)

    assert "All is well" not in page
    assert banners(page) == ["payments_waiting"]
    assert "3 payments of 1,334.61 USD wait: an account is not mapped." in page
    assert 'href="/quickbooks/companies/acme/mapping">Map the accounts</a>' in page
    assert "Who acts: bookkeeper" in page

    cashier.map_accounts()
    set_auto_sync(web.db, cashier.company, is_on=False)
    cashier.push()
    page = unescape(browser.get("companies/acme").text)
    assert banners(page) == ["auto_sync_off"]
    assert "3 payments of 1,334.61 USD wait: two-way payment sync is off." in page
    assert browser.submit("companies/acme/auto-sync", switch="on").status_code == 303
    cashier.push()
    assert "All is well" in browser.get("companies/acme").text


def test_a_lost_connection_has_one_banner(web: Web, bench: Workbench):
    company = connect_as_imported(bench, "acme")
    problems.report_failure(web.db, company, UnreachableError("QuickBooks gave no answer."))
    error = ReauthorizeError("QuickBooks no longer accepts the refresh token.")
    problems.report_failure(web.db, company, error)
    mark_reauthorize(web.db, company_id="acme", realm_id=company.realm_id, error=error)
    web.db.execute("update staging.cursor set changed_since = now() - interval '2 hours'")

    page = unescape(web.as_("admin").get("companies/acme").text)

    assert banners(page) == ["reconnect"]
    assert "Nothing is read or sent. QuickBooks no longer accepts the refresh token." in page
    assert 'href="/quickbooks/companies/acme/reconnect">Reconnect</a>' in page.partition('id="causes"')[2]
    assert page.count("Who acts: admin") == 2, "the banner's and the problem's words agree"


def test_each_cause_has_its_button_for_those_who_may(web: Web, bench: Workbench):
    company = connect_as_imported(bench, "acme")
    web.db.execute("update sync.connection set connected_at = now() - interval '2 days'")
    web.db.execute("update sync.connection set status_since = connected_at")
    web.db.execute("update staging.cursor set changed_since = now() - interval '2 hours'")
    for minutes in (2, 7, 12, 17, 22):
        moment = datetime.now(UTC) - timedelta(minutes=minutes)
        log_run(
            web, company, company_id="other", dag_run_id=f"r{minutes}", started_at=moment, ended_at=moment
        )
    report(web, company)
    section = {
        user: web.as_(user).get("companies/acme").text.partition('id="causes"')[2].partition("</section>")[0]
        for user in ("viewer", "engineer")
    }
    assert banners(section["viewer"]) == banners(section["engineer"]) == ["not_fresh", "problems"]
    assert 'action="/quickbooks/companies/acme/sync"' in section["engineer"]
    assert "<form" not in section["viewer"]
    assert 'href="#problems">See the problems</a>' in section["viewer"]
    web.as_("engineer").submit("companies/acme/pause")
    page = web.as_("engineer").get("companies/acme").text
    assert banners(page) == ["paused", "problems"]
    assert 'action="/quickbooks/companies/acme/resume"' in page.partition('id="causes"')[2]


def test_an_unknown_company_is_not_found(web: Web, company: Company):
    assert web.as_("viewer").get("companies/globex").status_code == 404
    assert web.as_("engineer").submit("companies/globex/pause").status_code == 404


@pytest.mark.parametrize("user", ["viewer", "reminder"])
def test_who_only_sees_changes_nothing(web: Web, company: Company, user: str):
    problem_id = report(web, company)
    before = web.db.execute("table sync.connection").fetchall()
    browser = web.as_(user)
    token = browser.csrf("companies/acme")
    for action in (*ACTIONS, *(f"problems/{problem_id}/{each}" for each in PROBLEM_ACTIONS)):
        answer = browser.post(f"companies/acme/{action}", data={"csrf_token": token, "switch": "off"})
        assert answer.status_code == 403, action
    assert web.db.execute("table sync.connection").fetchall() == before
    assert web.db.execute("table sync.company_setting").fetchall() == []
    assert state_of(web, problem_id) == ("open", None)


def test_the_anonymous_change_nothing(web: Web, company: Company):
    for action in ACTIONS:
        assert web.anonymous.post(f"companies/acme/{action}").status_code == 401
    assert get_company(web.db, "acme").status == "connected"


def test_a_form_without_its_token_changes_nothing(web: Web, company: Company):
    assert web.as_("engineer").post("companies/acme/pause").status_code == 403
    assert get_company(web.db, "acme").status == "connected"


@pytest.mark.parametrize(
    ("action", "dag_id", "conf"),
    [
        ("sync", "quickbooks_to_peakflo", {"companies": ["acme"]}),
        ("refresh-accounts", "refresh_reference_data", {"company_id": "acme", "groups": ["accounts"]}),
        ("refresh-taxes", "refresh_reference_data", {"company_id": "acme", "groups": ["taxes"]}),
    ],
)
def test_a_button_starts_a_run_by_the_users_name_and_the_page_follows_it(
    web: Web, company: Company, action: str, dag_id: str, conf: dict[str, Any]
):
    known_before = {run["dag_run_id"] for run in runs_of(web, dag_id)}
    browser = web.as_("engineer")
    answer = browser.submit(f"companies/acme/{action}")
    assert answer.status_code == 303
    [run] = [run for run in runs_of(web, dag_id) if run["dag_run_id"] not in known_before]
    assert run["conf"] == conf
    assert run["triggering_user_name"] == "engineer"
    page = browser.get(answer.headers["Location"]).text
    assert 'aria-live="polite"' in page
    state_url = page.partition('data-run-state="')[2].partition('"')[0]
    assert browser.get(state_url).json()["state"] == "queued"


@pytest.mark.parametrize(
    "run", ["x/y", "https://evil.example/1", f"quickbooks_to_peakflo/{EVIL}", "import_company/../x"]
)
def test_a_made_up_run_is_not_followed(web: Web, company: Company, run: str):
    page = web.as_("viewer").get("companies/acme", params={"run": run}).text
    assert "data-run-state=" not in page
    assert "evil.example" not in page.partition("<main")[2]


def test_pausing_and_resuming_is_written_down(web: Web, company: Company):
    browser = web.as_("engineer")
    answer = browser.submit("companies/acme/pause")
    assert (answer.status_code, get_company(web.db, "acme").status) == (303, "paused")
    assert "Paused: nothing is read or sent" in browser.get("companies/acme").text
    browser.submit("companies/acme/resume")
    assert get_company(web.db, "acme").status == "connected"
    assert [
        (entry["company_id"], entry["actor"], entry["via"], entry["login"], entry["facts"]["status"])
        for entry in audited(web.db, "connection.update")
    ] == [
        ("acme", "engineer", "page", "receivables_pages", ["connected", "paused"]),
        ("acme", "engineer", "page", "receivables_pages", ["paused", "connected"]),
    ]


def test_what_needs_quickbooks_is_neither_offered_nor_done_while_it_is_not_connected(
    web: Web, company: Company
):
    problem_id = report(web, company)
    browser = web.as_("engineer")
    browser.submit("companies/acme/pause")
    page = browser.get("companies/acme").text
    actions = ("sync", "refresh-accounts", "refresh-taxes", f"problems/{problem_id}/retry")
    for action in actions:
        assert f"/{action}" not in page
        answer = browser.submit(f"companies/acme/{action}")
        assert answer.status_code == 409
        assert "is paused, so QuickBooks is not asked" in unescape(answer.text)
    assert state_of(web, problem_id) == ("open", None)


def test_pausing_what_is_paused_says_so(web: Web, company: Company):
    browser = web.as_("engineer")
    browser.submit("companies/acme/pause")
    answer = browser.submit("companies/acme/pause")
    assert answer.status_code == 409
    assert "is paused, not connected" in answer.text


def test_auto_sync_is_a_switch_that_tells_how_it_stands(web: Web, company: Company):
    browser = web.as_("engineer")
    for switch, checked in (("off", "false"), ("on", "true")):
        assert browser.submit("companies/acme/auto-sync", switch=switch).status_code == 303
        page = browser.get("companies/acme").text
        assert f'role="switch" aria-checked="{checked}"' in page
    assert web.db.execute("select company_id, auto_sync from sync.company_setting").fetchall() == [
        ("acme", True)
    ]
    assert browser.submit("companies/acme/auto-sync", switch="maybe").status_code == 422


def test_a_problem_is_ignored_reopened_and_resolved_by_name(web: Web, company: Company):
    problem_id = report(web, company)
    browser = web.as_("engineer")
    for action, state in (("ignore", "ignored"), ("reopen", "open"), ("resolve", "resolved")):
        assert browser.submit(f"companies/acme/problems/{problem_id}/{action}").status_code == 303
        assert state_of(web, problem_id) == (state, "engineer")
    page = browser.get("companies/acme", params={"problems": "resolved"}).text
    assert "resolved by engineer" in page
    assert browser.submit(f"companies/acme/problems/{problem_id}/retry").status_code == 409


def test_a_problem_is_retried_by_a_sync_of_its_company(web: Web, company: Company):
    problem_id = report(web, company)
    answer = web.as_("engineer").submit(f"companies/acme/problems/{problem_id}/retry")
    assert answer.status_code == 303
    run_id = unescape(answer.headers["Location"]).partition("run=quickbooks_to_peakflo%2F")[2]
    assert run_id
    assert state_of(web, problem_id) == ("open", "engineer")
    assert runs_of(web, "quickbooks_to_peakflo")[-1]["conf"] == {"companies": ["acme"]}


def test_deletions_are_believed_after_their_consequences_were_shown(web: Web, company: Company):
    problems.report_failure(web.db, company, DeletionBrakeError("30 of 40 Invoice records are deleted."))
    [(problem_id,)] = web.db.execute("select problem_id from sync.problem").fetchall()
    browser, before = web.as_("engineer"), count_runs(web, "import_company")
    page = f"companies/acme/problems/{problem_id}/confirm-deletions"
    assert f'{page}">Believe the deletions</a>' in browser.get("companies/acme").text

    asked = browser.get(page)
    assert "30 of 40 Invoice records are deleted." in asked.text
    assert count_runs(web, "import_company") == before
    answer = browser.submit(page)

    assert answer.status_code == 303
    run_id = answer.headers["Location"].partition("run=import_company%2F")[2]
    run = web.airflow("admin", "GET", f"dags/import_company/dagRuns/{run_id}")
    assert run["conf"] == {"company_id": "acme", "accept_deletions": True}
    assert state_of(web, problem_id) == ("open", "engineer")


@pytest.mark.parametrize("method", ["get", "submit"])
def test_only_deletions_are_believed(web: Web, company: Company, method: str):
    problem_id = report(web, company)
    browser = web.as_("engineer")
    answer = getattr(browser, method)(f"companies/acme/problems/{problem_id}/confirm-deletions")
    assert answer.status_code == 409
    assert "is not about deletions" in answer.text
    assert "Believe the deletions" not in browser.get("companies/acme").text
    assert state_of(web, problem_id) == ("open", None)


@pytest.mark.parametrize("action", PROBLEM_ACTIONS)
def test_another_companys_problem_is_not_found_and_stays_as_it_is(web: Web, company: Company, action: str):
    theirs = report(web, known(web, "globex", "222"))
    assert web.as_("admin").submit(f"companies/acme/problems/{theirs}/{action}").status_code == 404
    assert state_of(web, theirs) == ("open", None)


def test_another_companys_problems_and_runs_are_not_shown(web: Web, company: Company):
    other = known(web, "globex", "222")
    report(web, other, "Theirs alone.")
    log_run(web, other, dag_run_id="scheduled__theirs")
    page = web.as_("viewer").get("companies/acme").text
    assert "Theirs alone." not in page
    assert "scheduled__theirs" not in page


def test_names_and_messages_from_quickbooks_are_text(web: Web, company: Company):
    web.db.execute("update peakflo.company set name = %(evil)s, source_name = %(evil)s", {"evil": EVIL})
    web.db.execute(
        "update sync.connection set last_error = %(evil)s, connected_by = %(evil)s", {"evil": EVIL}
    )
    report(web, company, EVIL)
    log_run(
        web, company, state="failed", error=EVIL, counts=Jsonb({EVIL: {"read": 1, "merged": 1, "deleted": 1}})
    )
    page = web.as_("admin").get("companies/acme").text
    assert EVIL not in page
    assert "&lt;script&gt;" in page


def test_the_log_links_each_run_to_airflow_and_its_logs(web: Web, company: Company):
    log_run(web, company, dag_run_id="manual__2026-11-25T10:00:00+00:00")
    log_run(web, company, dag_id="bin/receivables", dag_run_id="sync__1")
    rows = log_part(web.as_("viewer").get("companies/acme"))
    url = "/dags/quickbooks_to_peakflo/runs/manual__2026-11-25T10%3A00%3A00%2B00%3A00"
    assert f'href="{url}"' in rows
    assert f'href="{url}/tasks/sync/mapped"' in rows
    assert 'invoice 3 <span class="muted">(5 read)</span>' in rows
    assert "sync__1" not in rows


def test_the_log_is_filtered_and_paged(web: Web, company: Company):
    for number in range(26):
        log_run(
            web, company, started_at=datetime(2026, 1, 1, 0, number, tzinfo=UTC), dag_run_id=f"old__{number}"
        )
    log_run(web, company, state="failed", error="Nobody home.", dag_run_id="failed__1")
    browser = web.as_("viewer")
    assert "Nobody home." in log_part(browser.get("companies/acme"))
    assert log_part(browser.get("companies/acme", params={"state": "success"})).count("runs/old__") == 50
    one_day = browser.get("companies/acme", params={"day": "2026-01-01", "dag_id": "", "entity": "invoice"})
    assert "Nobody home." not in log_part(one_day)
    older = one_day.text.partition('aria-label="More runs"')[2].partition('href="')[2].partition('"')[0]
    rest = log_part(browser.get(unescape(older)))
    assert rest.count("runs/old__") == 2
    assert "old__0" in rest
    assert "No run fits" in log_part(browser.get("companies/acme", params={"entity": "payment"}))


@pytest.mark.parametrize(
    "query", [{"day": "someday"}, {"problems": "all"}, {"before": "x"}, {"problem_page": "-1"}]
)
def test_a_filter_that_is_none_is_refused_in_one_sentence(web: Web, company: Company, query: dict[str, str]):
    assert web.as_("viewer").get("companies/acme", params=query).status_code == 422


def test_it_says_how_often_the_company_is_read_and_why(web: Web, company: Company):
    charts = web.as_("viewer").get(f"companies/{company.company_id}").text
    assert "Read every 5 minutes." in charts
    web.db.execute(
        "insert into sync.read_budget (tier, quota, is_limit, forecast, proven_every, unproven_every, is_reserved)"
        " values ('builder', 500000, true, 8640000, '40 minutes', '25 minutes', false)"
    )
    charts = unescape(web.as_("viewer").get(f"companies/{company.company_id}").text)
    assert (
        "Read every 25 minutes: the month's reads would not last otherwise, and QuickBooks' webhook has not"
        in charts
    )
    assert "8,640,000 if every company were read every 5 minutes" in charts
    web.db.execute("insert into sync.webhook_proof values ('111', now(), now(), now())")
    charts = unescape(web.as_("viewer").get(f"companies/{company.company_id}").text)
    assert (
        "Read when QuickBooks' webhook tells of a change, and at least every 40 minutes: the month's reads would not "
        "last otherwise." in charts
    )
    web.db.execute("update sync.read_budget set is_reserved = true")
    charts = unescape(web.as_("viewer").get(f"companies/{company.company_id}").text)
    assert "Read for reminders only: what is left of the month's reads is kept for them." in charts


def test_the_charts_have_titles_and_their_numbers_as_tables(web: Web, bench: Workbench):
    company = connect_as_imported(bench, "acme")
    bench.sync(company)
    web.db.execute("update sync.run set dag_id = 'quickbooks_to_peakflo'")
    log_run(web, company)
    page = web.as_("viewer").get("companies/acme").text
    charts = page.partition('id="charts"')[2].partition("</section>")[0]
    assert charts.count("<svg") == charts.count("<desc") == 7
    assert charts.count("<details>") == 3
    assert " style=" not in page
    assert "of 500,000 allowed" in charts
