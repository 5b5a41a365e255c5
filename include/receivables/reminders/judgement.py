"""What a reminder run found, as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.receivables.reminders.reads import cause_of

if TYPE_CHECKING:
    from include.receivables.reminders.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class Judgement:
    """
    What came of a reminder run.

    :param error: why some of it could not be checked; None if nothing went wrong.
    :param has_news: whether what was read has changed something in Peakflo's tables.
    """

    verdicts: list[Verdict]
    error: BaseException | None = None
    has_news: bool = False

    @property
    def cause(self) -> str:
        """The error's code, as in verdicts; empty without one."""
        return "" if self.error is None else cause_of(self.error)
