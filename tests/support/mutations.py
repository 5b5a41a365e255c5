"""What may be wrong with a record: one thing at any place of its JSON."""

from __future__ import annotations

import hashlib
import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

Json = dict[str, Any]

MARK = "@odd@"
DEEP = 6000
LONG = "".join(hashlib.sha256(str(number).encode()).hexdigest() for number in range(99))
# Stand in the place of any value, as they are written in JSON.
ANYWHERE = (
    "null", '""', '" "', "[]", "{}", "[null]", "0", "7", "-1", "true", "false", '"odd"', '["odd"]', '{"odd": "odd"}',
    '"\\u0000"', '"\\ud83d"', '"\\ufffd"', "NaN", "\x00", "[" * DEEP + "]" * DEEP, json.dumps(LONG),
    '{"value": null}', '{"value": {}}',
)  # fmt: skip
TIMES = (
    '"0001-01-01T00:00:00Z"', '"0000-00-00"', '"0000-00-00T00:00:00-08:00"', '"9999-12-31T23:59:59Z"', '"2026-02-30"',
    '"2026-11-2"', '"11/02/2026"', '"today"', '"infinity"', '"20261102"', "20261102", '"2026-11-02T25:00:00Z"',
)  # fmt: skip
NUMBERS = (
    '"NaN"', '"Infinity"', '"-Infinity"', "1e400", "-1e400", "1e30", "99999999999999999999999999999999", "-12.34",
    "-0", "0.0", '"1,234.50"', '"12.34"', '" 12.34 "', "12.34", "1e2", '"1e2"', '"12.3.4"',
)  # fmt: skip
TOKENS = ("2147483648", "-1", '"-1"', '"99999999999"', '"one"', "1.5", '""', "[]", "{}", "null", "true")
IDS = ("null", '""', "[]", "{}", '" "', '"\\u0000"', f'"{"9" * 51}"', "true", '"\\ud83d"', "1.5")


def mutate(record: Json, rng: Random, foreign_ids: list[str]) -> tuple[str, bytes]:
    """
    Change one thing in a record.

    :param foreign_ids: what may stand in the place of an Id that the record points at.
    :return: what was changed, and the JSON.
    """
    odd = deepcopy(record)
    path, parent, key = rng.choice(list(_places(odd)))
    value = parent[key]
    if path != "Id" and rng.random() < 0.15:
        del parent[key]
        return f"{path} is left out", json.dumps(odd).encode()
    text = rng.choice(_values(path, value, foreign_ids))
    if isinstance(key, str) and path != "Id" and rng.random() < 0.05:
        text = f"{json.dumps(value)}, {json.dumps(key)}: {text}"
    parent[key] = MARK
    return f"{path} is {text[:60]}", json.dumps(odd).replace(json.dumps(MARK), text).encode()


def _values(path: str, value: Any, foreign_ids: list[str]) -> tuple[str, ...]:
    name = path.rpartition(".")[2]
    if path == "Id":
        return IDS
    if path == "SyncToken":
        return TOKENS
    if name.endswith(("Date", "Time")):
        return TIMES + ANYWHERE
    if name in {"value", "TxnId"}:
        return (*ANYWHERE, *map(json.dumps, foreign_ids), *foreign_ids)
    if isinstance(value, bool):
        return (*ANYWHERE, '"true"', '"false"', '"f"', '"no"', '"yes"', "1")
    if isinstance(value, int | float):
        return NUMBERS + ANYWHERE
    if isinstance(value, str):
        return (*ANYWHERE, json.dumps(value[: len(value) // 2]), json.dumps(value * 50), "12.5")
    return (*ANYWHERE, json.dumps(json.dumps(value)), json.dumps([value]), json.dumps({"0": value}))


def _places(value: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield each place in a JSON value: its path, and what holds it under which key."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        here = f"{path}.{key}" if path else str(key)
        yield here, value, key
        yield from _places(value[key], here)
