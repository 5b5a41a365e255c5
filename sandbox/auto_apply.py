"""Applies credits and payments by itself where the company's preferences say so."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox import payments, validation
from sandbox.json_text import ZERO

if TYPE_CHECKING:
    from sandbox.books import Books

# Recorded in Intuit's demo company (Payment 74).
NOTE = "Created by QB Online to link credits to charges."


def credit_memo_to_invoices(books: Books, credit_memo_id: str) -> None:
    """Apply a new credit memo to the customer's oldest open invoices."""
    if not validation.sales_preferences(books).get("AutoApplyCredit"):
        return
    credit = books.get("CreditMemo", credit_memo_id).fields()
    left = Decimal(credit["RemainingCredit"])
    for invoice in _open_forms(books, "Invoice", credit):
        part = min(left, Decimal(invoice["Balance"]))
        if part > ZERO:
            _link(books, invoice, credit, part)
            left -= part


def credits_to_invoice(books: Books, invoice_id: str) -> None:
    """Apply open credit memos and unapplied payments of the customer to a new invoice."""
    preferences = validation.sales_preferences(books)
    invoice = books.get("Invoice", invoice_id).fields()
    if preferences.get("AutoApplyCredit"):
        for credit in _open_forms(books, "CreditMemo", invoice):
            part = min(_balance(books, invoice_id), Decimal(credit["RemainingCredit"]))
            if part > ZERO:
                _link(books, invoice, credit, part)
    if preferences.get("AutoApplyPayments"):
        _apply_payments(books, invoice)


def _apply_payments(books: Books, invoice: dict[str, Any]) -> None:
    for payment in _of_customer(books, "Payment", invoice["CustomerRef"]["value"]):
        part = min(_balance(books, invoice["Id"]), Decimal(payment["UnappliedAmt"]))
        if part > ZERO:
            payment["Line"].append(_line("Invoice", invoice["Id"], part))
            payments.update(books, books.get("Payment", payment["Id"]), payment)


def _balance(books: Books, invoice_id: str) -> Decimal:
    return Decimal(books.get("Invoice", invoice_id).fields()["Balance"])


def _open_forms(books: Books, entity: str, like: dict[str, Any]) -> list[dict[str, Any]]:
    forms = _of_customer(books, entity, like["CustomerRef"]["value"])
    return sorted(
        (form for form in forms if form["Balance"]), key=lambda form: (form["TxnDate"], int(form["Id"]))
    )


def _of_customer(books: Books, entity: str, customer: str) -> list[dict[str, Any]]:
    mark = b'"CustomerRef":{"value":"%s"' % customer.encode()
    return [record.fields() for record in list(books.all(entity)) if mark in record.json]


def _link(books: Books, invoice: dict[str, Any], credit: dict[str, Any], part: Decimal) -> None:
    payments.create(
        books,
        {
            "CustomerRef": invoice["CustomerRef"],
            "TotalAmt": ZERO,
            "PrivateNote": NOTE,
            "Line": [_line("Invoice", invoice["Id"], part), _line("CreditMemo", credit["Id"], part)],
        },
    )


def _line(entity: str, txn_id: str, part: Decimal) -> dict[str, Any]:
    return {"Amount": part, "LinkedTxn": [{"TxnId": txn_id, "TxnType": entity}]}
