"""
Texts that others have written, so that they are read and not obeyed.

A name or a note may hold what commands a terminal, begins another line of a log or turns the order of words around.
"""

from __future__ import annotations


def one_line(text: str) -> str:
    """Return a text in one line, without what cannot be seen."""
    return visible(" ".join(text.split()))


def visible(text: str) -> str:
    """Return a text without what cannot be seen, such as control characters and marks of direction; its lines stay."""
    return "".join(sign for sign in text if sign.isprintable() or sign == "\n")
