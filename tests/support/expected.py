"""What Peakflo's tables have to say of a QuickBooks record, worked out in Python and not in SQL."""

from __future__ import annotations

import hashlib
from datetime import datetime
from decimal import Decimal
from email.utils import getaddresses
from typing import Any
from uuid import UUID

Json = dict[str, Any]

NOTHING = Decimal(0)
ADDRESS = {
    "line1": "Line1",
    "line2": "Line2",
    "line3": "Line3",
    "line4": "Line4",
    "city": "City",
    "region": "CountrySubDivisionCode",
    "country": "Country",
    "postalCode": "PostalCode",
}


def peakflo_id(realm_id: str, table: str, qbo_id: str | None) -> UUID | None:
    """Compute the id of a record born in QuickBooks."""
    if qbo_id is None:
        return None
    digits = hashlib.sha256(f"{realm_id}/{table}/{qbo_id}".encode()).hexdigest()[:32]
    return UUID(f"{digits[:12]}8{digits[13:16]}8{digits[17:]}")


def _ref(record: Json, name: str) -> str | None:
    return record.get(name, {}).get("value")


def _addresses(record: Json, name: str) -> list[str]:
    given = getaddresses([record.get(name, {}).get("Address", "").replace(";", ",")])
    return [address for _, address in given if "@" in address]


def _list_status(record: Json) -> str:
    return "active" if record.get("Active", True) else "archived"


def _is_voided(record: Json) -> bool:
    details = [line.get("SalesItemLineDetail", {}) for line in record["Line"]]
    amounts = [line.get("Amount", NOTHING) for line in record["Line"]] + [
        each.get("Qty", NOTHING) for each in details
    ]
    return record["TotalAmt"] == 0 and not any(amounts)


def _account(record: Json, realm_id: str) -> Json:
    return {
        "code": record.get("AcctNum"),
        "name": record["Name"],
        "full_name": record["FullyQualifiedName"],
        "type": record["AccountType"],
        "sub_type": record["AccountSubType"],
        "classification": record["Classification"],
        "currency": _ref(record, "CurrencyRef"),
        "parent_id": peakflo_id(realm_id, "account", _ref(record, "ParentRef")),
        "balance": record["CurrentBalance"],
        "status": _list_status(record),
    }


def _customer(record: Json, realm_id: str) -> Json:
    address = record.get("BillAddr", {})
    return {
        "company_name": record["DisplayName"],
        "email": next(iter(_addresses(record, "PrimaryEmailAddr")), None),
        "phone": record.get("PrimaryPhone", {}).get("FreeFormNumber"),
        "currency": _ref(record, "CurrencyRef"),
        "parent_id": peakflo_id(realm_id, "customer", _ref(record, "ParentRef")),
        "bill_with_parent": record.get("BillWithParent", False),
        "balance": record["Balance"],
        "balance_with_children": record["BalanceWithJobs"],
        "payment_term": record.get("SalesTermRef", {}).get("name"),
        "status": _list_status(record),
        "billing_address": {ours: address[theirs] for ours, theirs in ADDRESS.items() if theirs in address}
        or None,
    }


def _bill(record: Json, realm_id: str) -> Json:
    return {
        "customer_id": peakflo_id(realm_id, "customer", _ref(record, "CustomerRef")),
        "currency": _ref(record, "CurrencyRef"),
        "exchange_rate": record.get("ExchangeRate"),
    }


def _invoice(record: Json, realm_id: str) -> Json:
    lines = _sales_lines(record)
    discount = sum(
        (line["Amount"] for line in record["Line"] if line["DetailType"] == "DiscountLineDetail"), NOTHING
    )
    is_paid = record["Balance"] == 0
    return {
        **_bill(record, realm_id),
        "invoice_number": record["DocNumber"],
        "issue_date": datetime.fromisoformat(record["TxnDate"]).date(),
        "due_date": datetime.fromisoformat(record["DueDate"]).date(),
        "due_date_basis": "quickbooks",
        "sub_total": sum((line.get("Amount", NOTHING) for line in lines), NOTHING),
        "total_discount": discount,
        "total_tax_amount": record["TxnTaxDetail"]["TotalTax"],
        "total_amount": record["TotalAmt"],
        "amount_due": record["Balance"],
        "status": "cancelled" if _is_voided(record) else "paid" if is_paid else "sent",
        "note": record.get("CustomerMemo", {}).get("value"),
        "emailed_to": _addresses(record, "BillEmail") or None,
    }


