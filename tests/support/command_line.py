"""What tests of the command line share."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

DEADLINE_SECONDS = 30


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def connect(
    cli: Callable[..., Answer], created: dict[str, str], *options: str, company_id: str = "acme"
) -> Answer:
    """Connect a company of the sandbox."""
    given = ("--company-id", company_id, "--name", "Acme", "--realm-id", created["realm_id"])
    return cli("company", "connect", *given, "--refresh-token", created["refresh_token"], *options)


def assert_fails(answer: Answer, sentence: str) -> None:
    """Assert that a command ended with one sentence, on one line and without a traceback, and exited with 1."""
    assert answer.code == 1
    last_line = answer.err.splitlines()[-1]
    assert last_line.startswith("receivables: ")
    assert sentence in last_line
    assert "Traceback" not in answer.err
