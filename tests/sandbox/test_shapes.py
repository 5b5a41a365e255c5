"""Records have the properties, types and number formats that recordings of QuickBooks show."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.scribe import Scribe, sales_line

if TYPE_CHECKING:
    from sandbox.sandbox import Sandbox

HEAD = {
    "domain": "QBO",
    "sparse": False,
    "Id": str,
    "SyncToken": str,
    "MetaData": {"CreateTime": "time", "LastUpdatedTime": "time"},
}
REF = {"value": str, "name": str}
ADDRESS = {"Id": str, "Line1": str, "City": str, "PostalCode": str}
DOLLARS = {"value": "USD", "name": "United States Dollar"}
SALES_LINES = [
    {
        "Id": "1",
        "LineNum": 1,
        "Amount": Decimal,
        "DetailType": "SalesItemLineDetail",
        "SalesItemLineDetail": {"ItemRef": REF, "UnitPrice": int, "Qty": int, "TaxCodeRef": {"value": str}},
    },
    {"Amount": Decimal, "DetailType": "SubTotalLineDetail", "SubTotalLineDetail": {}},
]
NAME_VALUE = {
    "name": "{http://schema.intuit.com/finance/v3}NameValue",
    "declaredType": "com.intuit.schema.finance.v3.NameValue",
    "scope": "javax.xml.bind.JAXBElement$GlobalScope",
    "value": {"Name": str, "Value": str},
    "nil": False,
    "globalScope": True,
    "typeSubstituted": False,
}
SHAPES: dict[str, Any] = {
    "Account": {
        **HEAD,
        "Name": str,
        "SubAccount": False,
        "FullyQualifiedName": str,
        "Active": True,
        "Classification": "Asset",
        "AccountType": str,
        "AccountSubType": str,
        "CurrentBalance": Decimal,
        "CurrentBalanceWithSubAccounts": Decimal,
        "CurrencyRef": DOLLARS,
    },
    "Customer": {
        **HEAD,
        "Taxable": False,
        "BillAddr": ADDRESS,
        "Job": False,
        "BillWithParent": False,
        "Balance": int,
        "BalanceWithJobs": int,
        "CurrencyRef": DOLLARS,
        "PreferredDeliveryMethod": "Print",
        "GivenName": str,
        "FamilyName": str,
        "FullyQualifiedName": str,
        "DisplayName": str,
        "PrintOnCheckName": str,
        "Active": True,
        "PrimaryPhone": {"FreeFormNumber": str},
        "PrimaryEmailAddr": {"Address": str},
    },
    "Invoice": {
        **HEAD,
        "AllowIPNPayment": False,
        "AllowOnlinePayment": False,
        "AllowOnlineCreditCardPayment": False,
        "AllowOnlineACHPayment": False,
        "DocNumber": str,
        "TxnDate": "date",
        "CurrencyRef": DOLLARS,
        "LinkedTxn": [{"TxnId": str, "TxnType": "Payment"}],
        "Line": SALES_LINES,
        "TxnTaxDetail": {
            "TxnTaxCodeRef": {"value": str},
            "TotalTax": Decimal,
            "TaxLine": [
                {
                    "Amount": Decimal,
                    "DetailType": "TaxLineDetail",
                    "TaxLineDetail": {
                        "TaxRateRef": {"value": str},
                        "PercentBased": True,
                        "TaxPercent": int,
                        "NetAmountTaxable": Decimal,
                    },
                }
            ],
        },
        "CustomerRef": REF,
        "CustomerMemo": {"value": str},
        "BillAddr": ADDRESS,
        "SalesTermRef": REF,
        "DueDate": "date",
        "TotalAmt": Decimal,
        "ApplyTaxAfterDiscount": False,
        "PrintStatus": "NeedToPrint",
        "EmailStatus": "NotSet",
        "BillEmail": {"Address": str},
        "Balance": int,
    },
    "Payment": {
        **HEAD,
        "CustomerRef": REF,
        "DepositToAccountRef": {"value": str},
        "TotalAmt": Decimal,
        "UnappliedAmt": int,
        "ProcessPayment": False,
        "TxnDate": "date",
        "CurrencyRef": DOLLARS,
        "Line": [
            {
                "Amount": Decimal,
                "LinkedTxn": [{"TxnId": str, "TxnType": "Invoice"}],
                "LineEx": {"any": [NAME_VALUE, NAME_VALUE, NAME_VALUE]},
            }
        ],
    },
    "CreditMemo": {
        **HEAD,
        "RemainingCredit": Decimal,
        "DocNumber": str,
        "TxnDate": "date",
        "CurrencyRef": DOLLARS,
        "Line": SALES_LINES,
        "TxnTaxDetail": {"TotalTax": int},
        "CustomerRef": REF,
        "BillAddr": ADDRESS,
        "TotalAmt": Decimal,
        "ApplyTaxAfterDiscount": False,
        "PrintStatus": "NeedToPrint",
        "EmailStatus": "NotSet",
        "BillEmail": {"Address": str},
        "Balance": Decimal,
    },
    "PaymentMethod": {**HEAD, "Name": str, "Active": True, "Type": "NON_CREDIT_CARD"},
    "Term": {**HEAD, "Name": str, "Active": True, "Type": "STANDARD", "DueDays": int},
}
PATTERNS = {"time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d-0[78]:00", "date": r"\d{4}-\d\d-\d\d"}


def difference(found: Any, shape: Any, path: str = "") -> list[str]:
    if isinstance(shape, dict) and isinstance(found, dict):
        missing = [f"{path}.{name} is missing" for name in shape.keys() - found.keys()]
        extra = [f"{path}.{name} is new" for name in found.keys() - shape.keys()]
        return (
            missing
            + extra
            + [
                each
                for name in shape.keys() & found.keys()
                for each in difference(found[name], shape[name], f"{path}.{name}")
            ]
        )
    if isinstance(shape, list) and isinstance(found, list):
        if len(shape) != len(found):
            return [f"{path} has {len(found)} members"]
        return [
            each
            for number, pair in enumerate(zip(found, shape, strict=True))
            for each in difference(*pair, f"{path}[{number}]")
        ]
    if isinstance(shape, type):
        return [] if isinstance(found, shape) else [f"{path} is {found!r}"]
    if shape in PATTERNS:
        return [] if re.fullmatch(PATTERNS[shape], found) else [f"{path} is {found!r}"]
    return [] if found == shape else [f"{path} is {found!r}"]


@pytest.fixture(scope="module")
def records() -> dict[str, dict[str, Any]]:
    from sandbox.sandbox import Sandbox

    books = Sandbox().open_company("Shapes", realm_id="1").books
    scribe = Scribe(books)
    customer = scribe.customer(
        "Ada Lovelace",
        GivenName="Ada",
        FamilyName="Lovelace",
        BillAddr={"Line1": "1 Main St.", "City": "Bayshore", "PostalCode": "94326"},
        PrimaryPhone={"FreeFormNumber": "555-0100"},
        PrimaryEmailAddr={"Address": "ada@example.com"},
    )
    invoice = scribe.write(
        "Invoice",
        {
            "CustomerRef": {"value": customer},
            "Line": [sales_line("4", "1", "275", tax="TAX")],
            "TxnTaxDetail": {"TxnTaxCodeRef": {"value": "1"}},
            "CustomerMemo": {"value": "Thank you"},
            "SalesTermRef": {"value": "3"},
        },
    )
    payment = scribe.pay(customer, "297", ("Invoice", invoice, Decimal(297)))
    credit = scribe.credit(customer, ("3", "1", "75"))
    scribe.invoice(customer, ("3", "1", "75"))
    ids = {"Customer": customer, "Invoice": invoice, "Payment": payment, "CreditMemo": credit}
    ids |= {
        "Account": books.index.named("Account", "Undeposited Funds") or "",
        "PaymentMethod": "1",
        "Term": "2",
    }
    return {entity: scribe.read(entity, record_id) for entity, record_id in ids.items()}


@pytest.mark.parametrize("entity", SHAPES)
def test_a_record_has_the_shape_of_the_recordings(records: dict[str, dict[str, Any]], entity: str) -> None:
    assert difference(records[entity], SHAPES[entity]) == []


def test_multicurrency_adds_the_rate_and_the_home_amounts(state: Sandbox) -> None:
    books = state.open_company("Many", realm_id="2", multicurrency=True).books
    scribe = Scribe(books)
    customer = scribe.customer("Zoë", CurrencyRef={"value": "EUR"})
    invoice = scribe.read("Invoice", scribe.invoice(customer, ("3", "1", "75"), ExchangeRate=Decimal("1.1")))
    assert {"ExchangeRate", "HomeTotalAmt", "HomeBalance"} <= invoice.keys()
    assert (invoice["CurrencyRef"], invoice["HomeTotalAmt"]) == (
        {"value": "EUR", "name": "Euro"},
        Decimal("82.5"),
    )
    payment = scribe.read("Payment", scribe.pay(customer, "5"))
    assert payment["ExchangeRate"] == Decimal("1.09")


def test_numbers_are_printed_as_quickbooks_prints_them(state: Sandbox) -> None:
    scribe = Scribe(state.open_company("Numbers", realm_id="2").books)
    customer = scribe.customer("Ada")
    invoice = scribe.invoice(customer, ("3", "4.50", "86.00"), ("3", "1", "314.28"), ("3", "1", "0.10"))
    text = scribe.books.get("Invoice", invoice).json.decode()
    assert '"Amount":387.0,' in text
    assert '"Qty":4.5,"UnitPrice":86,' in text
    assert '"Amount":314.28,' in text
    assert '"Amount":0.1,' in text
    assert '"TotalTax":0}' in text
    assert '"TotalAmt":701.38,' in text
