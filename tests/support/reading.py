"""A small company whose records QuickBooks answers oddly, and what the sync makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.receivables.reminders.check import ReminderRequest
from include.receivables.reminders.refreshing import refresh_and_judge
from tests.support.expected import peakflo_id
from tests.support.quick_start import connect_as_imported

if TYPE_CHECKING:
    from collections.abc import Callable

    from include.receivables.company.companies import Company
    from tests.support.bookkeeper import Bookkeeper
    from tests.support.workbench import Workbench

BEYOND_OVERLAP = 900  # seconds; each sync reads the last ten minutes again


@dataclass
class Reading:
    """
    The company.

    :param odd: an invoice that was read well, and is of 100.
    :param good: another one, of another customer.
    """

    bench: Workbench
    company: Company
    books: Bookkeeper
    customer: str
    odd: str
    good: str

    @classmethod
    def begin(cls, bench: Workbench, keep_books: Callable[[Company], Bookkeeper]) -> Reading:
        """Keep the books of a company that was synced and is quiet."""
        company = connect_as_imported(bench, "acme")
        books = keep_books(company)
        customer = books.customer("Ada")
        invoices = books.invoice(customer, "100"), books.invoice(books.customer("Grace"), "100")
        reading = cls(bench, company, books, customer, *invoices)
        reading.quiet()
        return reading

    def quiet(self) -> None:
        """Sync so that the next answer brings nothing of what happened before."""
        for _ in range(2):
            self.bench.sync(self.company)
            self.bench.sandbox.advance_clock(BEYOND_OVERLAP)

    def problems(self, state: str = "open") -> set[tuple[str, str, str]]:
        """Return the entity, Id and code of the problems in a state."""
        statement = "select entity, qbo_id, code from sync.problem where state = %s"
        return set(self.bench.db.execute(statement, [state]).fetchall())

    def due(self) -> dict[str, str]:
        """Return what Peakflo takes to be due, by the invoice's Id."""
        statement = "select source_id, trim_scale(amount_due)::text from peakflo.invoice"
        return dict(self.bench.db.execute(statement).fetchall())

    def verdicts(self) -> dict[str, str]:
        """Return the verdict of a reminder run about both invoices, by their Ids."""
        ids = {peakflo_id(self.company.realm_id, "invoice", each): each for each in (self.odd, self.good)}
        request = ReminderRequest(self.company.company_id, tuple(ids))
        judgement = refresh_and_judge(self.bench.access, request, self.bench.run_context(), seconds=30)
        return {ids[verdict.invoice_id]: verdict.verdict for verdict in judgement.verdicts}
