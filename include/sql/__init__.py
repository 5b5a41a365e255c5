"""The sync's SQL: folder = Postgres schema = layer, one statement a file."""

from __future__ import annotations

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent


@cache
def load(name: str) -> str:
    """
    Return the text of one statement.

    :param name: its path below this folder without the ending, such as ``staging/advance_cursor``.
    """
    return (FOLDER / f"{name}.sql").read_text(encoding="utf-8")
