"""The tax codes TAX, NON and CustomSalesTax, which every US company has and which have no version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.clock import record_time
from sandbox.json_text import encode

if TYPE_CHECKING:
    from sandbox.books import Books

_CODES = (("TAX", True, False), ("NON", False, False), ("CustomSalesTax", True, True))
PSEUDO_IDS = frozenset(code[0] for code in _CODES)


def pseudo_codes(books: Books) -> dict[str, bytes]:
    """Return the pseudo codes of a company as JSON by Id, none outside the US."""
    info = next(books.all("CompanyInfo"), None)
    if info is None or info.fields()["Country"] != "US":
        return {}
    time = record_time(info.created)
    return {
        name: encode(
            {
                "Id": name,
                "MetaData": {"CreateTime": time, "LastUpdatedTime": time},
                "Name": name,
                "Description": name,
                "Taxable": taxable,
                "TaxGroup": group,
            }
        )
        for name, taxable, group in _CODES
    }
