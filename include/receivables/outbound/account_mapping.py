"""Which account of QuickBooks takes what: deposits per wallet or currency, fees, rounding, withholding tax, bills."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row, dict_row

from include.errors import ConfigurationError
from include.sql import load

if TYPE_CHECKING:
    from psycopg import Connection

    from include.receivables.company.companies import Company

_CURRENCY = re.compile(r"[A-Z]{3}")
_DEPOSIT_TYPES = ("Bank", "Other Current Asset")
_COST_TYPES = ("Expense", "Other Expense", "Cost of Goods Sold")


@dataclass(frozen=True, slots=True)
class Purpose:
    """
    What an account is needed for.

    :param detail: what tells several accounts of one purpose apart, in words; empty if there is only one.
    :param is_detail_required: whether an account without the detail stands for nothing.
    :param types: the types of account that QuickBooks, and bookkeeping, take for it.
    :param is_mandatory: whether payments wait without it.
    """

    name: str
    types: tuple[str, ...]
    detail: str = ""
    is_detail_required: bool = False
    is_mandatory: bool = False


PURPOSES = {
    purpose.name: purpose
    for purpose in (
        Purpose("processing_fees", _COST_TYPES, is_mandatory=True),
        Purpose("bill_item_default", _COST_TYPES),
        Purpose("rounding", (*_COST_TYPES, "Income", "Other Income"), is_mandatory=True),
        Purpose(
            "withholding_tax_receivable",
            ("Other Current Asset", "Other Asset", "Other Current Liability"),
            "type of tax",
        ),
        Purpose("withholding_tax_payable", ("Other Current Liability",), "type of tax"),
        Purpose("deposit_wallet", _DEPOSIT_TYPES, "wallet", is_detail_required=True),
        Purpose("funding_wallet", _DEPOSIT_TYPES, "wallet", is_detail_required=True),
        Purpose("disburse_wallet", _DEPOSIT_TYPES, "wallet", is_detail_required=True),
        Purpose("deposit_currency", _DEPOSIT_TYPES, "currency", is_detail_required=True, is_mandatory=True),
        Purpose("receivable", ("Accounts Receivable",), "currency", is_detail_required=True),
    )
}


@dataclass(frozen=True, slots=True)
class Account:
    """An account as QuickBooks was last seen to have it; without a name if it was never seen."""

    qbo_id: str
    name: str | None
    type: str | None
    currency: str | None
    status: str | None
    code: str | None = None


class Mapping:
    """
    A company's mapped accounts.

    :param home_currency: the company's own currency, whose accounts take amounts of any.
    """

    def __init__(self, accounts: dict[tuple[str, str], Account], home_currency: str | None) -> None:
        self._accounts = accounts
        self._home_currency = home_currency

    def find(self, purpose: str, detail: str = "") -> Account | None:
        """Return the account of a purpose and its detail, else the one of the purpose alone."""
        return self._accounts.get((purpose, detail)) or self._accounts.get((purpose, ""))

    def find_exactly(self, purpose: str, detail: str) -> Account | None:
        """Return the account of a purpose and its detail alone."""
        return self._accounts.get((purpose, detail))

    def fault_of(self, account: Account, purpose: str, currency: str | None) -> str | None:
        """
        Say what is wrong with an account, or nothing.

        :param currency: of what it has to take; None if that is not known.
        """
        kind = PURPOSES[purpose]
        known = f"account {account.qbo_id} ({account.name})"
        if account.name is None:
            return f"QuickBooks has no account {account.qbo_id}: refresh the accounts, or choose another one."
        if account.status != "active":
            return f"QuickBooks' {known} is not active: make it active there, or choose another one."
        if account.type not in kind.types:
            return f"QuickBooks' {known} is of type {account.type}: choose one of type {_either(kind.types)}."
        # Intuit: a transaction takes accounts of its own currency and of the company's; a receivable only of its own.
        takes = {currency} if purpose == "receivable" else {currency, self._home_currency}
        if currency and account.currency and account.currency not in takes:
            return f"QuickBooks' {known} is in {account.currency}: choose one in {currency}."
        return None


def read_mapping(db: Connection, company: Company) -> Mapping:
    """Read a company's mapped accounts."""
    accounts = {
        (row["purpose"], row["detail"]): Account(
            row["qbo_id"], row["name"], row["type"], row["currency"], row["status"]
        )
        for row in _rows(db, company)
    }
    return Mapping(accounts, _home_currency(db, company))


