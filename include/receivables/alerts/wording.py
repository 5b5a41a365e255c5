"""What a channel is told: the words of a message, as a subject, as text and as a page of mail."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from include.plain_text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

# Beyond so many, a message says how many more there are.
MOST_LISTED = 20
MOST_IN_SUBJECT = 120
ALL_COMPANIES = "All companies"
OWNERS = {
    "admin": "An administrator of Airflow",
    "data engineer": "A data engineer",
    "bookkeeper": "The bookkeeper",
    "nobody": "Nobody: it passes by itself",
}
KIND_WORDS = {"opened": "New", "worsened": "Worse", "closed": "Over"}


@dataclass(frozen=True, slots=True)
class Item:
    """
    An alert, as a channel is told of it.

    :param kind: what is told: that it is there, has become dangerous, or is over.
    :param company_name: None for what concerns all companies.
    :param amounts: per currency.
    :param gone_at: since when it is over, if it is.
    """

    batch_id: UUID
    message_id: int
    kind: Literal["opened", "worsened", "closed"]
    company_id: str
    company_name: str | None
    code: str
    detail: str
    level: str
    sentence: str
    remedy: str
    owner: str
    amounts: Mapping[str, str]
    count: int
    since: datetime
    gone_at: datetime | None

    @property
    def company(self) -> str:
        """What people call whom it concerns."""
        return one_line(self.company_name or self.company_id or ALL_COMPANIES)

    @property
    def who(self) -> str:
        """Who has to act."""
        return OWNERS.get(self.owner, self.owner)

    @property
    def money(self) -> str:
        """The amounts, such as ``1,250.00 USD, 30.00 EUR``."""
        return ", ".join(f"{Decimal(amount):,.2f} {currency}" for currency, amount in self.amounts.items())


@dataclass(frozen=True, slots=True)
class Message:
    """
    What one channel is told at one time.

    :param message_id: the same whenever the message is sent again because nobody knows whether it arrived.
    :param items: all that it tells of; text and mail list the first of them.
    :param links: where each item's page is.
    """

    message_id: str
    subject: str
    text: str
    html: str
    items: Sequence[Item]
    links: Sequence[str]


def compose(message_id: str, items: Sequence[Item], base_url: str) -> Message:
    """
    Write a message.

    :param items: what is told, at least one.
    :param base_url: of Airflow, whose pages it links to.
    """
    ordered = sorted(items, key=_importance)
    links = [_link(base_url, item) for item in ordered]
    subject = _subject(ordered)
    words = {
        "subject": subject,
        "listed": list(zip(ordered, links, strict=True))[:MOST_LISTED],
        "more": max(0, len(ordered) - MOST_LISTED),
        "all_url": _page(base_url, "alerts"),
    }
    text, html = (_templates().get_template(name).render(words) for name in ("message.txt", "message.html"))
    return Message(message_id, subject, text, html, ordered, links)


def compose_test(message_id: str, channel: str, by: str, base_url: str) -> Message:
    """Write a message that proves that a channel works."""
    subject = f"[QuickBooks] Test of the channel {channel}"
    words = {"subject": subject, "by": one_line(by), "all_url": _page(base_url, "alerts")}
    text, html = (_templates().get_template(name).render(words) for name in ("test.txt", "test.html"))
    return Message(message_id, subject, text, html, [], [])


def _importance(item: Item) -> tuple[bool, bool, int]:
    return item.kind == "closed", item.level != "danger", item.message_id


def _subject(items: Sequence[Item]) -> str:
    """Say in one line what it is about: whoever named a company cannot add a header by it."""
    first = items[0]
    if len(items) == 1:
        prefix = "" if first.kind == "opened" else f"{KIND_WORDS[first.kind]}: "
        return _shortened(f"[QuickBooks] {prefix}{first.company}: {one_line(first.sentence)}")
    over = sum(item.kind == "closed" for item in items)
    parts = [
        f"{count:,} {words}" for count, words in ((len(items) - over, "to look at"), (over, "over")) if count
    ]
    companies = {item.company_id for item in items}
    whose = f"{len(companies):,} companies" if len(companies) > 1 else first.company
    return _shortened(f"[QuickBooks] {whose}: {', '.join(parts)}")


def _shortened(text: str) -> str:
    return text if len(text) <= MOST_IN_SUBJECT else f"{text[: MOST_IN_SUBJECT - 1].rstrip()}…"


def _link(base_url: str, item: Item) -> str:
    page = f"companies/{quote(item.company_id)}" if item.company_id else "alerts"
    return _page(base_url, page)


def _page(base_url: str, target: str) -> str:
    return f"{base_url.rstrip('/')}/quickbooks/{target}"


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(one_line=one_line, moment="{:%Y-%m-%d %H:%M} UTC".format)
    environment.globals["kind_words"] = KIND_WORDS
    return environment
