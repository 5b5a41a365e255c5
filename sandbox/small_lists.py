"""Payment methods, terms, the company's own record and its preferences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox import faults, names, validation

if TYPE_CHECKING:
    from sandbox.books import Books, Record


def create_payment_method(books: Books, body: dict[str, Any]) -> Record:
    """
    Enter a payment method.

    :raises faults.Fault: when it breaks a rule.
    """
    return books.add("PaymentMethod", _payment_method(books, body, None))


def update_payment_method(books: Books, record: Record, body: dict[str, Any]) -> Record:
    """
    Replace a payment method.

    :raises faults.Fault: when it breaks a rule.
    """
    return books.revise(record, _payment_method(books, body, record))


def _payment_method(books: Books, body: dict[str, Any], old: Record | None) -> dict[str, Any]:
    fields = {"Type": "NON_CREDIT_CARD", **_named(books, "PaymentMethod", body, old)}
    validation.check_enumerations(fields, {"Type": ("CREDIT_CARD", "NON_CREDIT_CARD")})
    return fields


def create_term(books: Books, body: dict[str, Any]) -> Record:
    """
    Enter a term.

    :raises faults.Fault: when it breaks a rule.
    """
    return books.add("Term", _term(books, body, None))


def update_term(books: Books, record: Record, body: dict[str, Any]) -> Record:
    """
    Replace a term.

    :raises faults.Fault: when it breaks a rule.
    """
    return books.revise(record, _term(books, body, record))


def _term(books: Books, body: dict[str, Any], old: Record | None) -> dict[str, Any]:
    fields = _named(books, "Term", body, old)
    if "DueDays" not in fields and "DayOfMonthDue" not in fields:
        raise faults.missing("DueDays")
    fields["Type"] = "STANDARD" if "DueDays" in fields else "DATE_DRIVEN"
    return fields


def _named(books: Books, entity: str, body: dict[str, Any], old: Record | None) -> dict[str, Any]:
    fields = dict(body)
    fields["Active"] = bool(fields.get("Active", True))
    fields["Name"] = names.marked(
        str(fields.get("Name") or ""), active=fields["Active"] or not fields.get("Name")
    )
    names.check_text(fields, "Name", 31)
    if fields["Active"]:
        names.check_unique(books, entity, fields["Name"], old)
    return fields


def update_single(books: Books, record: Record, body: dict[str, Any]) -> Record:
    """Replace the company's own record or its preferences; groups of properties are joined one by one."""
    return books.revise(record, _joined(record.fields(), body))


def _joined(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    joined = dict(old)
    for name, value in new.items():
        inner = joined.get(name)
        joined[name] = _joined(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return joined
