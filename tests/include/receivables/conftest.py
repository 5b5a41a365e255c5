from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from include.receivables.company import rate_limit
from tests.support.bookkeeper import Bookkeeper
from tests.support.cashier import Cashier
from tests.support.workbench import UNLIMITED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from include.receivables.company.companies import Company
    from sandbox.control import SandboxControl
    from tests.support.workbench import Workbench


@pytest.fixture(autouse=True)
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let requests leave as fast as they come: QuickBooks' limits have tests of their own."""
    monkeypatch.setattr(rate_limit, "MOST", UNLIMITED)


@pytest.fixture
def sandbox(sandbox: SandboxControl) -> SandboxControl:
    """The usual sandbox, which takes requests as fast as they come."""
    sandbox.change_settings(throttle="off")
    return sandbox


@pytest.fixture
def keep_books(sandbox: SandboxControl) -> Iterator[Callable[[Company], Bookkeeper]]:
    """Somebody who writes the books of a company, through QuickBooks' own API and faster than it allows."""
    with ExitStack() as stack:

        def employ(company: Company) -> Bookkeeper:
            sandbox.change_settings(company.realm_id, throttle="off")
            return stack.enter_context(Bookkeeper(sandbox, company.realm_id))

        yield employ


@pytest.fixture
def cashier(bench: Workbench, keep_books: Callable[[Company], Bookkeeper]) -> Cashier:
    """Somebody who takes payments for an imported company whose accounts are mapped."""
    company = bench.imported("demo", company_id="acme")
    taken = Cashier(bench, company, keep_books(company))
    taken.map_accounts()
    return taken
