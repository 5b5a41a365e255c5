"""Comes back from the consent page in a process of its own that is killed at a chosen step."""

from __future__ import annotations

import dataclasses
import os
import signal
from typing import TYPE_CHECKING, Any

import psycopg
import requests.adapters

from include.errors import ReceivablesError
from include.receivables.connecting import consent

if TYPE_CHECKING:
    from include.receivables.connecting.consent import Answer, Visitor
    from tests.support.other_process import Keys

CONNECTED, REFUSED = 0, 3


class Fuse:
    """
    Kills this process the n-th time that it is about to do something, or has just done it.

    Statements and requests count alike, each before and after.
    """

    def __init__(self, nth: int) -> None:
        self._left = nth

    def burn(self) -> None:
        """Come one step nearer to the end."""
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def come_back(keys: Keys, visitor: Visitor, answer: Answer, nth: int) -> None:
    """Complete a connection and read the accounts, and be killed at the n-th step."""
    fuse = Fuse(nth)
    send = requests.adapters.HTTPAdapter.send

    def send_or_die(self: Any, request: Any, **options: Any) -> Any:
        fuse.burn()
        response = send(self, request, **options)
        fuse.burn()
        return response

    class Cursor(psycopg.Cursor[Any]):
        def execute(self, query: Any, *arguments: Any, **options: Any) -> Any:
            fuse.burn()
            super().execute(query, *arguments, **options)
            fuse.burn()
            return self

    requests.adapters.HTTPAdapter.send = send_or_die  # type: ignore[method-assign]
    access = dataclasses.replace(
        keys.access(),
        connect=lambda: psycopg.connect(
            keys.db_url, autocommit=True, prepare_threshold=None, cursor_factory=Cursor
        ),
    )
    try:
        company = consent.complete(access, visitor, answer)
        consent.read_first(access, company.company_id)
    except ReceivablesError:
        raise SystemExit(REFUSED) from None
