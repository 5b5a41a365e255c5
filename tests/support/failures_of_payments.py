"""Failures of payments on their way to QuickBooks, or there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.receivables.alerts.facts import DELIVERY, SYNC
from include.receivables.outbound import decisions
from include.receivables.outbound.rules import set_rules
from include.receivables.views.deliveries import set_auto_sync
from tests.support.failing import ADMIN, BOOKKEEPER, CYCLE, ENGINEER, LATE, Told, delivered, failure, take
from tests.support.failures_of_records import mend, spoil
from tests.support.payment_steps import set_payment
from tests.support.world import MINUTE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.support.cashier import Cashier
    from tests.support.world import World


@failure()
def account_not_mapped(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    world.db.execute("delete from sync.account_mapping")
    take(world, acme, "33.33")
    says = "1 payment of 33.33 USD waits: an account is not mapped."
    yield [Told("acme", "payments_waiting", BOOKKEEPER, says, "account_unmapped", {"USD": "33.33"})]
    acme.map_accounts()


@failure(granted=CYCLE)
def mapped_account_gone(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    account = world.db.execute("select source_id from peakflo.account where name = 'Checking'").fetchone()
    acme.books.change("Account", account[0], Active=False)
    world.live(5 * MINUTE)
    take(world, acme, "33.33")
    says = "1 payment of 33.33 USD waits: a mapped account cannot serve."
    yield [Told("acme", "payments_waiting", BOOKKEEPER, says, "account_unfit", {"USD": "33.33"})]
    acme.books.change("Account", account[0], Active=True)


@failure()
def payment_sync_switched_off(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    set_auto_sync(world.db, acme.company, is_on=False)
    take(world, acme, "12.34")
    says = "1 payment of 12.34 USD waits: two-way payment sync is off."
    yield [Told("acme", "auto_sync_off", ENGINEER, says, amounts={"USD": "12.34"})]
    set_auto_sync(world.db, acme.company, is_on=True)


@failure()
def payment_too_large(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    set_rules(world.db, acme.company, approval_above=1000)
    payment_id = take(world, acme, "5000", "5000")
    says = "1 payment of 5,000.00 USD waits: somebody has to approve so large a payment."
    yield [Told("acme", "payments_waiting", ADMIN, says, "approval_needed", {"USD": "5000.00"})]
    decisions.approve(world.db, acme.company, payment_id, by="ada")


@failure()
def books_closed(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    world.db.execute("update peakflo.company set book_close_date = '2026-06-30' where company_id = 'acme'")
    take(world, acme, "33.33")
    says = "1 payment of 33.33 USD waits: the books are closed for its date."
    yield [Told("acme", "payments_waiting", BOOKKEEPER, says, "books_closed", {"USD": "33.33"})]
    world.db.execute("update peakflo.company set book_close_date = null where company_id = 'acme'")


@failure(granted=LATE)
def answer_lost_and_not_found_out(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    realm = acme.company.realm_id
    [invoice] = acme.invoices(1)
    world.sandbox.add_fault("reset", realm=realm, path="payment", method="POST", count=1)
    world.sandbox.add_fault("500", realm=realm, path="query")
    acme.take(invoice, "70")
    world.run(DELIVERY)
    says = "1 payment of 70.00 USD waits: QuickBooks' answer was lost"
    yield [Told("acme", "payments_undecided", ENGINEER, says, amounts={"USD": "70.00"})]
    world.sandbox.clear_faults()


def differs(code: str, says: str, owner: str = BOOKKEEPER) -> list[Told]:
    """Tell of a payment of 70 that differs."""
    return [Told("acme", "payments_differ", owner, says, code, {"USD": "70.00"})]


@failure(granted=10 * MINUTE)
def payment_voided_by_hand(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    payment_id, qbo_id = delivered(world, acme, "70")
    acme.books.void("Payment", qbo_id)
    yield differs("voided_in_quickbooks", "was voided in QuickBooks by hand")
    decisions.retry(world.db, acme.company, payment_id, by="ada")


@failure(granted=10 * MINUTE)
def payment_deleted_by_hand(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    payment_id, qbo_id = delivered(world, acme, "70")
    acme.books.delete("Payment", qbo_id)
    yield differs("deleted_in_quickbooks", "was deleted in QuickBooks by hand")
    decisions.ignore(world.db, acme.company, payment_id, by="ada")


@failure(granted=10 * MINUTE)
def payment_edited_by_hand(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    _, qbo_id = delivered(world, acme, "70")
    acme.books.change("Payment", qbo_id, TxnDate="2026-01-01")
    yield differs("edited_in_quickbooks", "was edited in QuickBooks by hand")
    acme.books.change("Payment", qbo_id, TxnDate=acme.today.isoformat())


@failure()
def payment_edited_in_peakflo_too_late(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    payment_id, _ = delivered(world, acme, "70")
    set_payment(acme, payment_id, payment_date="2026-01-04")
    world.run(DELIVERY)
    yield differs("edited_after_sending", "was changed in Peakflo after it had been sent")
    set_payment(acme, payment_id, payment_date=acme.today)


@failure()
def invoice_paid_otherwise_meanwhile(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    [invoice] = acme.invoices(1)
    customer = acme.books.read("Invoice", invoice["source_id"])["CustomerRef"]["value"]
    by_hand = acme.books.pay(customer, "60", ("Invoice", invoice["source_id"], "60"))
    payment_id = acme.take(invoice, "70")
    world.run(DELIVERY)
    yield differs("6000", "cannot be more than the open balance of the transaction")
    acme.books.delete("Payment", by_hand)
    world.run(SYNC)
    decisions.retry(world.db, acme.company, payment_id, by="ada")


@failure(granted=CYCLE)
def two_failures_at_once(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    world.db.execute("delete from sync.account_mapping")
    take(world, acme, "33.33")
    [invoice] = acme.invoices(1)
    spoil(acme, invoice["source_id"])
    yield [
        Told("acme", "payments_waiting", BOOKKEEPER, "33.33 USD waits", "account_unmapped", {"USD": "33.33"}),
        Told("acme", "problems", BOOKKEEPER, "does not fit Peakflo's tables"),
    ]
    acme.map_accounts()
    mend(acme, invoice["source_id"])
