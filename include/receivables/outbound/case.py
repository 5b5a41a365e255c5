"""A situation, and what has been found out about it so far."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from include.quickbooks.catalogue import find as find_fault
from include.receivables.outbound.codes import CODES, CORRECT
from include.receivables.outbound.model import Decision, Difference, Record, Situation, Standing
from include.receivables.outbound.preflight_answers import Held, Refused

if TYPE_CHECKING:
    from datetime import datetime

STALE = "stale"
ORPHAN = "possible_orphan"
UNMARKED = "unmarked_found"
CANNOT_TELL = "cannot_tell"
# What a retry is about of a payment that a person let go of, and nothing else keeps from being sent.
LET_GO = "let_go"


@dataclass(slots=True)
class Case:
    """A situation, and what has been found out about it so far."""

    situation: Situation
    waits: Held | None = None
    differences: list[Difference] = field(default_factory=list)
    is_let_go: bool = False
    may_let_go: bool = False

    def standing(self) -> Standing:
        """Return where the payment stands by what was found out."""
        is_let_go = any(each.lets_go and each.is_ignored for each in self.differences)
        return Standing(self.waits, tuple(self.differences), self.is_let_go or is_let_go, self.may_let_go)

    def wait(self, code: str, sentence: str) -> None:
        """Note what the payment waits for; the first that is found is told."""
        self.waits = self.waits or Held(code, sentence)

    def wait_before_sending(self, code: str, sentence: str) -> None:
        """Note what a payment waits for that has certainly not left."""
        self.wait(code, sentence)
        self.may_let_go = True

    def differ(self, code: str, *about: Any, **words: Any) -> Difference:
        """
        Note a difference.

        :param about: what makes it this difference and no other one.
        """
        kind = CODES[code]
        return self._note(
            Difference(
                code,
                kind.message.format(**words),
                kind.remedy.format(**words),
                kind.owner,
                fingerprint(code, *about),
                kind.may_retry,
                kind.lets_go,
            )
        )

    def differ_in(self, record: Record, code: str, *about: Any, **words: Any) -> Difference:
        """Note a difference of one record, which the sentence may name by its entity and its Id."""
        return self.differ(
            code, record.record_id, *about, entity=record.entity, qbo_id=record.qbo_id, **words
        )

    def refuse(self, record: Record) -> Difference:
        """Note that QuickBooks refuses what a record's request asked for."""
        code, reason = str(record.code), str(record.reason)
        known = find_fault(code, reason)
        remedy = known.cure if known else "correct what QuickBooks names"
        return self._note(
            Difference(
                code,
                reason,
                f"{remedy[0].upper()}{remedy[1:]}; then retry.",
                known.who if known else "bookkeeper",
                fingerprint(code, record.record_id, record.undo_count),
                may_retry=True,
                lets_go=True,
            )
        )

    def object_to(self, refused: Refused) -> Difference:
        """Note that a payment may not go to QuickBooks as it is."""
        return self._note(
            Difference(
                refused.code,
                refused.sentence,
                CORRECT,
                "bookkeeper",
                fingerprint(refused.code, refused.sentence),
                lets_go=True,
                candidate=refused.candidate,
            )
        )

    def is_retried(self, difference: Difference) -> bool:
        """Tell whether a retry is what was decided last about a difference; then it is none any more."""
        last = self._last(difference.fingerprint)
        if last is None or last.kind != "retry":
            return False
        self.differences.remove(difference)
        return True

    def retried_at(self, fingerprint: str) -> datetime | None:
        """Return when a person decided that a difference be retried, if that was decided last."""
        last = self._last(fingerprint)
        return last.decided_at if last and last.kind == "retry" else None

    def letting_go(self) -> Decision | None:
        """Return by what a person let go of the payment, unless something of it was retried since."""
        decisions = [each for each in self.situation.decisions if each.lets_go or each.kind == "retry"]
        last = max(decisions, key=lambda each: each.decided_at, default=None)
        return last if last is not None and last.lets_go else None

    @property
    def is_wanted(self) -> bool:
        """Whether the payment counts, and nobody let go of it."""
        return self.situation.is_active and self.letting_go() is None

    def _note(self, difference: Difference) -> Difference:
        noted = replace(difference, is_ignored=self._is_ignored(difference))
        self.differences.append(noted)
        return noted

    def _is_ignored(self, difference: Difference) -> bool:
        last = self._last(difference.fingerprint)
        if last is None or last.kind != "ignore":
            return False
        # Whatever is retried, the payment is to be sent again.
        is_taken_back = any(
            each.kind == "retry" and each.decided_at > last.decided_at for each in self.situation.decisions
        )
        return not (last.lets_go and is_taken_back)

    def _last(self, fingerprint: str) -> Decision | None:
        about = [each for each in self.situation.decisions if each.fingerprint == fingerprint]
        return max(about, key=lambda each: each.decided_at, default=None)


def fingerprint(*facts: Any) -> str:
    """Tell differences apart: the same facts always give the same text."""
    return hashlib.sha256(json.dumps(facts, default=str, sort_keys=True).encode()).hexdigest()[:16]
