"""What most tests of the sync need: companies of the sandbox, jobs on them, and the truth to compare with."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from include.receivables.company.run_context import RunContext
from include.receivables.connecting import connections
from include.receivables.inbound import jobs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

    from include.receivables.company.access import Access
    from include.receivables.company.batches import Outcome
    from include.receivables.company.companies import Company
    from sandbox.control import SandboxControl
    from tests.support.kept_companies import KeptCompanies

# Requests a second and company, for tests that are not about QuickBooks' limits.
UNLIMITED = 500
COMPANIES = "select from sync.connection limit 1"


@dataclass
class Workbench:
    """
    A database, a sandbox, and what is done with them.

    :param kept: companies that were imported before.
    """

    access: Access
    sandbox: SandboxControl
    db: psycopg.Connection
    kept: KeptCompanies | None = None
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def connect(self, books: Any = "empty", *, company_id: str | None = None, **options: Any) -> Company:
        """Create a company in the sandbox and connect it."""
        number = next(self._numbers)
        created = self.sandbox.create_company(name=f"Books {number}", books=books, **options)
        return connections.connect_company(
            self.db,
            company_id=company_id or f"company-{number}",
            name=f"Company {number}",
            realm_id=created["realm_id"],
            refresh_token=created["refresh_token"],
            connected_by="test",
            app=self.access.app,
            cipher=self.access.cipher,
        )

    def run_context(self) -> RunContext:
        """Return an run_context like no other."""
        return RunContext("test", f"run-{next(self._numbers)}")

    def import_all(self, company: Company, **options: Any) -> Outcome:
        """Import a company."""
        return jobs.import_all(self.access, company.company_id, self.run_context(), **options)

    def sync(self, company: Company, **options: Any) -> Outcome:
        """Sync a company."""
        return jobs.sync(self.access, company.company_id, self.run_context(), **options)

    def imported(self, books: Any = "demo", **options: Any) -> Company:
        """Create, connect and import a company."""

        def make() -> Company:
            company = self.connect(books, **options)
            self.import_all(company)
            return company

        return self.made_or_kept(f"imported {json.dumps([books, options])}", make)

    def made_or_kept(self, how: str, make: Callable[[], Company]) -> Company:
        """
        Make a company, or put one back that was made alike for the beginning of another test.

        :param how: what tells companies apart that are made differently.
        """
        if self.kept is None or self._is_begun():
            return make()
        how += json.dumps(self.sandbox.settings(), sort_keys=True)
        kept = self.kept.find(how)
        if kept is not None:
            self._numbers = itertools.count(3)  # those before would have been taken
            return kept.put_back(self.db, self.sandbox)
        company = make()
        self.kept.keep(how, company, self.db, self.sandbox)
        return company

    def _is_begun(self) -> bool:
        """Tell whether something in the database or the sandbox is not as every test finds it."""
        return bool(self.sandbox.faults()) or self.db.execute(COMPANIES).fetchone() is not None
