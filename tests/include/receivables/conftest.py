from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.bookkeeper import Bookkeeper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from include.receivables.companies import Company
    from include.sandbox.control import SandboxControl


@pytest.fixture
def keep_books(sandbox: SandboxControl) -> Iterator[Callable[[Company], Bookkeeper]]:
    """Somebody who writes the books of a company, through QuickBooks' own API and faster than it allows."""
    with ExitStack() as stack:

        def employ(company: Company) -> Bookkeeper:
            sandbox.change_settings(company.realm_id, throttle="off")
            return stack.enter_context(Bookkeeper(sandbox, company.realm_id))

        yield employ
