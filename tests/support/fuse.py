"""A fuse: kills its process when it comes to a chosen point of its work with the database and with QuickBooks."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
import requests.adapters

from include.sql import FOLDER, load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ANY = "any"
COMMIT, COMMITTED, SENDING, ANSWERED = "commit", "committed", "sending", "answered"
UNNAMED = "a statement without a name"
# What statements are called.
NAMES = {
    load(name): name
    for name in (str(path.relative_to(FOLDER).with_suffix("")) for path in FOLDER.rglob("*.sql"))
}
API = "/v3/company/"


@dataclass
class Fuse:
    """
    Kills this process the n-th time that a point is reached.

    Points are the moment before each statement, which has its name; before and after each commit; ``sending`` a request
    to QuickBooks, and ``answered`` when its answer has arrived and nobody has looked at it yet, both with where it
    goes; and ``any`` of all these.

    :param reached: the file to which each point is added when it is reached.
    """

    point: str
    left: int
    reached: Path | None = None

    def reach(self, point: str) -> None:
        """Reach a point."""
        if self.reached is not None:
            with self.reached.open("a") as log:
                log.write(f"{point}\n")
        if self.point in (ANY, point):
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def killable(fuse: Fuse) -> type[psycopg.Connection[Any]]:
    """Return the connections of a process that is killed."""

    class Cursor(psycopg.Cursor[Any]):
        def execute(self, query: Any, *arguments: Any, **options: Any) -> Any:
            fuse.reach(NAMES.get(query, UNNAMED))
            return super().execute(query, *arguments, **options)

    class Connection(psycopg.Connection[Any]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.cursor_factory = Cursor

        @contextmanager
        def transaction(self, *arguments: Any, **options: Any) -> Iterator[psycopg.Transaction]:
            with super().transaction(*arguments, **options) as transaction:
                yield transaction
                fuse.reach(COMMIT)
            fuse.reach(COMMITTED)

    return Connection


def burn(fuse: Fuse) -> None:
    """Have this process die of its requests to QuickBooks, too."""
    send = requests.adapters.HTTPAdapter.send

    def send_or_die(self: Any, request: Any, **options: Any) -> Any:
        _, _, path = request.url.partition(API)
        if not path:  # for an access token
            return send(self, request, **options)
        where = path.partition("?")[0].split("/")[1]
        fuse.reach(f"{SENDING} {where}")
        try:
            return send(self, request, **options)
        finally:
            fuse.reach(f"{ANSWERED} {where}")

    requests.adapters.HTTPAdapter.send = send_or_die  # type: ignore[method-assign]
