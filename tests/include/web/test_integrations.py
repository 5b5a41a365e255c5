from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from include.receivables.company.call_forecast import read_calls
from include.receivables.inbound import webhook_events
from include.receivables.views.integrations import PAGE_SIZE, list_integrations
from tests.support.many_companies import add_companies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.fixtures_web import Web

HEADERS = [
    "Company",
    "Status",
    "What is wrong",
    "QuickBooks company",
    "Last sync",
    "Records as of",
    "Open problems",
    "Waiting payments",
    "Calls this month",
]


class Rows(HTMLParser):
    """The words of each row of a page's table, and the titles in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.titles: list[str] = []
        self._is_cell = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self._is_cell = True
            self.rows[-1].append("")
        self.titles += [value or "" for name, value in attrs if name == "title"]

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._is_cell = False

    def handle_data(self, data: str) -> None:
        if self._is_cell:
            self.rows[-1][-1] = " ".join(f"{self.rows[-1][-1]} {data}".split())


class CountingCursor(psycopg.Cursor[Any]):
    statements = 0

    def execute(self, *arguments: Any, **options: Any) -> Any:
        CountingCursor.statements += 1
        return super().execute(*arguments, **options)


@pytest.fixture
def counted(db_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(db_url, autocommit=True, cursor_factory=CountingCursor) as connection:
        yield connection


def test_without_a_company_it_offers_one_button(web: Web):
    admins, viewers = web.as_("admin").get("").text, web.as_("viewer").get("").text
    assert admins.count("Connect to QuickBooks</a>") == 1
    assert 'href="/quickbooks/connect"' in admins
    assert "Connect to QuickBooks</a>" not in viewers
    assert "ask an administrator" in viewers


def test_each_company_has_a_row_with_what_one_looks_for_first(
    web: Web, add_company: Callable[..., str], db: psycopg.Connection
):
    add_company("acme")
    add_company("beta", name="Beta", source_name=None, realm_id="9130002", status="reauthorize")
    db.execute(
        "insert into sync.run (company_id, realm_id, dag_id, dag_run_id, state, started_at, ended_at) values"
        " ('acme', '9130001', 'quickbooks_to_peakflo', 'a', 'success', '2026-01-02 03:04Z', '2026-01-02 03:05:06Z'),"
        " ('acme', '9130001', 'quickbooks_to_peakflo', 'b', 'failed', now(), now())"
    )
    db.execute("insert into staging.cursor values ('9130001', 'payment', now() - interval '20 minutes')")
    db.execute("insert into staging.cursor values ('9130001', 'account', now() - interval '2 minutes')")
    db.execute(
        "insert into sync.problem (company_id, realm_id, direction, code, message, cure, actor, state) values"
        " ('acme', '9130001', 'connection', 'a', '', '', '', 'open'),"
        " ('acme', '9130001', 'connection', 'b', '', '', '', 'open'),"
        " ('acme', '9130001', 'connection', 'c', '', '', '', 'ignored')"
    )
    db.execute(
        "insert into outbox.delivery (company_id, realm_id, payment_id, kind, code)"
        " select 'acme', '9130001', gen_random_uuid(), kind, code"
        " from (values"
        " ('waits', 'queued'), ('waits', 'account_unmapped'), ('waits', 'undecided'),"
        " ('agrees', 'delivered'), ('differs', 'edited_in_quickbooks'), ('ignored', 'let_go')"
        ") as each (kind, code)"
    )
    db.execute(
        "insert into sync.api_call values"
        " ('9130001', (now() at time zone 'utc')::date, 'cdc', 1300, 1200),"
        " ('9130001', (now() at time zone 'utc')::date - 40, 'cdc', 9, 9)"
    )
    page = Rows(web.as_("viewer").get("").text)
    assert page.rows[0] == HEADERS
    assert page.rows[1][:2] == ["Acme acme", "Connected"]
    assert page.rows[1][3] == "Acme Books 9130001"
    assert page.rows[1][4].endswith(" d ago")
    assert page.rows[1][5:] == ["20 min ago", "2", "3", "1,200"]
    assert page.rows[2] == [
        "Beta beta",
        "Reconnect needed",
        "1 cause Nothing is read or sent. QuickBooks no longer accepts the connection.",
        "not read yet 9130002",
        "never",
        "never",
        "0",
        "0",
        "0",
    ]
    assert "2026-01-02 03:05:06 UTC" in page.titles


def test_each_company_shows_the_worst_of_what_is_wrong_and_all_have_in_common_is_said_once(
    web: Web, db: psycopg.Connection
):
    add_companies(db, 40, runs=5, days=0)
    db.execute("truncate outbox.delivery")
    db.execute("update sync.problem set state = 'resolved' where company_id <> 'company-7'")
    db.execute("update sync.problem set state = 'open' where company_id = 'company-7'")
    db.execute("update sync.connection set status_since = connected_at, status = 'connected'")
    db.execute("update sync.connection set status = 'reauthorize' where company_id = 'company-7'")
    webhook_events.count_refusals(db, {"forged": 3})

    page = web.as_("viewer").get("").text

    told = {row[0].split()[-1]: row[2] for row in Rows(page).rows[1:]}
    assert told.pop("company-7").startswith("2 causes Nothing is read or sent.")
    assert set(told.values()) == {"nothing"}
    assert len(told) == 39
    assert page.count('data-cause="webhook_forged"') == page.count("data-cause=") == 1


def test_what_is_late_is_said_in_the_list_as_on_the_page(web: Web, db: psycopg.Connection):
    add_companies(db, 2, runs=5, days=0)
    db.execute("update sync.connection set status_since = connected_at")
    db.execute("update sync.problem set state = 'resolved'")
    db.execute("truncate outbox.delivery")
    late = "update staging.cursor set changed_since = now() - interval '{}' where realm_id = %s"
    for span, word in (("14 minutes", "nothing"), ("40 minutes", "The last 40 minutes have not been read.")):
        db.execute(late.format(span), ["9130000000001"])  # type: ignore[arg-type]
        rows = {row[0].split()[-1]: row[2] for row in Rows(web.as_("viewer").get("").text).rows[1:]}
        assert rows["company-1"].endswith(word)
        assert rows["company-2"] == "nothing"
        page = web.as_("viewer").get("companies/company-1").text
        assert ("All is well" in page) == (word == "nothing")
        assert ('data-cause="not_fresh"' in page) == (word != "nothing")


def test_it_says_each_status_in_words(web: Web, add_company: Callable[..., str]):
    words = {
        "connected": "Connected",
        "paused": "Paused",
        "reauthorize": "Reconnect needed",
        "disconnected": "Disconnected",
    }
    for number, status in enumerate(words):
        add_company(status, name=f"Company {number}", realm_id=str(number), status=status)
    page = Rows(web.as_("viewer").get("").text)
    assert [row[1] for row in page.rows[1:]] == list(words.values())
    for status, word in words.items():
        rows = Rows(web.as_("viewer").get(f"?status={status}").text).rows[1:]
        assert [row[1] for row in rows] == [word]
    assert len(Rows(web.as_("viewer").get("?status=unheard-of").text).rows) == 5


def test_it_finds_a_company_by_a_part_of_any_name_or_id(web: Web, add_company: Callable[..., str]):
    add_company("acme", name="Café Zürich", source_name="Zed 100%_off Ltd", realm_id="9130001")
    add_company("other", name="Other", source_name="Books", realm_id="4620002")
    browser = web.as_("viewer")
    for search in ("café", "ZÜRICH", " acme ", "zed", "00%25_o", "30001"):
        rows = Rows(browser.get(f"?q={search}").text).rows[1:]
        assert [row[0] for row in rows] == ["Café Zürich acme"], search
    for search in ("acme_", "%25", "' or 1=1 --", "\\"):
        page = browser.get(f"?q={search}").text
        assert ("No company is found" in page) == (search != "%25"), search


def test_thousands_come_in_pages_of_a_bounded_size(web: Web, db: psycopg.Connection):
    add_companies(db, 3000, runs=1, days=2)
    browser = web.as_("viewer")
    first, second, last, beyond = (browser.get(f"?page={page}").text for page in (1, 2, 60, 1000))
    assert [len(Rows(page).rows) - 1 for page in (first, second, last)] == [PAGE_SIZE] * 3
    assert not {row[0] for row in Rows(first).rows[1:]} & {row[0] for row in Rows(second).rows[1:]}
    assert "Page 60 of 60" in beyond
    assert [row[0] for row in Rows(beyond).rows] == [row[0] for row in Rows(last).rows]
    assert len(first) < 100_000
    assert re.search(r'rel="next" href="/quickbooks/\?page=2"', first)
    found = browser.get("?q=robotics&status=connected").text
    assert 'href="/quickbooks/?q=robotics&amp;status=connected&amp;page=2"' in found


def test_every_company_is_on_exactly_one_page(db: psycopg.Connection):
    add_companies(db, 230, runs=0, days=0)
    pages = [list_integrations(db, page=page) for page in range(1, 6)]
    ids = [row.company_id for page in pages for row in page.rows]
    assert len(ids) == len(set(ids)) == 230
    assert [page.pages for page in pages] == [5] * 5


def test_it_takes_as_many_statements_for_many_companies_as_for_one(
    db: psycopg.Connection, counted: psycopg.Connection
):
    taken = []
    for companies in (1, 200):
        db.execute("truncate peakflo.company, sync.connection, staging.cursor, sync.api_call")
        add_companies(db, companies, runs=2, days=2)
        CountingCursor.statements = 0
        list_integrations(counted)
        read_calls(counted)
        taken.append(CountingCursor.statements)
    assert taken[0] == taken[1] <= 11


def test_the_calls_of_all_companies_are_counted_and_foretold(db: psycopg.Connection):
    db.execute(
        "insert into sync.api_call"
        " select realm, (now() at time zone 'utc')::date - back, kind, 200, 100"
        " from unnest(array['1', '2', '3']) as realm"
        " cross join generate_series(0, 40) as back"
        " cross join unnest(array['cdc', 'query']) as kind"
    )
    today = datetime.now(UTC).date()
    first_of_next = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
    calls = read_calls(db)
    assert calls.app_so_far == 600 * today.day
    assert calls.app_forecast == 600 * (first_of_next - timedelta(days=1)).day


def test_it_warns_before_the_quota_is_used_up(
    web: Web, add_company: Callable[..., str], db: psycopg.Connection
):
    add_company("acme")
    browser = web.as_("viewer")
    assert "0 by the month's end at this pace." in browser.get("").text
    today = datetime.now(UTC).date()
    call = "insert into sync.api_call values ('9130001', %s, 'cdc', 1, %s)"
    db.execute(call, [today - timedelta(days=1), 300_000])
    assert "more than the quota" in browser.get("").text
    db.execute(call, [today, 500_000])
    assert "The quota is used up" in browser.get("").text


def test_it_says_who_waits_and_why_and_does_not_call_them_late(
    web: Web, add_company: Callable[..., str], db: psycopg.Connection
):
    add_company("acme")
    db.execute("insert into sync.webhook_proof values ('9130001', now(), now(), now())")
    db.execute(
        "insert into staging.cursor select '9130001', entity, now() - interval '45 minutes'"
        " from unnest(array['account', 'payment', 'credit_memo', 'invoice', 'customer']) as entity"
    )
    db.execute(
        "update sync.connection set status_since = now() - interval '1 day', connected_at = now() - interval '1 day'"
    )
    db.execute(
        "insert into sync.run (company_id, realm_id, dag_id, dag_run_id, state, started_at)"
        " select 'acme', '9130001', 'quickbooks_to_peakflo', ago::text, 'failed', now() - ago * interval '1 minute'"
        " from generate_series(5, 60, 5) as ago"
    )
    browser = web.as_("viewer")
    page = browser.get("").text
    assert "The last 45 minutes have not been read." in page
    assert "wait up to" not in page
    assert "Builder tier" in page
    db.execute(
        "insert into sync.read_budget (tier, quota, is_limit, forecast, proven_every, unproven_every, is_reserved)"
        " values ('silver', 1000000, true, 8640000, '40 minutes', '5 minutes', false)"
    )
    page = browser.get("").text
    assert "have not been read" not in page
    assert "Silver tier" in page
    assert (
        "Idle companies with a proven webhook wait up to 40 minutes, because the month&#39;s 1,000,000 reads would not"
        " last (forecast 8,640,000)." in page
    )
