from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.entities import ENTITIES
from sandbox.faults import Fault
from sandbox.invoices import due_date
from sandbox.scribe import sales_line
from sandbox.writes import write

if TYPE_CHECKING:
    from sandbox.sandbox import Sandbox
    from sandbox.scribe import Scribe


@pytest.fixture
def customer(scribe: Scribe) -> str:
    return scribe.customer(
        "Ada", SalesTermRef={"value": "3"}, PrimaryEmailAddr={"Address": "ada@example.com"}
    )


def test_an_invoice_is_completed_from_the_customer(scribe: Scribe, customer: str) -> None:
    invoice = scribe.read("Invoice", scribe.invoice(customer, ("3", "2", "75"), TxnDate="2026-01-10"))
    assert invoice["CustomerRef"] == {"value": customer, "name": "Ada"}
    assert invoice["SalesTermRef"] == {"value": "3", "name": "Net 30"}
    assert invoice["DueDate"] == "2026-02-09"
    assert invoice["BillEmail"] == {"Address": "ada@example.com"}
    assert invoice["Line"][0]["SalesItemLineDetail"]["ItemRef"] == {"value": "3", "name": "Design"}
    assert invoice["Line"][-1] == {
        "Amount": 150,
        "DetailType": "SubTotalLineDetail",
        "SubTotalLineDetail": {},
    }
    assert invoice["TotalAmt"] == invoice["Balance"] == invoice["HomeTotalAmt"] == 150
    assert invoice["DocNumber"] == "1001"
    assert invoice["LinkedTxn"] == []


def test_a_us_form_taxes_the_lines_that_are_taxable(scribe: Scribe, customer: str) -> None:
    lines = [sales_line("4", "1", "275", tax="TAX"), sales_line("6", "1", "90", tax="NON")]
    body = {
        "CustomerRef": {"value": customer},
        "Line": lines,
        "TxnTaxDetail": {"TxnTaxCodeRef": {"value": "1"}},
    }
    invoice = scribe.read("Invoice", scribe.write("Invoice", body))
    assert invoice["TxnTaxDetail"] == {
        "TxnTaxCodeRef": {"value": "1"},
        "TotalTax": 22,
        "TaxLine": [
            {
                "Amount": 22,
                "DetailType": "TaxLineDetail",
                "TaxLineDetail": {
                    "TaxRateRef": {"value": "1"},
                    "PercentBased": True,
                    "TaxPercent": 8,
                    "NetAmountTaxable": 275,
                },
            }
        ],
    }
    assert invoice["TotalAmt"] == 387
    payable = scribe.books.index.named("Account", "Sales Tax Payable")
    assert scribe.read("Account", payable)["CurrentBalance"] == -22


def test_elsewhere_each_line_has_its_own_code(state: Sandbox) -> None:
    from sandbox.scribe import Scribe

    company = state.open_company(
        "Lion Pte", realm_id="9", country="SG", home_currency="SGD", multicurrency=False
    )
    scribe = Scribe(company.books)
    customer = scribe.customer("Tan")
    lines = [sales_line("1", "1", "100", tax="1"), sales_line("1", "1", "50", tax="2")]
    body = {"CustomerRef": {"value": customer}, "Line": lines, "GlobalTaxCalculation": "TaxExcluded"}
    invoice = scribe.read("Invoice", scribe.write("Invoice", body))
    assert invoice["TxnTaxDetail"]["TotalTax"] == 9
    assert invoice["TotalAmt"] == 159
    assert "HomeTotalAmt" not in invoice
    assert "ExchangeRate" not in invoice


@pytest.mark.parametrize(("after_discount", "tax"), [(True, "9.9"), (False, "11")])
def test_the_tax_is_worked_out_before_or_after_the_discount(
    scribe: Scribe, customer: str, tax: str, *, after_discount: bool
) -> None:
    discount = {
        "DetailType": "DiscountLineDetail",
        "DiscountLineDetail": {"PercentBased": True, "DiscountPercent": 10},
    }
    body = {
        "CustomerRef": {"value": customer},
        "Line": [sales_line("4", "1", "137.5", tax="TAX"), discount],
        "ApplyTaxAfterDiscount": after_discount,
        "TxnTaxDetail": {"TxnTaxCodeRef": {"value": "1"}},
    }
    invoice = scribe.read("Invoice", scribe.write("Invoice", body))
    assert invoice["TxnTaxDetail"]["TotalTax"] == Decimal(tax)
    assert invoice["Line"][-1]["Amount"] == Decimal("13.75")
    assert invoice["TotalAmt"] == Decimal("123.75") + Decimal(tax)


