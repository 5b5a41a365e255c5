"""One QuickBooks company of the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.calls import Calls
from sandbox.query import ResultCache
from sandbox.replays import Replays
from sandbox.throttle import Throttle

if TYPE_CHECKING:
    from sandbox.books import Books


class Company:
    """
    A company: its books and what the API remembers about it.

    :param name: as users see it on the consent page.
    """

    def __init__(self, name: str, books: Books) -> None:
        self.name = name
        self.books = books
        self.results = ResultCache()
        self.calls = Calls()
        self.replays = Replays()
        self.throttle = Throttle()

    @property
    def realm_id(self) -> str:
        """The company's Id."""
        return self.books.realm_id
