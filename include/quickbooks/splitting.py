"""
Splits JSON into its parts without understanding them, so that one part that is no JSON does not spoil the others.

Only for answers that a decoder refuses: it is slow, and knows no more of JSON than where a part ends.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s"{}\[\],:]+|(?P<broken>")', re.DOTALL)
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


def members(text: bytes) -> dict[str, bytes]:
    """
    Split an object; of members with one name the last counts, as for Postgres.

    :raises ValueError: if it is no whole object.
    """
    return {_name(name): value for name, value in _parts(text, b"{}")}


def items(text: bytes) -> list[bytes]:
    """
    Split an array.

    :raises ValueError: if it is no whole array.
    """
    return [value for _, value in _parts(text, b"[]")]


def mend(text: bytes) -> bytes:
    """Replace what no text can hold, halves of surrogate pairs and bytes that are not UTF-8, by U+FFFD."""
    return _ESCAPE.sub(_whole, text.decode(errors="replace").encode())


def _whole(escape: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if escape["half"] else escape[0]


def _name(token: bytes) -> str:
    try:
        return str(json.loads(token))
    except ValueError:
        return token.decode(errors="replace")


def _parts(text: bytes, brackets: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the name and the value of each part; a name is empty where there is none."""
    text = text.strip()
    if not text or text[0] != brackets[0]:
        raise ValueError(f"not a {'list' if brackets == b'[]' else 'object'}")
    name, begin, depth, end = b"", 1, 0, 0
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if token["broken"] or end:
            raise ValueError("cut off" if token["broken"] else "more than one value")
        if sign in {b"{", b"["}:
            depth += 1
        elif sign == b":" and depth == 1 and not name and brackets == b"{}":
            name, begin = text[begin : token.start()].strip(), token.end()
        elif sign in {b"}", b"]"}:
            depth -= 1
            end = token.end() if depth == 0 else 0
        if end or (sign == b"," and depth == 1):
            if value := text[begin : token.start()].strip():
                yield name, value
            name, begin = b"", token.end()
    if not end or text[-1] != brackets[1]:
        raise ValueError("cut off")
