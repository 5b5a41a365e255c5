"""What a company allows of its payments: write-offs, large amounts, and what an invoice no longer owes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.errors import CheckViolation, NumericValueOutOfRange
from psycopg.rows import class_row

from include.errors import ConfigurationError
from include.sql import load

if TYPE_CHECKING:
    from decimal import Decimal

    from psycopg import Connection

    from include.receivables.company.companies import Company

NO_LIMIT = "none"


@dataclass(frozen=True, slots=True)
class PaymentRules:
    """
    What a company allows.

    :param rounding_limit: how much may be written off of an invoice to close it, in the payment's currency.
    :param rounding_share: the same as a share of what goes to the invoice; what is more counts.
    :param approval_above: payments of more than this wait until somebody approves them; none if nobody has to.
    :param leaves_excess: whether what an invoice no longer owes is left unapplied; else the payment is held.
    """

    rounding_limit: Decimal
    rounding_share: Decimal
    approval_above: Decimal | None
    leaves_excess: bool


def read_rules(db: Connection, company: Company) -> PaymentRules:
    """Read what a company allows."""
    with db.cursor(row_factory=class_row(PaymentRules)) as cursor:
        rules = cursor.execute(load("outbox/read_rules"), {"company_id": company.company_id}).fetchone()
    if rules is None:
        raise LookupError("a company always has rules")
    return rules


def set_rules(db: Connection, company: Company, **rules: Any) -> None:
    """
    Set some of the rules of :class:`PaymentRules`; payments that wait for them are looked at anew.

    :param rules: by name; ``approval_above="none"`` takes the limit away.
    :raises ConfigurationError: when a value is below zero, or a share above 1.
    """
    names = ("rounding_limit", "rounding_share", "approval_above", "leaves_excess")
    given = {name: rules.get(name) for name in names}
    if given["approval_above"] is not None:
        given["approval_above"] = str(given["approval_above"])
    try:
        db.execute(load("outbox/set_rules"), given | {"company_id": company.company_id})
    except (CheckViolation, NumericValueOutOfRange) as error:
        raise ConfigurationError(
            "An amount has to be 0 or more, and a share between 0 and 1: nothing was changed."
        ) from error