def test_a_void_clears_amounts_and_leaves_the_record(scribe: Scribe, customer: str) -> None:
    invoice = scribe.invoice(customer, ("3", "2", "75"), PrivateNote="mistake")
    scribe.drop("Invoice", invoice, "void")
    voided = scribe.read("Invoice", invoice)
    assert (voided["TotalAmt"], voided["Balance"], voided["LinkedTxn"]) == (0, 0, [])
    assert voided["Line"][0]["Amount"] == 0
    assert voided["Line"][0]["SalesItemLineDetail"]["Qty"] == 0
    assert "UnitPrice" not in voided["Line"][0]["SalesItemLineDetail"]
    assert voided["PrivateNote"] == "Voided - mistake"
    assert scribe.read("Customer", customer)["Balance"] == 0


def test_a_paid_invoice_cannot_be_voided(scribe: Scribe, customer: str) -> None:
    invoice = scribe.invoice(customer, ("3", "1", "75"))
    scribe.pay(customer, "5", ("Invoice", invoice, Decimal(5)))
    with pytest.raises(Fault, match=r"6000 .*payment"):
        scribe.drop("Invoice", invoice, "void")
    assert scribe.balance(invoice) == 70


def test_deleting_a_paid_invoice_leaves_the_money_unapplied(scribe: Scribe, customer: str) -> None:
    invoice = scribe.invoice(customer, ("3", "1", "75"))
    payment = scribe.pay(customer, "75", ("Invoice", invoice, Decimal(75)))
    scribe.drop("Invoice", invoice)
    left = scribe.read("Payment", payment)
    assert (left["UnappliedAmt"], left["Line"], left["SyncToken"]) == (75, [], "1")
    assert scribe.read("Customer", customer)["Balance"] == -75


def test_deleting_a_paid_invoice_may_be_set_to_be_refused(
    scribe: Scribe, state: Sandbox, customer: str
) -> None:
    state.settings.change({"delete_linked": "refuse"})
    invoice = scribe.invoice(customer, ("3", "1", "75"))
    scribe.pay(customer, "75", ("Invoice", invoice, Decimal(75)))
    with pytest.raises(Fault, match=r"6000 .*linked"):
        scribe.drop("Invoice", invoice)


def test_deleting_an_invoice_also_ends_the_zero_payment_that_linked_its_credit(
    scribe: Scribe, customer: str
) -> None:
    invoice = scribe.invoice(customer, ("3", "1", "75"))
    credit = scribe.credit(customer, ("3", "1", "20"))
    payment = scribe.pay(
        customer, "0", ("Invoice", invoice, Decimal(20)), ("CreditMemo", credit, Decimal(20))
    )
    scribe.drop("Invoice", invoice)
    assert scribe.books.find("Payment", payment) is None
    assert scribe.read("CreditMemo", credit)["RemainingCredit"] == 20


def test_an_edited_invoice_keeps_its_payments(scribe: Scribe, customer: str) -> None:
    invoice = scribe.invoice(customer, ("3", "1", "75"))
    scribe.pay(customer, "50", ("Invoice", invoice, Decimal(50)))
    scribe.change("Invoice", invoice, Line=[sales_line("3", "2", "75")])
    edited = scribe.read("Invoice", invoice)
    assert (edited["TotalAmt"], edited["Balance"], edited["SyncToken"]) == (150, 100, "2")
    with pytest.raises(Fault, match=r"6000 .*less than the payments"):
        scribe.change("Invoice", invoice, Line=[sales_line("3", "1", "10")])


def test_a_sparse_update_keeps_the_rest_and_a_null_removes(scribe: Scribe, customer: str) -> None:
    invoice = scribe.invoice(customer, ("3", "1", "75"), PrivateNote="a", CustomerMemo={"value": "b"})
    scribe.change("Invoice", invoice, PrivateNote=None, EmailStatus="EmailSent")
    changed = scribe.read("Invoice", invoice)
    assert "PrivateNote" not in changed
    assert changed["CustomerMemo"] == {"value": "b"}
    assert changed["EmailStatus"] == "EmailSent"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"Line": []}, "2020"),
        ({"Line": [{"Amount": 1}]}, "2020"),
        ({"Line": [{"DetailType": "SalesItemLineDetail", "SalesItemLineDetail": {"Qty": 1}}]}, "2020"),
        ({"Line": [{**sales_line("3", "1", "75"), "Amount": 74}]}, "6070"),
        ({"Line": [sales_line("99", "1", "75")]}, "2500"),
        ({"DocNumber": "9" * 22}, "2050"),
        ({"EmailStatus": "Sent"}, "2170"),
        ({"BillEmail": {"Address": "nobody"}}, "2210"),
        ({"TxnDate": "yesterday"}, "2010"),
        ({"SalesTermRef": {"value": "99"}}, "2500"),
        (
            {
                "TxnTaxDetail": {"TxnTaxCodeRef": {"value": "99"}},
                "Line": [sales_line("3", "1", "1", tax="TAX")],
            },
            "2500",
        ),
    ],
)
def test_a_wrong_invoice_is_refused_and_changes_nothing(
    scribe: Scribe, customer: str, body: dict[str, Any], code: str
) -> None:
    with pytest.raises(Fault) as refused:
        scribe.write(
            "Invoice", {"CustomerRef": {"value": customer}, "Line": [sales_line("3", "1", "75")], **body}
        )
    assert refused.value.code == code
    assert not list(scribe.books.all("Invoice"))


