"""What only a browser shows: the theme, a phone's width, the keyboard, and what the browser itself complains of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import sync_playwright

from tests.support.browser import LAPTOP, PATIENCE_MS, PHONE, QUIET, find_chromium
from tests.support.many_companies import add_companies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

    from tests.support.fixtures_web import Web

# Of the theme, on the root element of a page.
IS_DARK = "document.documentElement.classList.contains('dark')"
IS_TOO_WIDE = "document.documentElement.scrollWidth > window.innerWidth"
PAGES = (
    "",
    "connect",
    "companies/company-1",
    "companies/company-1/mapping",
    "companies/company-1/deliveries",
)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser, web: Web) -> Iterator[Callable[..., Page]]:
    """Open a browser of the administrator's, of some size."""
    contexts = []

    def open_it(size: dict[str, int], scheme: str = "light") -> Page:
        context = chromium.new_context(viewport=size, color_scheme=scheme, base_url=web.url)
        context.set_default_timeout(PATIENCE_MS)
        context.add_cookies([{"name": "_token", "value": web.as_("admin").cookies["_token"], "url": web.url}])
        contexts.append(context)
        return context.new_page()

    yield open_it
    for context in contexts:
        context.close()


def test_the_frame_follows_the_theme_that_is_chosen_in_airflow(open_page: Callable[..., Page]):
    page = open_page(LAPTOP)
    page.goto("/plugin/quickbooks")
    page.frame_locator("iframe").get_by_role("heading", name="QuickBooks integrations").wait_for()
    frame = page.frames[-1]
    assert not frame.evaluate(IS_DARK)
    assert frame.locator("header").is_hidden()
    # By its class: to wait for an expression takes an eval, which the page forbids.
    for theme, root in (("dark", "html.dark"), ("light", "html:not(.dark)")):
        page.evaluate("theme => localStorage.setItem('theme', theme)", theme)
        frame.locator(root).wait_for(state="attached")
    page.evaluate("localStorage.setItem('theme', 'dark')")
    page.goto("/quickbooks/")
    assert page.evaluate(IS_DARK)
    assert page.locator("header").is_visible()


def test_without_a_choice_the_theme_is_the_systems(open_page: Callable[..., Page]):
    for scheme in ("dark", "light"):
        page = open_page(LAPTOP, scheme)
        page.goto("/quickbooks/")
        assert page.evaluate(IS_DARK) == (scheme == "dark")


def test_every_page_fits_a_phone_and_keeps_to_its_own_policy(web: Web, open_page: Callable[..., Page]):
    assert web.db is not None
    add_companies(web.db, 60, runs=3, days=3)
    page = open_page(PHONE)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    for place in PAGES:
        page.goto(f"/quickbooks/{place}")
        page.get_by_role("heading", level=1).wait_for()
        assert not page.evaluate(IS_TOO_WIDE), place
        assert complaints == [], place


def test_the_keyboard_reaches_the_content_first(open_page: Callable[..., Page]):
    page = open_page(LAPTOP)
    page.goto("/quickbooks/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    for name in ("Alerts", "Connect to QuickBooks"):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == name
