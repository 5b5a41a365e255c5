"""Failures of records, proofs, webhooks and of the month's quota of reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.receivables.company.budget import ReadLimit
from include.receivables.inbound import jobs
from tests.support.failing import BOOKKEEPER, CYCLE, ENGINEER, HOUR, LATE, Told, failure
from tests.support.world import MINUTE, PROOF

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.support.cashier import Cashier
    from tests.support.world import World


# Records


@failure(granted=CYCLE)
def more_deletions_than_are_believed(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    invoices = acme.invoices(40, "10")
    for each in invoices:
        acme.books.delete("Invoice", each["source_id"])
    yield [Told("acme", "deletion_guard", BOOKKEEPER, "Invoice records as deleted")]
    jobs.sync(world.access, "acme", world.bench.run_context(), accept_deletions=True)


@failure(granted=CYCLE)
def record_that_cannot_be_read(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    [invoice] = acme.invoices(1)
    spoil(acme, invoice["source_id"])
    yield [Told("acme", "problems", BOOKKEEPER, f"invoice {invoice['source_id']} does not fit")]
    mend(acme, invoice["source_id"])


def spoil(acme: Cashier, invoice_id: str) -> None:
    """Have QuickBooks answer an invoice without its amount."""
    acme.bench.sandbox.serve(acme.company.realm_id, "Invoice", invoice_id, drop=["TotalAmt"])
    acme.books.change("Invoice", invoice_id, PrivateNote="changed")


def mend(acme: Cashier, invoice_id: str) -> None:
    """Have QuickBooks answer it whole."""
    acme.bench.sandbox.serve_truth(acme.company.realm_id)
    acme.books.change("Invoice", invoice_id, PrivateNote="changed again")


# The quota


@failure()
def most_of_the_quota_used(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    world.db.execute(
        "insert into sync.api_call (realm_id, day, dag_id, kind, calls, metered)"
        " values ('1', (now() at time zone 'utc')::date, 'import_company', 'query', 400000, 400000)"
    )
    yield [Told("", "quota_nearly_used", ENGINEER, "of the month's 500,000 metered reads are used, 80%")]
    world.limit = ReadLimit.of("gold")


@failure(granted=LATE + CYCLE, lingers=HOUR)
def quota_used_up(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    world.sandbox.change_settings(quota="used_up")
    yield [Told("", "quota_used_up", ENGINEER, "QuickBooks has answered 429 to every read since")]
    world.sandbox.change_settings(quota="left")


# The webhook


@failure(lingers=HOUR)
def webhook_forged(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    for _ in range(3):
        world.deliver_webhook(acme.company, "1", token="somebody else's")
    yield [
        Told("", "webhook_forged", ENGINEER, "3 webhook deliveries of the last hour bear a wrong signature")
    ]


@failure(granted=HOUR, slowness=2)
def webhook_silent(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    [invoice] = acme.invoices(1)
    world.deliver_webhook(acme.company, invoice["source_id"])
    world.live(23 * HOUR + 50 * MINUTE)
    [invoice] = acme.invoices(1)
    yield [Told("", "webhook_silent", ENGINEER, "though records were made in 1 company: acme")]
    world.deliver_webhook(acme.company, invoice["source_id"])


# Proofs


@failure()
def proof_finds_what_nobody_can_explain(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    [invoice] = acme.invoices(1)
    odd = {"Balance": 99, "SyncToken": "7"}
    world.sandbox.serve(acme.company.realm_id, "Invoice", invoice["source_id"], odd)
    world.bench.sync(acme.company)
    world.run(PROOF)
    says = "differ in 1 respect of which nobody knows why, by 1.00 USD."
    yield [Told("acme", "proof_failed", ENGINEER, says, "differs", {"USD": "1.00"})]
    world.sandbox.serve_truth(acme.company.realm_id)
    for number in range(9):
        acme.books.change("Invoice", invoice["source_id"], PrivateNote=f"version {number}")
    world.run(PROOF)


@failure()
def proof_of_another_basis(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    world.sandbox.change_settings(acme.company.realm_id, report_basis="Cash")
    world.run(PROOF)
    yield [Told("acme", "proof_failed", ENGINEER, "is of another basis", "not_proved")]
    world.sandbox.change_settings(acme.company.realm_id, report_basis="asked")
    world.run(PROOF)


@failure(granted=30 * HOUR, slowness=2)
def proofs_that_cannot_be_made(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    world.run(PROOF)
    world.sandbox.add_fault("500", realm=acme.company.realm_id, path="reports")
    yield [Told("acme", "proof_failed", ENGINEER, "No proof could be made for", "not_made")]
    world.sandbox.clear_faults()
    world.run(PROOF)
