"""A proof finds what is wrong, says why, and repairs what can be."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from psycopg.rows import dict_row

from include.errors import ConfigurationError, DeletionBrakeError
from include.receivables.proof import reconciling
from tests.support import truth
from tests.support.other_money import deposit, journal

if TYPE_CHECKING:
    from include.receivables.company.companies import Company
    from tests.support.cashier import Cashier
    from tests.support.workbench import Workbench

Json = dict[str, Any]


def prove(bench: Workbench, company: Company, **options: Any) -> tuple[Json, list[Json]]:
    """Prove a company, and return the proof with its differences."""
    reconciling.reconcile(bench.access, company.company_id, bench.run_context(), **options)
    return read(bench)


def read(bench: Workbench) -> tuple[Json, list[Json]]:
    """Return the last proof with its differences."""
    with bench.db.cursor(row_factory=dict_row) as cursor:
        proof = cursor.execute("select * from proof.proof order by proof_id desc limit 1").fetchone()
        assert proof is not None
        differences = cursor.execute(
            "select * from proof.difference where proof_id = %s order by position", [proof["proof_id"]]
        ).fetchall()
    return proof, differences


def told(differences: list[Json]) -> list[tuple[str, str, str, str, Decimal]]:
    return [
        (each["class"], each["entity"], each["qbo_id"], each["field"], each["amount"]) for each in differences
    ]


@pytest.fixture
def plain(cashier: Cashier) -> Cashier:
    """A company in whose books there is no other money on accounts receivable."""
    bench = cashier.bench
    _, differences = prove(bench, cashier.company)
    for each in differences:
        cashier.books.delete(each["entity"].replace(" ", ""), each["qbo_id"])
    bench.sync(cashier.company)
    return cashier


def test_books_that_are_well_are_equal_at_the_cost_that_is_said(plain: Cashier):
    plain.bench.sandbox.reset_calls(plain.company.realm_id)
    proof, differences = prove(plain.bench, plain.company)
    assert differences == []
    assert proof["verdict"] == "equal"
    assert proof["quickbooks_total"] == proof["peakflo_total"] > 0
    assert proof["difference_total"] == 0
    assert proof["calls"] == 8
    assert proof["calls"] == plain.bench.sandbox.calls(plain.company.realm_id)["metered"]
    counts = proof["counts"]
    assert all(each["whole"] and each["quickbooks"] == each["peakflo"] for each in counts.values()), counts


def test_each_customer_is_told_by_both_sides(plain: Cashier):
    proof, _ = prove(plain.bench, plain.company)
    rows = plain.rows("proof.customer", proof_id=proof["proof_id"])
    assert sum(row["quickbooks"] for row in rows) == proof["quickbooks_total"]
    records = truth.read_truth(plain.bench.sandbox, plain.company.realm_id)["records"]["Customer"]
    balances = {each["Id"]: each["Balance"] for each in records if each["Balance"]}
    home = {row["customer_id"]: row["peakflo"] for row in rows}
    foreign = {each["Id"] for each in records if each["CurrencyRef"]["value"] != "USD"}
    assert {key: value for key, value in home.items() if key not in foreign} == {
        key: value for key, value in balances.items() if key not in foreign
    }


@pytest.mark.parametrize("enter", [journal, deposit])
def test_other_money_on_receivables_is_told_with_its_amount_and_explained(plain: Cashier, enter: Any):
    [invoice] = plain.invoices(1)
    customer = plain.books.read("Invoice", invoice["source_id"])["CustomerRef"]["value"]
    record_id = enter(plain, customer, "12.34")
    proof, differences = prove(plain.bench, plain.company)
    kind = {journal: "Journal Entry", deposit: "Deposit"}[enter]
    assert told(differences) == [("other_money", kind, record_id, "open", Decimal("-12.34"))]
    assert proof["verdict"] == "explained"
    assert (proof["difference_total"], proof["explained_total"]) == (Decimal("12.34"), Decimal("12.34"))
    assert proof["quickbooks_total"] - proof["peakflo_total"] == Decimal("-12.34")


def test_what_is_owed_in_a_foreign_currency_is_equal_at_home(plain: Cashier):
    customer = plain.books.customer("Foreign", CurrencyRef={"value": "EUR"})
    invoice = plain.books.invoice(customer, "33.33", CurrencyRef={"value": "EUR"}, ExchangeRate="1.1111")
    plain.bench.sync(plain.company)
    proof, differences = prove(plain.bench, plain.company)
    assert (proof["verdict"], differences) == ("equal", [])
    real = plain.bench.db.execute(
        "select round(amount_due * exchange_rate, 2) from peakflo.invoice where source_id = %s", [invoice]
    ).fetchone()
    assert real == (Decimal("37.03"),)


def test_a_change_while_the_proof_is_made_is_in_flight_and_no_difference_the_next_time(plain: Cashier):
    [invoice] = plain.invoices(1)
    customer = plain.books.read("Invoice", invoice["source_id"])["CustomerRef"]["value"]
    line = {"Amount": 40, "LinkedTxn": [{"TxnId": invoice["source_id"], "TxnType": "Invoice"}]}
    payment = {"CustomerRef": {"value": customer}, "TotalAmt": 50, "Line": [line]}
    plain.bench.sandbox.add_hook(
        plain.company.realm_id,
        "report:AgedReceivableDetail",
        writes=[{"operation": "create", "Payment": payment}],
    )
    proof, differences = prove(plain.bench, plain.company)
    assert not plain.bench.sandbox.hooks()
    assert {each["class"] for each in differences} == {"in_flight"}
    assert {each["entity"] for each in differences} >= {"invoice", "payment"}
    assert proof["verdict"] == "explained"
    assert prove(plain.bench, plain.company)[0]["verdict"] == "equal"


@pytest.mark.parametrize(
    ("setting", "value", "why"),
    [
        ("report_cells", 60, "cut"),
        ("report_rows", 4, "cut"),
        ("report_days_off", -1, "another day"),
        ("report_basis", "Cash", "another basis"),
    ],
)
def test_a_report_of_something_else_proves_nothing(plain: Cashier, setting: str, value: Any, why: str):
    plain.bench.sandbox.change_settings(plain.company.realm_id, **{setting: value})
    proof, differences = prove(plain.bench, plain.company)
    assert proof["verdict"] == "not_proved"
    assert why in proof["reason"]
    assert differences == []
    assert proof["quickbooks_total"] is None


def test_what_was_missed_is_repaired_although_the_reports_prove_nothing(plain: Cashier):
    plain.bench.db.execute("update peakflo.invoice set amount_due = amount_due + 1 where status = 'sent'")
    plain.bench.sandbox.change_settings(plain.company.realm_id, report_basis="Cash")
    proof, differences = prove(plain.bench, plain.company)
    assert proof["verdict"] == "not_proved"
    assert differences
    assert all(each["is_repaired"] for each in differences)
    assert truth.differences(plain.bench.db, plain.bench.sandbox, plain.company) == []


def test_a_report_that_contradicts_the_records_is_a_difference_without_a_cause(plain: Cashier):
    [invoice] = plain.invoices(1)
    plain.bench.sandbox.serve(
        plain.company.realm_id, "Invoice", invoice["source_id"], {"Balance": 99, "SyncToken": "7"}
    )
    plain.bench.sync(plain.company)
    proof, differences = prove(plain.bench, plain.company)
    assert proof["verdict"] == "differs"
    [found] = [each for each in differences if not each["is_explained"]]
    assert (found["entity"], found["qbo_id"], found["amount"]) == (
        "invoice",
        invoice["source_id"],
        Decimal("1.00"),
    )
    assert found["owner"] == "data engineer"


def test_a_record_that_cannot_be_read_explains_what_is_missing(plain: Cashier):
    [invoice] = plain.invoices(1)
    plain.books.change("Invoice", invoice["source_id"], PrivateNote="x")
    plain.bench.sandbox.serve(plain.company.realm_id, "Invoice", invoice["source_id"], drop=["TotalAmt"])
    customer = plain.books.read("Invoice", invoice["source_id"])["CustomerRef"]["value"]
    plain.books.pay(customer, "60", ("Invoice", invoice["source_id"], "60"))
    plain.bench.sync(plain.company)
    proof, differences = prove(plain.bench, plain.company)
    assert ("not_read", "invoice", invoice["source_id"]) in [each[:3] for each in told(differences)]
    assert proof["verdict"] == "explained"


def test_a_payment_that_waits_is_told_with_its_amount_and_why(plain: Cashier):
    [invoice] = plain.invoices(1)
    payment_id = plain.take(invoice, currency="EUR")
    plain.push()
    proof, differences = prove(plain.bench, plain.company)
    [found] = differences
    delivery = plain.delivery(payment_id)
    assert (found["class"], found["field"], found["amount"]) == ("held_payment", "delivery", Decimal(-100))
    assert f"Payment {delivery['delivery_id']} of 100.00: " in found["sentence"]
    assert proof["verdict"] == "explained"


def test_a_payment_on_its_way_is_in_flight(plain: Cashier):
    [invoice] = plain.invoices(1)
    plain.take(invoice)
    _, differences = prove(plain.bench, plain.company)
    assert [each["class"] for each in differences] == ["in_flight"]


def test_an_entry_of_a_payment_that_is_not_linked_is_told_as_such(plain: Cashier):
    [invoice] = plain.invoices(1)
    payment_id = plain.take(invoice, "97", rounding_amount="3")
    plain.push()
    plain.bench.sync(plain.company)
    assert prove(plain.bench, plain.company)[0]["verdict"] == "equal"
    record = plain.record(payment_id)
    plain.books.change("Payment", record["qbo_id"], Line=[])
    plain.bench.sync(plain.company)
    plain.push()
    proof, differences = prove(plain.bench, plain.company)
    classes = {each["class"]: each for each in differences}
    assert set(classes) == {"unlinked", "held_payment"}
    assert classes["unlinked"]["qbo_id"] == plain.record(payment_id, "journal_entry")["qbo_id"]
    assert proof["verdict"] == "explained"


def test_a_payment_whose_change_was_lost_is_looked_at_again(plain: Cashier):
    [invoice] = plain.invoices(1)
    payment_id = plain.take(invoice)
    plain.push()
    plain.bench.sync(plain.company)
    plain.push()
    qbo_id = plain.record(payment_id)["qbo_id"]
    plain.books.change("Payment", qbo_id, TxnDate="2026-01-01")
    plain.bench.sync(plain.company)
    plain.bench.db.execute("truncate outbox.queue")
    assert plain.standing(payment_id)[0] == "agrees"
    prove(plain.bench, plain.company)
    plain.push()
    assert plain.standing(payment_id) == ("differs", "edited_in_quickbooks")


def test_so_many_pages_are_read_and_the_others_another_night(plain: Cashier):
    compared: set[str] = set()
    for _ in range(3):
        proof, _ = prove(plain.bench, plain.company, most_pages=2)
        assert proof["calls"] == 5
        compared |= {entity for entity, counts in proof["counts"].items() if counts["whole"]}
    assert compared == {"account", "customer", "invoice", "credit_memo", "payment"}
    proof, _ = prove(plain.bench, plain.company, most_pages=0)
    assert (proof["verdict"], proof["calls"]) == ("equal", 3)


@pytest.mark.parametrize("most_pages", [1, 20])
def test_records_that_were_created_all_at_once_are_read_to_their_end(bench: Workbench, most_pages: int):
    company = bench.imported({"customers": 1200, "invoices": 0, "payments": 0}, company_id="acme")
    seconds = bench.db.execute(
        "select count(distinct payload #>> '{MetaData,CreateTime}') from staging.customer"
    ).fetchone()
    assert seconds == (1,)
    for _ in range(5):
        proof, differences = prove(bench, company, most_pages=most_pages)
        assert (proof["verdict"], differences) == ("equal", [])
        if proof["counts"]["customer"]["compared"]:
            break
    assert proof["counts"]["customer"]["compared"] == 1200
    assert proof["counts"]["customer"]["whole"]


def test_more_deletions_than_are_believed_stop_the_proof_and_are_told(plain: Cashier):
    invoices = plain.invoices(40, "10")
    for each in invoices:
        plain.books.delete("Invoice", each["source_id"])
    plain.bench.sandbox.advance_clock(7200)
    plain.bench.db.execute("update staging.cursor set changed_since = changed_since + interval '90 minutes'")
    with pytest.raises(DeletionBrakeError):
        prove(plain.bench, plain.company)
    proof, _ = read(plain.bench)
    assert proof["verdict"] == "not_proved"
    assert "deleted, more than is believed" in proof["reason"]
    problems = plain.rows("sync.problem", company_id=plain.company.company_id, code="deletion_brake")
    assert [each["state"] for each in problems] == ["open"]


def test_how_long_a_difference_was_without_a_cause_is_kept(plain: Cashier):
    [invoice] = plain.invoices(1)
    plain.bench.sandbox.serve(
        plain.company.realm_id, "Invoice", invoice["source_id"], {"Balance": 99, "SyncToken": "7"}
    )
    plain.bench.sync(plain.company)
    first, _ = prove(plain.bench, plain.company)
    assert first["time_to_explanation"] is None
    plain.bench.db.execute(
        "update proof.difference set first_found_at = first_found_at - interval '26 hours'"
    )
    second, [*differences] = prove(plain.bench, plain.company)
    assert second["time_to_explanation"] is None
    [found] = [each for each in differences if not each["is_explained"]]
    assert second["made_at"] - found["first_found_at"] > timedelta(hours=26)
    plain.bench.sandbox.serve_truth(plain.company.realm_id)
    plain.books.change("Invoice", invoice["source_id"], PrivateNote="a newer version")
    for _ in range(9):
        plain.books.change("Invoice", invoice["source_id"], PrivateNote="and another one")
    third, _ = prove(plain.bench, plain.company)
    assert third["verdict"] == "equal"
    assert timedelta(hours=26) < third["time_to_explanation"] < timedelta(hours=27)


def test_a_company_that_was_never_imported_cannot_be_proved(bench: Workbench):
    company = bench.connect()
    with pytest.raises(ConfigurationError, match="has not been imported yet"):
        prove(bench, company)
    assert read(bench)[0]["verdict"] == "not_proved"
