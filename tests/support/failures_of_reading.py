"""Failures for which books are not read: of connections, of QuickBooks, of workers and disks, and of DAGs."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet

from include.receivables.alerts.facts import DELIVERY, SYNC
from include.receivables.company.companies import get_company
from include.receivables.company.tokens import TokenCipher
from local.ports import free_port
from tests.support.failing import (
    ADMIN,
    CYCLE,
    ENGINEER,
    HOUR,
    LATE,
    NOBODY,
    Told,
    expire_tokens,
    failure,
    reconnect,
    take,
)
from tests.support.quick_start import held
from tests.support.small_disk import full_disk
from tests.support.world import IMPORT, PROOF

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.support.cashier import Cashier
    from tests.support.world import World


def nothing_read(says: str, owner: str, **more: Any) -> Told:
    """Tell that no company is read, for a reason that all have in common."""
    return Told("", "nothing_read", owner, says, **more)


# The connection


@failure(granted=CYCLE)
def access_revoked_in_quickbooks(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    world.sandbox.revoke(acme.company.realm_id)
    yield [Told("acme", "reconnect", ADMIN, "Nothing is read or sent.")]
    reconnect(world, "acme")


@failure(granted=CYCLE)
def access_revoked_while_a_payment_waits(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    [invoice] = acme.invoices(1)
    world.sandbox.revoke(acme.company.realm_id)
    acme.take(invoice, "12.10")
    says = "1 payment of 12.10 USD waits meanwhile."
    yield [Told("acme", "reconnect", ADMIN, says, amounts={"USD": "12.10"})]
    reconnect(world, "acme")


@failure(granted=CYCLE)
def consent_ran_out(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    world.sandbox.expire(acme.company.realm_id, "all")
    yield [Told("acme", "reconnect", ADMIN, "Nothing is read or sent.")]
    reconnect(world, "acme")


@failure(granted=CYCLE)
def two_companies_revoked(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    for company_id in ("acme", "globex"):
        world.sandbox.revoke(get_company(world.db, company_id).realm_id)
    yield [Told(each, "reconnect", ADMIN, "Nothing is read or sent.") for each in ("acme", "globex")]
    reconnect(world, "acme")
    reconnect(world, "globex")


@failure()
def consent_ends_soon(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    world.db.execute(
        "update sync.connection set refresh_token_hard_expires_at = now() + interval '29 days'"
        " where company_id = 'acme'"
    )
    yield [Told("acme", "consent_ends", ADMIN, "QuickBooks' consent ends on 2 Mar 2027")]
    world.db.execute("update sync.connection set refresh_token_hard_expires_at = now() + interval '5 years'")


@failure(granted=LATE)
def wrong_client_secret(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    world.access = world.keys.access(client_secret="wrong")
    expire_tokens(world)
    yield [nothing_read("Intuit", ENGINEER)]
    world.access = world.keys.access()


@failure(granted=LATE)
def wrong_fernet_key(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    world.access = replace(world.keys.access(), cipher=TokenCipher(Fernet.generate_key().decode()))
    yield [nothing_read("encrypted with another key", ENGINEER)]
    world.access = world.keys.access()


@failure(granted=LATE)
def intuit_gives_no_tokens(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    world.sandbox.add_fault("500", path="token")
    expire_tokens(world)
    yield [nothing_read("There is no new access token", NOBODY)]
    world.sandbox.clear_faults()


# How fresh the books are


@failure(granted=LATE)
def quickbooks_cannot_be_reached(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    world.access = replace(world.keys.access(), api_url=f"http://127.0.0.1:{free_port()}")
    yield [nothing_read("QuickBooks", NOBODY)]
    world.access = world.keys.access()


@failure(granted=LATE)
def quickbooks_is_down_while_a_payment_waits(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    [invoice] = acme.invoices(1)
    world.sandbox.add_fault("503_html")
    acme.take(invoice, "12.10")
    says = "1 payment of 12.10 USD waits meanwhile."
    yield [nothing_read(says, NOBODY, amounts={"USD": "12.10"})]
    world.sandbox.clear_faults()


@failure(granted=LATE)
def quickbooks_fails_for_one_company(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    world.sandbox.add_fault("500", realm=acme.company.realm_id)
    yield [Told("acme", "not_fresh", NOBODY, "QuickBooks")]
    world.sandbox.clear_faults()


@failure(granted=LATE)
def quickbooks_answers_garbage(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    world.sandbox.add_fault("truncated", realm=acme.company.realm_id, path="cdc")
    yield [Told("acme", "not_fresh", NOBODY, "QuickBooks")]
    world.sandbox.clear_faults()


@failure(granted=LATE)
def quickbooks_throttles_one_company(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    world.sandbox.add_fault("429", realm=acme.company.realm_id)
    yield [Told("acme", "not_fresh", NOBODY, "QuickBooks")]
    world.sandbox.clear_faults()


@failure(granted=LATE)
def worker_killed_in_each_sync(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    world.killed.add("acme")
    yield [Told("acme", "not_fresh", ENGINEER, "have not been read.")]
    world.killed.clear()


@failure(granted=LATE)
def worker_that_hangs(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    with closing(held(world.bench, "acme")):
        yield [Told("acme", "not_fresh", ENGINEER, "have not been read.")]


@failure(granted=LATE)
def disk_full(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    with full_disk(world.db, "staging.record", "staging.history"):
        customer = acme.books.customer("Wordy")
        long = {"CustomerRef": {"value": customer}, "PrivateNote": "x" * 3000}
        acme.books.batch("create", "Payment", [{**long, "TotalAmt": 1} for _ in range(90)])
        yield [Told("acme", "not_fresh", ENGINEER, "No space left on device")]


# DAGs that do not run


@failure(granted=LATE)
def syncs_paused(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    world.paused.add(SYNC)
    yield [Told("", "dag_not_running", ENGINEER, "nothing is read from QuickBooks", SYNC)]
    world.paused.clear()


@failure(granted=LATE)
def deliveries_paused(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    world.paused.add(DELIVERY)
    take(world, acme, "25.50")
    says = "no payment goes to QuickBooks, and 1 payment of 25.50 USD waits."
    yield [Told("", "dag_not_running", ENGINEER, says, DELIVERY, {"USD": "25.50"})]
    world.paused.clear()


@failure(granted=LATE)
def syncs_and_deliveries_paused(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    [invoice] = acme.invoices(1)
    world.paused |= {SYNC, DELIVERY}
    acme.take(invoice, "25.50")
    yield [Told("", "dag_not_running", ENGINEER, "nothing is read from QuickBooks.", SYNC)]
    world.paused.clear()


@failure(granted=30 * HOUR, lingers=24 * HOUR, slowness=2)
def proofs_paused(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    world.run(PROOF)
    world.paused.add(PROOF)
    yield [Told("", "dag_not_running", ENGINEER, "has proved nothing for", PROOF)]
    world.paused.clear()


@failure(granted=LATE)
def first_import_does_not_come(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    world.paused.add(IMPORT)
    world.bench.connect("demo", company_id="initech")
    yield [Told("initech", "not_imported", ENGINEER, "The first import is not done yet.")]
    world.paused.clear()


@failure(granted=CYCLE)
def first_import_fails(world: World, acme: Cashier) -> Iterator[Sequence[Told]]:
    company = world.bench.connect("demo", company_id="initech")
    world.sandbox.add_fault("500", realm=company.realm_id, path="query")
    yield [Told("initech", "import_failed", ENGINEER, "The import failed.")]
    world.sandbox.clear_faults()
