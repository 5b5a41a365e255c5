"""What is wrong: a cause, and the words that causes have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

Level = Literal["danger", "warning"]

# Three cycles that did not come: a fourth will hardly do so by itself.
LATE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Cause:
    """
    Something that is not as it should be, told once however many things follow from it.

    :param company_id: empty for what concerns all companies: the app at Intuit, or Airflow.
    :param code: a stable name.
    :param detail: what tells causes of one code and company apart; empty where there is one only.
    :param level: ``danger`` when records do not flow, else ``warning``.
    :param sentence: what is wrong, with count and amount.
    :param remedy: what to do about it.
    :param owner: who has to: ``admin``, ``data engineer`` or ``bookkeeper``; ``nobody`` when it passes by itself.
    :param action: what cures it on the company's page: ``reconnect``, ``resume``, ``problems``, ``deliveries``,
        ``mapping``, ``import``, ``sync``, ``auto-sync``, ``proof``; empty if nothing there does.
    :param amounts: the money that it is about, per currency.
    :param count: of the payments or records that it is about.
    :param since: as far as that is known.
    :param is_told: whether somebody is alerted; what passes by itself, or a person did on purpose, is only shown.
    """

    company_id: str
    code: str
    detail: str
    level: Level
    sentence: str
    remedy: str
    owner: str
    action: str
    amounts: Mapping[str, Decimal] = field(default_factory=dict)
    count: int = 0
    since: datetime | None = None
    is_told: bool = True


def tell_payments(count: int, amounts: Mapping[str, Decimal]) -> str:
    """Say how many payments of how much, such as ``3 payments of 1,250.00 USD and 20.00 EUR``."""
    payments = tell_count(count, "payment")
    return f"{payments} of {tell_amounts(amounts)}" if amounts else payments


def tell_amounts(amounts: Mapping[str, Decimal]) -> str:
    """Say amounts of several currencies."""
    told = [f"{amounts[currency]:,.2f} {currency}".strip() for currency in sorted(amounts)]
    return " and ".join(filter(None, [", ".join(told[:-1]), told[-1]])) if told else ""


def tell_count(count: int, one: str, many: str = "") -> str:
    """Say how many of something."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def tell_age(age: timedelta) -> str:
    """Say how long something has lasted, from 15 minutes to days."""
    minutes = int(age / timedelta(minutes=1))
    if minutes < 120:
        return f"{minutes} minutes"
    return f"{minutes // 60} hours" if minutes < 48 * 60 else f"{minutes // (24 * 60)} days"


def tell_moment(moment: datetime) -> str:
    """Say a moment in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
