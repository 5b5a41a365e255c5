"""Chooses the accounts that a payment moves, and checks each before it is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.receivables.outbound.payloads import Accounts
from include.receivables.outbound.preflight_answers import Held

if TYPE_CHECKING:
    from collections.abc import Sequence

    from include.receivables.outbound.account_mapping import Mapping


@dataclass(frozen=True, slots=True)
class Need:
    """
    What a payment needs accounts for.

    :param taxes: the types of tax that were withheld.
    :param receivables: the receivable accounts of its invoices, as far as QuickBooks names them.
    :param has_written_off: whether its journal entry lowers the receivable.
    """

    currency: str
    wallet: str
    takes_money: bool
    has_fee: bool
    has_rounding: bool
    has_written_off: bool
    taxes: Sequence[str]
    receivables: Sequence[str]


class _MissingError(Exception):
    """An account is not mapped, or cannot serve."""

    def __init__(self, held: Held) -> None:
        super().__init__(held.sentence)
        self.held = held


def choose(mapping: Mapping, receivables: Sequence[str], need: Need) -> Accounts | Held:
    """
    Choose a payment's accounts, or say which one is missing or cannot serve.

    :param receivables: the active receivable accounts in the payment's currency.
    """
    try:
        return Accounts(
            deposit=_deposit(mapping, need) if need.takes_money else "",
            receivable=_receivable(mapping, receivables, need) if need.has_written_off else "",
            processing_fees=_mapped(mapping, "processing_fees", "", need.currency) if need.has_fee else "",
            rounding=_mapped(mapping, "rounding", "", need.currency) if need.has_rounding else "",
            withholding_tax={
                tax: _mapped(mapping, "withholding_tax_receivable", tax, need.currency) for tax in need.taxes
            },
        )
    except _MissingError as missing:
        return missing.held


def _deposit(mapping: Mapping, need: Need) -> str:
    """Choose where the money goes: the wallet's account, else the currency's."""
    if need.wallet and mapping.find("deposit_wallet", need.wallet) is not None:
        return _mapped(mapping, "deposit_wallet", need.wallet, need.currency)
    return _mapped(mapping, "deposit_currency", need.currency, need.currency)


def _mapped(mapping: Mapping, purpose: str, detail: str, currency: str) -> str:
    account = mapping.find(purpose, detail)
    wanted = f"{purpose}:{detail}" if detail else purpose
    if account is None:
        raise _MissingError(
            Held("account_unmapped", f"No account is mapped for {wanted}: choose one in the account mapping.")
        )
    fault = mapping.fault_of(account, purpose, currency)
    if fault:
        raise _MissingError(Held("account_unfit", f"The account mapped for {wanted} cannot serve. {fault}"))
    return account.qbo_id


def _receivable(mapping: Mapping, receivables: Sequence[str], need: Need) -> str:
    """
    Choose the receivable account of the journal entry, which has to be that of the invoices.

    QuickBooks says so of an invoice only where it is not the usual one; a company mostly has one per currency.
    """
    if len(need.receivables) == 1:
        return need.receivables[0]
    if mapping.find("receivable", need.currency) is not None:
        return _mapped(mapping, "receivable", need.currency, need.currency)
    if len(receivables) != 1:
        raise _MissingError(
            Held(
                "receivable_ambiguous",
                f"QuickBooks has {len(receivables)} active receivable accounts in {need.currency}: map receivable:"
                f"{need.currency} to the one that the invoices are booked on.",
            )
        )
    return receivables[0]
