from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from include.errors import ConfigurationError
from include.receivables.inbound import jobs
from include.receivables.inbound.reference_data import GROUPS
from tests.support import truth
from tests.support.quick_start import connect_as_imported

if TYPE_CHECKING:
    from collections.abc import Callable

    from include.receivables.company.batches import Outcome
    from include.receivables.company.companies import Company
    from tests.support.bookkeeper import Bookkeeper
    from tests.support.workbench import Workbench


@pytest.fixture
def company(bench: Workbench) -> Company:
    return connect_as_imported(bench, "acme")


@pytest.fixture
def books(company: Company, keep_books: Callable[[Company], Bookkeeper]) -> Bookkeeper:
    return keep_books(company)


def refresh(bench: Workbench, company: Company, *groups: str) -> Outcome:
    return jobs.refresh(bench.access, company.company_id, bench.run_context(), groups=groups or tuple(GROUPS))


def select(bench: Workbench, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    return bench.db.execute(statement, values).fetchall()


def test_each_group_reads_its_lists_and_nothing_else(bench: Workbench, company: Company):
    for group, entities in GROUPS.items():
        bench.sandbox.reset_calls(company.realm_id)
        assert refresh(bench, company, group).calls == len(entities)
        asked = bench.sandbox.calls(company.realm_id)["by_path"]
        assert asked == {f"query:{entity.name}": 1 for entity in entities}


def test_an_unknown_group_is_named_and_nobody_is_asked(bench: Workbench, company: Company):
    bench.sandbox.reset_calls(company.realm_id)
    with pytest.raises(ConfigurationError, match="There is no group 'weather'"):
        refresh(bench, company, "accounts", "weather")
    assert bench.sandbox.calls(company.realm_id)["by_path"] == {}


def test_tax_codes_come_with_the_rates_they_are_made_of(bench: Workbench, company: Company):
    refresh(bench, company, "taxes")
    bench.sync(company)
    assert truth.differences(bench.db, bench.sandbox, company) == []
    statement = """
        select code.name, string_agg(rate.rate::float::text, '+' order by rate.rate)
        from peakflo.tax_code as code
        cross join lateral jsonb_array_elements(code.rates) as part (item)
        join peakflo.tax_rate as rate on rate.id = (part.item ->> 'tax_rate_id')::uuid
        where part.item ->> 'applies_to' = 'sales'
        group by code.name
    """
    assert dict(select(bench, statement)) == {"California": "8", "Tucson": "2+7.1"}


def test_quickbooks_own_tax_codes_come_without_rates(bench: Workbench, company: Company):
    refresh(bench, company, "taxes")
    rows = select(bench, "select name, active, rates from peakflo.tax_code where source_id in ('TAX', 'NON')")
    assert sorted(rows) == [("NON", True, []), ("TAX", True, [])]


def test_a_payment_term_that_is_renamed_is_renamed_with_its_customers(
    bench: Workbench, company: Company, books: Bookkeeper
):
    books.customer("Ada", SalesTermRef={"value": "3"})
    books.customer("Bob")
    bench.sync(company)
    refresh(bench, company, "terms")
    names = "select company_name, payment_term from peakflo.customer order by 1"
    assert select(bench, names) == [("Ada", "Net 30"), ("Bob", None)]
    books.change("Term", "3", Name="Thirty days")
    refresh(bench, company, "terms")
    assert select(bench, names) == [("Ada", "Thirty days"), ("Bob", None)]


def test_a_payment_method_that_is_renamed_is_renamed_with_its_payments(
    bench: Workbench, company: Company, books: Bookkeeper
):
    ada = books.customer("Ada")
    books.pay(ada, "5", PaymentMethodRef={"value": "2"})
    books.pay(ada, "6")
    bench.sync(company)
    refresh(bench, company, "terms")
    methods = "select amount, method from peakflo.payment order by 1"
    assert select(bench, methods) == [(5, "Check"), (6, None)]
    books.change("PaymentMethod", "2", Name="Cheque")
    refresh(bench, company, "terms")
    assert select(bench, methods) == [(5, "Cheque"), (6, None)]


def test_an_account_that_is_renamed_is_renamed_with_those_below_it(
    bench: Workbench, company: Company, books: Bookkeeper
):
    top = books.write("Account", Name="Banks abroad", AccountType="Bank")["Id"]
    books.write("Account", Name="Deposits", AccountType="Bank", ParentRef={"value": top}, SubAccount=True)
    bench.sync(company)
    books.change("Account", top, Name="Our banks")
    refresh(bench, company, "accounts")
    names = "select full_name from peakflo.account where name = 'Deposits'"
    assert select(bench, names) == [("Our banks:Deposits",)]
    assert truth.differences(bench.db, bench.sandbox, company, but=truth.REFRESHED) == []


def test_an_account_made_inactive_is_archived_and_comes_back(
    bench: Workbench, company: Company, books: Bookkeeper
):
    account = books.write("Account", Name="Deposits", AccountType="Bank")["Id"]
    for is_active, status in ((False, "archived"), (True, "active")):
        books.change("Account", account, Active=is_active)
        refresh(bench, company, "accounts")
        assert select(bench, "select status from peakflo.account where source_id = %s", account) == [
            (status,)
        ]


def test_the_companys_own_facts_are_kept(bench: Workbench, company: Company, books: Bookkeeper):
    refresh(bench, company, "company")
    facts = "select home_currency, country, time_zone, book_close_date::text from peakflo.company"
    assert select(bench, facts) == [("USD", "US", "America/Los_Angeles", None)]
    books.change("Preferences", "1", AccountingInfoPrefs={"BookCloseDate": "2026-03-31"})
    books.change("CompanyInfo", "1", CompanyName="Neuer Name GmbH", DefaultTimeZone="Asia/Singapore")
    refresh(bench, company, "company")
    assert select(bench, facts) == [("USD", "US", "Asia/Singapore", "2026-03-31")]
    assert select(bench, "select source_name from peakflo.company") == [("Neuer Name GmbH",)]


def test_a_time_zone_that_nobody_knows_leaves_the_one_before(
    bench: Workbench, company: Company, books: Bookkeeper
):
    for zone in ("Asia/Singapore", "Mars/Olympus"):
        books.change("CompanyInfo", "1", DefaultTimeZone=zone)
        refresh(bench, company, "company")
    assert select(bench, "select time_zone from peakflo.company") == [("Asia/Singapore",)]


def test_a_refresh_of_what_is_known_changes_nothing(bench: Workbench, company: Company):
    refresh(bench, company)
    before = truth.versions(bench.db)
    outcome = refresh(bench, company)
    assert truth.versions(bench.db) == before
    assert {counts["changed"] for counts in outcome.entities.values()} == {0}
