"""Payments that somebody has to do something about: held, in doubt, or unlike in Peakflo and QuickBooks."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from include.receivables.alerts.model import Cause, tell_payments
from include.receivables.outbound.codes import WAITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from include.receivables.alerts.facts import Held

# What ends once the company's books are read and written again, whatever keeps them from being.
FOLLOWS_A_STOP = ("queued", "not_connected", "not_fresh", "stale", "undecided")
# What cures a wait where it is not the payments' own page.
ACTIONS = {
    "auto_sync_off": "auto-sync",
    "account_unmapped": "mapping",
    "account_unfit": "mapping",
    "receivable_ambiguous": "mapping",
    "not_connected": "reconnect",
    "other_books": "reconnect",
    "not_fresh": "sync",
    "stale": "sync",
}
# Waits that are causes of their own name.
CODES = {"auto_sync_off": "auto_sync_off", "undecided": "payments_undecided"}


@dataclass(frozen=True, slots=True)
class Money:
    """How many payments, and of how much per currency."""

    count: int
    amounts: dict[str, Decimal]

    @property
    def words(self) -> str:
        """Both in words."""
        return tell_payments(self.count, self.amounts)


def follow_a_stop(held: Iterable[Held]) -> Money:
    """Count the payments that go on by themselves once the company's books are read and written again."""
    return _all([each for each in held if each.kind == "waits" and each.code in FOLLOWS_A_STOP])


def add_waiting(stop: Cause, waiting: Money) -> Cause:
    """Add to why books are not read which payments wait for that."""
    if not waiting.count:
        return stop
    wait = f"{waiting.words} {'waits' if waiting.count == 1 else 'wait'} meanwhile."
    return replace(stop, sentence=f"{stop.sentence} {wait}", amounts=waiting.amounts, count=waiting.count)


def late_in_queue(held: Iterable[Held]) -> Money:
    """Count the payments that nobody has looked at, though several rounds of deliveries should have."""
    return _late([each for each in held if each.code == "queued"])


def list_payment_causes(held: Iterable[Held], *, besides: Sequence[str]) -> list[Cause]:
    """
    List why payments of a company are held or differ.

    :param besides: the codes of what follows from another cause.
    """
    reasons: dict[tuple[str, str], list[Held]] = defaultdict(list)
    for each in held:
        reasons[each.kind, each.code].append(each)
    found = [
        _differ(code, rows) if kind == "differs" else _wait(code, rows)
        for (kind, code), rows in reasons.items()
        if kind == "differs" or code not in besides
    ]
    return [cause for cause in found if cause is not None]


def _wait(code: str, rows: Sequence[Held]) -> Cause | None:
    wait = WAITS[code]
    if wait.usual is None:
        return None
    money = _late(rows) if wait.usual else _all(rows)
    if not money.count:
        return None
    is_looked_at = not wait.usual and money.count == sum(row.queued_payments for row in rows)
    name = CODES.get(code, "payments_waiting")
    return Cause(
        company_id=rows[0].company_id,
        code=name,
        detail=code if name == "payments_waiting" else "",
        level="warning",
        sentence=f"{money.words} {'waits' if money.count == 1 else 'wait'}: {wait.why}."
        + (" The next delivery looks again." if is_looked_at else ""),
        remedy=wait.remedy,
        owner=wait.owner,
        action=ACTIONS.get(code, "deliveries"),
        amounts=money.amounts,
        count=money.count,
        since=_since(rows),
    )


def _differ(code: str, rows: Sequence[Held]) -> Cause:
    money = _all(rows)
    known = next((row for row in rows if row.message), None)
    example = f" {'One of them: ' if money.count > 1 else ''}{known.message}" if known else ""
    is_one_remedy = (
        known is not None and {row.remedy for row in rows} == {known.remedy} and known.remedies == 1
    )
    return Cause(
        company_id=rows[0].company_id,
        code="payments_differ",
        detail=code,
        level="warning",
        sentence=f"{money.words} {'differs' if money.count == 1 else 'differ'} between Peakflo and QuickBooks."
        f"{example}",
        remedy=str(known.remedy) if known and is_one_remedy else "Open each of them: it says what to do.",
        owner=(known.owner if known else None) or "bookkeeper",
        action="deliveries",
        amounts=money.amounts,
        count=money.count,
        since=_since(rows),
    )


def _all(rows: Sequence[Held]) -> Money:
    return Money(sum(row.payments for row in rows), _sums((row.currency, row.amount) for row in rows))


def _late(rows: Sequence[Held]) -> Money:
    late = [row for row in rows if row.late_payments]
    return Money(
        sum(row.late_payments for row in late), _sums((row.currency, row.late_amount) for row in late)
    )


def _sums(amounts: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for currency, amount in amounts:
        sums[currency] += amount
    return dict(sums)


def _since(rows: Sequence[Held]) -> datetime:
    return min(row.since for row in rows)
