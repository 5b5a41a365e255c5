"""Faults that tests inject into the sandbox's answers."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from sandbox.given_faults import Choice, fault_of

if TYPE_CHECKING:
    from sandbox.faults import Fault

Kind = Literal[
    "500",
    "503_html",
    "429",
    "401",
    "403_3100",
    "timeout",
    "reset",
    "lost_answer",
    "refused_afterwards",
    "malformed_json",
    "truncated",
    "slow",
    "token_error",
]
# What happens to an answer after the request was carried out.
AFTERWARDS = ("lost_answer", "malformed_json", "truncated")
CARRIED_OUT = (*AFTERWARDS, "refused_afterwards", "slow")


class Call(NamedTuple):
    """What a rule is compared with."""

    realm: str
    path: str
    entity: str
    method: str


class Rule(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """
    Which calls go wrong, and how.

    :param path: the beginning of the path below the company: cdc, query, batch, payment; or token.
    :param seconds: how long a timeout hangs or a slow answer takes.
    :param count: how often the rule strikes.
    :param probability: how likely it strikes each time.
    :param fault: what refused_afterwards answers to a request that it has carried out.
    :param error: what the token endpoint refuses a token_error with.
    """

    kind: Kind
    realm: str = ""
    path: str = ""
    entity: str = ""
    method: str = ""
    seconds: float = 30.0
    count: int | None = None
    probability: float = 1.0
    retry_after: int | None = None
    fault: Choice = "internal"
    error: str = "invalid_grant"
    id: str = ""
    hits: int = 0

    def matches(self, call: Call) -> bool:
        """Tell whether the rule is about a call and not used up."""
        if self.count is not None and self.hits >= self.count:
            return False
        return (
            self.realm in ("", call.realm)
            and call.path.startswith(self.path.lower())
            and self.entity.lower() in ("", call.entity.lower())
            and self.method.upper() in ("", call.method)
        )

    def refusal(self) -> Fault:
        """Return the fault of refused_afterwards."""
        return fault_of(self.fault)


class Injector:
    """
    The rules in force.

    :param seed: makes rules with a probability repeatable.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311  (repeatable, not secret)
        self._number = 0
        self.rules: list[Rule] = []

    def add(self, values: dict[str, Any]) -> Rule:
        """
        Add a rule.

        :raises msgspec.ValidationError: when a name or a value is unknown.
        """
        rule = msgspec.convert(values, Rule)
        self._number += 1
        rule.id, rule.hits = str(self._number), 0
        self.rules.append(rule)
        return rule

    def clear(self) -> None:
        """Drop all rules."""
        self.rules.clear()

    def pick(self, call: Call) -> Rule | None:
        """Return the first rule that strikes a call."""
        for rule in self.rules:
            if rule.matches(call) and self._random.random() < rule.probability:
                rule.hits += 1
                return rule
        return None
