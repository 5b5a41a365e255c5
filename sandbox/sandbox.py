"""The state of the whole sandbox: its clock, companies, tokens and settings."""

from __future__ import annotations

import random
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from sandbox import starter_books
from sandbox.books import Books
from sandbox.clock import Clock
from sandbox.company import Company
from sandbox.garbage import collector_paused
from sandbox.hooks import Hooks
from sandbox.injection import Injector
from sandbox.oauth import OAuth
from sandbox.settings import Settings, SettingsBook
from sandbox.storage import Storage
from sandbox.webhook_sender import WebhookSender
from sandbox.webhooks import WebhookSettings

if TYPE_CHECKING:
    from pathlib import Path

CLIENT_ID = "sandbox-client"
CLIENT_SECRET = "sandbox-secret"  # noqa: S105  (published on purpose, opens nothing but the sandbox)


class UnknownCompanyError(Exception):
    """The sandbox has no company with this realm id; create one with POST /control/companies."""


class Sandbox:
    """
    A local QuickBooks Online.

    :param seed: makes ids, names and amounts repeatable.
    :param data: the SQLite file that keeps everything; without one all is in memory.
    :param webhooks: where changes are told.
    """

    def __init__(
        self,
        *,
        seed: int = 7,
        data: Path | None = None,
        client_id: str = CLIENT_ID,
        client_secret: str = CLIENT_SECRET,
        webhooks: WebhookSettings | None = None,
    ) -> None:
        self.seed = seed
        self.clock = Clock()
        self.settings = SettingsBook()
        self.oauth = OAuth(self.clock, self.settings, client_id, client_secret)
        self.injector = Injector(seed)
        self.hooks = Hooks()
        self.webhooks = WebhookSender(self.clock, seed, webhooks or WebhookSettings())
        self.storage = Storage(data)
        self.companies: dict[str, Company] = {}
        self._kept: dict[str, Any] = {}
        self._random = random.Random(seed)  # noqa: S311  (repeatable, not secret)
        with collector_paused():
            self._load()

    def _load(self) -> None:
        facts = self.storage.facts()
        self.clock.offset_seconds = float(facts.pop("clock", 0))
        for realm_id, changes in facts.items():
            self.settings.change(changes, realm_id.removeprefix("settings:"))
        for realm_id, company in self.storage.companies():
            books = self._books(realm_id, company["home_currency"], multicurrency=company["multicurrency"])
            self.companies[realm_id] = Company(company["name"], books)
            self.storage.load(self.companies[realm_id])
        self.storage.load_tokens(self.oauth)

    def _books(self, realm_id: str, home_currency: str, *, multicurrency: bool) -> Books:
        return Books(
            realm_id, self.clock, self.settings, home_currency=home_currency, multicurrency=multicurrency
        )

    def company(self, realm_id: str) -> Company:
        """
        Return a company.

        :raises UnknownCompanyError: when there is none.
        """
        if realm_id not in self.companies:
            raise UnknownCompanyError(
                f"There is no company {realm_id}; create one with POST /control/companies."
            )
        return self.companies[realm_id]

    def open_company(
        self,
        name: str,
        *,
        realm_id: str,
        country: str = "US",
        home_currency: str = "USD",
        multicurrency: bool = False,
        age_days: int = 0,
    ) -> Company:
        """Open a company with the accounts, items and lists that every company has."""
        company = Company(name, self._books(realm_id, home_currency, multicurrency=multicurrency))
        starter_books.fill(company.books, name, country, age_days)
        self.companies[realm_id] = company
        return company

    def keep(self, company: Company) -> None:
        """Remember the books and the tokens of a company as they are, to put them back as often as wanted."""
        realm_id = company.realm_id
        self._kept[realm_id] = deepcopy((company.books.contents, self.oauth.tokens_of(realm_id)))

    def is_kept(self, company: Company) -> bool:
        """Tell whether a company can be put back."""
        return company.realm_id in self._kept

    def put_back(self, company: Company) -> None:
        """Put a company back as it was kept, connected as it was; what was asked of it since is forgotten."""
        books = company.books
        again = self._books(books.realm_id, books.home_currency, multicurrency=books.multicurrency)
        again.contents, tokens = deepcopy(self._kept[books.realm_id])
        self.companies[books.realm_id] = Company(company.name, again)
        self.oauth.replace_tokens(books.realm_id, tokens)

    def save(self, company: Company) -> None:
        """Keep what has changed in a company, and tell the app of it if it is connected."""
        self.storage.save(company)
        changes = company.books.take_changes()
        if changes and self.webhooks.is_on and self.oauth.is_connected(company.realm_id):
            self.webhooks.tell(company.realm_id, changes)

    def next_realm_id(self) -> str:
        """Return a new realm id in QuickBooks' form."""
        while (realm_id := f"46208165{self._random.randrange(10**11):011d}") in self.companies:
            continue
        return realm_id

    def change_settings(self, values: dict[str, Any], realm_id: str) -> Settings:
        """Change settings, and keep them."""
        settings = self.settings.change(values, realm_id)
        self.storage.save_fact(f"settings:{realm_id}", self.settings.changes[realm_id])
        return settings

    def reset(self) -> None:
        """Undo what tests have changed, except the books."""
        self.injector.clear()
        self.hooks.clear()
        for company in self.companies.values():
            company.books.serving.clear()
        self.webhooks.reset()
        self.set_clock(0)
        for realm_id in self.settings.clear():
            self.storage.save_fact(f"settings:{realm_id}", {})

    def set_clock(self, offset_seconds: float) -> None:
        """Move the clock, and keep it there."""
        self.clock.offset_seconds = offset_seconds
        self.storage.save_fact("clock", offset_seconds)
