"""Which payment pays how much of which invoice, credit memo, or line on accounts receivable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox.json_text import ZERO

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal


class Target(NamedTuple):
    """
    What a payment line is linked to.

    :param entity: Invoice, CreditMemo, JournalEntry, Deposit or Purchase.
    :param id: the transaction's Id; all transactions share one counter.
    :param line: the line of a journal entry, a deposit or a check, else empty.
    """

    entity: str
    id: str
    line: str = ""

    def is_meant_by(self, link: dict[str, Any]) -> bool:
        """Tell whether a LinkedTxn leads here; one without TxnLineId leads to any line."""
        return self.id == link["TxnId"] and self.line in ("", link.get("TxnLineId", self.line))


def target_of(link: dict[str, Any], targets: Iterable[Target]) -> Target:
    """Return where a link of a payment leads."""
    return next(target for target in targets if target.is_meant_by(link))


class Links:
    """The applications of payments, from both sides."""

    def __init__(self) -> None:
        self._by_target: dict[Target, dict[str, Decimal]] = {}
        self._by_payment: dict[str, dict[Target, Decimal]] = {}

    def set_payment(self, payment_id: str, applied: dict[Target, Decimal]) -> set[Target]:
        """Replace what a payment is applied to, and return the targets whose amount changed."""
        before = self._by_payment.pop(payment_id, {})
        if applied:
            self._by_payment[payment_id] = applied
        changed = {
            target for target in {*before, *applied} if before.get(target, ZERO) != applied.get(target, ZERO)
        }
        for target in changed:
            self._set(target, payment_id, applied.get(target, ZERO))
        return changed

    def _set(self, target: Target, payment_id: str, amount: Decimal) -> None:
        payments = self._by_target.setdefault(target, {})
        if amount:
            payments[payment_id] = amount
        else:
            payments.pop(payment_id, None)
        if not payments:
            del self._by_target[target]

    def of_payment(self, payment_id: str) -> dict[Target, Decimal]:
        """Return what a payment is applied to."""
        return dict(self._by_payment.get(payment_id, {}))

    def of_target(self, target: Target) -> dict[str, Decimal]:
        """Return the amount of each payment that is applied to a transaction, oldest first."""
        payments = self._by_target.get(target, {})
        return dict(sorted(payments.items(), key=lambda item: int(item[0])))

    def applied(self, target: Target) -> Decimal:
        """Return how much of a transaction is settled."""
        return sum(self._by_target.get(target, {}).values(), ZERO)
