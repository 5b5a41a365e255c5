"""What is done to a payment of Peakflo's on either side, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from include.receivables.outbound import deliveries

if TYPE_CHECKING:
    from uuid import UUID

    from tests.support.cashier import Cashier, Json


def set_payment(cashier: Cashier, payment_id: UUID, **columns: Any) -> None:
    """Change a payment in Peakflo."""
    values = ", ".join(f"{name} = %({name})s" for name in columns)
    cashier.bench.db.execute(
        f"update peakflo.payment set {values} where id = %(payment_id)s",
        {**columns, "payment_id": payment_id},
    )


def take_up(cashier: Cashier, payment_id: UUID) -> None:
    """Make a cancelled payment count again."""
    set_payment(cashier, payment_id, status="active")


def delivered(cashier: Cashier, **columns: Any) -> UUID:
    """Take a payment of 100 for an invoice of 100, deliver it, and read it back."""
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice, **columns)
    cashier.push()
    cashier.bench.sync(cashier.company)
    return payment_id


def settle(cashier: Cashier) -> None:
    """Deliver and sync until nothing is left to be done."""
    for _ in range(2):
        cashier.push()
        cashier.bench.sync(cashier.company)


def alive(cashier: Cashier, payment_id: UUID, entity: str = "Payment") -> list[Json]:
    """Return what QuickBooks has of a payment, without what was voided."""
    records = cashier.in_quickbooks(entity).get(str(payment_id), [])
    return [record for record in records if entity != "Payment" or record["TotalAmt"]]


def undo(cashier: Cashier, payment_id: UUID, how: str) -> None:
    """Void or delete a payment in QuickBooks by hand, and read that."""
    getattr(cashier.books, how)("Payment", cashier.delivery(payment_id)["qbo_id"])
    cashier.bench.sync(cashier.company)


def retry(cashier: Cashier, payment_id: UUID, leg: str = "payment") -> None:
    deliveries.retry(cashier.bench.db, cashier.company, cashier.delivery(payment_id, leg)["delivery_id"])


def lose_answer(cashier: Cashier, kind: str = "lost_answer") -> None:
    realm = cashier.company.realm_id
    cashier.bench.sandbox.add_fault(kind, realm=realm, path="payment", method="POST", count=1)
