"""What payments should have done to QuickBooks' books, to the cent, and what they did."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.cashier import Cashier, Json

ACCOUNTS = {
    ("deposit_currency", "USD"): "Checking",
    ("processing_fees", ""): "Payment Processing Fees",
    ("rounding", ""): "Rounding",
    ("withholding_tax_receivable", ""): "Withholding Tax Receivable",
}
RECEIVABLE = "Accounts Receivable (A/R)"


@dataclass(frozen=True)
class Taken:
    """
    A payment that was taken.

    :param extra: fee, tax and rounding.
    """

    cashier: Cashier
    invoice: Json
    amount: Decimal
    extra: dict[str, str]

    def part(self, name: str) -> Decimal:
        return Decimal(self.extra.get(name, "0"))

    @property
    def settled(self) -> Decimal:
        """What it takes off its invoice."""
        return self.amount + self.part("withholding_tax_amount") + self.part("rounding_amount")

    @property
    def postings(self) -> dict[str, Decimal]:
        """What it adds to which account."""
        fee = self.part("processing_fee")
        return {
            "Checking": self.amount - fee,
            "Payment Processing Fees": fee,
            "Rounding": self.part("rounding_amount"),
            "Withholding Tax Receivable": self.part("withholding_tax_amount"),
            RECEIVABLE: -self.settled,
        }


class Ledger:
    """
    The accounts of a company that payments move, from now on.

    :param cashier: takes the payments.
    """

    def __init__(self, cashier: Cashier) -> None:
        self.cashier = cashier
        self._before = self._balances()

    def moved(self) -> dict[str, Decimal]:
        """Return by how much the accounts have moved in QuickBooks."""
        return {name: balance - self._before[name] for name, balance in self._balances().items()}

    def expected(self, payments: Iterable[Taken]) -> dict[str, Decimal]:
        """Return by how much some payments should have moved them."""
        moves = dict.fromkeys(self._before, Decimal(0))
        for taken in payments:
            for name, amount in taken.postings.items():
                moves[name] += amount
        return moves

    def paid(self) -> dict[str, list[Decimal]]:
        """Return the payments that QuickBooks has of each invoice, whatever they bear."""
        truth = self.cashier.bench.sandbox.truth(self.cashier.company.realm_id, records=True)
        found: dict[str, list[Decimal]] = {}
        for record in truth["records"]["Payment"]:
            for line in record["Line"]:
                for link in line["LinkedTxn"]:
                    if link["TxnType"] == "Invoice":
                        found.setdefault(link["TxnId"], []).append(Decimal(str(record["TotalAmt"])))
        return found

    @property
    def is_balanced(self) -> bool:
        """Whether debits and credits are equal."""
        balance = self._trial_balance()
        return bool(balance["debits"] == balance["credits"])

    def _balances(self) -> dict[str, Decimal]:
        names = {*ACCOUNTS.values(), RECEIVABLE}
        accounts = self._trial_balance()["accounts"].values()
        found = {each["name"]: Decimal(each["home"]) for each in accounts if each["name"] in names}
        return dict.fromkeys(names, Decimal(0)) | found

    def _trial_balance(self) -> Json:
        balance: Json = self.cashier.bench.sandbox.truth(self.cashier.company.realm_id)["trial_balance"]
        return balance
