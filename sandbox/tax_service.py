"""The one way to add tax codes through the API: POST /taxservice/taxcode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox import faults, names, starter_books, validation
from sandbox.json_text import decimal_of, encode, plain

if TYPE_CHECKING:
    from sandbox.books import Books


def create(books: Books, body: Any) -> bytes:
    """
    Enter a tax code with its rates, and return the JSON members of the answer.

    :raises faults.Fault: when a name is missing or taken, or a rate is no number.
    """
    if not isinstance(body, dict):
        raise faults.invalid_property()
    validation.require(body, "TaxCode", "TaxRateDetails")
    if not _is_well_formed(body):
        raise faults.invalid_property("TaxRateDetails")
    names.check_unique(books, "TaxCode", body["TaxCode"], None)
    books.begin()
    try:
        rates = [plain(decimal_of(detail.get("RateValue"))) for detail in body["TaxRateDetails"]]
    except ValueError:
        raise faults.invalid_property("RateValue") from None
    code = starter_books.add_tax_code(books, body["TaxCode"], rates)
    created = {"TaxCode": body["TaxCode"], "TaxCodeId": code, "TaxRateDetails": body["TaxRateDetails"]}
    return encode(created)[1:-1]


def _is_well_formed(body: dict[str, Any]) -> bool:
    details = body["TaxRateDetails"]
    has_details = isinstance(details, list) and all(isinstance(detail, dict) for detail in details)
    return has_details and isinstance(body["TaxCode"], str)
