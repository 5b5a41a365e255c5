"""Searches QuickBooks for what a request may have made there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.quickbooks import query
from include.quickbooks.entities import JOURNAL_ENTRY, PAYMENT
from include.quickbooks.paging import read_pages
from include.receivables.outbound import payloads
from include.receivables.outbound.compare import is_void
from include.receivables.outbound.payloads import parse

if TYPE_CHECKING:
    from include.quickbooks.client import QuickBooksClient
    from include.quickbooks.entities import Entity
    from include.quickbooks.records import Record as Answered
    from include.receivables.outbound.model import Document, Look, Situation

# Where a document's reference is searched.
SEARCHED: dict[Document, tuple[Entity, str]] = {
    "payment": (PAYMENT, "PaymentRefNum"),
    "journal_entry": (JOURNAL_ENTRY, "DocNumber"),
}


@dataclass(frozen=True, slots=True)
class Findings:
    """
    What QuickBooks has that may be what a request made.

    :param own: names the payment in its note.
    :param unmarked: bears the payment's reference without naming it: copied by hand, or edited by hand.
    :param odd: why a record that may be it cannot be read.
    """

    own: list[Answered]
    unmarked: list[Answered]
    odd: list[str]


def look(quickbooks: QuickBooksClient, situation: Situation, step: Look) -> Findings:
    """
    Search by reference, and through all of its day: QuickBooks may number a record itself, and people edit.

    :raises ThrottledError: when QuickBooks does not let itself be read.
    """
    record = step.record
    known = {each.qbo_id for each in situation.records if each.document == record.document and each.qbo_id}
    entity, field = SEARCHED[record.document]
    search = _Search(quickbooks, entity, known, payloads.marker(situation.payment_id))
    reference = query.quote(payloads.reference_number(situation.payment_id))
    found, odd = search.ask(f"{field} = {reference}")
    own = search.own(found)
    date = (record.payload or {}).get("TxnDate")
    if not own and step.thoroughly and date:
        of_day, odd_of_day = search.ask(f"TxnDate = {query.quote(date)}")
        own = search.own(of_day)
        odd += odd_of_day
    return Findings(own, [each for each in found if each not in own], odd)


@dataclass(frozen=True, slots=True)
class _Search:
    quickbooks: QuickBooksClient
    entity: Entity
    known: set[str]
    marker: str

    def ask(self, where: str) -> tuple[list[Answered], list[str]]:
        """Return what fulfils a condition and is not known already, and why what of it cannot be read cannot."""
        found: dict[str, Answered] = {}
        odd: list[str] = []
        for portion in read_pages(self.quickbooks, self.entity, where=where):
            found |= {each.qbo_id: each for each in portion.page.records if each.qbo_id not in self.known}
            odd += [
                f"{self.entity.name} {each.qbo_id} cannot be read, {each.reason}" for each in portion.page.odd
            ]
        return list(found.values()), odd

    def own(self, found: list[Answered]) -> list[Answered]:
        """
        Pick what names the payment: a reference can be copied or edited by hand.

        One that was voided beside another one is what a person made of two; of several that are all void, any will do.
        """
        contents = [(each, parse(each.payload)) for each in found]
        own = [
            (each, content) for each, content in contents if self.marker in str(content.get("PrivateNote"))
        ]
        alive = [each for each, content in own if not is_void(content)]
        return alive or [each for each, _ in own][-1:]
