"""The reports about receivables: their shape, their parameters, and how they may differ."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import reports
from sandbox.faults import Fault
from sandbox.scribe import check_to, deposit_from, journal_of
from tests.sandbox.reading_reports import cells, labels, leaves, owed, total, zeros

if TYPE_CHECKING:
    from sandbox.books import Books
    from sandbox.sandbox import Sandbox
    from sandbox.scribe import Scribe
    from tests.sandbox.conftest import Api

NAMES = ("AgedReceivables", "AgedReceivableDetail", "CustomerBalance", "CustomerBalanceDetail")
SERVICE = ("3", "1", "100")


def run(books: Books, name: str, **options: str) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(reports.run(books, name, options))
    return report


def day(scribe: Scribe, days: int) -> str:
    return (scribe.today() + timedelta(days=days)).isoformat()


@pytest.fixture
def family(scribe: Scribe) -> dict[str, str]:
    """A customer who holds a credit, with a sub-customer who owes, and somebody who does not."""
    ada = scribe.customer("Ada")
    shop = scribe.customer("Shop", ParentRef={"value": ada})
    paid = scribe.invoice(ada, SERVICE)
    scribe.pay(ada, "130", ("Invoice", paid, Decimal(100)))
    scribe.invoice(
        shop, ("3", "1", "40.5"), TxnDate=day(scribe, -80), DueDate=day(scribe, -40), DocNumber="S-1"
    )
    return {"ada": ada, "shop": shop, "paid": paid, "bob": scribe.customer("Bob")}


def test_an_aged_summary_has_sections_of_sub_customers(scribe: Scribe, family: dict[str, str]) -> None:
    report = run(scribe.books, "AgedReceivables")
    today = scribe.today().isoformat()
    header = report["Header"]
    assert header.pop("Time")[:10] == today
    assert header == {
        "ReportName": "AgedReceivables",
        "DateMacro": "today",
        "StartPeriod": today,
        "EndPeriod": today,
        "Currency": "USD",
        "Option": [{"Name": "report_date", "Value": today}, {"Name": "NoReportData", "Value": "false"}],
    }
    columns = report["Columns"]["Column"]
    assert columns[0] == {"ColTitle": "", "ColType": "Customer"}
    assert columns[1] == {
        "ColTitle": "Current",
        "ColType": "Money",
        "MetaData": [{"Name": "ColKey", "Value": "current"}],
    }
    titles = [column["ColTitle"] for column in columns[2:]]
    assert titles == ["1 - 30", "31 - 60", "61 - 90", "91 and over", "Total"]
    section, grand = report["Rows"]["Row"]
    assert cells(section["Header"]) == ["Ada", "-30.00", "", "", "", "", "-30.00"]
    (leaf,) = section["Rows"]["Row"]
    assert (leaf["type"], leaf["ColData"][0]) == ("Data", {"value": "Shop", "id": family["shop"]})
    assert cells(leaf) == ["Shop", "", "", "40.50", "", "", "40.50"]
    assert cells(section["Summary"]) == ["Total Ada", "-30.00", "0.00", "40.50", "0.00", "0.00", "10.50"]
    assert (grand["type"], grand["group"]) == ("Section", "GrandTotal")
    assert cells(grand["Summary"]) == ["TOTAL", "-30.00", "0.00", "40.50", "0.00", "0.00", "10.50"]


def test_a_balance_is_of_all_dates_unless_one_is_asked_for(scribe: Scribe, family: dict[str, str]) -> None:
    scribe.invoice(family["bob"], SERVICE, TxnDate=day(scribe, 3))
    report = run(scribe.books, "CustomerBalance")
    assert report["Header"]["DateMacro"] == "all"
    assert "EndPeriod" not in report["Header"]
    section, bob, grand = report["Rows"]["Row"]
    assert cells(section["Header"]) == ["Ada", "-30.00"]
    assert bob == {"ColData": [{"value": "Bob", "id": family["bob"]}, {"value": "100.00"}]}
    assert cells(grand["Summary"]) == ["TOTAL", "110.50"]
    today = run(scribe.books, "CustomerBalance", report_date=day(scribe, 0))
    assert (labels(today), today["Header"]["EndPeriod"]) == (["Ada", "TOTAL"], day(scribe, 0))


def test_an_aged_detail_begins_with_what_is_past_due_the_longest(
    scribe: Scribe, family: dict[str, str]
) -> None:
    report = run(scribe.books, "AgedReceivableDetail", report_date=day(scribe, 0))
    header = report["Header"]
    assert (header["EndPeriod"], "DateMacro" in header) == (day(scribe, 0), False)
    columns = [(each["ColTitle"], each["MetaData"][0]["Value"]) for each in report["Columns"]["Column"]]
    assert columns[:5] == [
        ("Date", "tx_date"),
        ("Transaction Type", "txn_type"),
        ("Num", "doc_num"),
        ("Customer", "cust_name"),
        ("Due Date", "due_date"),
    ]
    assert columns[5:] == [("Amount", "subt_home_amount"), ("Open Balance", "subt_home_open_bal")]
    late, current, grand = report["Rows"]["Row"]
    assert cells(late["Header"]) == ["31 - 60 days past due", "", "", "", "", "", ""]
    (row,) = late["Rows"]["Row"]
    dates = [day(scribe, -80), day(scribe, -40)]
    assert cells(row) == [dates[0], "Invoice", "S-1", "Ada:Shop", dates[1], "40.50", "40.50"]
    assert row["ColData"][3]["id"] == family["shop"]
    assert cells(late["Summary"])[:2] == ["Total for 31 - 60 days past due", ""]
    assert cells(current["Rows"]["Row"][0])[1:] == ["Payment", "", "Ada", day(scribe, 0), "-130.00", "-30.00"]
    assert cells(grand["Summary"]) == ["TOTAL", "", "", "", "", "-89.50", "10.50"]
    assert "group" not in grand


def test_a_balance_detail_has_sub_customers_below_their_parent(
    scribe: Scribe, family: dict[str, str]
) -> None:
    report = run(scribe.books, "CustomerBalanceDetail")
    ada, _ = report["Rows"]["Row"]
    assert ada["Header"]["ColData"][0] == {"value": "Ada", "id": family["ada"]}
    payment, shop = ada["Rows"]["Row"]
    assert (payment["type"], payment["ColData"][1]["value"], shop["type"]) == ("Data", "Payment", "Section")
    assert cells(shop["Summary"]) == ["Total for Shop", "", "", "", "40.50", "40.50"]
    assert cells(ada["Summary"]) == ["Total for Ada", "", "", "", "-89.50", "10.50"]


def test_money_besides_invoices_and_payments_counts(scribe: Scribe) -> None:
    ada = scribe.customer("Ada")
    journal_of(scribe, ada, Decimal(30), DocNumber="J-1")
    deposit_from(scribe, ada, Decimal(20))
    check_to(scribe, ada, Decimal("5.25"))
    check_to(scribe, ada, Decimal(1), PaymentType="Cash")
    scribe.credit(ada, ("3", "1", "7"))
    report = run(scribe.books, "AgedReceivableDetail")
    kinds = {row[1]: row[-1] for row in map(cells, leaves(report))}
    assert kinds == {
        "Journal Entry": "30.00",
        "Deposit": "-20.00",
        "Check": "5.25",
        "Expense": "1.00",
        "Credit Memo": "-7.00",
    }
    assert owed(report) == {ada: Decimal("9.25")}


def test_a_report_of_an_earlier_day_knows_no_later_payment(scribe: Scribe) -> None:
    ada = scribe.customer("Ada")
    invoice = scribe.invoice(ada, SERVICE, TxnDate=day(scribe, -20), DueDate=day(scribe, -10))
    scribe.pay(ada, "100", ("Invoice", invoice, Decimal(100)), TxnDate=day(scribe, -5))
    early = scribe.invoice(ada, SERVICE, TxnDate=day(scribe, -1))
    scribe.pay(ada, "60", ("Invoice", early, Decimal(60)), TxnDate=day(scribe, -3))
    then = run(scribe.books, "AgedReceivables", report_date=day(scribe, -6))
    assert cells(then["Rows"]["Row"][0]) == ["Ada", "", "100.00", "", "", "", "100.00"]
    # The second payment is of an invoice that was written later.
    assert owed(run(scribe.books, "AgedReceivables", report_date=day(scribe, -2))) == {ada: Decimal(-60)}
    assert owed(run(scribe.books, "AgedReceivables")) == {ada: Decimal(40)}


def test_days_past_due_are_counted_from_the_report_or_from_today(scribe: Scribe) -> None:
    ada = scribe.customer("Ada")
    scribe.invoice(ada, SERVICE, TxnDate=day(scribe, -40), DueDate=day(scribe, -30))
    earlier = {"report_date": day(scribe, -31)}
    for options, shown in (
        ({}, 2),
        (earlier, 1),
        (earlier | {"aging_method": "Current"}, 2),
        ({"aging_period": "10"}, 4),
        ({"aging_period": "10", "num_periods": "2"}, 3),
    ):
        report = run(scribe.books, "AgedReceivables", **options)
        assert (options, cells(report["Rows"]["Row"][0]).index("100.00")) == (options, shown)
    titles = [column["ColTitle"] for column in report["Columns"]["Column"]]
    assert titles == ["", "Current", "1 - 10", "11 and over", "Total"]


def test_only_some_customers_dates_or_what_is_no_income_in_cash(
    scribe: Scribe, family: dict[str, str]
) -> None:
    books = scribe.books
    asked = run(books, "CustomerBalance", customer=f"{family['shop']},{family['bob']}")
    assert asked["Header"]["Customer"] == f"{family['shop']},{family['bob']}"
    assert total(asked) == Decimal("40.50")
    late = run(books, "CustomerBalance", start_date=day(scribe, -1), end_date=day(scribe, 0))
    assert (late["Header"]["StartPeriod"], total(late)) == (day(scribe, -1), Decimal(-30))
    cash = run(books, "CustomerBalance", accounting_method="Cash")
    assert (cash["Header"]["ReportBasis"], total(cash)) == ("Cash", Decimal(-30))
    preferences = scribe.read("Preferences", "1")
    prefers = preferences["ReportPrefs"] | {"ReportBasis": "Cash"}
    scribe.change("Preferences", preferences["Id"], ReportPrefs=prefers)
    assert total(run(books, "CustomerBalance")) == Decimal(-30)
    assert total(run(books, "CustomerBalance", accounting_method="Accrual")) == Decimal("10.50")


@pytest.mark.parametrize("name", NAMES)
def test_nobody_owes_anything(scribe: Scribe, name: str) -> None:
    ada = scribe.customer("Ada")
    invoice = scribe.invoice(ada, SERVICE)
    scribe.pay(ada, "100", ("Invoice", invoice, Decimal(100)))
    report = run(scribe.books, name)
    assert report["Rows"] == {}
    assert report["Header"]["Option"][1] == {"Name": "NoReportData", "Value": "true"}


@pytest.mark.parametrize(
    ("name", "options", "code"),
    [
        ("ARAgingDetail", {}, "5020"),
        ("agedreceivables", {}, "5020"),
        ("AgedReceivables", {"report_date": "yesterday"}, "2010"),
        ("AgedReceivables", {"aging_method": "Due_Date"}, "2170"),
        ("CustomerBalance", {"accounting_method": "accrual"}, "2170"),
        ("AgedReceivables", {"date_macro": "Last Fiscal Year"}, "2170"),
        ("AgedReceivableDetail", {"num_periods": "0"}, "2010"),
        ("AgedReceivableDetail", {"aging_period": "a month"}, "2010"),
    ],
)
def test_a_wrong_report_or_parameter_is_refused(
    books: Books, name: str, options: dict[str, str], code: str
) -> None:
    with pytest.raises(Fault, match=f"^{code} "):
        run(books, name, **options)


def test_reports_are_metered_and_limited_and_can_be_answered_oddly(api: Api) -> None:
    customer = api.write("Customer", {"DisplayName": "Ada"})["Id"]
    api.control.reset_calls(api.realm_id)
    path = "reports/CustomerBalance"
    assert set(api.ok(api.call("GET", path, params={"minorversion": "75"}))) == {"Header", "Columns", "Rows"}
    assert api.call("GET", "reports/Nonsense").json()["Fault"]["Error"][0]["element"] == "ReportName"
    counts = api.control.calls(api.realm_id)
    assert (counts["metered"], counts["by_path"]["report:CustomerBalance"]) == (1, 1)
    api.control.add_fault("500", realm=api.realm_id, entity="CustomerBalance", count=1)
    assert [api.call("GET", path).status_code for _ in range(2)] == [500, 200]
    api.control.serve(api.realm_id, "CustomerBalance", drop=["Header.Option.0"], put={"Rows": None}, times=1)
    odd = api.ok(api.call("GET", path))
    assert ([each["Name"] for each in odd["Header"]["Option"]], odd["Rows"]) == (["NoReportData"], None)
    assert api.ok(api.call("GET", path))["Rows"] == {}
    api.control.change_settings(api.realm_id, throttle="on", reports_a_minute=0)
    assert api.call("GET", path).status_code == 429
    assert api.read("Customer", customer)["DisplayName"] == "Ada"


@pytest.fixture
def owing(scribe: Scribe) -> Scribe:
    """Thirty customers who owe 10 each, and one who owes less than 1."""
    for number in range(30):
        scribe.invoice(scribe.customer(f"Customer {number:02d}"), ("3", "1", "10"))
    scribe.invoice(scribe.customer("Zoe"), ("3", "1", "0.5"))
    return scribe


@pytest.mark.parametrize("name", NAMES)
def test_a_report_is_cut_with_or_without_a_word(state: Sandbox, owing: Scribe, name: str) -> None:
    columns = len(run(owing.books, name)["Columns"]["Column"])
    state.change_settings({"report_cells": columns * 20}, "1")
    cut = run(owing.books, name)
    assert cells(cut["Rows"]["Row"][-1])[0] == "Unable to display more data. Please reduce the date range."
    assert 0 < len(owed(cut)) < 31
    assert "TOTAL" not in labels(cut)
    state.change_settings({"report_cells": 400_000, "report_rows": 20}, "1")
    silent = run(owing.books, name)
    assert cut["Rows"]["Row"][:-1] == silent["Rows"]["Row"]
    assert silent["Header"]["Option"][1]["Value"] == "false"


def test_a_section_that_is_cut_has_no_summary(state: Sandbox, owing: Scribe) -> None:
    state.change_settings({"report_rows": 5}, "1")
    (current,) = run(owing.books, "AgedReceivableDetail")["Rows"]["Row"]
    assert (len(current["Rows"]["Row"]), "Summary" in current) == (4, False)


def test_a_report_may_be_of_another_day_or_basis(state: Sandbox, owing: Scribe) -> None:
    asked = {"report_date": day(owing, 0), "accounting_method": "Accrual"}
    state.change_settings({"report_days_off": -1}, "1")
    off = run(owing.books, "AgedReceivables", **asked)
    assert (off["Header"]["EndPeriod"], off["Rows"]) == (day(owing, -1), {})
    assert run(owing.books, "CustomerBalance")["Rows"] == {}
    state.change_settings({"report_days_off": 0, "report_basis": "Cash"}, "1")
    cash = run(owing.books, "AgedReceivables", **asked)
    assert (cash["Header"]["ReportBasis"], cash["Rows"]) == ("Cash", {})


def test_columns_may_come_in_another_order(state: Sandbox, owing: Scribe) -> None:
    usual = run(owing.books, "AgedReceivableDetail")
    state.change_settings({"report_columns": "reversed"}, "1")
    other = run(owing.books, "AgedReceivableDetail")
    assert other["Columns"]["Column"] == usual["Columns"]["Column"][::-1]
    assert [cells(row)[::-1] for row in leaves(other)] == [cells(row) for row in leaves(usual)]
    assert cells(other["Rows"]["Row"][-1]["Summary"])[-1] == "TOTAL"


def test_rows_may_all_have_a_type_or_none(state: Sandbox, owing: Scribe) -> None:
    def types(name: str) -> set[str | None]:
        return {row.get("type") for row in leaves(run(owing.books, name))}

    assert (types("CustomerBalance"), types("CustomerBalanceDetail")) == ({None}, {"Data"})
    for setting, kind in (("all", "Data"), ("none", None)):
        state.change_settings({"report_row_types": setting}, "1")
        assert types("CustomerBalance") == types("CustomerBalanceDetail") == {kind}


def test_zero_and_totals_may_be_spelt_otherwise(state: Sandbox, owing: Scribe) -> None:
    scribe = owing
    scribe.credit(scribe.customer("Eve"), ("3", "1", "300.5"))
    assert zeros(run(scribe.books, "AgedReceivables")) == {"", "0.00"}
    detail = run(scribe.books, "CustomerBalanceDetail")
    assert cells(detail["Rows"]["Row"][-1]["Summary"])[-1] == ".00"
    assert ".50" in cells(leaves(detail)[-1])
    for setting, text in (("blank", ""), (".00", ".00"), ("0.00", "0.00")):
        state.change_settings({"report_zeros": setting}, "1")
        assert zeros(run(scribe.books, "AgedReceivables")) == {text}
        assert cells(run(scribe.books, "CustomerBalanceDetail")["Rows"]["Row"][-1]["Summary"])[-1] == text
    state.change_settings({"profile": "intuit_changes"}, "1")
    changed = run(scribe.books, "CustomerBalance")
    assert labels(changed)[-1] == "Total"
    assert labels(changed)[:2] == ["Customer 00", "Customer 01"]
    assert total(changed) == 0


def test_rows_may_be_in_no_order_of_names(state: Sandbox, scribe: Scribe) -> None:
    for name in ("Zoe", "ada", "Bob"):
        scribe.invoice(scribe.customer(name), SERVICE, TxnDate=day(scribe, -len(name)))
    assert labels(run(scribe.books, "CustomerBalance")) == ["ada", "Bob", "Zoe", "TOTAL"]
    state.change_settings({"report_order": "id"}, "1")
    assert labels(run(scribe.books, "CustomerBalance")) == ["Zoe", "ada", "Bob", "TOTAL"]