def _sales_lines(record: Json) -> list[Json]:
    lines = [
        each for line in record["Line"] for each in line.get("GroupLineDetail", {}).get("Line") or [line]
    ]
    return [line for line in lines if line["DetailType"] not in ("SubTotalLineDetail", "DiscountLineDetail")]


def _invoice_lines(record: Json, _realm_id: str) -> list[Json]:
    return [
        {
            "description": line.get("Description"),
            "quantity": line.get("SalesItemLineDetail", {}).get("Qty"),
            "unit_amount": line.get("SalesItemLineDetail", {}).get("UnitPrice"),
            "discount_amount": NOTHING,
            "tax_amount": None,
            "total_amount": line.get("Amount"),
            "item_ref": line.get("SalesItemLineDetail", {}).get("ItemRef", {}).get("value"),
        }
        for line in _sales_lines(record)
    ]


def _credit_note(record: Json, realm_id: str) -> Json:
    is_applied = record["RemainingCredit"] == 0
    return {
        **_bill(record, realm_id),
        "credit_note_number": record["DocNumber"],
        "issue_date": datetime.fromisoformat(record["TxnDate"]).date(),
        "total_amount": record["TotalAmt"],
        "remaining_credit": record["RemainingCredit"],
        "status": "voided" if _is_voided(record) else "applied" if is_applied else "open",
        "note": record.get("CustomerMemo", {}).get("value"),
    }


def _payment(record: Json, realm_id: str) -> Json:
    return {
        **_bill(record, realm_id),
        "payment_date": datetime.fromisoformat(record["TxnDate"]).date(),
        "amount": record["TotalAmt"],
        "unapplied_amount": record["UnappliedAmt"],
        "method": record.get("PaymentMethodRef", {}).get("name"),
        "reference": record.get("PaymentRefNum"),
        "note": record.get("PrivateNote"),
        "deposit_account_id": peakflo_id(realm_id, "account", _ref(record, "DepositToAccountRef")),
        "status": "voided" if _is_voided(record) else "active",
        "origin": "quickbooks",
        "created_at": datetime.fromisoformat(record["MetaData"]["CreateTime"]),
    }


def _allocations(record: Json, realm_id: str) -> list[Json]:
    types = {
        "Invoice": "invoice",
        "CreditMemo": "credit_note",
        "JournalEntry": "journal_entry",
        "Deposit": "deposit",
        "Check": "check",
        "Expense": "expense",
    }
    tables = {"Invoice": "invoice", "CreditMemo": "credit_note"}
    links = [(link, line["Amount"]) for line in record["Line"] for link in line["LinkedTxn"]]
    return [
        {
            "target_type": types[link["TxnType"]],
            "target_id": peakflo_id(realm_id, tables[link["TxnType"]], link["TxnId"])
            if link["TxnType"] in tables
            else None,
            "target_source_id": link["TxnId"],
            "amount": amount,
            "withholding_tax_amount": NOTHING,
        }
        for link, amount in links
    ]


def _tax_rate(record: Json, _realm_id: str) -> Json:
    return {
        "name": record["Name"],
        "description": record.get("Description"),
        "active": record["Active"],
        "rate": record.get("RateValue"),
    }


def _tax_code(record: Json, realm_id: str) -> Json:
    parts = [
        (applies_to, detail["TaxOrder"], detail["TaxRateRef"]["value"])
        for applies_to, name in (("sales", "SalesTaxRateList"), ("purchases", "PurchaseTaxRateList"))
        for detail in record.get(name, {}).get("TaxRateDetail", [])
    ]
    return {
        "name": record["Name"],
        "description": record.get("Description"),
        "active": record["Active"],
        "rates": [
            {
                "tax_rate_id": str(peakflo_id(realm_id, "tax_rate", rate)),
                "order": int(order),
                "applies_to": applies_to,
            }
            for applies_to, order, rate in sorted(parts)
        ],
    }


ROWS = {
    "account": _account,
    "customer": _customer,
    "invoice": _invoice,
    "credit_note": _credit_note,
    "payment": _payment,
    "tax_rate": _tax_rate,
    "tax_code": _tax_code,
}
PARTS = {"invoice_line": _invoice_lines, "payment_allocation": _allocations}
