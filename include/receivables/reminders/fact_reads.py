"""Reads what verdicts rest on: plain rows, put together here, so that no join hangs on what the planner believes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
from psycopg.rows import dict_row

from include.receivables.reminders.cover import NOTHING, Family, Money, Payer
from include.receivables.reminders.facts import Facts
from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from psycopg import Connection

    from include.receivables.company.runs import Run
    from include.receivables.reminders.reads import Reads


class _Customer(msgspec.Struct, frozen=True):
    """What QuickBooks says of a customer: a row of ``reminders/read_customers``."""

    id: UUID
    source_id: str | None
    status: str
    currency: str | None
    balance: Decimal | None
    balance_with_children: Decimal | None


class _Holding(msgspec.Struct, frozen=True):
    """What of a customer is open in a currency: a row of ``reminders/read_holdings``."""

    due: Decimal = NOTHING
    overdue: Decimal = NOTHING
    payments: list[Money] = []
    credits: list[Money] = []
    unbooked: list[Money] = []


class _Relation(msgspec.Struct, frozen=True):
    """What one customer is of another, payer, head or member: a row of ``reminders/read_payers``."""

    role: str
    of_id: UUID
    id: UUID
    level: int
    is_billed: bool


class _Stray(msgspec.Struct, frozen=True):
    """
    A record that could not be taken in: a row of ``reminders/list_strays``.

    :param customer_id: whose it is, if anybody knows.
    :param amount: how much it asks for at most, if anybody knows.
    """

    entity: str
    qbo_id: str
    customer_id: UUID | None
    amount: Decimal | None


@dataclass(frozen=True, slots=True)
class _Customers:
    """
    What is known of all customers that invoices concern.

    :param strays: what could not be taken in, by whose it is; None is nobody knows whose.
    :param later: those of whom a record may be of another moment than the others, as far as that matters.
    """

    payers: dict[UUID, list[_Relation]]
    heads: dict[UUID, UUID]
    members: dict[UUID, list[_Relation]]
    known: dict[UUID, _Customer]
    holdings: dict[tuple[UUID, str | None], _Holding]
    strays: dict[UUID | None, list[_Stray]]
    later: set[UUID] = field(default_factory=set)

    @property
    def unexplained(self) -> set[UUID]:
        """Those whose balances do not say the same as their documents, or as each other."""
        found = {
            customer.id for customer in self.known.values() if self._payer(customer, customer.currency).other
        }
        for head_id in set(self.heads.values()) & self.known.keys():
            family = [member.id for member in self.members[head_id]]
            if self.known[head_id].balance_with_children != self._balance(family):
                found.update(family)
        return found

    def facts(self, customer_id: UUID, currency: str | None) -> dict[str, Any]:
        """Return the facts of an invoice that are its customer's."""
        customer = self.known[customer_id]
        holding = self._holding(customer_id, currency)
        concerned = {relation.id for relation in self.payers[customer_id]}
        head_id = self.heads.get(customer_id)
        family = {member.id for member in self.members[head_id]} if head_id else set()
        missing = [stray.amount for stray in self._strays(concerned | family, "invoice")]
        has_totals = not self._strays({customer_id, None}, "invoice")
        payers = [
            (self.known[relation.id], relation.level)
            for relation in self.payers[customer_id]
            if relation.id in self.known
        ]
        return {
            "customer_qbo_id": customer.source_id,
            "customer_status": customer.status,
            "total_due": holding.due if has_totals else None,
            "total_overdue": holding.overdue if has_totals else None,
            "payers": [
                self._payer(payer, currency)
                for payer, level in payers
                if not level or payer.currency == currency
            ],
            "family": self._family(head_id, currency),
            "is_customer_waiting": bool(
                self._strays(concerned, "customer", "payment", "credit_memo")
                or self._strays(family, "customer")
            ),
            "missing": None if None in missing else sum(filter(None, missing), NOTHING),
            "has_foundlings": bool(self._strays({None}, "invoice")),
        }

    def _strays(self, customer_ids: Collection[UUID | None], *entities: str) -> list[_Stray]:
        return [
            stray for each in customer_ids for stray in self.strays.get(each, []) if stray.entity in entities
        ]

    def _payer(self, customer: _Customer, currency: str | None) -> Payer:
        holding = self._holding(customer.id, currency)
        return Payer(
            str(customer.id),
            customer.source_id,
            open=holding.due,
            balance=customer.balance if customer.currency == currency else None,
            is_later=customer.id in self.later,
            payments=holding.payments,
            credits=holding.credits,
            unbooked=holding.unbooked,
        )

    def _family(self, head_id: UUID | None, currency: str | None) -> Family | None:
        head = self.known.get(head_id) if head_id else None
        if head is None or head.currency != currency:
            return None
        members = self.members[head.id]
        # One that QuickBooks counts among them and that is unknown here has invoices, too.
        is_whole = head.balance_with_children == self._balance(member.id for member in members)
        billed_together = self._balance(member.id for member in members if member.is_billed)
        return Family(
            str(head.id),
            head.source_id,
            open=sum(
                (self._holding(member.id, currency).due for member in members if member.is_billed), NOTHING
            ),
            owed=billed_together if is_whole else None,
            is_later=any(member.id in self.later for member in members),
        )

    def _balance(self, customer_ids: Iterable[UUID]) -> Decimal:
        return sum((self.known[each].balance or NOTHING for each in customer_ids), NOTHING)

    def _holding(self, customer_id: UUID, currency: str | None) -> _Holding:
        return self.holdings.get((customer_id, currency), _Holding())