def test_a_quantity_of_zero_with_an_amount_is_accepted(scribe: Scribe, customer: str) -> None:
    line = {**sales_line("3", "0", "0"), "Amount": 100}
    invoice = scribe.write("Invoice", {"CustomerRef": {"value": customer}, "Line": [line]})
    assert scribe.balance(invoice) == 100


def test_a_used_number_is_refused_only_with_custom_numbers(scribe: Scribe, customer: str) -> None:
    scribe.invoice(customer, ("3", "1", "75"), DocNumber="A-1")
    scribe.invoice(customer, ("3", "1", "75"), DocNumber="A-1")
    scribe.change("Preferences", "1", SalesFormsPrefs={"CustomTxnNumbers": True})
    with pytest.raises(Fault, match="DocNumber=A-1 is assigned to TxnType=Invoice with TxnId=1"):
        scribe.invoice(customer, ("3", "1", "75"), DocNumber="A-1")
    body = {"CustomerRef": {"value": customer}, "Line": [sales_line("3", "1", "75")], "DocNumber": "A-1"}
    include = frozenset({"allowduplicatedocnum"})
    assert write(scribe.books, ENTITIES["Invoice"], body, include=include).id == "3"


def test_closed_books_refuse_every_change(scribe: Scribe, customer: str) -> None:
    old = scribe.invoice(customer, ("3", "1", "75"), TxnDate="2025-12-30")
    scribe.change("Preferences", "1", AccountingInfoPrefs={"BookCloseDate": "2025-12-31"})
    with pytest.raises(Fault, match=r"^6210 "):
        scribe.invoice(customer, ("3", "1", "75"), TxnDate="2025-12-31")
    with pytest.raises(Fault, match=r"^6210 "):
        scribe.change("Invoice", old, TxnDate="2026-02-01")
    for operation in ("void", "delete"):
        with pytest.raises(Fault, match=r"^6210 "):
            scribe.drop("Invoice", old, operation)
    scribe.invoice(customer, ("3", "1", "75"), TxnDate="2026-01-01")


def test_an_ended_subscription_refuses_writes(scribe: Scribe, state: Sandbox, customer: str) -> None:
    state.settings.change({"subscription": "ended"}, "1")
    with pytest.raises(Fault, match=r"^6190 "):
        scribe.invoice(customer, ("3", "1", "75"))


def test_credits_and_payments_apply_themselves_where_the_company_wants_it(
    scribe: Scribe, customer: str
) -> None:
    scribe.change("Preferences", "1", SalesFormsPrefs={"AutoApplyCredit": True, "AutoApplyPayments": True})
    first = scribe.invoice(customer, ("3", "1", "75"))
    credit = scribe.credit(customer, ("3", "1", "100"))
    assert scribe.balance(first) == 0
    linking = scribe.read("Payment", scribe.read("Invoice", first)["LinkedTxn"][0]["TxnId"])
    assert (linking["TotalAmt"], linking["PrivateNote"]) == (
        0,
        "Created by QB Online to link credits to charges.",
    )
    payment = scribe.pay(customer, "10")
    second = scribe.invoice(customer, ("3", "1", "60"))
    assert scribe.balance(second) == 25
    assert scribe.read("CreditMemo", credit)["RemainingCredit"] == 0
    assert scribe.read("Payment", payment)["UnappliedAmt"] == 0


@pytest.mark.parametrize(
    ("term", "due"),
    [
        ({}, date(2026, 1, 10)),
        ({"Type": "STANDARD", "DueDays": 15}, date(2026, 1, 25)),
        ({"Type": "DATE_DRIVEN", "DayOfMonthDue": 31, "DueNextMonthDays": 5}, date(2026, 1, 31)),
        ({"Type": "DATE_DRIVEN", "DayOfMonthDue": 12, "DueNextMonthDays": 5}, date(2026, 2, 12)),
        ({"Type": "DATE_DRIVEN", "DayOfMonthDue": 5}, date(2026, 2, 5)),
    ],
)
def test_the_due_date_follows_from_the_term(term: dict[str, Any], due: date) -> None:
    assert due_date(date(2026, 1, 10), term) == due
