"""Somebody who asks before reminding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.receivables.reminders.check import ReminderRequest
from include.receivables.reminders.refreshing import refresh_and_judge
from tests.support.expected import peakflo_id
from tests.support.oracle import Oracle

if TYPE_CHECKING:
    from uuid import UUID

    from include.receivables.company.companies import Company
    from include.receivables.reminders.judgement import Judgement
    from include.receivables.reminders.verdicts import Verdict
    from tests.support.workbench import Workbench


class Asking:
    """Asks about one company's invoices."""

    def __init__(self, bench: Workbench, company: Company) -> None:
        self._bench = bench
        self._company = company

    def __call__(self, *invoices: str, customers: tuple[str, ...] = ()) -> dict[str, Verdict]:
        """Ask, by QuickBooks' Ids, and return the verdicts by them."""
        judgement = self.judgement(*invoices, customers=customers)
        assert judgement.cause == ""
        oracle = Oracle(self._bench.sandbox, self._company.realm_id)
        ids = {self.id("invoice", qbo_id): qbo_id for qbo_id in oracle.invoices}
        return {ids[verdict.invoice_id]: verdict for verdict in judgement.verdicts}

    def judgement(self, *invoices: str, customers: tuple[str, ...] = ()) -> Judgement:
        """Ask, by QuickBooks' Ids, and return what came of it."""
        request = ReminderRequest(
            self._company.company_id,
            tuple(self.id("invoice", each) for each in invoices),
            tuple(self.id("customer", each) for each in customers),
        )
        return refresh_and_judge(self._bench.access, request, self._bench.run_context(), seconds=30)

    def about(self, invoice: str) -> tuple[str, list[str]]:
        """Ask about one invoice, and return what is said of it."""
        [verdict] = self.judgement(invoice).verdicts
        return says(verdict)

    def id(self, table: str, qbo_id: str) -> UUID:
        """Return Peakflo's id of a record."""
        found = peakflo_id(self._company.realm_id, table, qbo_id)
        assert found is not None
        return found


def says(verdict: Verdict) -> tuple[str, list[str]]:
    """Return a verdict and the codes of its reasons."""
    return verdict.verdict, [reason.code for reason in verdict.reasons]