def read_facts(db: Connection, run: Run, reads: Reads, invoice_ids: Iterable[UUID]) -> dict[UUID, Facts]:
    """
    Return what is known of invoices after the merge, by their ids.

    :param reads: what was read just now.
    """
    keys = {
        "company_id": run.company.company_id,
        "realm_id": run.company.realm_id,
        "run_id": run.run_id,
        # The company's day is that of QuickBooks' clock.
        "read_at": max(reads.read_at.values(), default=datetime.now(UTC)),
        "changes_since": reads.changes_since,
        "changes_read_at": reads.changes_read_at,
        "settled_before": reads.settled_before,
        "told": reads.told,
    }
    invoices = _rows(db, "read_invoices", keys | {"invoice_ids": list(invoice_ids)})
    customers = _read_customers(db, keys, {row["customer_id"] for row in invoices})
    strays = chain.from_iterable(customers.strays.values())
    waiting = {stray.qbo_id for stray in strays if stray.entity == "invoice"}
    owing = {
        debtor: customers.facts(*debtor)
        for debtor in {(row["customer_id"], row["currency"]) for row in invoices}
    }
    return {
        row["invoice_id"]: msgspec.convert(
            row
            | owing[row["customer_id"], row["currency"]]
            | {"is_invoice_waiting": row["qbo_id"] in waiting},
            Facts,
        )
        for row in invoices
    }


def _read_customers(db: Connection, keys: dict[str, Any], customer_ids: Iterable[UUID]) -> _Customers:
    """Read the customers and all who are concerned with them, as payers or by a common bill."""
    asked = {"customer_ids": list(customer_ids)}
    relations = msgspec.convert(_rows(db, "read_payers", keys | asked), list[_Relation])
    roles: dict[str, dict[UUID, list[_Relation]]] = {"payer": {}, "head": {}, "member": {}}
    for relation in relations:
        roles[relation.role].setdefault(relation.of_id, []).append(relation)
    concerned = keys | {"customer_ids": list({relation.id for relation in relations})}
    known = msgspec.convert(_rows(db, "read_customers", concerned), list[_Customer])
    strays: dict[UUID | None, list[_Stray]] = {}
    for stray in msgspec.convert(_rows(db, "list_strays", keys), list[_Stray]):
        strays.setdefault(stray.customer_id, []).append(stray)
    customers = _Customers(
        payers=roles["payer"],
        heads={customer_id: head.id for customer_id, [head] in roles["head"].items()},
        members=roles["member"],
        known={customer.id: customer for customer in known},
        holdings={
            (row["customer_id"], row["currency"]): msgspec.convert(row, _Holding)
            for row in _rows(db, "read_holdings", concerned)
        },
        strays=strays,
    )
    suspect = keys | {"customer_ids": list(customers.unexplained)}
    later = _rows(db, "find_later", suspect) if suspect["customer_ids"] else []
    return replace(customers, later={row["customer_id"] for row in later})


def _rows(db: Connection, statement: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    with db.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(load(f"reminders/{statement}"), parameters).fetchall()
