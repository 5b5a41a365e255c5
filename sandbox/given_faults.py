"""Faults that a test chooses: by a name of those that were seen, or in its own words."""

from __future__ import annotations

from typing import Literal

import msgspec

from sandbox.faults import INACTIVE, Fault


class GivenFault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A fault in a test's own words."""

    code: str
    message: str
    detail: str
    kind: str = "ValidationFault"
    status: int = 400


Choice = GivenFault | Literal["unprintable", "inactive", "internal"]
_SEEN = {
    # QuickBooks-V3-DotNET-SDK #111: an address that its own page has saved.
    "unprintable": GivenFault(
        code="4002",
        message="Error processing query",
        detail="QueryProcessingError: To email address entered is invalid",
    ),
    # QuickBooks-V3-PHP-SDK #127: a record that points at an inactive one.
    "inactive": GivenFault(
        code="10000",
        message="An application error has occurred while processing your request",
        detail=f"System Failure Error: {INACTIVE}",
        kind="SystemFault",
        status=500,
    ),
    # zao-woocommerce-quickbooks-online-integration #12: the write was carried out all the same.
    "internal": GivenFault(
        code="6000",
        message="A business validation error has occurred while processing your request",
        detail="Business Validation Error: Unexpected Internal Error. (-30003)",
    ),
}


def fault_of(choice: Choice) -> Fault:
    """Return the fault to raise."""
    given = _SEEN[choice] if isinstance(choice, str) else choice
    return Fault(given.code, given.message, given.detail, element="", kind=given.kind, status=given.status)
