"""
What money, days, customers and states a record's JSON tells, read strictly: what is not plainly said is unclear.

Shares nothing with the SQL that merges records, and guesses nothing.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.support.expected import peakflo_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Json = dict[str, Any]

NUMBER = re.compile(r"\s*-?\d+(\.\d+)?([eE][+-]?\d+)?\s*", re.ASCII)
DAY = re.compile(r"(\d{4}-\d\d-\d\d)(T.*)?", re.ASCII)
TARGETS = {"Invoice": "invoice", "CreditMemo": "credit_note"}


class UnclearError(Exception):
    """A record does not say plainly what has to be known of it."""


def read(entity: str, realm_id: str, text: bytes) -> Json:
    """
    Return the columns of Peakflo's row, and what its lines say.

    :raises UnclearError: if the record does not say them plainly.
    """
    # No text can hold half a surrogate pair.
    text = text.replace(rb"\ud83d", rb"\ufffd")
    try:
        record = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    except (ValueError, RecursionError):
        raise UnclearError("it is no JSON") from None
    if not isinstance(record, dict) or r"\u0000" in text.decode() or not isinstance(record.get("Id"), str):
        raise UnclearError("it is no record")
    return READERS[entity](record, realm_id) if entity in READERS else {}


def _number(value: Any) -> Decimal:
    if isinstance(value, Decimal) and value.is_finite():
        return value
    if isinstance(value, str) and NUMBER.fullmatch(value):
        return Decimal(value)
    raise UnclearError(f"no amount: {value!r:.40}")


def _day(value: Any) -> date:
    """Return a day, also one with a time."""
    if isinstance(value, str) and (said := DAY.fullmatch(value)):
        try:
            return datetime.fromisoformat(value).date() if said[2] else date.fromisoformat(value)
        except ValueError:
            pass
    raise UnclearError(f"no day: {value!r:.40}")


def _flag(value: Any) -> bool:
    if str(value).lower() in {"true", "t", "yes", "1"}:
        return True
    if str(value).lower() in {"false", "f", "no", "0", "-0"}:
        return False
    raise UnclearError(f"no yes or no: {value!r:.40}")


def _id(value: Any) -> str:
    """Return an Id; whether QuickBooks has such a record is another question."""
    return str(value).lower() if isinstance(value, Decimal | bool) else _text(value)


def _text(value: Any) -> str:
    if isinstance(value, str) and value:
        return value
    raise UnclearError(f"no text: {value!r:.40}")


def _if_said(reader: Callable[[Any], Any], value: Any) -> Any:
    return None if value is None or value == "" else reader(value)


def _object(record: Json, name: str) -> Json:
    value = record.get(name)
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    raise UnclearError(f"{name} is no object")


def _objects(record: Json, name: str) -> list[Json]:
    """Return the objects of a list; none where there is none, and nothing in the place of one is none."""
    value = record.get(name, [])
    if isinstance(value, list) and all(each is None or isinstance(each, dict) for each in value):
        return [each for each in value if each is not None]
    raise UnclearError(f"{name} is no list of objects")


def _ref(record: Json, name: str) -> str | None:
    value = _object(record, name).get("value")
    return None if value is None else _id(value)


def _needed_ref(record: Json, name: str) -> str:
    if (value := _ref(record, name)) is None:
        raise UnclearError(f"no {name}")
    return value


def _is_voided(record: Json) -> bool:
    """Tell whether all amounts are 0, of which the total has to be one; what is read elsewhere is strict there."""
    names = ("TotalAmt", "Balance", "RemainingCredit", "UnappliedAmt")
    amounts = [*(record.get(name) for name in names), *_inside(record.get("Line"))]
    return not any(Decimal(each) for each in amounts if _is_number(each))


def _is_number(value: Any) -> bool:
    with suppress(UnclearError):
        _number(value)
        return True
    return False


def _inside(value: Any) -> Iterator[Any]:
    """Yield all amounts and quantities of lines, however deep."""
    if isinstance(value, list):
        for each in value:
            yield from _inside(each)
    elif isinstance(value, dict):
        yield from (value[name] for name in ("Amount", "Qty") if name in value)
        for each in value.values():
            yield from _inside(each)


def _list_status(record: Json) -> str:
    return "archived" if _if_said(_flag, record.get("Active")) is False else "active"


def _account(record: Json, realm_id: str) -> Json:
    return {
        "currency": _ref(record, "CurrencyRef"),
        "parent_id": peakflo_id(realm_id, "account", _ref(record, "ParentRef")),
        "balance": _if_said(_number, record.get("CurrentBalance")),
        "status": _list_status(record),
    }


def _customer(record: Json, realm_id: str) -> Json:
    return {
        "currency": _ref(record, "CurrencyRef"),
        "parent_id": peakflo_id(realm_id, "customer", _ref(record, "ParentRef")),
        "bill_with_parent": bool(_if_said(_flag, record.get("BillWithParent"))),
        "balance": _if_said(_number, record.get("Balance")),
        "balance_with_children": _if_said(_number, record.get("BalanceWithJobs")),
        "status": _list_status(record),
    }


def _bill(record: Json, realm_id: str) -> Json:
    return {
        "customer_id": peakflo_id(realm_id, "customer", _needed_ref(record, "CustomerRef")),
        "currency": _ref(record, "CurrencyRef"),
        "exchange_rate": _if_said(_number, record.get("ExchangeRate")),
    }


def _invoice(record: Json, realm_id: str) -> Json:
    lines = list(_sales_lines(record))
    discounts = [amount for kind, amount in lines if kind == "DiscountLineDetail"]
    goods = [(amount,) for kind, amount in lines if kind != "DiscountLineDetail"]
    due = _number(record.get("Balance"))
    status = "draft" if record.get("status") in ("Draft", "Pending") else "sent" if due else "paid"
    row = {
        **_bill(record, realm_id),
        "issue_date": _if_said(_day, record.get("TxnDate")),
        "total_discount": sum(filter(None, discounts), Decimal(0)),
        "total_tax_amount": _if_said(_number, _object(record, "TxnTaxDetail").get("TotalTax")) or Decimal(0),
        "total_amount": _number(record.get("TotalAmt")),
        "amount_due": due,
        "status": "cancelled" if _is_voided(record) else status,
        "parts": goods,
    }
    if due_date := _if_said(_day, record.get("DueDate")):
        row["due_date"] = due_date
    return row


def _sales_lines(record: Json) -> Iterator[tuple[Any, Decimal | None]]:
    """Yield kinds and amounts; what repeats others or is no line is left out: what is owed does not depend on it."""
    lines = record.get("Line", [])
    if not isinstance(lines, list):
        raise UnclearError("Line is no list")
    for line in lines:
        if isinstance(line, dict) and line.get("DetailType") != "SubTotalLineDetail":
            yield line.get("DetailType"), _if_said(_number, line.get("Amount"))


def _credit_memo(record: Json, realm_id: str) -> Json:
    remaining = record.get("RemainingCredit")
    remaining = abs(_number(record.get("Balance") if remaining is None or remaining == "" else remaining))
    return {
        **_bill(record, realm_id),
        "issue_date": _if_said(_day, record.get("TxnDate")),
        "total_amount": _number(record.get("TotalAmt")),
        "remaining_credit": remaining,
        "status": "voided" if _is_voided(record) else "open" if remaining else "applied",
    }


def _payment(record: Json, realm_id: str) -> Json:
    status = "voided" if _is_voided(record) else "active"
    return {
        **_bill(record, realm_id),
        "payment_date": _day(record.get("TxnDate")),
        "amount": _number(record.get("TotalAmt")),
        "unapplied_amount": _number(record.get("UnappliedAmt")),
        "status": status,
        "parts": list(_allocations(record, realm_id)) if status == "active" else [],
    }


def _allocations(record: Json, realm_id: str) -> Iterator[tuple[Any, str, Decimal]]:
    for line in _objects(record, "Line"):
        for link in _objects(line, "LinkedTxn"):
            kind, target = _text(link.get("TxnType")), _id(link.get("TxnId"))
            known = peakflo_id(realm_id, TARGETS[kind], target) if kind in TARGETS else None
            yield known, target, _number(line.get("Amount"))


def _tax_rate(record: Json, _realm_id: str) -> Json:
    return {**_tax_code(record, _realm_id), "rate": _if_said(_number, record.get("RateValue"))}


def _tax_code(record: Json, _realm_id: str) -> Json:
    return {"active": _if_said(_flag, record.get("Active")) is not False}


READERS: dict[str, Callable[[Json, str], Json]] = {
    "Account": _account,
    "Customer": _customer,
    "Invoice": _invoice,
    "CreditMemo": _credit_memo,
    "Payment": _payment,
    "TaxRate": _tax_rate,
    "TaxCode": _tax_code,
}