def list_mapping(db: Connection, company: Company) -> list[dict[str, Any]]:
    """List a company's mapped accounts, each with what is wrong with it, if anything."""
    mapping = read_mapping(db, company)
    rows = _rows(db, company)
    for row in rows:
        account = Account(row["qbo_id"], row["name"], row["type"], row["currency"], row["status"])
        row["fault"] = mapping.fault_of(account, row["purpose"], currency_of(row["purpose"], row["detail"]))
    return rows


def save_account(
    db: Connection, company: Company, purpose: str, detail: str, account_qbo_id: str, *, mapped_by: str
) -> None:
    """
    Map a purpose to an account.

    :param purpose: of :data:`PURPOSES`.
    :param detail: such as the wallet or the currency; empty if the purpose has only one account.
    :raises ConfigurationError: when there is no such purpose, or the account cannot serve it.
    """
    check_purpose(purpose, detail)
    keys = {"company_id": company.company_id, "realm_id": company.realm_id, "account_qbo_id": account_qbo_id}
    with db.cursor(row_factory=class_row(Account)) as cursor:
        account = cursor.execute(load("sync/select_account"), keys).fetchone()
    mapping = Mapping({}, _home_currency(db, company))
    unknown = Account(account_qbo_id, None, None, None, None)
    fault = mapping.fault_of(account or unknown, purpose, currency_of(purpose, detail))
    if fault:
        raise ConfigurationError(fault)
    saved = {"purpose": purpose, "detail": detail, "mapped_by": mapped_by}
    db.execute(load("sync/save_account_mapping"), keys | saved)


def remove_account(db: Connection, company: Company, purpose: str, detail: str) -> None:
    """
    Map a purpose to no account any more.

    :raises ConfigurationError: when it was not mapped.
    """
    check_purpose(purpose, detail)
    keys = {"company_id": company.company_id, "realm_id": company.realm_id}
    removed = {"purpose": purpose, "detail": detail}
    if db.execute(load("sync/remove_account_mapping"), keys | removed).fetchone() is None:
        wanted = f"{purpose}:{detail}" if detail else purpose
        raise ConfigurationError(f"No account is mapped for {wanted}: there is nothing to remove.")


def check_purpose(purpose: str, detail: str) -> None:
    """
    Check that there is such a purpose.

    :raises ConfigurationError: when there is none, or not of that detail.
    """
    kind = PURPOSES.get(purpose)
    if kind is None:
        raise ConfigurationError(f"There is no purpose {purpose!r}: use {_either(tuple(PURPOSES))}.")
    if detail and not kind.detail:
        raise ConfigurationError(f"{purpose} has one account only: leave {detail!r} out.")
    if kind.is_detail_required and not detail:
        raise ConfigurationError(
            f"{purpose} needs a {kind.detail}: write it as {purpose}:{kind.detail.upper()}."
        )
    if kind.detail == "currency" and not _CURRENCY.fullmatch(detail):
        raise ConfigurationError(f"{detail!r} is no currency: use three capital letters, such as USD.")


def currency_of(purpose: str, detail: str) -> str | None:
    """Return the currency that a purpose is about; None if it may be any."""
    return detail if PURPOSES[purpose].detail == "currency" else None


def _rows(db: Connection, company: Company) -> list[dict[str, Any]]:
    keys = {"company_id": company.company_id, "realm_id": company.realm_id}
    with db.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(load("sync/list_account_mapping"), keys).fetchall()


def _home_currency(db: Connection, company: Company) -> str | None:
    row = db.execute(load("sync/read_home_currency"), {"company_id": company.company_id}).fetchone()
    return None if row is None else row[0]


def _either(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]
