from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from include.errors import ConfigurationError, ReauthorizeError
from include.quickbooks.oauth import OAuthApp
from include.receivables.company import companies
from include.receivables.connecting import connections
from include.receivables.inbound.syncing import REACH
from tests.support import truth
from tests.support.quick_start import connect_as_imported

if TYPE_CHECKING:
    from include.receivables.company.companies import Company
    from tests.support.workbench import Workbench


def connect(bench: Workbench, company_id: str, realm_id: str, refresh_token: str = "") -> Company:
    """Connect a company to books that exist already."""
    return connections.connect_company(
        bench.db,
        company_id=company_id,
        name=company_id.title(),
        realm_id=realm_id,
        refresh_token=refresh_token or bench.sandbox.tokens(realm_id)["refresh_token"],
        connected_by="test",
        app=bench.access.app,
        cipher=bench.access.cipher,
    )


def disconnect(bench: Workbench, company: Company) -> None:
    connections.disconnect_company(bench.db, company, app=bench.access.app, cipher=bench.access.cipher)


def status(bench: Workbench, company: Company) -> str:
    return companies.get_company(bench.db, company.company_id).status


def live(bench: Workbench, company: Company) -> dict[str, int]:
    rows = bench.db.execute(
        "select realm_id, count(*) from peakflo.invoice where company_id = %s group by 1",
        [company.company_id],
    )
    return dict(rows.fetchall())


def test_a_connected_company_is_found_by_its_id(bench: Workbench):
    company = bench.connect("empty", company_id="acme")
    assert companies.get_company(bench.db, "acme") == company
    assert company.status == "connected"
    [listed] = companies.list_companies(bench.db, "acme")
    assert (listed["realm_id"], listed["fresh_until"], listed["open_problems"]) == (company.realm_id, None, 0)


def test_an_unknown_company_is_named(bench: Workbench):
    with pytest.raises(ConfigurationError, match="There is no company 'nobody'"):
        companies.get_company(bench.db, "nobody")


@pytest.mark.parametrize(
    ("company_id", "realm_id"),
    [("", "1"), ("a b", "1"), ("-a", "1"), ("a" * 65, "1"), ("acme", ""), ("acme", "12a"), ("acme", "١٢")],
)
def test_malformed_ids_are_refused_before_anybody_is_asked(bench: Workbench, company_id: str, realm_id: str):
    bench.sandbox.reset_oauth_calls()
    with pytest.raises(ConfigurationError, match=r"is no (company id|QuickBooks company id)"):
        connect(bench, company_id, realm_id, refresh_token="unused")
    assert bench.sandbox.oauth_calls() == {}


def test_a_refresh_token_that_quickbooks_refuses_connects_nothing(bench: Workbench):
    with pytest.raises(ReauthorizeError):
        connect(bench, "acme", "123", refresh_token="made up")
    assert companies.list_companies(bench.db) == []


def test_books_in_use_by_another_company_are_refused_and_its_connection_stays(bench: Workbench):
    acme = connect_as_imported(bench, "acme")
    with pytest.raises(
        ConfigurationError, match="connected to company 'acme' already: disconnect that first"
    ):
        connect(bench, "other", acme.realm_id)
    bench.sync(acme)


def test_books_given_over_to_another_company_come_to_it_whole(bench: Workbench):
    first = bench.imported(company_id="first")
    disconnect(bench, first)
    kept = live(bench, first)
    second = connect(bench, "second", first.realm_id)
    bench.sync(second)
    bench.sandbox.events(second.realm_id, 20)
    bench.sync(second)
    assert truth.differences(bench.db, bench.sandbox, second) == []
    assert live(bench, first) == kept


def test_a_paused_company_is_not_read_until_it_goes_on(bench: Workbench):
    company = connect_as_imported(bench, "acme")
    companies.set_paused(bench.db, company, is_paused=True)
    assert status(bench, company) == "paused"
    assert companies.list_due_companies(bench.db, reach=REACH) == []
    bench.sandbox.reset_calls(company.realm_id)
    with pytest.raises(ConfigurationError, match="let it go on first"):
        bench.sync(company)
    assert bench.sandbox.calls(company.realm_id)["by_path"] == {}
    companies.set_paused(bench.db, companies.get_company(bench.db, "acme"), is_paused=False)
    assert bench.sync(company).calls == 1


