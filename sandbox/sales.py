"""What invoices and credit memos have in common: lines, discount, tax, totals and postings."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox import chart, faults, tax, tax_inclusive, validation
from sandbox.balances import side
from sandbox.json_text import ZERO, amount, cents, decimal_of, plain
from sandbox.ledger import Posting
from sandbox.sales_lines import (
    account_amounts,
    complete_lines,
    discount_of,
    item_lines,
    net_amounts,
    subtotal_of,
)

if TYPE_CHECKING:
    from sandbox.books import Books, Record

DUPLICATES = "allowduplicatedocnum"
LIMITS = {"DocNumber": 21, "PrivateNote": 4000, "TrackingNum": 31}
ENUMERATIONS = {
    "EmailStatus": ("NotSet", "NeedToSend", "EmailSent"),
    "PrintStatus": ("NotSet", "NeedToPrint", "PrintComplete"),
    "GlobalTaxCalculation": ("TaxExcluded", "TaxInclusive", "NotApplicable"),
}


def build(books: Books, entity: str, body: dict[str, Any], old: Record | None) -> dict[str, Any]:
    """
    Return the complete properties of a form, without what payments decide.

    :param body: the properties as they shall be; of a sparse update already joined with the old ones.
    :param old: the version that is replaced.
    :raises faults.Fault: when the form breaks a rule.
    """
    validation.require(body, "Line", "CustomerRef")
    _check(body)
    customer = validation.referenced(books, body["CustomerRef"], "Customer")
    facts = customer.fields()
    currency = chart.transaction_currency(body, facts["CurrencyRef"]["value"])
    issued = validation.entry_date(books, body, old)
    customer_code = facts.get("DefaultTaxCodeRef", {}).get("value")
    lines = body["Line"]
    if tax_inclusive.is_inclusive(body):
        lines = tax_inclusive.net_lines(books, lines, tax.form_code_of(body, customer_code))
    form = {
        **body,
        "DocNumber": _doc_number(books, entity, body, old),
        "TxnDate": issued.isoformat(),
        "CurrencyRef": chart.currency_ref(currency),
        "CustomerRef": {"value": customer.id, "name": facts["DisplayName"]},
        "Line": complete_lines(books, lines),
    }
    _fill_from_customer(form, facts)
    validation.number_addresses(books, form)
    form["TxnTaxDetail"] = tax.tax_detail(books, form, net_amounts(form), customer_code)
    if tax_inclusive.is_inclusive(form) and not discount_of(form["Line"]):
        tax_inclusive.fit_tax(form, item_lines(form["Line"]))
    _total(books, form, currency)
    return form


def _check(body: dict[str, Any]) -> None:
    validation.check_lengths(body, LIMITS)
    validation.check_lengths(body.get("CustomerMemo", {}), {"value": 1000})
    validation.check_enumerations(body, ENUMERATIONS)
    for name in ("BillEmail", "BillEmailCc", "BillEmailBcc"):
        validation.check_email(body.get(name))


def _doc_number(books: Books, entity: str, body: dict[str, Any], old: Record | None) -> str:
    number = str(body.get("DocNumber") or "")
    if not number:
        return books.next_id("document") if old is None else str(old.fields()["DocNumber"])
    if validation.sales_preferences(books).get("CustomTxnNumbers") and DUPLICATES not in books.include:
        for other in books.index.numbered(entity, number):
            if old is None or other != old.id:
                raise faults.duplicate_number(number, entity, other)
    return number


def _fill_from_customer(form: dict[str, Any], customer: dict[str, Any]) -> None:
    form.setdefault("ApplyTaxAfterDiscount", False)
    form.setdefault("PrintStatus", "NeedToPrint")
    form.setdefault("EmailStatus", "NotSet")
    for name in ("BillAddr", "ShipAddr"):
        if name in customer:
            form.setdefault(name, customer[name])
    if "PrimaryEmailAddr" in customer:
        form.setdefault("BillEmail", customer["PrimaryEmailAddr"])


def _total(books: Books, form: dict[str, Any], currency: str) -> None:
    total = cents(subtotal_of(form["Line"]) - discount_of(form["Line"]) + form["TxnTaxDetail"]["TotalTax"])
    if total < ZERO:
        raise faults.business("Transaction amount must be 0 or greater.")
    rate = chart.exchange_rate(books, form, currency)
    form["TotalAmt"] = amount(total)
    form.pop("ExchangeRate", None)
    form.update(chart.home_fields(books, rate))
    if not ZERO <= deposit_of(form) <= total:
        raise faults.business("The deposit must be between 0 and the total of the transaction.")
    if books.multicurrency:
        form["HomeTotalAmt"] = amount(chart.to_home(total, rate))


def rate_of(form: dict[str, Any]) -> Decimal:
    """Return the exchange rate of a stored form."""
    return Decimal(form.get("ExchangeRate", 1))


def deposit_of(form: dict[str, Any]) -> Decimal:
    """Return what was paid when an invoice was written, which is no payment of its own."""
    return Decimal(form.get("Deposit", 0))


def receivable_of(books: Books, form: dict[str, Any]) -> str:
    """Return the receivables account of a form, which is one per currency."""
    if "ARAccountRef" in form:
        return chart.referenced_account(books, form["ARAccountRef"])
    return chart.receivable_account(books, form["CurrencyRef"]["value"])


def postings(books: Books, form: dict[str, Any], *, debit: bool, rounding: Decimal) -> list[Posting]:
    """
    Return the postings of a form.

    :param debit: an invoice debits the customer, a credit memo credits it.
    :param rounding: cents by which the payments' home amounts miss the form's own; it goes to exchange gain or loss.
    """
    sign = 1 if debit else -1
    rate = rate_of(form)
    total = chart.to_home(form["TotalAmt"], rate)
    others = _other_sides(books, form, rate)
    gap = total - sum(others.values(), ZERO)
    if gap and others:
        largest = max(others, key=lambda account: abs(others[account]))
        others[largest] += gap
    receivable = receivable_of(books, form)
    customer = form["CustomerRef"]["value"]
    entry = [Posting(receivable, customer, sign * Decimal(form["TotalAmt"]), sign * total)]
    entry += [Posting(account, "", -sign * home, -sign * home) for account, home in others.items()]
    entry += _deposit_sides(books, form, receivable, rate)
    if rounding:
        exchange = chart.by_sub_type(books, "ExchangeGainOrLoss")
        entry.append(Posting(receivable, customer, ZERO, sign * rounding))
        entry.append(Posting(exchange, "", -sign * rounding, -sign * rounding))
    return entry


def _deposit_sides(books: Books, form: dict[str, Any], receivable: str, rate: Decimal) -> list[Posting]:
    deposit = deposit_of(form)
    if not deposit:
        return []
    ref = form.get("DepositToAccountRef")
    account = ref["value"] if ref else chart.by_sub_type(books, "UndepositedFunds")
    customer = form["CustomerRef"]["value"]
    return [side(books, account, deposit, rate, ""), side(books, receivable, -deposit, rate, customer)]


def _other_sides(books: Books, form: dict[str, Any], rate: Decimal) -> dict[str, Decimal]:
    sides = {
        account: chart.to_home(value, rate)
        for account, value in account_amounts(books, form["Line"]).items()
        if value
    }
    collected = decimal_of(form["TxnTaxDetail"]["TotalTax"])
    if collected:
        payable = chart.by_sub_type(books, "GlobalTaxPayable", "SalesTaxPayable")
        sides[payable] = sides.get(payable, ZERO) + chart.to_home(collected, rate)
    return sides


def voided(form: dict[str, Any]) -> dict[str, Any]:
    """
    Return a form after a void.

    Intuit: amounts and quantities become 0, the prices go, and "Voided" stands before the note.
    """
    lines = [_voided_line(line) for line in form["Line"]]
    return {
        **form,
        "Line": lines,
        "LinkedTxn": [],
        "TxnTaxDetail": {"TotalTax": ZERO},
        "TotalAmt": ZERO,
        "Balance": ZERO,
        **({"Deposit": ZERO} if "Deposit" in form else {}),
        **({"HomeTotalAmt": ZERO, "HomeBalance": ZERO} if "HomeTotalAmt" in form else {}),
        "PrivateNote": voided_note(form),
    }


def voided_note(form: dict[str, Any]) -> str:
    """Return the note of a voided transaction."""
    note = form.get("PrivateNote", "")
    return f"Voided - {note}" if note else "Voided"


def _voided_line(line: dict[str, Any]) -> dict[str, Any]:
    cleared = {**line, "Amount": ZERO} if "Amount" in line else dict(line)
    detail = line.get("SalesItemLineDetail")
    if detail is not None:
        kept = {name: value for name, value in detail.items() if name not in ("UnitPrice", "TaxInclusiveAmt")}
        cleared["SalesItemLineDetail"] = {**kept, "Qty": plain(ZERO)}
    return cleared
