"""Reads the bodies that clients send: known names, right types, numbers in QuickBooks' form."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sandbox import faults, properties
from sandbox.json_text import AMOUNTS, PLAIN_NUMBERS, canonical

_LISTS = frozenset({"Line", "LinkedTxn", "TaxLine", "NameValue", "CustomField", "TaxRateDetail"})
_OBJECT_ENDINGS = ("Ref", "Detail", "Addr", "Prefs", "Email")
_OBJECTS = frozenset(
    {"MetaData", "CustomerMemo", "Entity", "BillEmailCc", "BillEmailBcc", "PrimaryPhone", "Mobile", "WebAddr"}
)
_TRUTHS = frozenset(
    {
        "Active",
        "Adjustment",
        "ApplyTaxAfterDiscount",
        "AutoApplyCredit",
        "AutoApplyPayments",
        "BillWithParent",
        "CustomTxnNumbers",
        "Job",
        "PercentBased",
        "ProcessPayment",
        "SubAccount",
        "Taxable",
    }
)
_WHOLE_NUMBERS = frozenset(
    {"DueDays", "DayOfMonthDue", "DueNextMonthDays", "DiscountDays", "DiscountDayOfMonth"}
)
_TEXTS = frozenset(
    {
        "AccountSubType",
        "AccountType",
        "AcctNum",
        "Address",
        "BookCloseDate",
        "CompanyName",
        "Description",
        "DetailType",
        "DisplayName",
        "DocNumber",
        "DueDate",
        "EmailStatus",
        "FamilyName",
        "GivenName",
        "GlobalTaxCalculation",
        "Id",
        "MiddleName",
        "Name",
        "PaymentRefNum",
        "PostingType",
        "PreferredDeliveryMethod",
        "PrintOnCheckName",
        "PrintStatus",
        "PrivateNote",
        "Sku",
        "Suffix",
        "SyncToken",
        "Title",
        "TxnDate",
        "TxnId",
        "TxnLineId",
        "TxnType",
        "Type",
        "value",
    }
)
_WORDS = {"true": True, "false": False}


def read(entity: str, body: Any) -> dict[str, Any]:
    """
    Return a body in the form that the books keep; null, empty texts and empty references are left out.

    :raises faults.Fault: 2010 when a name, a type or a number is wrong.
    """
    if not isinstance(body, dict):
        raise faults.invalid_property()
    properties.check_known(entity, body)
    try:
        fields: dict[str, Any] = canonical(_typed("", body))
    except ValueError:
        raise faults.invalid_property() from None
    return fields


def _typed(name: str, value: Any) -> Any:
    if value is None or value == "":
        return None
    if name in _LISTS:
        return [_object(item) for item in _require(value, list, name)]
    if name in _OBJECTS or name.endswith(_OBJECT_ENDINGS):
        typed = _object(_require(value, dict, name))
        return None if name.endswith("Ref") and not typed.get("value") else typed
    if isinstance(value, dict | list):
        return _nested(name, value)
    return _scalar(name, value)


def _nested(name: str, value: Any) -> Any:
    if name in _TEXTS | _TRUTHS | _WHOLE_NUMBERS | AMOUNTS | PLAIN_NUMBERS:
        raise faults.invalid_property(name)
    return _object(value) if isinstance(value, dict) else [_typed("", item) for item in value]


def _scalar(name: str, value: Any) -> Any:
    if name in _TEXTS:
        # Ids and numbers may come as JSON numbers.
        return str(_require(value, str | int | Decimal, name))
    if name in _TRUTHS:
        return _require(_WORDS.get(str(value).lower()), bool, name)
    return int(value) if name in _WHOLE_NUMBERS else value


def _object(value: Any) -> dict[str, Any]:
    return {name: _typed(name, item) for name, item in _require(value, dict, "").items()}


def _require(value: Any, kind: Any, name: str) -> Any:
    if not isinstance(value, kind):
        raise faults.invalid_property(name or None)
    return value