def test_only_a_connected_company_can_be_paused_and_only_a_paused_one_goes_on(bench: Workbench):
    company = bench.connect("empty", company_id="acme")
    with pytest.raises(ConfigurationError, match="is connected, not paused"):
        companies.set_paused(bench.db, company, is_paused=False)
    disconnect(bench, company)
    with pytest.raises(ConfigurationError, match="is disconnected, not connected"):
        companies.set_paused(bench.db, companies.get_company(bench.db, "acme"), is_paused=True)


def test_a_disconnect_takes_the_access_back_and_keeps_the_records(bench: Workbench):
    company = bench.imported(company_id="acme")
    before = truth.dump(bench.db)
    stored = bench.db.execute("select refresh_token from sync.connection").fetchone()
    assert stored is not None
    disconnect(bench, company)
    assert status(bench, company) == "disconnected"
    with pytest.raises(ReauthorizeError):
        bench.access.app.refresh(bench.access.cipher.decrypt(stored[0]))
    tokens = bench.db.execute("select access_token, refresh_token from sync.connection").fetchone()
    assert tokens == (None, None)
    with pytest.raises(ConfigurationError, match="connect it again"):
        bench.sync(company)
    assert truth.dump(bench.db) == before
    disconnect(bench, company)  # once more does no harm


def test_a_disconnect_that_intuit_refuses_leaves_the_company_connected(bench: Workbench):
    company = connect_as_imported(bench, "acme")
    stranger = OAuthApp(
        "sandbox-client",
        "wrong",
        environment="sandbox",
        redirect_uri="http://127.0.0.1/callback",
        discovery_url=bench.sandbox.discovery_url,
    )
    with pytest.raises(ConfigurationError):
        connections.disconnect_company(bench.db, company, app=stranger, cipher=bench.access.cipher)
    assert bench.sync(company).calls == 1


def test_a_company_that_connects_again_goes_on_with_the_same_records(bench: Workbench):
    company = bench.imported(company_id="acme")
    ids = bench.db.execute("select id, source_id from peakflo.invoice order by id").fetchall()
    disconnect(bench, company)
    again = connect(bench, "acme", company.realm_id)
    assert bench.sync(again).calls == 1
    assert bench.db.execute("select id, source_id from peakflo.invoice order by id").fetchall() == ids
    assert truth.differences(bench.db, bench.sandbox, again) == []


def test_a_change_of_the_books_and_back_keeps_their_records_apart(bench: Workbench):
    in_a = bench.imported(company_id="acme")
    disconnect(bench, in_a)
    in_b = bench.imported({"customers": 5, "invoices": 9, "payments": 3}, company_id="acme")
    assert in_b.realm_id != in_a.realm_id
    assert truth.differences(bench.db, bench.sandbox, in_b) == []
    assert live(bench, in_b).keys() == {in_a.realm_id, in_b.realm_id}
    bench.sandbox.events(in_a.realm_id, 20)
    disconnect(bench, in_b)
    back = connect(bench, "acme", in_a.realm_id)
    bench.sync(back)
    assert truth.differences(bench.db, bench.sandbox, back) == []
    assert live(bench, back)[in_b.realm_id] == 9
    today = bench.db.execute(
        "select count(*), count(distinct realm_id) from peakflo.invoice_today"
    ).fetchone()
    assert today is not None
    assert today[1] == 1


def test_an_import_is_due_before_the_first_and_after_too_long_a_gap(bench: Workbench):
    never = bench.connect("empty")
    fresh, stale = connect_as_imported(bench, "fresh"), connect_as_imported(bench, "stale")
    bench.db.execute(
        "update staging.cursor set changed_since = now() - %s where realm_id = %s and entity = 'payment'",
        [REACH + timedelta(minutes=1), stale.realm_id],
    )
    due = companies.list_due_companies(bench.db, reach=REACH)
    assert {each.company_id: each.is_import_due for each in due} == {
        never.company_id: True,
        fresh.company_id: False,
        stale.company_id: True,
    }


def test_the_records_of_a_company_are_counted_with_their_sums(bench: Workbench):
    company = bench.imported()
    counted = {row["entity"]: row for row in companies.count_records(bench.db, company)}
    facts = truth.read_truth(bench.sandbox, company.realm_id)["entities"]
    for table in ("account", "customer", "invoice", "credit_note", "payment"):
        assert counted[table]["live"] == facts[truth.ENTITIES[table]]["live"], table
    for table in ("invoice", "credit_note", "payment"):
        sums = facts[truth.ENTITIES[table]]
        assert (counted[table]["total"], counted[table]["open"]) == (
            Decimal(sums["total"]),
            Decimal(sums["balance"]),
        ), table
