"""
What can go wrong in a small world, each failure made as it comes about, and cured as people cure it.

A failure is a generator: what is before its ``yield`` lets it begin, what it yields is all that anybody has to be told
of it, and what comes after is the cure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from include.receivables.alerts.facts import DELIVERY
from include.receivables.company.companies import get_company
from include.receivables.connecting import connections
from tests.support.cashier import Cashier
from tests.support.world import MINUTE, World

if TYPE_CHECKING:
    from types import ModuleType
    from uuid import UUID

HOUR = 60 * MINUTE
# After so long without a read a company is late, and after so long in the queue a payment.
LATE = 15 * MINUTE
# Until somebody meets it.
CYCLE = 5 * MINUTE
ADMIN, ENGINEER, BOOKKEEPER, NOBODY = "admin", "data engineer", "bookkeeper", "nobody"


class Told(NamedTuple):
    """
    What has to be told, once.

    :param says: a part of the sentence.
    :param amounts: the money that it names, per currency.
    """

    company_id: str
    code: str
    owner: str
    says: str
    detail: str = ""
    amounts: dict[str, str] = {}  # noqa: RUF012 - of a named tuple, and never changed

    @property
    def key(self) -> tuple[str, str, str]:
        return self.company_id, self.code, self.detail


Happen = Callable[[World, Cashier], Iterator[Sequence[Told]]]


@dataclass(frozen=True)
class Failure:
    """
    A failure, and how long its rule waits.

    :param granted: for how long it is none by the rule of its alert.
    :param lingers: for how long the rule sees it after its cure.
    :param slowness: of the world, where the rule takes days.
    """

    happen: Happen
    granted: timedelta
    lingers: timedelta
    slowness: int


def failure(
    *, granted: timedelta = timedelta(0), lingers: timedelta = timedelta(0), slowness: int = 1
) -> Callable[[Happen], Failure]:
    """Make a failure of what happens in it."""
    return lambda happen: Failure(happen, granted, lingers, slowness)


def list_failures(*modules: ModuleType) -> dict[str, Failure]:
    """List the failures of some modules by their names."""
    return {
        name: each for module in modules for name, each in vars(module).items() if isinstance(each, Failure)
    }


def reconnect(world: World, company_id: str) -> None:
    """Connect a company again, as an admin does."""
    company = get_company(world.db, company_id)
    connections.connect_company(
        world.db,
        company_id=company_id,
        name=company.name,
        realm_id=company.realm_id,
        refresh_token=world.sandbox.tokens(company.realm_id)["refresh_token"],
        connected_by="ada",
        app=world.keys.access().app,
        cipher=world.keys.access().cipher,
    )


def expire_tokens(world: World) -> None:
    """Let the hour pass for which access tokens are good."""
    for (realm_id,) in world.db.execute("select realm_id from sync.connection").fetchall():
        world.sandbox.expire(realm_id, "access")


def take(world: World, acme: Cashier, amount: str = "100", bill: str = "100", **columns: Any) -> UUID:
    """Take a payment for a new invoice, of which the deliveries hear at once."""
    [invoice] = acme.invoices(1, bill)
    payment_id = acme.take(invoice, amount, **columns)
    world.run(DELIVERY)
    return payment_id


def delivered(world: World, acme: Cashier, amount: str) -> tuple[UUID, str]:
    """Take a payment that arrives in QuickBooks, and return it with its Id there."""
    payment_id = take(world, acme, amount)
    world.live(10 * MINUTE)
    return payment_id, acme.record(payment_id)["qbo_id"]
