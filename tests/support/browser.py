"""A person at a browser: Debian's Chromium, led by Playwright through the pages in Airflow's UI."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, FrameLocator, Locator, Page

    from tests.support.fixtures_local import RunningStack

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Without these it looks for hosts of its maker at every start.
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
LAPTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
PATIENCE_MS = 60_000
# Where pictures of the pages are kept, for the documentation; none are taken without it.
PICTURES = os.environ.get("PAGE_PICTURES", "")

Theme = Literal["light", "dark"]


def find_chromium() -> str:
    """Return the path of a Chromium; skip the test where there is none, which never happens in CI."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    missing = "There is no Chromium to try the pages in: `apt-get install chromium`."
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)


@dataclass
class Person:
    """
    A user of Airflow at the browser.

    :param clicks: what they clicked, in order; choosing in a select is none.
    """

    stack: RunningStack
    page: Page
    clicks: list[str] = field(default_factory=list)

    @classmethod
    def signed_in(cls, browser: Browser, stack: RunningStack, user: str, theme: Theme = "light") -> Person:
        """Open a browser of their own and sign in to Airflow."""
        context = browser.new_context(viewport=LAPTOP, color_scheme=theme, base_url=stack.api_url)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.goto("/auth/login/")
        page.fill("input[name=username]", user)
        page.fill("input[name=password]", stack.passwords[user])
        page.click("button[type=submit]")
        page.wait_for_url(lambda url: "/auth/login" not in url)
        return cls(stack, page)

    @property
    def shown(self) -> FrameLocator | Page:
        """What the pages are shown in: Airflow's frame, or the window once the way led outside it."""
        return self.page.frame_locator("iframe") if "/plugin/" in self.page.url else self.page

    def open_entry(self) -> None:
        """Follow the entry "QuickBooks" of Airflow's navigation."""
        self.page.goto("/")
        self.page.get_by_role("link", name="QuickBooks", exact=True).click()
        self.page.wait_for_url("**/plugin/quickbooks**")

    def open(self, place: str) -> None:
        """Open a page by its address, without Airflow around it."""
        self.page.goto(f"/quickbooks/{place}")

    def click(
        self, name: str, role: Literal["button", "link"] = "button", within: Locator | None = None
    ) -> None:
        """Click a button or a link of that name."""
        (within or self.shown).get_by_role(role, name=name, exact=True).click()
        self.clicks.append(name)

    def picture(self, name: str) -> None:
        """Keep a picture of what is seen, light and dark."""
        if not PICTURES:
            return
        Path(PICTURES).mkdir(parents=True, exist_ok=True)
        for theme in ("light", "dark"):
            self.page.emulate_media(color_scheme=theme)
            self.page.screenshot(path=f"{PICTURES}/{name}-{theme}.png", full_page=True)
        self.page.emulate_media(color_scheme="light")
