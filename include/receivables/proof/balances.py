"""Compares what is open, document by document and customer by customer, with Intuit's own reports."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from include.receivables.proof.differences import CENT, NOTHING, Difference
from include.receivables.proof.frames import SIGNS, owed, rows_of
from include.receivables.proof.records import text, words

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    import pandas as pd

    from include.quickbooks.reports import OpenTransaction
    from include.receivables.proof.differences import ClassName
    from include.receivables.proof.frames import Key, Row
    from include.receivables.proof.reading import Reports

# QuickBooks' words for what Peakflo has tables for; in another language, the Id tells.
DOCUMENTS = {"Invoice": "invoice", "Credit Memo": "credit_memo", "Payment": "payment"}


@dataclass(frozen=True, slots=True)
class CustomerBalance:
    """What a customer owes by either side, in the home currency."""

    customer_id: str
    name: str | None
    quickbooks: Decimal
    peakflo: Decimal


@dataclass
class Comparison:
    """
    Both sides at the end of the reading.

    :param known: what is staged and what Peakflo has, as :func:`~.frames.read_known` reads it.
    :param moved: the records that changed in QuickBooks while they were read.
    :param own_entries: QuickBooks' Ids of the journal entries of Peakflo's own payments.
    :param names: of customers, by QuickBooks' Id.
    """

    known: pd.DataFrame
    reports: Reports
    moved: Collection[Key]
    home_currency: str
    own_entries: Collection[str]
    names: Mapping[str, str]
    rows: Mapping[Key, Row] = field(init=False)
    owed: Mapping[Key, Row] = field(init=False)

    def __post_init__(self) -> None:
        self.rows = rows_of(self.known)
        self.owed = rows_of(owed(self.known))

    def find(self) -> list[Difference]:
        """Find what differs; of what has the class ``unknown``, nobody knows why."""
        documents, others = self._split()
        found = [self._other_money(each) for each in others]
        for key in sorted({*documents, *self.owed}):
            theirs = sum((each.amount for each in documents.get(key, ())), NOTHING)
            ours = self.owed[key]["amount"] if key in self.owed else NOTHING
            if theirs != ours:
                customers = [each.customer_id for each in documents.get(key, ())]
                found.append(self._document(key, theirs, ours, customers))
        return found + self._find_customers(found)

    def customers(self) -> list[CustomerBalance]:
        """Return what each customer owes by either side."""
        ours: dict[str, Decimal] = defaultdict(Decimal)
        for row in self.owed.values():
            ours[str(row["customer_id"] or "")] += row["amount"]
        theirs = self.reports.balances
        return [
            CustomerBalance(each, self.names.get(each), theirs.get(each, NOTHING), ours.get(each, NOTHING))
            for each in sorted({*ours, *theirs})
            if theirs.get(each) or ours.get(each)
        ]

    def _split(self) -> tuple[dict[Key, list[OpenTransaction]], list[OpenTransaction]]:
        """Tell the documents that Peakflo has tables for from other money."""
        documents: dict[Key, list[OpenTransaction]] = defaultdict(list)
        others = []
        for transaction in self.reports.transactions:
            key = self._key_of(transaction)
            if key is None:
                others.append(transaction)
            else:
                documents[key].append(transaction)
        return documents, others

    def _key_of(self, transaction: OpenTransaction) -> Key | None:
        if transaction.kind in DOCUMENTS:
            return DOCUMENTS[transaction.kind], transaction.qbo_id
        # Reports speak the company's language; an Id is one transaction's, of whatever type.
        keys = ((entity, transaction.qbo_id) for entity in SIGNS)
        return next((key for key in keys if key in self.rows), None)

    def _other_money(self, transaction: OpenTransaction) -> Difference:
        is_own = transaction.qbo_id in self.own_entries
        customer = self.names.get(transaction.customer_id)
        named = f"{transaction.kind} {transaction.number or transaction.qbo_id}"
        why = (
            "in QuickBooks, though it belongs to a payment of Peakflo's"
            if is_own
            else "on accounts receivable, and is no invoice, payment or credit memo"
        )
        return Difference(
            "unlinked" if is_own else "other_money",
            transaction.kind,
            transaction.qbo_id,
            "open",
            f"{named} of {customer or transaction.customer_id} has {transaction.amount:,.2f} open {why}.",
            quickbooks=text(transaction.amount),
            amount=transaction.amount,
            name=transaction.number or None,
            customer_id=transaction.customer_id,
            customer_name=customer,
        )

    def _document(self, key: Key, theirs: Decimal, ours: Decimal, customers: Iterable[str]) -> Difference:
        entity, qbo_id = key
        row = self.rows.get(key, {})
        class_name, why = self._explain(key, row, theirs - ours)
        owner = next(iter(customers), "") or row.get("peakflo_owner_id") or row.get("staged_owner_id") or ""
        name = row.get("peakflo_name") or row.get("staged_name")
        return Difference(
            class_name,
            entity,
            qbo_id,
            "open",
            f"QuickBooks' report says that {theirs:,.2f} is open of {words(entity)} {name or qbo_id}, "
            f"Peakflo {ours:,.2f}: {why}.",
            quickbooks=text(theirs),
            peakflo=text(ours),
            amount=theirs - ours,
            name=name,
            customer_id=owner,
            customer_name=self.names.get(owner),
        )

    def _explain(self, key: Key, row: Row, rest: Decimal) -> tuple[ClassName, str]:
        if key in self.moved:
            return "in_flight", "it changed meanwhile"
        is_foreign = row.get("staged_currency") not in (None, self.home_currency)
        if is_foreign and abs(rest) <= CENT:
            return "exchange_rounding", "the rate was applied line by line"
        if row.get("is_waiting") and row["problem"]:
            return "not_read", str(row["problem"]).rstrip(".")
        return "unknown", "nobody knows why"

    def _find_customers(self, documents: Iterable[Difference]) -> list[Difference]:
        """Find the customers whose balance is not what their documents and the other money come to."""
        explained: dict[str, Decimal] = defaultdict(Decimal)
        for document in documents:
            explained[document.customer_id] += document.amount
        found = []
        for each in self.customers():
            rest = each.quickbooks - each.peakflo - explained[each.customer_id]
            if rest:
                come_to = each.quickbooks - rest
                found.append(
                    self._customer(each, "balance", come_to, "its documents and other money come to", rest)
                )
            said = self._said_by_record(each.customer_id)
            if said is not None and said != each.quickbooks:
                found.append(self._customer(each, "record", said, "its own record says", NOTHING))
        return found

    def _said_by_record(self, customer_id: str) -> Decimal | None:
        """Return what a customer's own record says that is owed, if that is in the home currency."""
        row = self.rows.get(("customer", customer_id), {})
        is_at_home = row.get("staged_currency") in (None, self.home_currency)
        balance: Decimal | None = row.get("peakflo_open")
        return balance if is_at_home and row.get("peakflo_status") in ("active", "archived") else None

    def _customer(
        self, balance: CustomerBalance, respect: str, ours: Decimal, what: str, rest: Decimal
    ) -> Difference:
        customer_id = balance.customer_id
        is_moving = customer_id in self._moving()
        name = balance.name or customer_id
        return Difference(
            "in_flight" if is_moving else "unknown",
            "customer",
            customer_id,
            respect,
            f"QuickBooks' report of balances says that {name} owes {balance.quickbooks:,.2f}, and {what} {ours:,.2f}"
            + (": it changed meanwhile." if is_moving else "."),
            quickbooks=text(balance.quickbooks),
            peakflo=text(ours),
            amount=rest,
            name=balance.name,
            customer_id=customer_id,
            customer_name=balance.name,
        )

    def _moving(self) -> set[str]:
        """Return the customers of whom something changed while it was read."""
        owners = {str(self.owed[key]["customer_id"]) for key in self.moved if key in self.owed}
        return owners | {qbo_id for entity, qbo_id in self.moved if entity == "customer"}
