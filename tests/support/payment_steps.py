"""What is done to a payment of Peakflo's on either side, step by step."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from include.receivables.outbound import decisions
from include.receivables.outbound.rules import set_rules

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
    getattr(cashier.books, how)("Payment", cashier.record(payment_id)["qbo_id"])
    cashier.bench.sync(cashier.company)
    cashier.push()


def retry(cashier: Cashier, payment_id: UUID) -> None:
    decisions.retry(cashier.bench.db, cashier.company, payment_id, by="test")


def ignore(cashier: Cashier, payment_id: UUID) -> None:
    decisions.ignore(cashier.bench.db, cashier.company, payment_id, by="test")


def lose_answer(cashier: Cashier, kind: str = "lost_answer", path: str = "payment") -> None:
    realm = cashier.company.realm_id
    cashier.bench.sandbox.add_fault(kind, realm=realm, path=path, method="POST", count=1)


def push_later(cashier: Cashier, minutes: int = 3) -> None:
    """Deliver as it is some time after the requests that left so far."""
    cashier.bench.db.execute(
        "update outbox.record set first_sent_at = first_sent_at - span, sent_at = sent_at - span,"
        " looked_at = looked_at - span from make_interval(mins => %s) as span",
        [minutes],
    )
    cashier.push(settled_after=timedelta(minutes=2))


def forget_requests(cashier: Cashier) -> None:
    """Let so much time pass that QuickBooks no longer recognises the requests that were sent."""
    cashier.bench.db.execute(
        "update outbox.record set first_sent_at = first_sent_at - interval '12 hours',"
        " sent_at = sent_at - interval '12 hours', looked_at = looked_at - interval '12 hours'"
    )


def orphan(cashier: Cashier) -> UUID:
    """Take a payment whose request never arrives, and which is looked for too late."""
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    lose_answer(cashier, "reset")
    cashier.push(settled_after=timedelta(minutes=2))
    forget_requests(cashier)
    cashier.push()
    assert cashier.standing(payment_id) == ("differs", "possible_orphan")
    return payment_id


def unapproved(cashier: Cashier) -> UUID:
    """Take a payment that is larger than the company lets go by itself."""
    set_rules(cashier.bench.db, cashier.company, approval_above=Decimal(99))
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    cashier.push()
    assert cashier.standing(payment_id) == ("waits", "approval_needed")
    return payment_id


def remade(cashier: Cashier, count: int = 1) -> tuple[UUID, list[str]]:
    """Take a payment for an invoice that is deleted and written again under the same number."""
    [invoice] = cashier.invoices(1)
    customer = cashier.books.read("Invoice", invoice["source_id"])["CustomerRef"]["value"]
    payment_id = cashier.take(invoice)
    cashier.books.delete("Invoice", invoice["source_id"])
    number = invoice["invoice_number"]
    again = [
        cashier.books.invoice(customer, "100", DocNumber=number, TxnDate="2026-01-02") for _ in range(count)
    ]
    cashier.bench.sync(cashier.company)
    cashier.push()
    assert cashier.standing(payment_id) == ("differs", "target_cancelled")
    assert str(payment_id) not in cashier.in_quickbooks()
    return payment_id, again


def moved(cashier: Cashier) -> UUID:
    """Take a payment for an invoice whose place another one took."""
    payment_id, _ = remade(cashier)
    return payment_id
