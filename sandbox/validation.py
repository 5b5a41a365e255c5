"""Checks that several entities share."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Any

from sandbox import faults

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sandbox.books import Books, Record

_EMAIL = re.compile(r"[^@\s,]+@[^@\s,]+\.[^@\s,]+")
REFERENCE_KINDS = {
    "Customer": "Names",
    "Account": "Accounts",
    "Term": "Terms",
    "PaymentMethod": "Payment Methods",
}


def require(body: Mapping[str, Any], *names: str) -> None:
    """
    Insist on properties.

    :raises faults.Fault: 2020 that names all missing ones.
    """
    missing = [faults.missing(name) for name in names if body.get(name) in (None, "", [], {})]
    if missing:
        raise faults.merged(missing)


def check_lengths(body: Mapping[str, Any], limits: Mapping[str, int]) -> None:
    """
    Check the length of texts.

    :raises faults.Fault: 2050 when one is too long.
    """
    for name, limit in limits.items():
        text = body.get(name)
        if isinstance(text, str) and len(text) > limit:
            raise faults.too_long(name, limit, len(text))


def check_enumerations(body: Mapping[str, Any], allowed: Mapping[str, Collection[str]]) -> None:
    """
    Check values that come from a fixed set.

    :raises faults.Fault: 2170 when one does not.
    """
    for name, values in allowed.items():
        if name in body and body[name] not in values:
            raise faults.invalid_enumeration(str(body[name]))


def check_email(address: Mapping[str, Any] | None) -> None:
    """
    Check an e-mail property, which may hold several addresses separated by commas.

    :raises faults.Fault: 2210 when one of them is none.
    """
    text = (address or {}).get("Address", "")
    if text and not all(_EMAIL.fullmatch(part.strip()) for part in text.split(",")):
        raise faults.invalid_email()


def referenced(books: Books, ref: Any, entity: str) -> Record:
    """
    Return the active record that a client refers to.

    :raises faults.Fault: 2500 when it is unknown or inactive.
    """
    record_id = str(ref.get("value", "")) if isinstance(ref, dict) else ""
    record = books.find(entity, record_id)
    if record is None:
        raise faults.invalid_reference(REFERENCE_KINDS.get(entity, f"{entity}s"), record_id)
    if not record.active:
        raise faults.inactive_reference()
    return record


def date_of(body: Mapping[str, Any], name: str, default: date) -> date:
    """
    Return a date property.

    :raises faults.Fault: 2010 when it is not a date.
    """
    if name not in body:
        return default
    try:
        return date.fromisoformat(str(body[name])[:10])
    except ValueError:
        raise faults.invalid_property(name) from None


def check_open_period(books: Books, *dates: date) -> None:
    """
    Check that no date lies in a closed period.

    :raises faults.Fault: 6210 when one does.
    """
    preferences = next(books.all("Preferences"), None)
    if preferences is None:
        return
    closed = preferences.fields()["AccountingInfoPrefs"].get("BookCloseDate")
    if closed and any(each <= date.fromisoformat(closed) for each in dates):
        raise faults.books_closed()


def entry_date(books: Books, body: Mapping[str, Any], old: Record | None) -> date:
    """
    Return the date of a transaction, today unless given.

    :param old: the version that is replaced.
    :raises faults.Fault: 2010 when it is not a date, 6210 when it or the old one lies in a closed period.
    """
    entered = date_of(body, "TxnDate", books.clock.today())
    dates = [entered] if old is None else [entered, date.fromisoformat(old.fields()["TxnDate"])]
    check_open_period(books, *dates)
    return entered


def sales_preferences(books: Books) -> dict[str, Any]:
    """Return the company's preferences about sales forms."""
    preferences = next(books.all("Preferences"), None)
    found: dict[str, Any] = {} if preferences is None else preferences.fields()["SalesFormsPrefs"]
    return found


def number_addresses(books: Books, fields: dict[str, Any]) -> None:
    """Give new addresses their Ids, as QuickBooks does."""
    for name in ("BillAddr", "ShipAddr"):
        if fields.get(name) and "Id" not in fields[name]:
            fields[name] = {"Id": books.next_id("address"), **fields[name]}
